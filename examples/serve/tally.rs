//! What has become of the jobs of a server.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};

use hatchery::Cancelled;

use crate::chain::{Chain, Digest};

/// Counts jobs.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    outstanding: AtomicUsize,
    cancelled: AtomicUsize,
    in_vain: AtomicUsize,
}

impl Tally {
    /// Jobs that have not ended.
    pub(crate) fn outstanding(&self) -> usize {
        self.outstanding.load(Ordering::Acquire)
    }

    /// Jobs that did not run, or not to their end.
    pub(crate) fn cancelled(&self) -> usize {
        self.cancelled.load(Ordering::Acquire)
    }

    /// Jobs that ran to their end when nobody waited any more.
    pub(crate) fn in_vain(&self) -> usize {
        self.in_vain.load(Ordering::Acquire)
    }
}

/// A job that counts. The closure that runs it owns it.
#[derive(Debug)]
pub(crate) struct Job {
    chain: Chain,
    tally: Arc<Tally>,
    /// Gone when nobody waits for the answer.
    asker: Weak<()>,
    has_ended: bool,
}

impl Job {
    /// A job whose answer is awaited as long as the `asker` lives.
    pub(crate) fn new(chain: Chain, tally: &Arc<Tally>, asker: &Arc<()>) -> Self {
        tally.outstanding.fetch_add(1, Ordering::Relaxed);
        Self {
            chain,
            tally: Arc::clone(tally),
            asker: Arc::downgrade(asker),
            has_ended: false,
        }
    }

    pub(crate) fn run(mut self) -> Result<Digest, Cancelled> {
        let digest = self.chain.last()?;
        self.has_ended = true;
        Ok(digest)
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        if !self.has_ended {
            self.tally.cancelled.fetch_add(1, Ordering::Release);
        } else if self.asker.strong_count() == 0 {
            self.tally.in_vain.fetch_add(1, Ordering::Release);
        }
        self.tally.outstanding.fetch_sub(1, Ordering::Release);
    }
}
