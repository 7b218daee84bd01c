//! Where the time goes between [`begin`] and [`end`].

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::panic::Location;

use crate::cores::{Machine, in_turn, with};
use crate::lines::ByAddress;

/// Where a thread's time goes, in picoseconds.
#[derive(Clone, Copy, Debug, Default)]
pub struct Spent {
    /// The user's work.
    pub work: u64,
    /// Operations on lines that the core has, and looks at the clock.
    pub own: u64,
    /// Waiting for lines.
    pub lines: u64,
    pub pause: u64,
    pub kernel: u64,
    pub asleep: u64,
}

impl Spent {
    fn since(&self, then: &Self) -> Self {
        Self {
            work: self.work - then.work,
            own: self.own - then.own,
            lines: self.lines - then.lines,
            pause: self.pause - then.pause,
            kernel: self.kernel - then.kernel,
            // A block that has begun before counts when it ends.
            asleep: self.asleep - then.asleep,
        }
    }

    fn add(&mut self, other: &Self) {
        self.work += other.work;
        self.own += other.own;
        self.lines += other.lines;
        self.pause += other.pause;
        self.kernel += other.kernel;
        self.asleep += other.asleep;
    }
}

/// A thread's entries since the measurement began.
#[derive(Default)]
pub(crate) struct Marks {
    /// What it had spent before.
    pub(crate) spent: Spent,
    /// When it first began to work, and when it last ended; from the beginning of the measurement.
    pub(crate) first_work: u64,
    pub(crate) last_work: u64,
}

/// What happened at one place in the source.
#[derive(Clone, Copy, Debug, Default)]
pub struct Place {
    /// Accesses.
    pub times: u64,
    pub misses: u64,
    /// Picoseconds for which cores or their store buffers waited for lines.
    pub waited: u64,
}

impl Place {
    fn add(&mut self, other: &Self) {
        self.times += other.times;
        self.misses += other.misses;
        self.waited += other.waited;
    }
}

#[derive(Default)]
pub(crate) struct Books {
    pub(crate) began: u64,
    pub(crate) wakes: u64,
    places: ByAddress<(Option<&'static Location<'static>>, Place)>,
}

impl Machine {
    /// Notes an access at a place.
    pub(crate) fn note(&mut self, at: &'static Location<'static>, waited: u64) {
        let key = std::ptr::from_ref(at).addr();
        let (location, place) = self.books.places.entry(key).or_default();
        *location = Some(at);
        place.times += 1;
        place.misses += u64::from(waited > 0);
        place.waited += waited;
    }
}

/// Where the time went. Core times are in picoseconds.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// From begin to end.
    pub took: u64,
    /// The sum over all threads.
    pub spent: Spent,
    pub wakes: u64,
    /// Core time before each thread's first work.
    pub ramp: u64,
    /// Core time after each thread's last work.
    pub tail: u64,
    /// Core time in between, without work.
    pub inside: u64,
    /// When each thread that worked began, from the beginning of the measurement, in order.
    pub began: Vec<u64>,
    pub places: BTreeMap<String, Place>,
}

/// Begins a measurement.
pub fn begin() {
    in_turn();
    with(|machine| {
        machine.books = Books {
            began: machine.me().clock,
            ..Books::default()
        };
        for thread in &mut machine.threads {
            thread.marks = Marks {
                spent: thread.spent,
                ..Marks::default()
            };
        }
    });
}

/// Ends the measurement of a program on this many cores.
pub fn end(cores: usize) -> Report {
    in_turn();
    with(|machine| {
        let mut report = Report {
            took: machine.me().clock - machine.books.began,
            wakes: machine.books.wakes,
            places: machine.places(),
            ..Report::default()
        };
        let mut workers = Vec::new();
        for thread in &machine.threads {
            let spent = thread.spent.since(&thread.marks.spent);
            report.spent.add(&spent);
            if spent.work > 0 {
                workers.push((spent.work, thread.marks.first_work, thread.marks.last_work));
            }
        }
        report.began = workers.iter().map(|(_, first, _)| *first).collect();
        report.began.sort_unstable();
        // The busiest threads count as the cores. A core that has never worked is lost to the ramp.
        workers.sort_unstable_by_key(|worker| Reverse(*worker));
        workers.truncate(cores);
        report.ramp = report.took * (cores - workers.len()) as u64;
        for (work, first, last) in workers {
            report.ramp += first;
            report.tail += report.took.saturating_sub(last);
            report.inside += last - first - work;
        }
        report
    })
}

impl Machine {
    /// Places by file and line.
    fn places(&self) -> BTreeMap<String, Place> {
        let mut places = BTreeMap::<String, Place>::new();
        for (location, place) in self.books.places.values() {
            let Some(location) = location else { continue };
            let file = location.file();
            let short = file.rsplit("/src/").next().unwrap_or(file);
            places
                .entry(format!("{short}:{}", location.line()))
                .or_default()
                .add(place);
        }
        places
    }
}

impl Report {
    /// Adds another measurement of the same program. The beginnings of its threads are not added.
    pub fn add(&mut self, other: &Self) {
        self.took += other.took;
        self.spent.add(&other.spent);
        self.wakes += other.wakes;
        self.ramp += other.ramp;
        self.tail += other.tail;
        self.inside += other.inside;
        for (name, place) in &other.places {
            self.places.entry(name.clone()).or_default().add(place);
        }
    }

    /// The places, those first where most time was waited.
    #[must_use]
    pub fn hottest(&self) -> Vec<(&str, Place)> {
        let mut places: Vec<_> = self
            .places
            .iter()
            .map(|(name, place)| (&**name, *place))
            .collect();
        // Stable: equal ones are in the order of their names.
        places.sort_by_key(|(_, place)| Reverse(place.waited));
        places
    }
}
