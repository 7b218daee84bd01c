//! Tests: programs that are brought down at every fail point.
//!
//! A program first runs undisturbed, and the points that it reaches are counted. Then it runs again
//! for each of them, and at the first, the second, and the last hit it is cancelled, or something
//! in it panics. Whatever happens, it has to end, each of its values has to be dropped once by
//! then, its outcome has to be allowed by the laws, and the pool has to work as before.
//!
//! Without `HATCHERY_FAULTS=all` it does a random part of this.

mod jobs;
mod loops;
mod programs;
mod threads;
mod turns;
mod world;

use std::collections::HashSet;
use std::fmt;
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread;
use std::time::Duration;

use self::programs::{ALL, Ending, Program};
use self::world::{Victim, Why, World, raise};
use crate::Pool;
use crate::platform::failpoint::{Failpoint, Plan};
use crate::platform::refusals;

/// A run that takes longer counts as hanging.
const PATIENCE: Duration = Duration::from_secs(120);

/// How often a test tries to reach a point that is seldom reached.
const ATTEMPTS: usize = 100;

/// What is done at a point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    /// Nothing.
    Count,
    /// A thread yields or spins now and then, as the seed says.
    Perturb(u64),
    /// The program's token is cancelled.
    Cancel,
    /// A sibling panics, and its failure is recorded before the thread goes on.
    Sibling,
    /// The next user code that begins panics, on any thread.
    Next,
    /// The calling thread panics: only at a point that stands for user code.
    Here,
}

/// One run of a program.
struct Case {
    program: &'static Program,
    threads: usize,
    act: Act,
    /// At which point and hit that is done.
    at: Option<(Failpoint, usize)>,
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            program,
            threads,
            act,
            at,
        } = self;
        write!(f, "{}, {threads} threads, {act:?}", program.name)?;
        at.map_or(Ok(()), |(point, hit)| write!(f, " at {point:?}, hit {hit}"))
    }
}

/// What came of a run.
struct Seen {
    plan: &'static Plan,
    /// Whether the point was reached as often as planned, perhaps at the end of the pool.
    was_done: bool,
    has_struck: bool,
    values: usize,
}

/// Watches over one test: ends the process if a run hangs.
#[derive(Default)]
struct Watch {
    /// The present run, and its pool.
    now: Mutex<(String, Weak<Pool>)>,
    runs: AtomicUsize,
}

impl Watch {
    fn begin(&self, what: String, pool: &Arc<Pool>) {
        *self.now.lock().unwrap_or_else(PoisonError::into_inner) = (what, Arc::downgrade(pool));
        self.runs.fetch_add(1, Ordering::Relaxed);
    }

    /// Runs `test` under watch.
    fn during<R>(&self, test: impl FnOnce() -> R) -> R {
        let (ended, has_ended) = std::sync::mpsc::channel::<()>();
        thread::scope(|scope| {
            scope.spawn(move || {
                use std::sync::mpsc::RecvTimeoutError::Timeout;
                let mut before = None;
                while has_ended.recv_timeout(PATIENCE) == Err(Timeout) {
                    let runs = Some(self.runs.load(Ordering::Relaxed));
                    if runs == before {
                        self.bark();
                    }
                    before = runs;
                }
            });
            let result = catch_unwind(AssertUnwindSafe(test));
            drop(ended);
            result.unwrap_or_else(|payload| std::panic::resume_unwind(payload))
        })
    }

    fn bark(&self) {
        let (what, pool) = &*self.now.lock().unwrap_or_else(PoisonError::into_inner);
        // Written past the test harness, which would keep it.
        let _ = writeln!(std::io::stderr(), "hangs: {what}");
        thread::scope(|scope| {
            scope.spawn(|| {
                if let Some(pool) = pool.upgrade() {
                    let _ = writeln!(std::io::stderr(), "{pool:#?}\n{}", pool.dump());
                }
                std::process::exit(101);
            });
            // The hanging thread may hold a lock that this takes.
            thread::sleep(Duration::from_secs(5));
            std::process::exit(101);
        });
    }
}

/// A number that looks random.
fn mix(seed: u64, point: Failpoint, hit: usize) -> u64 {
    let mut x = seed ^ (point as u64) << 32 ^ hit as u64;
    for _ in 0..3 {
        x = (x ^ x >> 31).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
    x >> 16
}

/// The plan that does this.
fn plan(act: Act, at: Option<(Failpoint, usize)>, victim: &Victim) -> &'static Plan {
    let victim = victim.clone();
    Plan::new(move |point, hit| {
        if let Act::Perturb(seed) = act {
            return match mix(seed, point, hit) % 16 {
                0 | 1 => thread::yield_now(),
                n @ 2..4 => (0..200 * n).for_each(|_| std::hint::spin_loop()),
                _ => {}
            };
        }
        if at == Some((point, hit)) {
            match act {
                Act::Count | Act::Perturb(_) => {}
                Act::Cancel => _ = victim.token.cancel(),
                Act::Sibling => victim.saboteur.strike(),
                Act::Next => victim.is_doomed.store(true, Ordering::Relaxed),
                Act::Here if thread::panicking() || victim.is_over.load(Ordering::Relaxed) => {}
                Act::Here => raise(Why::Injected),
            }
        }
        if point == Failpoint::FailureRecorded {
            victim.saboteur.note_recorded();
        }
    })
}

/// Numbers the pools, whose threads are refused by name.
static POOLS: AtomicUsize = AtomicUsize::new(0);

impl Case {
    fn run(&'static self, watch: &Watch) -> Seen {
        let victim = Victim::new();
        let plan = plan(self.act, self.at, &victim);
        let prefix = format!("f{}-", POOLS.fetch_add(1, Ordering::Relaxed));
        if self.program.is_refused {
            refusals::plan(&prefix, |number| number % 2 == 1);
        }
        let name = prefix.trim_end_matches('-').to_owned();
        let run = || {
            plan.adopt();
            let builder = Pool::builder().threads(self.threads).name(name);
            let world = World::new(builder.build().expect("valid"), plan, &victim);
            watch.begin(self.to_string(), &world.pool);
            let ending = catch_unwind(AssertUnwindSafe(|| (self.program.run)(&world)));
            victim.is_over.store(true, Ordering::Relaxed);
            let values = world.ledger.balance();
            let was_done = self.at.is_none_or(|(point, hit)| plan.hits(point) >= hit);
            let ending = ending.unwrap_or_else(|payload| {
                let why = payload.downcast().map(|why| *why);
                Err(vec![why.unwrap_or_else(|payload| {
                    let text = payload.downcast_ref::<String>().cloned();
                    let text = text.or(payload.downcast_ref::<&str>().map(ToString::to_string));
                    panic!("{self}: {text:?}")
                })])
            });
            if let Err(wrong) = self.judge(&ending, was_done, &victim) {
                panic!("{self}: {wrong}");
            }
            let values = values.unwrap_or_else(|wrong| panic!("{self}: {wrong}"));
            probe(&world.pool);
            // The watchdog may look at it.
            while Arc::strong_count(&world.pool) > 1 {
                thread::yield_now();
            }
            values
        };
        // The run has a thread of its own, whose end returns its seats.
        let values = thread::scope(|scope| scope.spawn(run).join());
        if self.program.is_refused {
            refusals::end(&prefix);
        }
        let values = values.unwrap_or_else(|payload| std::panic::resume_unwind(payload));
        Seen {
            plan,
            was_done: self.at.is_some_and(|(point, hit)| plan.hits(point) >= hit),
            has_struck: victim.saboteur.has_struck(),
            values,
        }
    }

    /// Whether this may come of the case.
    fn judge(&self, ending: &Ending, was_done: bool, victim: &Victim) -> Result<(), String> {
        let expected = self.program.expected.map_err(|why| vec![why]);
        let has_struck = victim.saboteur.has_struck();
        let may_be = |why: &Why| match why {
            Why::Own => self.program.expected.is_err(),
            Why::Cancelled => was_done && self.act == Act::Cancel,
            Why::Injected => has_struck || was_done && matches!(self.act, Act::Next | Act::Here),
        };
        let is_allowed = match ending {
            Ok(value) => Ok(*value) == expected && !has_struck,
            Err(reasons) => reasons.iter().all(may_be),
        };
        // A panic that nobody has noticed leaves all as it was.
        let is_usual = *ending == expected && !has_struck;
        if is_usual || is_allowed {
            Ok(())
        } else {
            Err(format!(
                "{ending:?}, done: {was_done}, struck: {has_struck}"
            ))
        }
    }
}

/// Checks that the pool works as before.
fn probe(pool: &Pool) {
    let sum = pool.nursery(|n| {
        let computes = n.spawn(|| crate::join(|| 1, || 2));
        let may_block = n.spawn_blocking(|| 3);
        let each: u32 = n.spawn_each(0..10, |i| i).sum();
        let (one, two) = computes.join();
        each + one + two + may_block.join()
    });
    assert_eq!(sum, 51, "probe");
    let failed = pool.try_nursery(|n| n.spawn(|| Err::<(), _>(7)).join());
    assert!(failed.is_err(), "probe");
}

/// What threads of pools may still look at when their test is over. It is in a list, so that a
/// search for leaks sees that it is meant to stay.
static KEPT: Mutex<Vec<&Case>> = Mutex::new(Vec::new());

/// Cases that have been run, and points reached in them.
#[derive(Default)]
struct Tally {
    cases: usize,
    /// Cases in which something was done at a point, and where that was.
    done: usize,
    done_at: HashSet<usize>,
    /// Cases in which a sibling has panicked.
    struck: usize,
    hits: Vec<usize>,
    values: usize,
}

impl Tally {
    fn run(&mut self, case: Case, watch: &Watch) -> &'static Plan {
        let case: &Case = Box::leak(Box::new(case));
        KEPT.lock().unwrap().push(case);
        let seen = case.run(watch);
        self.cases += 1;
        if let Some((point, _)) = case.at.filter(|_| seen.was_done) {
            self.done += 1;
            self.done_at.insert(point as usize);
        }
        self.struck += usize::from(seen.has_struck);
        self.values += seen.values;
        self.hits.resize(Failpoint::ALL.len(), 0);
        for (hits, point) in self.hits.iter_mut().zip(Failpoint::ALL) {
            *hits += seen.plan.hits(*point);
        }
        seen.plan
    }

    /// The points at which nothing was done.
    fn left_alone(&self) -> Vec<Failpoint> {
        let all = Failpoint::ALL.iter().copied();
        all.filter(|point| !self.done_at.contains(&(*point as usize)))
            .collect()
    }

    fn never_reached(&self) -> Vec<Failpoint> {
        let all = Failpoint::ALL.iter().zip(&self.hits);
        all.filter(|(_, hits)| **hits == 0)
            .map(|(point, _)| *point)
            .collect()
    }

    /// Prints one line that counts.
    fn print(&self, what: &str) {
        println!(
            "{what}: {} of {} points reached, {} hits, {} cases, {} of them disturbed at {} points, \
             {} siblings panicked meanwhile, {} values",
            Failpoint::ALL.len() - self.never_reached().len(),
            Failpoint::ALL.len(),
            self.hits.iter().sum::<usize>(),
            self.cases,
            self.done,
            self.done_at.len(),
            self.struck,
            self.values,
        );
    }
}

const POOL_SIZES: [usize; 3] = [1, 2, 4];

fn is_whole() -> bool {
    std::env::var("HATCHERY_FAULTS").is_ok_and(|value| value == "all")
}

fn seed() -> u64 {
    let seed = std::env::var("HATCHERY_SEED").ok();
    let seed = seed.and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or_else(|| fastrand::u64(..));
    println!("HATCHERY_SEED={seed}");
    seed
}

fn cases(act: impl Fn(usize) -> Act) -> impl Iterator<Item = Case> {
    let pairs = ALL
        .iter()
        .flat_map(|program| POOL_SIZES.map(|threads| (program, threads)));
    pairs.enumerate().map(move |(i, (program, threads))| Case {
        program,
        threads,
        act: act(i),
        at: None,
    })
}

#[test]
fn every_point_is_reached() {
    let (watch, mut tally) = (Watch::default(), Tally::default());
    let seed = seed();
    watch.during(|| {
        // Some points take two threads that meet, so not every round reaches all.
        let mut round = 0;
        while round == 0 || !tally.never_reached().is_empty() && round < 50 {
            let act = |i| match round {
                0 => Act::Count,
                round => Act::Perturb(seed.wrapping_add(round * 1000 + i as u64)),
            };
            for case in cases(act) {
                tally.run(case, &watch);
            }
            round += 1;
        }
    });
    tally.print("points");
    assert_eq!(tally.never_reached(), [], "never reached");
}

#[test]
fn programs_end_well_under_any_schedule() {
    let (watch, mut tally) = (Watch::default(), Tally::default());
    let seed = seed();
    let rounds = if is_whole() { 40 } else { 2 };
    watch.during(|| {
        for round in 0..rounds {
            let act = |i| Act::Perturb(seed.wrapping_add(round * 1000 + i as u64));
            for case in cases(act) {
                tally.run(case, &watch);
            }
        }
    });
    tally.print("perturbed");
}

/// Runs the programs with something done at each point that they reach.
fn bring_down(acts: &[Act], hits: impl Fn(Failpoint, usize) -> Vec<usize>) -> Tally {
    let (watch, mut tally) = (Watch::default(), Tally::default());
    let mut rng = fastrand::Rng::with_seed(seed());
    let share = if is_whole() { 1 } else { 24 };
    watch.during(|| {
        for case in cases(|_| Act::Count) {
            let (program, threads) = (case.program, case.threads);
            let counted = tally.run(case, &watch);
            for point in Failpoint::ALL.iter().copied() {
                let last = counted.hits(point);
                let mut hits = hits(point, last);
                hits.retain(|hit| (1..=last).contains(hit));
                hits.dedup();
                for hit in hits {
                    for act in acts {
                        if rng.u32(0..share) == 0 {
                            let case = Case {
                                program,
                                threads,
                                act: *act,
                                at: Some((point, hit)),
                            };
                            tally.run(case, &watch);
                        }
                    }
                }
            }
        }
    });
    tally
}

/// At every point: the first, the second, and the last hit.
fn everywhere(what: &str, acts: &[Act]) -> Tally {
    let mut tally = bring_down(acts, |_, last| vec![1, 2, last]);
    if is_whole() {
        // Where two threads have to meet, it takes more than one attempt.
        let watch = Watch::default();
        watch.during(|| {
            for _ in 0..ATTEMPTS {
                for point in tally.left_alone() {
                    for case in acts.iter().flat_map(|act| cases(|_| *act)) {
                        let at = Some((point, 1));
                        tally.run(Case { at, ..case }, &watch);
                    }
                }
            }
        });
    }
    tally.print(what);
    if is_whole() {
        assert_eq!(tally.left_alone(), [], "nothing was done there");
    }
    tally
}

#[test]
fn a_program_may_be_cancelled_at_every_point() {
    everywhere("cancelled", &[Act::Cancel]);
}

#[test]
fn a_child_may_panic_at_every_point() {
    let tally = everywhere("panicked", &[Act::Sibling, Act::Next]);
    assert!(tally.struck > 0);
}

#[test]
fn user_code_may_panic_wherever_it_returns() {
    let tally = bring_down(&[Act::Here], |point, last| match point {
        Failpoint::UserCodeEnds => (1..=last.min(150)).collect(),
        _ => Vec::new(),
    });
    tally.print("panicked here");
    assert!(tally.done > 0);
}
