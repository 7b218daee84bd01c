//! Bugs planted in the code that is checked, to see that models and schedules notice them.
//!
//! A planted bug needs no second version of the code: it is a [`Change`] of what one call does, and
//! the call is named by its file, its function and a piece of its line. [Atomics](super::atomic)
//! ask here whether the line that called them is the named line. A model does a step of its own
//! wrongly if [`step`] says so.
//!
//! A process has one planted bug at most, which its environment tells it, and keeps it.
#![cfg_attr(hatchery_shuttle, allow(dead_code, reason = "models use the rest"))]

use std::env;
use std::fs;
use std::panic::Location;
use std::path::Path;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

/// The variable of the environment that names the planted bug, as [`Bug`]'s `to_text` writes it.
pub(crate) const VARIABLE: &str = "HATCHERY_PLANTED";

/// What is printed when the planted bug first takes effect.
pub(crate) const REACHED: &str = "the planted bug is reached";

/// What becomes of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// All of its orderings become Relaxed; a fence does nothing.
    Relaxed,
    /// Its orderings are Acquire and Release at most.
    AcqRel,
    /// It writes nothing, a fence does nothing, and a look finds nothing.
    Skipped,
    /// It reads and writes, with a gap between.
    Split,
}

/// A planted bug.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Bug<'a> {
    /// Changes the call in this file (below `src`, `verify` or the package), in the function of this name, on the first line
    /// that has this piece of code; on the second such line with `#2` behind the piece.
    Call(Change, [&'a str; 3]),
    /// The model does its step of this name wrongly.
    Step(&'a str),
}

const CHANGES: [(&str, Change); 4] = [
    ("relaxed", Change::Relaxed),
    ("acqrel", Change::AcqRel),
    ("skipped", Change::Skipped),
    ("split", Change::Split),
];

impl<'a> Bug<'a> {
    /// Returns the bug as text for the environment.
    pub(crate) fn to_text(self) -> String {
        match self {
            Self::Call(change, place) => {
                let (name, _) = CHANGES[change as usize];
                format!("{name}|{}", place.join("|"))
            }
            Self::Step(step) => format!("step|{step}"),
        }
    }

    fn from_text(text: &'a str) -> Option<Self> {
        let mut parts = text.splitn(4, '|');
        let kind = parts.next()?;
        if kind == "step" {
            return Some(Self::Step(parts.next()?));
        }
        let (_, change) = CHANGES.iter().find(|(name, _)| *name == kind)?;
        Some(Self::Call(
            *change,
            [parts.next()?, parts.next()?, parts.next()?],
        ))
    }
}

/// A planted bug whose place has been looked up.
enum Armed {
    Call {
        change: Change,
        file: String,
        line: usize,
    },
    Step(String),
}

static ARMED: OnceLock<Option<Armed>> = OnceLock::new();
static IS_REACHED: AtomicBool = AtomicBool::new(false);

/// Plants what the environment says. Called before anything is checked.
pub(crate) fn arm() {
    ARMED.get_or_init(|| {
        let text = env::var(VARIABLE).ok()?;
        let bug = Bug::from_text(&text).unwrap_or_else(|| panic!("no bug is planted by {text:?}"));
        Some(match bug {
            Bug::Call(change, place) => Armed::Call {
                change,
                file: place[0].to_owned(),
                line: line_of(place).unwrap_or_else(|| panic!("no such place: {place:?}")),
            },
            Bug::Step(step) => Armed::Step(step.to_owned()),
        })
    });
}

/// Whether there is a planted bug in this process.
pub(crate) fn is_any() -> bool {
    ARMED.get().is_some_and(Option::is_some)
}

/// The number of the line that this place is on.
fn line_of([file, function, code]: [&str; 3]) -> Option<usize> {
    // The crate's own code, or a model's, or what stands for others' code.
    let models = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folders = [
        models.join("../../src"),
        models.to_owned(),
        models.join(".."),
    ];
    let mut texts = folders
        .iter()
        .map(|folder| fs::read_to_string(folder.join(file)));
    let text = texts.find_map(Result::ok)?;
    let head = [format!("fn {function}("), format!("fn {function}<")];
    let mut lines = text.lines().enumerate();
    let (_, first) = lines.find(|(_, line)| head.iter().any(|head| line.contains(head)))?;
    let indent = first.len() - first.trim_start().len();
    let end = format!("{}}}", &first[..indent]);
    let body = lines.take_while(|(_, line)| *line != end);
    let (code, number) = code.split_once('#').unwrap_or((code, "1"));
    let is_code = |line: &str| !line.trim_start().starts_with("//") && line.contains(code);
    let mut found = body.filter(|(_, line)| is_code(line));
    let (at, _) = found.nth(number.parse::<usize>().ok()? - 1)?;
    Some(at + 1)
}

/// What is planted at the line that calls this. If the calling function has `track_caller`, it is
/// the line that calls that function.
#[track_caller]
pub(crate) fn here() -> Option<Change> {
    let Some(Some(Armed::Call { change, file, line })) = ARMED.get() else {
        return None;
    };
    let caller = Location::caller();
    let is_here = caller.line() as usize == *line && caller.file().ends_with(file.as_str());
    is_here.then(|| {
        reach();
        *change
    })
}

/// Whether the look at the line that calls this has to find nothing.
#[track_caller]
pub(crate) fn skips() -> bool {
    here() == Some(Change::Skipped)
}

/// Whether the model has to do this step wrongly.
pub(crate) fn step(name: &str) -> bool {
    let is_this = matches!(ARMED.get(), Some(Some(Armed::Step(step))) if step == name);
    if is_this {
        reach();
    }
    is_this
}

fn reach() {
    if !IS_REACHED.swap(true, Ordering::Relaxed) {
        eprintln!("{REACHED}");
    }
}
