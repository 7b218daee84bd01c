//! One measurement: a program, a way, a number of cores.

use std::cell::RefCell;
use std::process::Command;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use std::{env, fmt, thread};

use laboratory::{Costs, Report, begin, end};

use crate::contender::Way;
use crate::works::{self, Work};

/// What is measured.
#[derive(Clone)]
pub(crate) struct Point {
    pub(crate) work: String,
    pub(crate) way: Way,
    pub(crate) cores: usize,
}

/// How it is measured.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) seed: u64,
    /// How often each program runs; what comes of it is the sum.
    pub(crate) runs: usize,
    /// Figures that replace figures of the cost model, by name.
    pub(crate) costs: Vec<(String, f64)>,
}

impl Options {
    fn costs(&self) -> Result<Costs, String> {
        let mut costs = Costs::default();
        self.costs
            .iter()
            .try_for_each(|(name, figure)| costs.set(name, *figure))?;
        Ok(costs)
    }
}

/// Long enough for all threads to fall asleep, as between the rows of a benchmark.
const PAUSE: Duration = Duration::from_millis(5);

/// The parts of the core time that an outcome has.
pub(crate) const PARTS: [&str; 7] = ["ramp", "tail", "inside", "own", "lines", "pause", "kernel"];

/// What came of a measurement.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Outcome {
    /// Microseconds of one run.
    pub(crate) took: f64,
    /// The part of the time that it takes at best: the work, divided by the cores, or the span if that is longer.
    pub(crate) efficiency: f64,
    /// Threads that were woken in one run.
    pub(crate) wakes: f64,
    /// In the order of [`PARTS`].
    pub(crate) parts: [f64; 7],
}

impl Outcome {
    /// What came of all the runs.
    fn new(report: &Report, work: &Work, runs: usize) -> Self {
        let (runs, cores) = (runs as u64, work.cores as u64);
        let all = (report.took * cores) as f64;
        let spent = &report.spent;
        let least = (spent.work / cores).max(runs * work.span * 1000);
        let Report {
            ramp, tail, inside, ..
        } = *report;
        let parts = [
            ramp,
            tail,
            inside,
            spent.own,
            spent.lines,
            spent.pause,
            spent.kernel,
        ];
        Self {
            took: report.took as f64 / 1e6 / runs as f64,
            efficiency: least as f64 / report.took as f64,
            wakes: report.wakes as f64 / runs as f64,
            parts: parts.map(|part| part as f64 / all),
        }
    }

    fn parse(line: &str) -> Option<Self> {
        let numbers: Result<Vec<f64>, _> = line.split(' ').map(str::parse).collect();
        let numbers = numbers.ok()?;
        let ([took, efficiency, wakes], parts) = numbers.split_first_chunk()?;
        let parts = parts.try_into().ok()?;
        Some(Self {
            took: *took,
            efficiency: *efficiency,
            wakes: *wakes,
            parts,
        })
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:.6} {:.6} {:.6}",
            self.took, self.efficiency, self.wakes
        )?;
        self.parts
            .iter()
            .try_for_each(|part| write!(f, " {part:.6}"))
    }
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { work, way, cores } = self;
        write!(f, "{work},{},{cores}", way.name)
    }
}

impl Point {
    /// # Errors
    ///
    /// If the program does not run in this way.
    pub(crate) fn new(work: &str, way: Way, cores: usize) -> Result<Self, String> {
        if !works::runs(work, way) {
            let name = way.name;
            return Err(format!(
                "{work} does not run by {name}: its children are no list of items"
            ));
        }
        Ok(Self {
            work: work.to_owned(),
            way,
            cores,
        })
    }

    /// Measures it in this process, which measures nothing else.
    ///
    /// # Errors
    ///
    /// If there is no such cost.
    pub(crate) fn measure(&self, options: &Options) -> Result<(Outcome, Report), String> {
        let (point, runs) = (self.clone(), options.runs);
        let result: Rc<RefCell<Option<(Outcome, Report)>>> = Rc::default();
        let out = Rc::clone(&result);
        laboratory::run(options.costs()?, options.seed, move || {
            // They end with the process.
            let pool = Box::leak((point.way.pool)(point.cores));
            let work = works::find(&point.work, pool, point.cores).expect("its name is known");
            let run = || {
                laboratory::thread::sleep(PAUSE);
                begin();
                let answer = (work.run)();
                let report = end(work.cores);
                assert_eq!(answer, work.answer, "the answer of {point}");
                report
            };
            // The first run starts most of the threads, and does not count.
            run();
            let mut sum = run();
            (1..runs).for_each(|_| sum.add(&run()));
            *out.borrow_mut() = Some((Outcome::new(&sum, &work, runs), sum));
        });
        Ok(result.take().expect("it has run"))
    }

    /// Measures it in a process of its own.
    fn measure_apart(&self, options: &Options) -> Outcome {
        let Options { seed, runs, costs } = options;
        let mut command = Command::new(env::current_exe().expect("this program"));
        command.args(["point", &self.work, self.way.name, &self.cores.to_string()]);
        command.args([format!("seed={seed}"), format!("runs={runs}")]);
        command.args(
            costs
                .iter()
                .map(|(name, figure)| format!("{name}={figure}")),
        );
        let output = command.output().expect("this program starts");
        let [text, errors] = [output.stdout, output.stderr].map(String::from_utf8);
        assert!(
            output.status.success(),
            "{self}: {}",
            errors.unwrap_or_default()
        );
        Outcome::parse(text.unwrap_or_default().trim()).expect("what `point` prints")
    }
}

/// Measures all points, each in a process of its own: so none depends on what ran before it.
pub(crate) fn measure_all(points: &[Point], options: &Options) -> Vec<Outcome> {
    let next = AtomicUsize::new(0);
    let measure = || {
        let mut results = Vec::new();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(point) = points.get(index) else {
                return results;
            };
            results.push((index, point.measure_apart(options)));
        }
    };
    let mut results = thread::scope(|scope| {
        let processes = thread::available_parallelism().map_or(1, usize::from);
        let threads: Vec<_> = (0..processes).map(|_| scope.spawn(measure)).collect();
        let all = threads
            .into_iter()
            .map(|thread| thread.join().expect("no point fails"));
        all.flatten().collect::<Vec<_>>()
    });
    results.sort_unstable_by_key(|(index, _)| *index);
    results.into_iter().map(|(_, result)| result).collect()
}
