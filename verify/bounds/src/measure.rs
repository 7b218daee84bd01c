//! What this process takes up.

use std::alloc::{GlobalAlloc, Layout, System};
use std::fs;
use std::sync::atomic::{AtomicIsize, Ordering};

/// Counts the bytes in use, in cells of a cache line for each thread that comes.
struct Counting;

const CELLS: usize = 64;

#[repr(align(64))]
struct Cell(AtomicIsize);

static IN_USE: [Cell; CELLS] = [const { Cell(AtomicIsize::new(0)) }; CELLS];

/// Any address of the calling thread's stack tells it apart from most others.
fn cell() -> &'static AtomicIsize {
    let here = 0_u8;
    &IN_USE[(&raw const here).addr() / (1 << 20) % CELLS].0
}

// SAFETY: the system's allocator does the work.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        cell().fetch_add(layout.size() as isize, Ordering::Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        cell().fetch_sub(layout.size() as isize, Ordering::Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Bytes allocated and not freed.
pub(crate) fn live() -> usize {
    let sum: isize = IN_USE
        .iter()
        .map(|cell| cell.0.load(Ordering::Relaxed))
        .sum();
    usize::try_from(sum).unwrap_or(0)
}

fn field(status: &str, name: &str) -> Option<usize> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

/// Bytes in memory.
pub(crate) fn resident() -> usize {
    let status = fs::read_to_string("/proc/self/status").expect("Linux");
    field(&status, "VmRSS:").expect("a size") * 1024
}

pub(crate) fn descriptors() -> usize {
    fs::read_dir("/proc/self/fd").expect("Linux").count()
}

pub(crate) fn mappings() -> usize {
    let maps = fs::read_to_string("/proc/self/maps").expect("Linux");
    maps.lines().count()
}

/// Each thread whose name begins so, and how often it was switched away from.
pub(crate) fn switches(prefix: &str) -> Vec<(String, usize)> {
    let tasks = fs::read_dir("/proc/self/task").expect("Linux");
    let mut all: Vec<_> = tasks
        .flatten()
        .filter_map(|task| {
            let status = fs::read_to_string(task.path().join("status")).ok()?;
            let name = status.lines().find_map(|line| line.strip_prefix("Name:"))?;
            let voluntary = field(&status, "voluntary_ctxt_switches:")?;
            let others = field(&status, "nonvoluntary_ctxt_switches:")?;
            let name = format!("{} {:?}", name.trim(), task.file_name());
            name.starts_with(prefix)
                .then_some((name, voluntary + others))
        })
        .collect();
    all.sort();
    all
}

pub(crate) fn threads() -> usize {
    fs::read_dir("/proc/self/task").expect("Linux").count()
}

/// Something measured over and over: how large it was in the first tenth, and afterwards.
pub(crate) struct Level {
    what: &'static str,
    first: usize,
    rest: usize,
}

impl Level {
    pub(crate) fn new(what: &'static str) -> Self {
        Self {
            what,
            first: 0,
            rest: 0,
        }
    }

    pub(crate) fn what(&self) -> &'static str {
        self.what
    }

    /// Takes the `n`th of `all` samples.
    pub(crate) fn sample(&mut self, n: usize, all: usize, now: usize) {
        let part = match n < all.div_ceil(10) {
            true => &mut self.first,
            false => &mut self.rest,
        };
        *part = now.max(*part);
    }

    /// Fails if it has grown by more than so many hundredths, and so much.
    pub(crate) fn is_flat(&self, percent: usize, slack: usize) {
        let Self { what, first, rest } = self;
        println!("  {what}: at most {first} in the first tenth, {rest} afterwards");
        let most = first + first * percent / 100 + slack;
        assert!(*rest <= most, "{what} has grown: {first} to {rest}");
    }
}

/// What a thread of a pool, or one that opens nurseries, may keep for later: 1 MiB of chunks and 1 MiB of
/// room for items.
pub(crate) const KEPT: usize = 2 << 20;

/// Memory, sampled.
pub(crate) struct Memory {
    samples: usize,
    all: usize,
    live: Level,
    resident: Level,
}

impl Memory {
    /// For so many samples.
    pub(crate) fn new(all: usize) -> Self {
        Self {
            samples: 0,
            all,
            live: Level::new("live bytes"),
            resident: Level::new("resident bytes"),
        }
    }

    pub(crate) fn sample(&mut self) {
        // The text of the second is freed before the next sample.
        self.live.sample(self.samples, self.all, live());
        self.resident.sample(self.samples, self.all, resident());
        self.samples += 1;
    }

    /// Fails if it has grown, but for what threads keep for later, the opener among them, if there is
    /// another thread to take some of its children.
    pub(crate) fn is_flat(&self, threads: usize) {
        let kept = if threads > 1 { threads * KEPT } else { 0 };
        assert_eq!(self.samples, self.all);
        self.live.is_flat(5, (128 << 10) + kept);
        self.resident.is_flat(5, (4 << 20) + kept);
    }
}
