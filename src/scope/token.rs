//! Tokens: switches outside of all nurseries, each of which cancels the nurseries that heed it.
//!
//! A child token knows its parent, and a parent knows nothing of its children. So a child that is
//! dropped leaves nothing behind, and cancelling takes no longer with many children. Who asks a token
//! goes up through its ancestors.
//!
//! This is no protocol of its own. A nursery that heeds a token looks at each switch from there up, as
//! if it had been opened with all of them: see `protocol/epoch.rs`. Which switches these are never
//! changes.

use std::fmt;
use std::iter::successors;
use std::slice;

use crate::platform::sync::Arc;
use crate::protocol::epoch::{EPOCH, Switch};

/// What a [`CancelToken`](crate::CancelToken) and the nurseries that heed it have in common.
#[derive(Clone, Default)]
pub(crate) struct Token(Arc<Link>);

/// One token of a chain, which may have any length.
#[derive(Default)]
struct Link {
    switch: Switch,
    parent: Option<Token>,
}

impl Token {
    /// A token that is cancelled with this one, or alone.
    pub(crate) fn child(&self) -> Self {
        Self(Arc::new(Link {
            switch: Switch::default(),
            parent: Some(self.clone()),
        }))
    }

    /// This token, its parent, and so on.
    fn upwards(&self) -> impl Iterator<Item = &Self> {
        successors(Some(self), |token| token.0.parent.as_ref())
    }

    /// Cancels. True for exactly one caller, and for none if an ancestor was cancelled before.
    pub(crate) fn cancel(&self) -> bool {
        let was_cancelled = self.is_cancelled();
        // In any case: another thread may have turned an ancestor's switch on, and not advanced the epoch yet.
        self.0.switch.turn_on(&EPOCH) && !was_cancelled
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        self.upwards().any(|token| token.0.switch.is_on())
    }

    /// Whether the two are clones of one token.
    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

/// Tokens of which each cancels a nursery. One token, the usual number, is kept without a list.
#[derive(Clone, Default)]
pub(crate) enum Tokens {
    #[default]
    None,
    One(Token),
    Several(Arc<[Token]>),
}

impl Tokens {
    pub(crate) fn add(&mut self, token: &Token) {
        *self = match self.as_slice() {
            [] => Self::One(token.clone()),
            so_far => Self::Several(so_far.iter().chain([token]).cloned().collect()),
        };
    }

    pub(super) fn as_slice(&self) -> &[Token] {
        match self {
            Self::None => &[],
            Self::One(token) => slice::from_ref(token),
            Self::Several(tokens) => tokens,
        }
    }
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.as_slice()).finish()
    }
}

impl fmt::Debug for Token {
    // Not its ancestors, which may be any number.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token")
            .field("is_cancelled", &self.is_cancelled())
            .finish()
    }
}

impl Drop for Link {
    /// Ends the ancestors that nobody else has, one after the other: each within the drop of the one
    /// below, they would take more stack than there is.
    fn drop(&mut self) {
        let mut parent = self.parent.take();
        while let Some(token) = parent {
            parent = Arc::into_inner(token.0).and_then(|mut link| link.parent.take());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::epoch::Epoch;

    #[test]
    fn x1_who_cancels_makes_it_known_although_an_ancestor_is_cancelled() {
        let parent = Token::default();
        let child = parent.child();
        // What is seen of another thread that has yet to advance the epoch.
        assert!(parent.0.switch.turn_on(&Epoch::new()));
        let before = EPOCH.now();
        assert!(!child.cancel(), "the parent was cancelled before");
        assert!(child.0.switch.is_on());
        assert!(EPOCH.now() > before);
    }
}
