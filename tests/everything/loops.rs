//! Calls of `for_each`, `map` and `fold`, with inputs of every kind.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Mutex;

use hatchery::{Indexed, Options, Pool};

use crate::everything::cells::{Cells, ENDED, STARTED};
use crate::everything::program::{Input, Kind, Loop, Nest, Task, Terms, Verb};
use crate::everything::run::{Capture, Cell, Place, Plain, write};

/// Whose method it is.
enum Of<'a> {
    Nobody,
    Pool(&'a Pool),
    Options(Options),
}

/// What tasks have come to, by their numbers.
type Results = Vec<(usize, Plain)>;

/// What an item is that has a task.
type Filled<'w, 'c> = (&'w Task, Cell<'c>, Capture);

impl<'s, 'e, 'o: 's, 'w: 'o> Place<'s, 'e, 'o, 'w> {
    /// Calls `for_each`, `map` or `fold` with items of which some are the tasks of the nest; returns the
    /// results of the tasks. The tasks run in this place.
    pub(crate) fn looped(self, nest: &'w Nest, call: Loop, cells: &mut [u64]) -> Vec<Plain> {
        let (world, tasks) = (self.world, &nest.tasks);
        let Loop {
            verb,
            input,
            stride,
        } = call;
        let terms = nest.terms;
        let only_elsewhere = Terms {
            is_elsewhere: true,
            ..Terms::default()
        };
        let of = match terms {
            _ if terms == Terms::default() => Of::Nobody,
            _ if terms == only_elsewhere => Of::Pool(&world.other),
            _ => Of::Options(world.options(nest, false)),
        };
        let run = |(task, mut cell, capture): Filled<'w, '_>| {
            write(&mut cell, task, STARTED);
            let result = catch_unwind(AssertUnwindSafe(|| self.plain(task)));
            write(&mut cell, task, STARTED | ENDED);
            let result = result.unwrap_or_else(|payload| resume_unwind(payload));
            drop(capture);
            vec![(task.id, result)]
        };
        let count = tasks.len() * stride;
        // The last item of each stride is a task.
        let task_of = |item: usize| (item % stride == stride - 1).then(|| &tasks[item / stride]);
        let cells = Cells::new(cells);
        let capture_of = |item: usize| task_of(item).map(|task| world.capture(task));
        let cell_of = |item: usize| task_of(item).and_then(|_| cells.next());
        let whole =
            |item: usize| task_of(item).map(|task| (task, cells.next(), world.capture(task)));
        let filled = |item: Option<Filled<'w, '_>>| item.map(run).unwrap_or_default();
        // For items that are no more than that.
        let bare = |task: Option<&'w Task>| {
            filled(task.map(|task| (task, cells.next(), world.capture(task))))
        };
        let results = match input {
            Input::Range => of.call(verb, 0..count, |item| bare(task_of(item))),
            Input::Inclusive => of.call(verb, 1..=count, |item| bare(task_of(item - 1))),
            Input::Slice => {
                let items: Vec<_> = (0..count).map(task_of).collect();
                of.call(verb, &items, |task| bare(*task))
            }
            Input::SliceMut => {
                let mut items: Vec<_> = (0..count).map(whole).collect();
                of.call(verb, &mut items, |item| filled(item.take()))
            }
            Input::Vec => of.call(verb, (0..count).map(whole).collect::<Vec<_>>(), filled),
            Input::Pair => {
                let mut places: Vec<_> = (0..count).map(cell_of).collect();
                // Items of one input that the other has no partner for.
                let beyond = tasks.iter().map(|task| world.harmless(task)).map(Some);
                let captures = (0..count).map(capture_of).chain(beyond);
                let items = ((0.., captures.collect::<Vec<_>>()), &mut places);
                of.call(verb, items, |((item, own), cell)| {
                    filled(
                        task_of(item)
                            .zip(own)
                            .map(|(task, own)| (task, cell.take(), own)),
                    )
                })
            }
            Input::Chunks(len) => {
                let mut items: Vec<_> = (0..count).map(whole).collect();
                let chunks = hatchery::chunks_mut(&mut items, len);
                of.call(verb, chunks, |chunk| {
                    chunk
                        .iter_mut()
                        .flat_map(|item| filled(item.take()))
                        .collect()
                })
            }
        };
        results.into_iter().map(|(_, result)| result).collect()
    }
}

impl Of<'_> {
    /// Makes the call; the results are in the order of the items.
    fn call<I, F>(self, verb: Verb, items: I, f: F) -> Results
    where
        I: Indexed,
        F: Fn(I::Item) -> Results + Sync,
    {
        macro_rules! call {
            ($($of:tt)+) => {
                match verb {
                    Verb::ForEach => {
                        let all = Mutex::new(BTreeMap::new());
                        $($of)+ for_each(items, |item| {
                            let results = f(item);
                            all.lock().unwrap().extend(results);
                        });
                        all.into_inner().unwrap().into_iter().collect()
                    }
                    Verb::Map => $($of)+ map(items, f).into_iter().flatten().collect(),
                    Verb::Fold => $($of)+ fold(items, Vec::new, with(f), joined),
                }
            };
        }
        match self {
            Self::Nobody => call!(hatchery::),
            Self::Pool(pool) => call!(pool.),
            Self::Options(options) => call!(options.),
        }
    }
}

fn with<T>(f: impl Fn(T) -> Results + Sync) -> impl Fn(Results, T) -> Results + Sync {
    move |mut all, item| {
        all.extend(f(item));
        all
    }
}

fn joined(mut left: Results, right: Results) -> Results {
    left.extend(right);
    left
}

impl Kind {
    /// The call that it is, if it is one.
    pub(crate) fn as_loop(self) -> Option<Loop> {
        match self {
            Self::Loop(call) => Some(call),
            _ => None,
        }
    }
}
