//! The cost model.

/// Units, in picoseconds, in which the machine counts.
pub(crate) const NS: u64 = 1000;
pub(crate) const US: u64 = 1000 * NS;

macro_rules! unit {
    (ns) => {
        NS
    };
    (us) => {
        US
    };
    (percent) => {
        1
    };
}

macro_rules! costs {
    ($($name:ident: $figure:literal $unit:ident, $what:literal, $source:literal;)+) => {
        /// What operations cost, in picoseconds.
        #[derive(Clone, Debug)]
        pub struct Costs {
            $(#[doc = $what] pub(crate) $name: u64,)+
        }

        impl Default for Costs {
            fn default() -> Self {
                Self { $($name: times($figure, unit!($unit)),)+ }
            }
        }

        impl Costs {
            /// Changes one figure, in the unit of the table.
            ///
            /// # Errors
            ///
            /// If no cost has that name.
            pub fn set(&mut self, name: &str, figure: f64) -> Result<(), String> {
                match name {
                    $(stringify!($name) => self.$name = times(figure, unit!($unit)),)+
                    _ => return Err(format!("no cost is called {name}")),
                }
                Ok(())
            }
        }

        /// Name, figure with unit, meaning, source.
        pub const TABLE: &[[&str; 4]] = &[
            $([stringify!($name), concat!($figure, " ", stringify!($unit)), $what, $source],)+
        ];
    };
}

fn times(figure: f64, unit: u64) -> u64 {
    (figure * unit as f64).round() as u64
}

// A figure without another source is usual for servers of 2017 to 2022 (Skylake-SP, Zen 2). "Measured" means on the
// two cores of BENCHMARKS.md.
costs! {
    // The core alone.
    hit: 0.4 ns, "a load or store of a line that the core has", "cache of the core, by throughput";
    rmw: 6.0 ns, "a read-modify-write or a full fence, the line being there", "18 to 20 cycles of `lock`";
    pause: 16.0 ns, "one pause instruction", "between 10 cycles (Zen, Broadwell) and 140 (Skylake: 40 ns)";
    clock: 25.0 ns, "a look at the clock", "vDSO; 25 to 42 ns measured";

    // Lines that go from core to core.
    dirty: 70.0 ns, "a line comes that another core has written", "core to core 50 to 120 ns";
    busy: 40.0 ns, "meanwhile nobody else can have that line", "15 to 25 million contended `fetch_add` a second";
    clean: 45.0 ns, "a line comes that was only read since it last came", "third-level cache";
    busy_read: 4.0 ns, "meanwhile nobody else can have that line", "third-level cache, by throughput";
    overlapped: 35.0 percent, "this part of a miss is paid right behind another miss", "a guess: misses in a row overlap";

    // The kernel.
    call: 0.3 us, "a system call that finds nothing to do", "0.13 us measured; more where the kernel guards against leaks";
    yields: 0.4 us, "`sched_yield` with nobody to yield to", "0.24 us measured; as above";
    wake_call: 5.0 us, "to wake a thread, for the waker", "engine/worker.rs: some 12 us a wake-up, both sides";
    wake: 25.0 us, "from the call until the woken thread runs, at least", "25.1 us measured with a pool that had slept";
    wake_more: 15.0 us, "and up to this much more, drawn", "a guess";
    doze: 200.0 us, "a core that slept for less is not deep asleep", "halt polling of guests: 200 us";
    doze_call: 2.0 us, "to wake it, for the waker", "3.9 us measured";
    doze_wake: 5.0 us, "from the call until it runs, at least, and at most twice that", "2.3 us measured, 5 to 10 elsewhere";
    slack: 55.0 us, "how late a timed wait ends", "timer slack of Linux: 50 us, and the interrupt; 75 us measured";
    start_call: 15.0 us, "to start a thread, for its starter", "4 us measured, on cores that are awake; a guess";
    start: 40.0 us, "from the call until the new thread runs", "5.6 us measured, on cores that are awake; a guess: a wake-up";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_is_changed_by_its_name() {
        let mut costs = Costs::default();
        assert_eq!(costs.hit, 400);
        costs.set("pause", 40.0).expect("it is in the table");
        assert_eq!(costs.pause, 40 * NS);
        assert!(costs.set("pauses", 40.0).is_err());
    }
}
