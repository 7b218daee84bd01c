//! What threads agree on: generic protocols that know no pool, each checked by models.
//!
//! A protocol names nothing but the platform and other protocols. It states its rules at the top of
//! its file, and the models that explore them. A protocol asks for what it needs of its user in a
//! trait or a closure, so that the models and the engine run the same code.

pub(crate) mod biased;
pub(crate) mod count;
pub(crate) mod deadlines;
pub(crate) mod epoch;
pub(crate) mod gate;
pub(crate) mod helpers;
pub(crate) mod idle;
pub(crate) mod injector;
pub(crate) mod line;
pub(crate) mod mark;
pub(crate) mod nursery_id;
pub(crate) mod permits;
pub(crate) mod promise;
pub(crate) mod queue;
pub(crate) mod remains;
pub(crate) mod requests;
pub(crate) mod roster;
pub(crate) mod side;
pub(crate) mod threads;
pub(crate) mod watch;
