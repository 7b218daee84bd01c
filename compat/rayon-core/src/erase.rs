//! The one place where a closure is made to seem to live for ever.
#![allow(unsafe_code, reason = "see above")]

/// A closure that borrows, for threads that do not know for how long.
///
/// # Safety
///
/// The caller waits until the result was called or dropped, and neither of the two uses what was borrowed when it lets the
/// caller go on.
pub(crate) unsafe fn erase<'a>(
    closure: Box<dyn FnOnce() + Send + 'a>,
) -> Box<dyn FnOnce() + Send + 'static> {
    // SAFETY: the two types differ in a lifetime only, and the caller sees to that.
    unsafe { std::mem::transmute(closure) }
}
