//! Nurseries that a task opens, and what they come to.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use hatchery::Failures;

use crate::program::{Kind, Nest, Task, Then};
use crate::run::{Fail, Handed, Place, Returned};
use crate::seen::{Outcome, Seen, Source};
use crate::world::{Fault, Standing, Value, What};

impl<'s, 'o: 's, 'w: 'o> Place<'s, '_, 'o, '_, 'w> {
    /// Opens a nursery in the task. What its tasks return is a failure of the task.
    pub(crate) fn open(
        self,
        task: &Task,
        nest: &'w Nest,
        handed: Handed<'s, 'w>,
    ) -> Result<(), Fail> {
        let from = self.world.now();
        let mut late = Vec::new();
        let result = catch_unwind(AssertUnwindSafe(|| match nest.kind {
            Kind::Partial(terms) => {
                let result = self.world.options(terms).try_nursery(|n| {
                    n.on_late(|failure| late.push(Seen::of(&failure)));
                    let place = Place {
                        own: n,
                        outer: self.own,
                        own_id: nest.id,
                        outer_id: self.own_id,
                        innermost: nest.id,
                        standing: Standing::Direct,
                        world: self.world,
                    };
                    let result = place.execute(&nest.tasks[0], false, handed);
                    result.map_err(Fail::into_failure)
                });
                came_to(nest, result, late)
            }
            Kind::Race => came_to(
                nest,
                hatchery::race(|r| {
                    for task in &nest.tasks {
                        let place = self.guest(nest, Standing::Elsewhere);
                        r.spawn(move || place.plain(task));
                    }
                }),
                late,
            ),
            Kind::RaceEach => {
                let place = self.guest(nest, Standing::Elsewhere);
                came_to(
                    nest,
                    hatchery::race_each(&nest.tasks, move |task| place.plain(task)),
                    late,
                )
            }
            Kind::Total => {
                let place = self.guest(nest, Standing::Elsewhere);
                let results: Vec<_> = hatchery::nursery(|n| {
                    n.spawn_each(&nest.tasks, |task| place.execute(task, false, Vec::new()))
                        .collect()
                });
                all_came_to(results)
            }
            Kind::Fork | Kind::Map | Kind::Fold => {
                let standing = match self.standing {
                    Standing::Direct => Standing::Fork,
                    standing => standing,
                };
                let place = self.guest(nest, standing);
                let run = |task| place.execute(task, false, Vec::new());
                let tasks = &nest.tasks;
                all_came_to(match nest.kind {
                    Kind::Fork => {
                        let (a, b) = hatchery::join(|| run(&tasks[0]), || run(&tasks[1]));
                        vec![a, b]
                    }
                    Kind::Map => hatchery::map(tasks, run),
                    Kind::Fold => hatchery::fold(tasks, Vec::new, pushed(run), joined),
                    _ => unreachable!("the arm around this is for these three"),
                })
            }
        }));
        let (outcome, result) = match result {
            Ok((outcome, result)) => (outcome, Ok(result)),
            Err(payload) => {
                let text = payload.downcast_ref::<String>().cloned();
                (Outcome::Raised(text), Err(payload))
            }
        };
        let opened = What::Opened {
            nursery: nest.id,
            inside: self.innermost,
            outcome,
        };
        self.world.note(task, from, opened);
        result.unwrap_or_else(|payload| resume_unwind(payload))
    }

    /// That of a task in another kind of nursery, for as long as the one around it is open.
    fn guest(mut self, nest: &Nest, standing: Standing) -> Self {
        self.innermost = nest.id;
        self.standing = standing;
        self
    }
}

fn pushed<'w, A>(run: impl Fn(&'w Task) -> A) -> impl Fn(Vec<A>, &'w Task) -> Vec<A> {
    move |mut all, task| {
        all.push(run(task));
        all
    }
}

fn joined<A>(mut left: Vec<A>, right: Vec<A>) -> Vec<A> {
    left.extend(right);
    left
}

type CameTo = (Outcome, Result<(), Fail>);

fn came_to(nest: &Nest, result: Result<Value<'_>, Failures<Fault>>, late: Vec<Seen>) -> CameTo {
    match result {
        Ok(value) => (Outcome::Value(value.taken(), late), Ok(())),
        Err(failures) => {
            assert!(late.is_empty(), "they come along");
            let outcome = Outcome::of(&failures);
            let fail = match nest.then {
                Then::PassCause => Fail {
                    failure: failures.into_cause(),
                    source: Source::Cause(nest.id),
                },
                Then::Pass | Then::Handle => Fail::own(failures),
            };
            (outcome, Err(fail))
        }
    }
}

/// Its values, and the first failure, for whoever wants it.
fn all_came_to(results: Vec<Returned<'_>>) -> CameTo {
    let (mut seen, mut first) = (Vec::new(), Ok(()));
    for result in results {
        let result = result.map(Value::taken);
        seen.push(
            result
                .as_ref()
                .map_err(|fail| Seen::of(&fail.failure))
                .copied(),
        );
        first = first.and(result.map(drop));
    }
    (Outcome::All(seen), first)
}
