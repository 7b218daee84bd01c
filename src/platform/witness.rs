//! What the model checker sees of memory that is used through raw pointers.

/// Stands next to a piece of memory that one thread at a time has the right to use. In ordinary builds
/// it is nothing.
pub(crate) struct Witness(#[cfg(hatchery_loom)] loom::cell::UnsafeCell<()>);

impl Witness {
    #[inline]
    pub(crate) fn new() -> Self {
        #[cfg(hatchery_loom)]
        return Self(loom::cell::UnsafeCell::new(()));
        #[cfg(not(hatchery_loom))]
        Self()
    }

    /// Notes that the memory is used: a model fails if this use and another are not ordered.
    #[allow(clippy::inline_always, reason = "nothing")]
    #[inline(always)]
    pub(crate) fn note_use(&self) {
        #[cfg(hatchery_loom)]
        self.0.with_mut(|_| ());
    }

    /// Notes that the memory is read: a model fails if this and a use are not ordered.
    #[allow(clippy::inline_always, reason = "nothing")]
    #[inline(always)]
    pub(crate) fn note_look(&self) {
        #[cfg(hatchery_loom)]
        self.0.with(|_| ());
    }
}
