//! The nursery's count: the last release publishes, and frees nothing too early.

use loom::sync::Arc;
use loom::thread;

use super::harness::within;
use super::{Memory, Place, exhaustively, twins, within_bounds};
use crate::platform::parker::Parker;
use crate::platform::planted;
use crate::protocol::count::Count;

struct Frame {
    count: Count,
    /// What the children write, and what the opener takes back when the frame ends.
    slots: [Memory<u32>; 2],
}

#[test]
fn count_last_release_publishes() {
    within_bounds(|| {
        let home = Arc::new(Parker::new());
        let frame = Arc::new(Frame {
            count: Count::new(),
            slots: [Memory::new(0), Memory::new(0)],
        });
        frame.count.add(2);
        let thieves = [0, 1].map(|index| {
            let (home, frame) = (Arc::clone(&home), Arc::clone(&frame));
            thread::spawn(move || {
                frame.slots[index].write(1);
                if frame.count.release() {
                    home.unpark();
                }
            })
        });
        while !frame.count.is_zero() {
            home.park();
        }
        for slot in &frame.slots {
            assert_eq!(slot.read(), 1);
            slot.write(2);
        }
        for thief in thieves {
            thief.join().unwrap();
        }
    });
}

#[test]
fn count_foreign_spawn_keeps_it_open() {
    within_bounds(|| {
        let home = Arc::new(Parker::new());
        let frame = Arc::new(Frame {
            count: Count::new(),
            slots: [Memory::new(0), Memory::new(0)],
        });
        frame.count.add(1);
        let child = {
            let (home, frame) = (Arc::clone(&home), Arc::clone(&frame));
            thread::spawn(move || {
                // The child spawns a sibling before it ends.
                frame.count.add(1);
                let sibling = {
                    let (home, frame) = (Arc::clone(&home), Arc::clone(&frame));
                    thread::spawn(move || {
                        frame.slots[1].write(1);
                        if frame.count.release() {
                            home.unpark();
                        }
                    })
                };
                if frame.count.release() {
                    home.unpark();
                }
                sibling.join().unwrap();
            })
        };
        while !frame.count.is_zero() {
            home.park();
        }
        assert_eq!(frame.slots[1].read(), 1, "the sibling has run");
        child.join().unwrap();
    });
}

/// What a thief does with the one child of its run.
fn finish(frame: &Place<Frame>, index: usize, home: &Parker) {
    frame.get().slots[index].write(1);
    let is_last = frame.get().count.release();
    if planted::step("looks at the count after its release") {
        let _ = frame.get().count.is_zero();
    }
    if is_last {
        home.unpark();
    }
}

fn frame_of_two() -> Arc<Place<Frame>> {
    let frame = Frame {
        count: Count::new(),
        slots: [Memory::new(0), Memory::new(0)],
    };
    frame.count.add(2);
    Arc::new(Place::new(frame))
}

/// The frame ends with the last release, while both thieves go on.
#[test]
fn count_frame_is_freed_after_the_last_release() {
    within(4, || {
        let home = Arc::new(Parker::new());
        let frame = frame_of_two();
        let thieves = [0, 1].map(|index| {
            let (home, frame) = (Arc::clone(&home), Arc::clone(&frame));
            thread::spawn(move || finish(&frame, index, &home))
        });
        while !frame.get().count.is_zero() {
            home.park();
        }
        for slot in &frame.get().slots {
            slot.write(2);
        }
        frame.free();
        for thief in thieves {
            thief.join().unwrap();
        }
    });
}

/// The home finishes one child itself.
#[test]
fn count_frame_is_freed_after_the_other_ones_release() {
    exhaustively(|| {
        let home = Arc::new(Parker::new());
        let frame = frame_of_two();
        let thief = {
            let (home, frame) = (Arc::clone(&home), Arc::clone(&frame));
            thread::spawn(move || finish(&frame, 0, &home))
        };
        finish(&frame, 1, &home);
        while !frame.get().count.is_zero() {
            home.park();
        }
        for slot in &frame.get().slots {
            slot.write(2);
        }
        frame.free();
        thief.join().unwrap();
    });
}

twins! {
    count_last_release_publishes {
        what_a_child_did_is_not_published: relaxed("protocol/count.rs", "release", "fetch_sub") => Race;
        zero_is_seen_without_what_led_to_it: relaxed("protocol/count.rs", "get", "load") => Race;
        two_releases_count_once: split("protocol/count.rs", "release", "fetch_sub") => Deadlock;
    }
    count_foreign_spawn_keeps_it_open {
        nothing_is_added_for_the_sibling: skipped("protocol/count.rs", "add", "fetch_add")
            => Says("the sibling has run");
    }
    count_frame_is_freed_after_the_last_release {
        a_thief_looks_at_it_later: step("looks at the count after its release") => Race;
        zero_is_seen_without_what_led_to_it: relaxed("protocol/count.rs", "get", "load") => Race;
        what_a_child_did_is_not_published: relaxed("protocol/count.rs", "release", "fetch_sub") => Race;
    }
    count_frame_is_freed_after_the_other_ones_release {
        the_thief_looks_at_it_later: step("looks at the count after its release") => Race;
        two_releases_count_once: split("protocol/count.rs", "release", "fetch_sub") => Deadlock;
    }
}
