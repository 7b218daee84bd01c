//! The models, built from a copy of the source whose orderings can be weakened at run time.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::crew;
use crate::sites::{self, Site};
use crate::table::Verdict;

/// What the copy's orderings call.
const WEAKEN: &str = include_str!("weaken.rs.txt");

/// A model that takes this many times as long as it should is taken for endless.
const PATIENCE: u32 = 20;

/// What is said of a model that does not end.
const ENDLESS: &str = " (does not end)";

/// How long a model that the table names may take.
const WITHIN: Duration = Duration::from_secs(300);

/// One model, and what it is good for.
struct Model {
    name: String,
    /// The numbers of the sites that it reaches.
    reached: Vec<usize>,
    takes: Duration,
}

/// All models, quickest first.
pub(crate) struct Models {
    program: PathBuf,
    models: Vec<Model>,
}

/// Copies and compiles the source; the program.
pub(crate) fn built(root: &Path) -> Result<PathBuf, String> {
    shell(&mut Command::new(root.join("verify/models/checker/make")))?;
    let copy = root.join("verify/target/orderings/copy");
    let _ = fs::remove_dir_all(&copy);
    shell(
        Command::new("mkdir")
            .arg("-p")
            .arg(copy.join("verify/models")),
    )?;
    let mut parts = vec![PathBuf::from("src"), PathBuf::from("verify/door")];
    for entry in fs::read_dir(root.join("verify/models")).map_err(|why| why.to_string())? {
        let name = entry.map_err(|why| why.to_string())?.file_name();
        if name != "target" {
            parts.push(Path::new("verify/models").join(name));
        }
    }
    for part in parts {
        shell(
            Command::new("cp")
                .arg("-r")
                .arg(root.join(&part))
                .arg(copy.join(&part)),
        )?;
    }
    sites::copy(root, &copy)?;
    let lib = copy.join("verify/models/lib.rs");
    let text = fs::read_to_string(&lib).map_err(|why| why.to_string())?;
    fs::write(&lib, text + "\nmod weaken;\n").map_err(|why| why.to_string())?;
    fs::write(copy.join("verify/models/weaken.rs"), WEAKEN).map_err(|why| why.to_string())?;
    compiled(
        &copy.join("verify/models"),
        &root.join("verify/target/orderings/models"),
    )
}

impl Models {
    /// Runs every model once with nothing weakened.
    pub(crate) fn measured(program: &Path, sites: &[Site]) -> Result<Self, String> {
        let mut models = crew::each(&listed(program)?, |name| measured(program, name))?;
        models.sort_by_key(|model| model.takes);
        for site in sites {
            if !models
                .iter()
                .any(|model| model.reached.contains(&site.number))
            {
                println!("{}: no model reaches it", site.name);
            }
        }
        Ok(Self {
            program: program.to_owned(),
            models,
        })
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.models.len()
    }

    /// Runs the models that reach a site with it weakened, until one fails.
    pub(crate) fn verdict(&self, site: &Site, weaker: &str) -> Result<Verdict, String> {
        let mut is_reached = false;
        for model in &self.models {
            if !model.reached.contains(&site.number) {
                continue;
            }
            is_reached = true;
            let mut command = weakened(&self.program, &model.name, site.number, weaker);
            let limit = model.takes * PATIENCE + Duration::from_secs(10);
            match ends_well(&mut command, limit)? {
                Some(true) => {}
                Some(false) => return Ok(Verdict::Killed(model.name.clone())),
                None => return Ok(Verdict::Killed(model.name.clone() + ENDLESS)),
            }
        }
        Ok(if is_reached {
            Verdict::Lives
        } else {
            Verdict::Unreached
        })
    }
}

/// Sees the model that is said to kill something pass with nothing weakened.
pub(crate) fn passes(program: &Path, by: &str) -> Result<(), String> {
    pass(&mut one(program, name(by)), by, WITHIN)
}

/// Sees it fail with the site of that number weakened.
pub(crate) fn kills(program: &Path, by: &str, number: usize, weaker: &str) -> Result<(), String> {
    let mut command = weakened(program, name(by), number, weaker);
    match ends_well(&mut command, WITHIN)? {
        Some(false) => Ok(()),
        None if by.ends_with(ENDLESS) => Ok(()),
        Some(true) => Err(format!("{by} passes")),
        None => Err(format!("{by} does not end")),
    }
}

/// The name of a model of which something may be said.
pub(crate) fn name(by: &str) -> &str {
    by.split(' ').next().unwrap_or_default()
}

/// Compiles the copy's models and finds the program.
fn compiled(package: &Path, target: &Path) -> Result<PathBuf, String> {
    let manifest = package.join("Cargo.toml");
    let mut cargo = Command::new("cargo");
    cargo.args([
        "test",
        "--no-run",
        "--release",
        "--lib",
        "--message-format=json",
    ]);
    cargo
        .arg("--manifest-path")
        .arg(manifest)
        .arg("--target-dir")
        .arg(target);
    let output = cargo
        .stderr(Stdio::inherit())
        .output()
        .map_err(|why| why.to_string())?;
    if !output.status.success() {
        return Err("the copy does not compile".to_owned());
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let mut programs = text.lines().filter_map(|line| {
        let from = line.find("\"executable\":\"")? + "\"executable\":\"".len();
        let length = line[from..].find('"')?;
        Some(PathBuf::from(&line[from..from + length]))
    });
    programs
        .next_back()
        .ok_or_else(|| "cargo names no program".to_owned())
}

/// The names of the models.
fn listed(program: &Path) -> Result<Vec<String>, String> {
    let output = Command::new(program)
        .arg("--list")
        .output()
        .map_err(|why| why.to_string())?;
    let text = String::from_utf8_lossy(&output.stdout);
    let names = text.lines().filter_map(|line| line.strip_suffix(": test"));
    // Twins are broken as they are, and unit tests of the harness tell nothing.
    let is_model = |name: &&str| {
        name.starts_with("models::") && !name.contains("::twins::") && !name.contains("::harness::")
    };
    Ok(names.filter(is_model).map(str::to_owned).collect())
}

/// Runs a model with nothing weakened.
fn measured(program: &Path, name: &str) -> Result<Model, String> {
    let trace = env::temp_dir().join(format!("reached-{}-{name}", std::process::id()));
    let _ = fs::remove_file(&trace);
    let begun = Instant::now();
    let mut command = one(program, name);
    command.env("HATCHERY_WEAKEN_TRACE", &trace);
    pass(&mut command, name, Duration::from_secs(600))?;
    let takes = begun.elapsed();
    let text = fs::read_to_string(&trace).unwrap_or_default();
    let _ = fs::remove_file(&trace);
    let reached = text.lines().filter_map(|line| line.parse().ok()).collect();
    let name = name.to_owned();
    Ok(Model {
        name,
        reached,
        takes,
    })
}

/// Sees the command of a model with nothing weakened succeed.
fn pass(command: &mut Command, name: &str, limit: Duration) -> Result<(), String> {
    match ends_well(command, limit)? {
        Some(true) => Ok(()),
        _ => Err(format!("{name} fails with nothing weakened")),
    }
}

/// The command that runs one model with the site of that number weakened.
fn weakened(program: &Path, name: &str, number: usize, weaker: &str) -> Command {
    let mut command = one(program, name);
    command.env("HATCHERY_WEAKEN", format!("{number} {weaker}"));
    command
}

/// The command that runs one model.
fn one(program: &Path, name: &str) -> Command {
    let mut command = Command::new(program);
    command
        .args(["--exact", name])
        // Who explores less with a site weakened has not failed for that.
        .env("HATCHERY_MODELS", "record")
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}

/// Whether a command succeeds; nothing if it does not end in time.
fn ends_well(command: &mut Command, limit: Duration) -> Result<Option<bool>, String> {
    let mut child = command.spawn().map_err(|why| why.to_string())?;
    let begun = Instant::now();
    loop {
        if let Some(status) = child.try_wait().map_err(|why| why.to_string())? {
            return Ok(Some(status.success()));
        }
        if begun.elapsed() > limit {
            child.kill().map_err(|why| why.to_string())?;
            child.wait().map_err(|why| why.to_string())?;
            return Ok(None);
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Runs a command that must succeed.
fn shell(command: &mut Command) -> Result<(), String> {
    let status = command
        .status()
        .map_err(|why| format!("{command:?}: {why}"))?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("{command:?}: {status}"))
    }
}
