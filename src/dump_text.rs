//! A snapshot for people.

use std::fmt;

use crate::dump::{
    AwaitedChild, NurseryPart, NurserySnapshot, PoolSnapshot, Taking, ThreadSnapshot, ThreadState,
    Wait, WaitUntil,
};

impl fmt::Display for PoolSnapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, threads, .. } = self;
        writeln!(f, "pool {name:?}, {threads} threads: {}", self.stats)?;
        if self.jobs_waiting > 0 || self.jobs_running > 0 {
            writeln!(
                f,
                "  {} jobs waiting, {} running",
                self.jobs_waiting, self.jobs_running
            )?;
        }
        match self.taking {
            Taking::ProcessBarrier => {}
            Taking::Fences => writeln!(
                f,
                "  the system has no barrier for all threads of a process"
            )?,
            Taking::Refused => writeln!(
                f,
                "  the system refuses barriers for all threads of a process"
            )?,
        }
        for nursery in &self.nurseries {
            write!(f, "{:indent$}", "", indent = 2 + 2 * nursery.depth)?;
            writeln!(f, "{nursery}")?;
            let inside = |thread: &&ThreadSnapshot| thread.nursery == Some(nursery.number);
            for thread in self.thread_states.iter().filter(inside) {
                write!(f, "{:indent$}", "", indent = 4 + 2 * nursery.depth)?;
                writeln!(f, "{thread}")?;
            }
        }
        let outside = |thread: &&ThreadSnapshot| thread.nursery.is_none();
        for thread in self.thread_states.iter().filter(outside) {
            writeln!(f, "  {thread}")?;
        }
        Ok(())
    }
}

impl fmt::Display for NurserySnapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.is_join { "join" } else { "nursery" };
        write!(f, "{kind} {}", self.number)?;
        if let Some(name) = &self.name {
            write!(f, " {name:?}")?;
        }
        if let Some(opener) = &self.opened_by {
            write!(f, " of {opener}")?;
        }
        write!(f, ": {} unstarted, {} shared", self.unstarted, self.shared)?;
        if self.injected > 0 {
            write!(f, " ({} injected)", self.injected)?;
        }
        if self.blocking_queued > 0 {
            write!(f, " ({} blocking ones queued)", self.blocking_queued)?;
        }
        if !self.is_join {
            write!(f, "; {}", self.stats)?;
        }
        if let Some(reason) = &self.cancelled {
            write!(f, "; cancelled {reason}")?;
        }
        if let Some(failed) = &self.failed {
            write!(f, "; {failed}")?;
        }
        if let Some(runner) = &self.last_taken_by {
            write!(f, "; {runner} was the last to take some")?;
        }
        Ok(())
    }
}

impl fmt::Display for ThreadSnapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = &self.name;
        match self.state {
            ThreadState::Sleeps => return write!(f, "{name} sleeps"),
            ThreadState::Waits => write!(f, "{name} waits")?,
            ThreadState::Blocks => write!(f, "{name} blocks")?,
            ThreadState::Runs => write!(f, "{name} runs")?,
        }
        match (self.part, &self.child_id, self.child) {
            (Some(NurseryPart::Child), Some(id), _) => write!(f, " in child {id}")?,
            (Some(NurseryPart::Child), None, Some(number)) => write!(f, " in child #{number}")?,
            (Some(NurseryPart::Child), None, None) => f.write_str(" in a child")?,
            (Some(NurseryPart::Body), ..) => f.write_str(" in the body")?,
            (Some(NurseryPart::Join), ..) => f.write_str(" in the join")?,
            (None, ..) => {}
        }
        if self.open_joins > 0 {
            write!(f, ", {} joins inside it", self.open_joins)?;
        }
        if let Some(wait) = &self.waits_for {
            write!(f, " for {wait}")?;
            if self.nursery != Some(wait.nursery) {
                write!(f, " of nursery {}", wait.nursery)?;
            }
        }
        if !self.has_answered {
            f.write_str(", has not answered")?;
        }
        if self.is_cut_short {
            f.write_str(", and more that is not shown")?;
        }
        Ok(())
    }
}

impl fmt::Display for Wait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let AwaitedChild {
            number,
            is_blocking,
            is_started,
            run_by,
        } = match &self.until {
            WaitUntil::End => return f.write_str("all children"),
            WaitUntil::AnyChild => return f.write_str("any of several children"),
            WaitUntil::Child(child) => child,
        };
        let kind = if *is_blocking {
            "blocking child"
        } else {
            "child"
        };
        write!(f, "{kind} #{number}")?;
        match (run_by, is_started) {
            (Some(runner), _) => write!(f, ", which {runner} runs"),
            (None, true) => f.write_str(", which runs"),
            (None, false) => f.write_str(", which has not started"),
        }
    }
}
