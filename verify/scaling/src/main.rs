//! How programs over the crate scale, in virtual time.
//!
//! ```text
//! scaling costs                       the cost model
//! scaling works                       the programs
//! scaling table [WORK].. [CORES]..    efficiencies, and where the time is lost
//! scaling look WORK WAY CORES         one of them, and the places in the source where cores wait for lines
//! scaling check [WORK]..              fails if an efficiency is lower than in the file `efficiencies.csv`
//! scaling record                      writes that file
//! scaling point WORK WAY CORES        one measurement, for programs to read
//! scaling curves                      efficiencies beside rayon's, and writes `benches/charts/scaling.svg`
//! ```
//!
//! A work is a name, or a name and a size. `seed=NUMBER` draws other wake-up times, `runs=NUMBER`
//! says how often each program runs, `NAME=FIGURE` changes a cost.

mod check;
mod contender;
#[cfg(hatchery_rayon)]
mod curves;
#[cfg(hatchery_rayon)]
mod peer;
mod point;
mod table;
mod works;

use std::process::ExitCode;

use contender::Way;
use point::{Options, Point};

#[global_allocator]
static MEMORY: laboratory::Memory = laboratory::Memory;

/// What was asked for.
struct Asked {
    works: Vec<String>,
    ways: Vec<Way>,
    cores: Vec<usize>,
    options: Options,
}

impl Asked {
    fn parse(args: impl Iterator<Item = String>) -> Result<Self, String> {
        let options = Options {
            seed: 1,
            runs: 5,
            costs: Vec::new(),
        };
        let mut asked = Self {
            works: Vec::new(),
            ways: Vec::new(),
            cores: Vec::new(),
            options,
        };
        for arg in args {
            if let Some((name, figure)) = arg.split_once('=') {
                let figure: f64 = figure.parse().map_err(|_| format!("{arg}: not a number"))?;
                match name {
                    "seed" => asked.options.seed = figure as u64,
                    "runs" => asked.options.runs = (figure as usize).max(1),
                    _ => asked.options.costs.push((name.to_owned(), figure)),
                }
            } else if let Ok(cores) = arg.parse() {
                asked.cores.push(cores);
            } else if let Some(way) = Way::find(&arg) {
                asked.ways.push(way);
            } else if works::is_known(&arg) {
                asked.works.push(arg);
            } else {
                return Err(format!("{arg}: neither a work nor a way nor a number"));
            }
        }
        Ok(asked)
    }

    /// The works that were named; if there are none, all.
    fn works(&self) -> Vec<String> {
        if self.works.is_empty() {
            works::names()
        } else {
            self.works.clone()
        }
    }

    /// The points of these works; where nothing was named, all ways in which they run, these numbers of cores.
    ///
    /// # Errors
    ///
    /// If a work that was named does not run in a way that was named.
    fn points(&self, cores: &[usize]) -> Result<Vec<Point>, String> {
        let are_named = !self.works.is_empty() && !self.ways.is_empty();
        let ways = if self.ways.is_empty() {
            Way::all()
        } else {
            self.ways.clone()
        };
        let cores = if self.cores.is_empty() {
            cores
        } else {
            &*self.cores
        };
        let mut points = Vec::new();
        for work in self.works() {
            for way in &ways {
                let at = |cores: &usize| Point::new(&work, *way, *cores);
                match cores.iter().map(at).collect::<Result<Vec<_>, _>>() {
                    Ok(of_all) => points.extend(of_all),
                    Err(wrong) if are_named => return Err(wrong),
                    Err(_) => {}
                }
            }
        }
        Ok(points)
    }

    fn point(&self) -> Result<Point, String> {
        match (&*self.works, &*self.ways, &*self.cores) {
            ([work], [way], [cores]) => Point::new(work, *way, *cores),
            _ => Err("needs a work, a way and a number of cores".to_owned()),
        }
    }
}

fn run() -> Result<(), String> {
    let mut args = std::env::args().skip(1);
    let command = args.next().unwrap_or_default();
    let asked = Asked::parse(args)?;
    match &*command {
        "costs" => table::costs(),
        "works" => table::works(),
        "table" => {
            let points = asked.points(&[1, 2, 4, 8, 16, 32, 64])?;
            table::outcomes(&points, &point::measure_all(&points, &asked.options));
        }
        #[cfg(hatchery_rayon)]
        "curves" => curves::write(&asked.options)?,
        "look" => {
            let point = asked.point()?;
            let (outcome, report) = point.measure(&asked.options)?;
            table::outcomes(&[point], &[outcome]);
            println!();
            table::ramp(&report);
            println!();
            table::places(&report);
        }
        "check" => check::check(&asked.works(), &asked.options)?,
        "record" => check::record(&asked.options),
        "point" => println!("{}", asked.point()?.measure(&asked.options)?.0),
        _ => {
            return Err(
                "the first argument is a command: see verify/scaling/src/main.rs".to_owned(),
            );
        }
    }
    Ok(())
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("scaling: {error}");
            ExitCode::FAILURE
        }
    }
}
