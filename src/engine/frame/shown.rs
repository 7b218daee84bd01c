//! How a part of a list that a frame has shown comes back to its position.
//!
//! A frame shows parts of its list, mostly the newer half. A part that nobody takes comes back, and
//! its children start where the serial program starts them (law R5), although the frame may have
//! got more children since, or have shown more.
//!
//! Each part carries the number that its first child had in the list (`PendingList`). So its
//! position is known as long as the list has not been cut at an earlier position:
//!
//! 1. A part is cut from the end of the list. So all that the list had before the part is still
//!    there, or has left the list at its front.
//! 2. A part that is cut from the end takes along the positions of earlier parts. Those at its end
//!    come after it. If the list has grown since an earlier part was shown, the new part may enclose
//!    that one; then it is split there. So the parts are put in line in the order in which they were
//!    shown.
//! 3. A part that is cut from the front (`show_some` in `publish`) is older than all that is left.
//! 4. Thieves take the parts that were shown first, so the parts that are left are the last that
//!    the frame has shown; and they are the newest runs in the deque, see `publish`.
//!
//! Before the oldest child in the list runs, the parts that come before it are taken back. When a
//! child ends, all parts that it has shown are taken back, because its list goes to the frame
//! around it.
//!
//! Once handles have claimed dozens of the children, these are swept out of the list, and the
//! positions are no longer exact.

use std::mem::MaybeUninit;
use std::ops::Range;

use super::{Frame, Part};
use crate::engine::node::Node;
use crate::engine::shared::Run;
use crate::task::list::{PendingList, is_before};

/// The number of parts from which on they are not counted any more.
pub(super) const MANY: u8 = u8::MAX;

impl Frame<'_> {
    /// Notes that a part is about to be shown whose first child had this number.
    pub(in crate::engine) fn note_shown(&self, first: u32) {
        let mut oldest = first;
        let mut before = 0;
        if self.is_showing() {
            before = self.shown.get();
            let former = self.oldest_shown();
            if is_before(former, first) {
                oldest = former;
            }
        }
        self.set_shown(oldest, before.saturating_add(1));
        if self.part.get() == Part::Child {
            // Between two of its items a batch looks only whether its thread is asked. So it stops,
            // and what the item has shown starts before the next item.
            self.seat.slot().requests.renew();
        }
    }

    fn set_shown(&self, oldest: u32, shown: u8) {
        self.oldest_shown.set(MaybeUninit::new(oldest));
        self.shown.set(shown);
        self.is_worn.set(true);
    }

    /// Whether this frame has shown something, which may have been taken.
    pub(in crate::engine) fn may_show(&self) -> bool {
        self.shown.get() > 0
    }

    /// Whether something that this frame has shown may still be there.
    pub(in crate::engine) fn is_showing(&self) -> bool {
        self.shown.get() > 0 && self.seat.shares()
    }

    /// Whether what was shown comes before all of the list, if it is still in the deque.
    #[inline]
    pub(in crate::engine) fn comes_to_shown(&self) -> bool {
        self.shown.get() > 0 && self.list.len_before(self.oldest_shown()) == 0
    }

    /// The number that the oldest child in the list will have when what was shown comes before it;
    /// if nothing was shown, a number that no child will have. A part that is shown from now on is
    /// cut from the end of the list, so it is next when the list has come to its end.
    #[inline]
    pub(in crate::engine) fn next_shown(&self) -> u32 {
        if self.shown.get() > 0 {
            self.oldest_shown()
        } else {
            self.list.begin().wrapping_sub(u32::MAX / 2)
        }
    }

    /// Takes back what this frame shows and what comes before all of its list; returns whether
    /// there was something.
    #[inline]
    pub(in crate::engine) fn take_back_next(&self, scope: &Node) -> bool {
        self.comes_to_shown() && self.take_back(scope, false)
    }

    /// Takes back all that this frame shows; returns whether there was something.
    pub(in crate::engine) fn take_back_all(&self, scope: &Node) -> bool {
        self.take_back(scope, true)
    }

    #[cold]
    #[inline(never)]
    fn take_back(&self, scope: &Node, all: bool) -> bool {
        let mut shown = self.shown.replace(0);
        if shown == 1 {
            return self.take_back_only(scope, all);
        }
        let next = || {
            let run = (shown > 0).then(|| self.pop_shown(scope))??;
            shown -= u8::from(shown < MANY);
            Some(run)
        };
        let runs: Vec<_> = std::iter::from_fn(next).collect();
        let line = in_line(runs);
        let begin = self.list.begin();
        let are_due = |(number, _): &&(u32, Run)| !is_before(begin, *number);
        let mut left = line.iter().take_while(are_due).count();
        if self.seat.core.threads() > 1 {
            // The others stay in the deque, for threads that steal.
            left = left.div_ceil(2);
        }
        let mut kept = Vec::new();
        let front = PendingList::new();
        for (number, run) in line {
            if !all && left == 0 {
                kept.push((
                    if is_before(number, begin) {
                        begin
                    } else {
                        number
                    },
                    run,
                ));
                continue;
            }
            left = left.saturating_sub(1);
            self.bring_back(run, number, &front);
        }
        let are_some = !front.is_empty();
        self.prepend(&front);
        if let Some(&(oldest, _)) = kept.first() {
            self.set_shown(oldest, u8::try_from(kept.len()).unwrap_or(MANY));
        }
        let kept = kept.into_iter().map(|(number, run)| run.renumbered(number));
        self.seat.put_back(kept);
        are_some
    }

    /// Takes back the only part that there may be. It allocates nothing: a small nursery beside an
    /// idle thread shows no more than one part.
    fn take_back_only(&self, scope: &Node, all: bool) -> bool {
        let Some(run) = self.pop_shown(scope) else {
            return false;
        };
        let number = run.numbers().start;
        if !all && is_before(self.list.begin(), number) {
            self.set_shown(number, 1);
            self.seat.put_back([run]);
            return false;
        }
        let front = PendingList::new();
        self.bring_back(run, number, &front);
        let are_some = !front.is_empty();
        self.prepend(&front);
        are_some
    }

    /// Takes the part that this frame has shown last out of the deque, if it is still there.
    fn pop_shown(&self, scope: &Node) -> Option<Run> {
        let run = self.seat.pop()?;
        if std::ptr::eq(run.scope(), scope) {
            return Some(run);
        }
        // All children of the part were claimed, so the part has gone.
        self.seat.put_back([run]);
        None
    }

    /// Moves the children before this number from the list to the end of `front`, and then the
    /// children of the run.
    fn bring_back(&self, run: Run, number: u32, front: &PendingList) {
        let older = self.list.len_before(number);
        front.append(&self.list.split_oldest(older));
        run.take_back(self.seat, front);
    }
}

/// Puts some parts of one frame, given from the last that was shown to the first, in the order of
/// the serial program, each with the number in the list that it comes before. A part that encloses
/// others is split.
fn in_line(runs: Vec<Run>) -> Vec<(u32, Run)> {
    let mut line: Vec<(u32, Run)> = Vec::with_capacity(runs.len());
    for run in runs.into_iter().rev() {
        let Range { start, end } = run.numbers();
        let is_behind = |(number, _): &(u32, Run)| is_before(start, *number);
        let at = line.iter().position(is_behind).unwrap_or(line.len());
        let mut behind = line.split_off(at).into_iter().peekable();
        let is_inside = |(number, _): &(u32, Run)| is_before(*number, end);
        while let Some((number, inside)) = behind.next_if(is_inside) {
            if is_before(run.numbers().start, number) {
                line.push((start, run.split_before(number)));
            }
            line.push((start, inside));
        }
        line.push((start, run));
        line.extend(behind.map(|(number, run)| {
            let is_at_end = !is_before(end, number);
            (if is_at_end { start } else { number }, run)
        }));
    }
    line
}
