//! Bars on a terminal, a line at the start and the end of each part elsewhere; all on stderr.

use std::fmt;
use std::io::{self, Write};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

/// How often a bar moves although nothing happened, so that waiting looks alive.
const TICK: Duration = Duration::from_millis(100);

/// The progress of everything.
pub(crate) struct Progress {
    bars: MultiProgress,
}

impl Progress {
    /// Bars if stderr is a terminal.
    pub(crate) fn new() -> Self {
        Self {
            bars: MultiProgress::new(),
        }
    }

    /// One part that will do `total` units, if anybody knows.
    pub(crate) fn part(&self, name: &'static str, unit: &str, total: Option<u64>) -> Part {
        let (bar, template) = match total {
            Some(total) => (
                ProgressBar::new(total),
                format!("{{prefix:13}} {{bar:30}} {{human_pos}}/{{human_len}} {unit} {{msg}}"),
            ),
            None => (
                ProgressBar::no_length(),
                format!("{{prefix:13}} {{spinner}} {{human_pos}} {unit} {{msg}}"),
            ),
        };
        let style = ProgressStyle::with_template(&template).expect("the templates are constant");
        let bar = self.bars.add(bar).with_style(style).with_prefix(name);
        Part {
            bar,
            name,
            plain: self.bars.is_hidden(),
        }
    }
}

/// The progress of one part; children share it by reference.
pub(crate) struct Part {
    bar: ProgressBar,
    name: &'static str,
    plain: bool,
}

impl Part {
    /// Says that the part begins.
    pub(crate) fn start(&self, what: fmt::Arguments<'_>) {
        if self.plain {
            say(format_args!("{}: {what}", self.name));
        } else {
            self.bar.enable_steady_tick(TICK);
        }
    }

    /// Adds `units` to what is done.
    pub(crate) fn advance(&self, units: u64) {
        self.bar.inc(units);
    }

    /// Says that the part is done.
    pub(crate) fn finish(&self, what: fmt::Arguments<'_>) {
        self.bar.abandon_with_message("done");
        self.say_if_plain(what);
    }

    /// Says that the part failed; why is for the end, when the bars stand still.
    pub(crate) fn fail(&self) {
        self.bar.abandon_with_message("failed");
        self.say_if_plain(format_args!("failed"));
    }

    fn say_if_plain(&self, what: fmt::Arguments<'_>) {
        if self.plain {
            say(format_args!("{}: {what}", self.name));
        }
    }
}

/// Writes one line to stderr, if anybody still reads it.
pub(crate) fn say(line: fmt::Arguments<'_>) {
    let _ = writeln!(io::stderr(), "{line}");
}
