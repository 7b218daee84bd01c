//! One measurement: a program, a way, a number of cores.

use std::cell::RefCell;
use std::num::ParseFloatError;
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
    /// Other figures than those of the cost model.
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

/// How often a program runs in one measurement, which is the sum.
const RUNS: usize = 5;

/// Long enough for all threads to fall asleep, as between the rows of a benchmark.
const PAUSE: Duration = Duration::from_millis(5);

/// What came of a measurement. Parts are parts of the core time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Outcome {
    /// Microseconds of one run.
    pub(crate) took: f64,
    /// The part of the time that it takes at best: the work, divided by the cores, or the span if that is longer.
    pub(crate) efficiency: f64,
    pub(crate) ramp: f64,
    pub(crate) tail: f64,
    pub(crate) inside: f64,
    pub(crate) own: f64,
    pub(crate) lines: f64,
    pub(crate) pause: f64,
    pub(crate) kernel: f64,
    pub(crate) wakes: f64,
}

impl Outcome {
    /// What came of all the runs.
    fn new(report: &Report, work: &Work) -> Self {
        let runs = RUNS as u64;
        let cores = work.cores as u64;
        let all = (report.took * cores) as f64;
        let part = |time: u64| time as f64 / all;
        let spent = &report.spent;
        let best = (spent.work / cores).max(runs * work.span * 1000);
        Self {
            took: report.took as f64 / 1e6 / RUNS as f64,
            efficiency: best as f64 / report.took as f64,
            ramp: part(report.ramp),
            tail: part(report.tail),
            inside: part(report.inside),
            own: part(spent.own),
            lines: part(spent.lines),
            pause: part(spent.pause),
            kernel: part(spent.kernel),
            wakes: report.wakes as f64 / RUNS as f64,
        }
    }

    fn numbers(&self) -> [f64; 10] {
        let Self {
            took,
            efficiency,
            ramp,
            tail,
            inside,
            own,
            lines,
            pause,
            kernel,
            wakes,
        } = *self;
        [
            took, efficiency, ramp, tail, inside, own, lines, pause, kernel, wakes,
        ]
    }

    fn parse(line: &str) -> Result<Self, ParseFloatError> {
        let numbers: Vec<f64> = line.split(' ').map(str::parse).collect::<Result<_, _>>()?;
        let [
            took,
            efficiency,
            ramp,
            tail,
            inside,
            own,
            lines,
            pause,
            kernel,
            wakes,
        ] = numbers.try_into().expect("what `Display` writes");
        Ok(Self {
            took,
            efficiency,
            ramp,
            tail,
            inside,
            own,
            lines,
            pause,
            kernel,
            wakes,
        })
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let numbers = self.numbers().map(|number| format!("{number:.6}"));
        f.write_str(&numbers.join(" "))
    }
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { work, way, cores } = self;
        write!(f, "{work},{},{cores}", way.name)
    }
}

impl Point {
    /// Measures it in this process, which measures nothing else.
    ///
    /// # Errors
    ///
    /// If there is no such program or cost.
    pub(crate) fn measure(&self, options: &Options) -> Result<(Outcome, Report), String> {
        if !works::names()
            .iter()
            .any(|name| name.split(':').next() == self.work.split(':').next())
        {
            return Err(format!("no program is called {}", self.work));
        }
        let point = self.clone();
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
            // The first run starts the threads, and does not count.
            run();
            let mut sum = run();
            (1..RUNS).for_each(|_| sum.add(&run()));
            *out.borrow_mut() = Some((Outcome::new(&sum, &work), sum));
        });
        Ok(result.take().expect("it has run"))
    }

    /// Measures it in a process of its own.
    fn measure_apart(&self, options: &Options) -> Outcome {
        let mut command = Command::new(env::current_exe().expect("this program"));
        command.arg("point").arg(format!("seed={}", options.seed));
        command.args(
            options
                .costs
                .iter()
                .map(|(name, figure)| format!("{name}={figure}")),
        );
        command.args([&self.work, self.way.name, &self.cores.to_string()]);
        let output = command.output().expect("this program starts");
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(
            output.status.success(),
            "{self}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        Outcome::parse(text.trim()).expect("what `point` prints")
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
