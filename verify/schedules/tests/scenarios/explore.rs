//! Drawing schedules, keeping those that fail, and repeating them.

use std::collections::VecDeque;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode};
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime};

use hatchery::control;
use shuttle::scheduler::{PctScheduler, RandomScheduler, Scheduler, UrwRandomScheduler};
use shuttle::{Config, FailurePersistence, MaxSteps, Runner};

use crate::again::Again;

/// Schedules of an average scenario, if nobody says how many.
const SCHEDULES: usize = 2000;
/// Steps of an execution at most. The longest that are not stuck take a tenth.
const STEPS: usize = 200_000;
/// The stack of each thread that is played, in bytes: random programs nest deeply.
const STACK: usize = 1 << 20;
/// Processes at a time.
const AT_ONCE: usize = 2;
/// How long one may take for each thousand schedules of an average one, and the first: all of them
/// together take less in a minute.
const PATIENCE: Duration = Duration::from_secs(300);

/// The variable that names a bug to plant.
const PLANTED: &str = "HATCHERY_PLANTED";

/// Bugs to plant, as the environment names them (see `verify/door/planted.rs`), and a scenario that has to
/// notice each.
const BUGS: [(&str, &str); 7] = [
    // Two threads that wake a worker count as one, so later no thread wakes one.
    (
        "split|protocol/idle.rs|add_searcher|compare_exchange",
        "blocking_in_place_again",
    ),
    // Two runs that end at once count as one.
    ("split|protocol/count.rs|release|fetch_sub", "nested"),
    // A thread falls asleep over the token that it has just been left.
    (
        "split|platform/parker.rs|park|compare_exchange",
        "fib_by_join",
    ),
    // A thread is left a token while it falls asleep, and is not woken.
    ("split|platform/parker.rs|unpark|swap", "shut_down_idle"),
    // A child that ends does not see that its joiner asks to be woken.
    (
        "split|task/state.rs|set_unless_alone|fetch_or",
        "joined_by_a_sibling_spawner",
    ),
    // Nobody hears of a permit that is given back.
    (
        "skipped|protocol/permits.rs|is_left_for|are_some.store",
        "limited_waiters",
    ),
    // Whoever joins a job is not woken when it ends.
    ("skipped|protocol/promise.rs|end|notify_all", "jobs_joined"),
];

/// Schedules within which a scenario has to notice.
const WITHIN: &str = "6000";

/// One thing to do with the crate, in as many orders as there is time for.
#[derive(Clone, Copy)]
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    /// Schedules in percent of those of an average scenario: the more, the shorter it is.
    pub(crate) share: usize,
    pub(crate) play: fn(),
}

pub(crate) fn find(all: &[Scenario], name: &str) -> Scenario {
    let found = all.iter().find(|scenario| scenario.name == name);
    *found.unwrap_or_else(|| panic!("no scenario {name:?}"))
}

/// Where the schedules are that have failed, a folder for each scenario. Those of planted bugs are kept for
/// as long as that takes.
fn kept() -> PathBuf {
    match std::env::var_os(PLANTED) {
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("kept"),
        Some(_) => Path::new(env!("CARGO_TARGET_TMPDIR")).join("planted"),
    }
}

fn config(persistence: FailurePersistence) -> Config {
    let mut config = Config::new();
    config.stack_size = STACK;
    config.max_steps = MaxSteps::FailAfter(STEPS);
    config.silence_warnings = true;
    config.failure_persistence = persistence;
    config
}

impl Scenario {
    fn run(self, scheduler: impl Scheduler + 'static, persistence: FailurePersistence) -> usize {
        Runner::new(scheduler, config(persistence)).run(self.play)
    }

    /// Plays so many schedules, and keeps the one that fails, if one does.
    pub(crate) fn explore(self, number: usize, seed: u64) -> ExitCode {
        let folder = kept().join(self.name);
        fs::create_dir_all(&folder).expect("a folder");
        let persistence = || FailurePersistence::File(Some(folder.clone()));
        // Two fifths at random, one by uniform random walks, and of the rest a third each with one, two
        // and four changes of priority: no depth finds what the others do.
        let fifth = number / 5;
        let third = number.saturating_sub(3 * fifth) / 3;
        let mut played = self.run(
            RandomScheduler::new_from_seed(seed, 2 * fifth),
            persistence(),
        );
        played += self.run(
            UrwRandomScheduler::new_from_seed(seed, fifth),
            persistence(),
        );
        for depth in [2, 3, 5] {
            played += self.run(
                PctScheduler::new_from_seed(seed, depth, third),
                persistence(),
            );
        }
        println!("{:>7} {}", played, self.name);
        // Nothing to keep, and if others are kept, this leaves them.
        _ = fs::remove_dir(&folder);
        ExitCode::SUCCESS
    }

    /// Plays one schedule again.
    pub(crate) fn replay(self, file: &str) -> ExitCode {
        let schedule = fs::read_to_string(file).expect("a schedule");
        self.run(Again::new(schedule.trim()), FailurePersistence::None);
        ExitCode::SUCCESS
    }
}

/// A process that plays something.
struct Playing {
    what: String,
    process: Child,
    since: Instant,
}

impl Playing {
    fn start(what: String, args: &[&str]) -> Self {
        let program = std::env::current_exe().expect("this program");
        let process = Command::new(program).args(args).spawn();
        Self {
            what,
            process: process.expect("a process"),
            since: Instant::now(),
        }
    }

    /// Whether it went well, once it is over.
    fn result(&mut self) -> Option<bool> {
        let status = self.process.try_wait().expect("a process");
        if status.is_none() && self.since.elapsed() > PATIENCE * (1 + average() as u32 / 1000) {
            println!("{} takes too long", self.what);
            self.process.kill().expect("a process");
            return Some(false);
        }
        status.map(|status| status.success())
    }
}

/// Plays them, a few at a time; what has failed.
fn play_all(mut waiting: VecDeque<impl FnOnce() -> Playing>) -> Vec<String> {
    let mut playing: Vec<Playing> = Vec::new();
    let mut failed = Vec::new();
    while !waiting.is_empty() || !playing.is_empty() {
        while playing.len() < AT_ONCE
            && let Some(next) = waiting.pop_front()
        {
            playing.push(next());
        }
        playing.retain_mut(|one| match one.result() {
            None => true,
            Some(went_well) => {
                if !went_well {
                    failed.push(one.what.clone());
                }
                false
            }
        });
        sleep(Duration::from_millis(5));
    }
    failed
}

/// Schedules that have failed once, with the names of their scenarios.
fn schedules(all: &[Scenario]) -> Vec<(String, String)> {
    let files = |scenario: &Scenario| {
        let folder = fs::read_dir(kept().join(scenario.name))
            .into_iter()
            .flatten();
        let name = scenario.name.to_owned();
        folder.map(move |file| {
            (
                file.expect("an entry").path().display().to_string(),
                name.clone(),
            )
        })
    };
    let mut schedules: Vec<_> = all.iter().flat_map(files).collect();
    schedules.sort();
    schedules
}

fn number_from(variable: &str) -> Option<u64> {
    let text = std::env::var(variable)
        .ok()
        .filter(|text| !text.is_empty())?;
    let number = text.parse();
    Some(number.unwrap_or_else(|_| panic!("{variable}={text} is not a number")))
}

/// Replays what is kept, then explores.
pub(crate) fn all(all: &[Scenario]) -> ExitCode {
    let only = std::env::var("SCENARIO").unwrap_or_default();
    let chosen: Vec<_> = all
        .iter()
        .copied()
        .filter(|one| one.name.contains(&only))
        .collect();
    let kept = schedules(&chosen);
    let replays = kept
        .iter()
        .map(|(file, name)| move || Playing::start(file.clone(), &["replay", file, name]));
    let mut failed = play_all(replays.collect());

    let average = average();
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let seed = number_from("SEED").unwrap_or_else(|| now.map_or(0, |now| now.as_nanos() as u64));
    println!("SEED={seed}");
    // A multiple of 15, so that the mix is what it is meant to be.
    let number = |scenario: &Scenario| (average * scenario.share / 100).div_ceil(15) * 15;
    let explorations = chosen.iter().map(|scenario| {
        move || {
            let name = scenario.name;
            let number = number(scenario).to_string();
            Playing::start(
                name.to_owned(),
                &["explore", name, &number, &seed.to_string()],
            )
        }
    });
    failed.extend(play_all(explorations.collect()));
    for failed in &failed {
        println!("FAILED: {failed}");
    }
    println!(
        "schedules: {} scenarios, {} schedules, {} replayed, {} failed",
        chosen.len(),
        chosen.iter().map(number).sum::<usize>(),
        kept.len(),
        failed.len()
    );
    match failed.is_empty() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}

/// Plants each bug, sees it noticed, and sees the schedule that has shown it fail again, and pass without
/// the bug.
pub(crate) fn planted() -> ExitCode {
    let program = std::env::current_exe().expect("this program");
    let run = |bug: Option<&str>, args: &[&str]| {
        let mut command = Command::new(&program);
        command.args(args);
        match bug {
            Some(bug) => command.env(PLANTED, bug),
            None => command.env_remove(PLANTED),
        };
        let output = command.output().expect("a process");
        let text = String::from_utf8_lossy(&output.stderr);
        output.status.success() || (bug.is_some() && !text.contains(control::REACHED))
    };
    let mut missed = 0;
    for (bug, scenario) in BUGS {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR"))
            .join("planted")
            .join(scenario);
        _ = fs::remove_dir_all(&folder);
        let is_caught = !run(Some(bug), &["explore", scenario, WITHIN, "1"]);
        let schedule = folder.join("schedule000.txt").display().to_string();
        let replay = ["replay", &schedule, scenario];
        let is_repeated = || !run(Some(bug), &replay);
        if !(is_caught && is_repeated() && run(None, &replay)) {
            missed += 1;
            let how = if is_caught { "repeated" } else { "noticed" };
            println!("NOT {how}: {bug}, by {scenario}");
        }
    }
    println!(
        "planted bugs: {} caught, {missed} missed",
        BUGS.len() - missed
    );
    match missed {
        0 => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}

/// How many schedules are drawn for a scenario of average weight.
fn average() -> usize {
    number_from("SCHEDULES").map_or(SCHEDULES, |number| number as usize)
}
