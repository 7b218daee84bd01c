//! A snapshot of a pool for people, as text.

use std::fmt;

use crate::dump::{Nursery, PoolSnapshot, Seat, State, Waits, What};

impl fmt::Display for PoolSnapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { pool, threads, .. } = self;
        writeln!(f, "pool {pool:?}, {threads} threads: {}", self.stats)?;
        for nursery in &self.nurseries {
            nursery.write(f)?;
            let inside = |seat: &&Seat| seat.place.is_some_and(|at| at.0 == nursery.number);
            for seat in self.seats.iter().filter(inside) {
                write!(f, "{:indent$}", "", indent = 4 + 2 * nursery.depth)?;
                writeln!(f, "{}", seat.within(nursery.number))?;
            }
        }
        for seat in self.seats.iter().filter(|seat| seat.place.is_none()) {
            writeln!(f, "  {}", seat.within(0))?;
        }
        Ok(())
    }
}

impl Nursery {
    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:indent$}", "", indent = 2 + 2 * self.depth)?;
        let kind = if self.is_fork { "join" } else { "nursery" };
        write!(f, "{kind} {}", self.number)?;
        if let Some(name) = &self.name {
            write!(f, " {name:?}")?;
        }
        if let Some(home) = &self.home {
            write!(f, " of {home}")?;
        }
        write!(f, ": {} unstarted, {} shared", self.unstarted, self.shared)?;
        if self.injected > 0 {
            write!(f, " ({} injected)", self.injected)?;
        }
        if self.blocking > 0 {
            write!(f, " ({} blocking ones queued)", self.blocking)?;
        }
        if !self.is_fork {
            write!(f, "; {}", self.stats)?;
        }
        if let Some(reason) = &self.cancelled {
            write!(f, "; cancelled {reason}")?;
        }
        if let Some(runner) = &self.runner {
            write!(f, "; {runner} was the last to take some")?;
        }
        writeln!(f)
    }
}

/// A thread in one of the nurseries.
struct Within<'a>(&'a Seat, usize);

impl Seat {
    fn within(&self, nursery: usize) -> Within<'_> {
        Within(self, nursery)
    }
}

impl fmt::Display for Within<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(seat, nursery) = self;
        let thread = &seat.thread;
        match seat.state {
            State::Sleeps => return write!(f, "{thread} sleeps"),
            State::Waits => write!(f, "{thread} waits")?,
            State::Blocks => write!(f, "{thread} blocks")?,
            State::Runs => write!(f, "{thread} runs")?,
        }
        match (seat.place, seat.child) {
            (Some((_, "child")), Some(child)) => write!(f, " in child #{child}")?,
            (Some((_, "child")), None) => f.write_str(" in a child")?,
            (Some((_, place)), _) => write!(f, " in the {place}")?,
            (None, _) => {}
        }
        if seat.forks > 0 {
            write!(f, ", {} joins further in", seat.forks)?;
        }
        if let Some(waits) = &seat.waits {
            write!(f, " for {waits}")?;
            if waits.nursery != *nursery {
                write!(f, " of nursery {}", waits.nursery)?;
            }
        }
        if !seat.has_answered {
            f.write_str(", has not answered")?;
        }
        if seat.is_cut_short {
            f.write_str(", and more that is not shown")?;
        }
        Ok(())
    }
}

impl fmt::Display for Waits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.what {
            What::End => f.write_str("all children"),
            What::Any => f.write_str("any of several children"),
            What::Child {
                number,
                is_blocking,
                is_started,
                runner,
            } => {
                let kind = if *is_blocking {
                    "blocking child"
                } else {
                    "child"
                };
                write!(f, "{kind} #{number}")?;
                match (runner, is_started) {
                    (Some(runner), _) => write!(f, ", which {runner} runs"),
                    (None, true) => f.write_str(", which runs"),
                    (None, false) => f.write_str(", which has not started"),
                }
            }
        }
    }
}
