//! Cache lines, each of which is one core's to write or several cores' to read.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::panic::Location;

use crate::cores::{Machine, in_turn, with};
use crate::costs::NS;

/// Cores that there can be.
pub(crate) const MOST_CORES: usize = 512;

/// The length of a line in bytes, as its logarithm.
const BITS: u32 = 6;

/// A load that misses so soon behind another one was sent off before that one came.
const RIGHT_BEHIND: u64 = 5 * NS;

/// What is done to a line.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    Load,
    Store,
    /// A read-modify-write, or a store that is also a full fence.
    Rmw,
}

/// Who has a line.
#[derive(Default)]
struct Line {
    /// The core that may write, plus one; 0 if there is none.
    owner: usize,
    /// The cores that may read, if there is no owner.
    sharers: Cores,
    /// When it can go to the next core.
    free_at: u64,
}

/// A set of cores.
#[derive(Default, PartialEq, Eq)]
struct Cores([u64; MOST_CORES / 64]);

impl Cores {
    fn has(&self, core: usize) -> bool {
        self.0[core / 64] >> (core % 64) & 1 != 0
    }

    fn add(&mut self, core: usize) {
        self.0[core / 64] |= 1 << (core % 64);
    }
}

impl Line {
    /// Whether this core needs nobody for this access.
    fn is_hit(&self, core: usize, access: Access) -> bool {
        let is_owner = self.owner == core + 1;
        is_owner || (access == Access::Load && self.owner == 0 && self.sharers.has(core))
    }

    /// Whether no core has ever had it.
    fn is_new(&self) -> bool {
        self.owner == 0 && self.sharers == Cores::default()
    }

    /// Gives it to this core.
    fn go_to(&mut self, core: usize, access: Access) {
        if access == Access::Load {
            if let Some(owner) = self.owner.checked_sub(1) {
                self.sharers.add(owner);
            }
            self.owner = 0;
            self.sharers.add(core);
        } else {
            self.owner = core + 1;
            self.sharers = Cores::default();
        }
    }
}

/// Multiplies, which is enough for numbers of lines.
#[derive(Default)]
pub(crate) struct Product(u64);

impl Hasher for Product {
    fn write(&mut self, _: &[u8]) {
        unreachable!("keys are numbers")
    }

    fn write_usize(&mut self, key: usize) {
        self.0 = (key as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }

    fn finish(&self) -> u64 {
        self.0 ^ (self.0 >> 32)
    }
}

/// Values by address. Nobody walks them.
pub(crate) type ByAddress<V> = HashMap<usize, V, BuildHasherDefault<Product>>;

#[derive(Default)]
pub(crate) struct Lines(ByAddress<Line>);

/// An access to the line of this address, in the order of virtual time.
#[inline]
pub(crate) fn access(address: usize, access: Access, at: &'static Location<'static>) {
    in_turn();
    with(|machine| {
        let waited = machine.access(address, access);
        machine.note(at, waited);
    });
}

impl Machine {
    /// Lets the current thread have the line of this address, and the time pass that this takes. Returns how much
    /// of that is waiting.
    fn access(&mut self, address: usize, access: Access) -> u64 {
        let (core, costs) = (self.current, &self.costs);
        let thread = &mut self.threads[core];
        let own = if access == Access::Rmw {
            thread.drain();
            costs.rmw
        } else {
            costs.hit
        };
        thread.spent.own += own;
        let line = self.lines.0.entry(address >> BITS).or_default();
        if line.is_hit(core, access) {
            thread.clock += own;
            if access == Access::Rmw {
                thread.missed_at = 0;
            }
            return 0;
        }
        let now = thread.clock;
        let is_transfer = line.owner != 0 || access != Access::Load;
        let (mut coming, busy) = match (line.is_new(), is_transfer) {
            (true, _) => (0, 0),
            (false, true) => (costs.dirty, costs.busy),
            (false, false) => (costs.clean, costs.busy_read),
        };
        let queued = line.free_at.saturating_sub(now);
        if access == Access::Load && thread.missed_at + RIGHT_BEHIND >= now {
            coming = coming * costs.overlapped / 100;
        }
        line.free_at = now + queued + busy;
        line.go_to(core, access);
        let waits = queued + coming;
        if access == Access::Store {
            // It waits in the store buffer, and the core does not.
            thread.drained_at = thread.drained_at.max(now + waits);
            thread.clock += own;
            return waits;
        }
        thread.missed_at = match access {
            Access::Rmw => 0,
            _ if waits > 0 => now + waits,
            _ => thread.missed_at,
        };
        thread.spent.lines += waits;
        thread.clock += waits + own;
        waits
    }
}

/// A full fence.
pub(crate) fn fence() {
    in_turn();
    with(|machine| {
        let cost = machine.costs.rmw;
        let thread = machine.me();
        thread.drain();
        thread.clock += cost;
        thread.spent.own += cost;
        thread.missed_at = 0;
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_one_writers_or_many_readers() {
        let mut line = Line::default();
        assert!(line.is_new());
        line.go_to(3, Access::Store);
        assert!(line.is_hit(3, Access::Rmw) && !line.is_hit(4, Access::Load));
        line.go_to(4, Access::Load);
        assert!(line.is_hit(3, Access::Load) && line.is_hit(4, Access::Load));
        assert!(!line.is_hit(3, Access::Store));
        line.go_to(500, Access::Rmw);
        assert!(line.is_hit(500, Access::Store) && !line.is_hit(3, Access::Load));
    }
}
