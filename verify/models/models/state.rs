//! The life of one child: claimed once, seen by its joiner, released once.

use loom::sync::Arc;
use loom::thread;

use super::{Memory, exhaustively, twins};
use crate::platform::parker::Parker;
use crate::task::state::{Dropped, Finished, Outcome, State, Taken, TakenAlone};

/// A record: its state, its slot, and the memory that somebody releases.
pub(super) struct Record {
    pub(super) state: State,
    /// What everybody who holds a reference reads: vtable, offset, class.
    header: Memory<u32>,
    pub(super) slot: Memory<Option<u32>>,
    is_released: Memory<bool>,
    pub(super) spawner: Parker,
}

impl Record {
    /// A record that has not left its thread.
    pub(super) fn in_private() -> Arc<Self> {
        Arc::new(Self {
            state: State::new(),
            header: Memory::new(1),
            slot: Memory::new(None),
            is_released: Memory::new(false),
            spawner: Parker::new(),
        })
    }

    /// A record whose queue reference is about to go to another thread.
    pub(super) fn new() -> Arc<Self> {
        let record = Self::in_private();
        record.state.share();
        record
    }

    pub(super) fn fill(&self) {
        self.slot.write(Some(7));
    }

    pub(super) fn empty(&self) {
        assert_eq!(self.slot.read(), Some(7), "the slot is emptied once");
        self.slot.write(None);
    }

    pub(super) fn release(&self) {
        assert!(!self.is_released.read(), "released once");
        self.is_released.write(true);
        // Whoever gets the memory next writes to it.
        self.header.write(0);
        self.slot.write(None);
    }

    /// A reference is there, so the record is.
    fn look(&self) {
        assert_eq!(self.header.read(), 1, "in use after its release");
    }

    fn run(&self) {
        self.look();
        self.fill();
        match self.state.finish(Outcome::Done) {
            Finished::Left => {}
            Finished::Wake => self.spawner.unpark(),
            Finished::Abandoned => {
                self.empty();
                self.release();
            }
        }
    }

    /// What a handle does that is not joined.
    pub(super) fn abandon(&self) {
        let has_finished = self.state.outcome().is_some();
        if has_finished {
            self.empty();
        }
        if self.state.drop_handle() == Dropped::Last {
            if !has_finished {
                self.empty();
            }
            self.release();
        }
    }

    /// What a thief, or the home thread itself, does with a queue reference.
    pub(super) fn take_and_run(&self) -> bool {
        self.look();
        match self.state.take_from_queue() {
            Taken::Run => {
                self.run();
                true
            }
            Taken::Stale => false,
            Taken::StaleLast => {
                self.release();
                false
            }
        }
    }

    /// What the home thread does with a queue reference that has come back.
    fn take_back_and_run(&self) {
        self.look();
        match self.state.take_alone() {
            TakenAlone::Unhandled => {
                self.fill();
                self.empty();
                self.release();
            }
            TakenAlone::Handled => {
                self.fill();
                self.state.finish_alone(Outcome::Done);
            }
            TakenAlone::Stale => {}
            TakenAlone::StaleLast => self.release(),
        }
    }

    /// What a thief does with a queue reference that it passes on: it looks, and shares it again.
    /// The answer is how it comes back.
    fn lend(this: &Arc<Self>) -> thread::JoinHandle<()> {
        let record = Arc::clone(this);
        thread::spawn(move || {
            record.look();
            let _ = record.state.is_started();
            record.state.share();
        })
    }

    fn join(&self) {
        while self.state.outcome().is_none() {
            if self.state.ask_for_wake() {
                self.spawner.park();
            }
        }
        self.look();
        self.empty();
        if self.state.drop_handle() == Dropped::Last {
            self.release();
        }
    }

    pub(super) fn assert_released(&self) {
        assert!(self.is_released.read(), "released at all");
    }
}

#[test]
fn state_awaited_joiner_is_woken_and_sees_the_result() {
    exhaustively(|| {
        let record = Record::new();
        let thief = {
            let record = Arc::clone(&record);
            thread::spawn(move || assert!(record.take_and_run()))
        };
        record.join();
        thief.join().unwrap();
        record.assert_released();
    });
}

/// The home takes its own child back from a run and shares it again, or splits a run that it took:
/// sharing twice undoes nothing.
#[test]
fn state_shared_again_by_a_thief_loses_no_claim() {
    exhaustively(|| {
        let record = Record::new();
        let thief = {
            let record = Arc::clone(&record);
            thread::spawn(move || {
                record.state.share();
                record.take_and_run()
            })
        };
        let claimed = record.state.claim_by_handle();
        if claimed {
            record.run();
        }
        record.join();
        let stolen = thief.join().unwrap();
        assert_ne!(claimed, stolen, "run once");
        record.assert_released();
    });
}

/// A child that the handle claimed while it was private, shared while it runs.
#[test]
fn state_shared_while_running_is_released_once() {
    exhaustively(|| {
        let record = Record::in_private();
        assert!(record.state.claim_by_handle());
        record.state.share();
        let thief = {
            let record = Arc::clone(&record);
            thread::spawn(move || assert!(!record.take_and_run(), "stale"))
        };
        record.run();
        record.join();
        thief.join().unwrap();
        record.assert_released();
    });
}

#[test]
fn state_claimed_by_handle_or_queue() {
    exhaustively(|| {
        let record = Record::new();
        let thief = {
            let record = Arc::clone(&record);
            thread::spawn(move || record.take_and_run())
        };
        let claimed = record.state.claim_by_handle();
        if claimed {
            record.run();
        }
        record.join();
        let stolen = thief.join().unwrap();
        assert_ne!(claimed, stolen, "run once");
        record.assert_released();
    });
}

#[test]
fn state_abandoned_child_is_emptied_and_released_once() {
    exhaustively(|| {
        let record = Record::new();
        let thief = {
            let record = Arc::clone(&record);
            thread::spawn(move || assert!(record.take_and_run()))
        };
        record.look();
        record.abandon();
        thief.join().unwrap();
        record.assert_released();
    });
}

/// The handle claims a child for whoever waits for any, and is dropped: its queue reference may be
/// taken before, meanwhile, or later.
#[test]
fn state_claimed_and_abandoned_child_is_emptied_and_released_once() {
    exhaustively(|| {
        let record = Record::new();
        let claimed = record.state.claim_by_handle();
        let thief = {
            let record = Arc::clone(&record);
            thread::spawn(move || record.take_and_run())
        };
        if claimed {
            record.run();
        }
        record.abandon();
        assert_ne!(claimed, thief.join().unwrap(), "run once");
        record.assert_released();
    });
}

/// The handle went away before the child left its thread: nobody else looks at the state.
#[test]
fn state_abandoned_in_private_is_released_by_the_thief() {
    exhaustively(|| {
        let record = Record::in_private();
        assert!(record.state.drop_handle_in_private());
        record.state.share();
        let thief = {
            let record = Arc::clone(&record);
            thread::spawn(move || assert!(record.take_and_run()))
        };
        thief.join().unwrap();
        record.assert_released();
    });
}

/// The home drops the handle while a thief passes the child on, and runs it when it comes back.
#[test]
fn state_abandoned_while_lent_is_released_at_home() {
    exhaustively(|| {
        let record = Record::new();
        let thief = Record::lend(&record);
        assert_eq!(record.state.drop_handle(), Dropped::Early);
        thief.join().unwrap();
        record.take_back_and_run();
        record.assert_released();
    });
}

/// The home asks to be told while a thief passes the child on, which then comes back.
#[test]
fn state_awaited_while_lent_is_run_and_joined_at_home() {
    exhaustively(|| {
        let record = Record::new();
        let thief = Record::lend(&record);
        assert!(record.state.ask_for_wake());
        thief.join().unwrap();
        record.take_back_and_run();
        record.join();
        record.assert_released();
    });
}

/// The home claims, runs and joins a child while a thief passes it on: what comes back is stale.
#[test]
fn state_joined_while_lent_comes_back_stale() {
    exhaustively(|| {
        let record = Record::new();
        let thief = Record::lend(&record);
        assert!(record.state.claim_by_handle());
        record.run();
        record.join();
        thief.join().unwrap();
        record.take_back_and_run();
        record.assert_released();
    });
}

/// A child that came back is shared a second time, and dropped by its handle meanwhile.
#[test]
fn state_shared_again_at_home_is_released_once() {
    exhaustively(|| {
        let record = Record::new();
        Record::lend(&record).join().unwrap();
        record.state.share();
        let thief = {
            let record = Arc::clone(&record);
            thread::spawn(move || assert!(record.take_and_run()))
        };
        record.look();
        if record.state.drop_handle() == Dropped::Last {
            record.empty();
            record.release();
        }
        thief.join().unwrap();
        record.assert_released();
    });
}

twins! {
    state_awaited_joiner_is_woken_and_sees_the_result {
        the_result_is_read_before_it_is_there: relaxed("task/state.rs", "outcome", "load") => Race;
        the_end_is_said_before_the_result_is_there: relaxed("task/state.rs", "set_unless_alone", "fetch_or") => Race;
        the_end_undoes_the_wish_to_be_told: split("task/state.rs", "set_unless_alone", "fetch_or") => Says("finished once");
        the_wish_to_be_told_undoes_the_end: split("task/state.rs", "set", "fetch_or") => Deadlock;
    }
    state_shared_again_by_a_thief_loses_no_claim {
        two_claims_are_won: split("task/state.rs", "set", "fetch_or") => Says("released at all");
    }
    state_shared_while_running_is_released_once {
        the_run_reference_ends_unseen: relaxed("task/state.rs", "set_unless_alone", "fetch_or") => Race;
        the_dropper_does_not_see_the_last_use: relaxed("task/state.rs", "drop_handle", "load") => Race;
    }
    state_claimed_by_handle_or_queue {
        two_claims_are_won: split("task/state.rs", "set", "fetch_or") => Says("released at all");
        both_run_it: split("task/state.rs", "set_unless_alone", "fetch_or") => Race;
    }
    state_abandoned_child_is_emptied_and_released_once {
        the_last_use_by_the_handle_is_not_seen: relaxed("task/state.rs", "set_unless_alone", "load") => Race;
        the_handle_ends_before_its_last_use: relaxed("task/state.rs", "set", "fetch_or") => Race;
        both_leave_the_record_to_the_other: split("task/state.rs", "set", "fetch_or") => Says("released at all");
    }
    state_claimed_and_abandoned_child_is_emptied_and_released_once {
        the_thief_uses_what_is_released: relaxed("task/state.rs", "drop_handle", "load") => Race;
        both_leave_the_record_to_the_other: split("task/state.rs", "set_unless_alone", "fetch_or") => Says("released at all");
    }
    state_abandoned_in_private_is_released_by_the_thief {
        the_handle_does_not_say_that_it_goes: skipped("task/state.rs", "drop_handle_in_private", "store") => Says("released at all");
    }
    state_abandoned_while_lent_is_released_at_home {
        the_handle_does_not_say_that_it_goes: skipped("task/state.rs", "set", "fetch_or") => Says("released at all");
    }
    state_awaited_while_lent_is_run_and_joined_at_home {
        the_end_is_not_said: skipped("task/state.rs", "finish_alone", "store") => Deadlock;
    }
    state_joined_while_lent_comes_back_stale {
        the_claim_is_not_said: skipped("task/state.rs", "set", "fetch_or") => Says("finished once");
    }
    state_shared_again_at_home_is_released_once {
        the_last_use_by_the_handle_is_not_seen: relaxed("task/state.rs", "set_unless_alone", "load") => Race;
        the_handle_ends_before_its_last_use: relaxed("task/state.rs", "set", "fetch_or") => Race;
        both_leave_the_record_to_the_other: split("task/state.rs", "set_unless_alone", "fetch_or") => Says("finished once");
    }
}
