//! Spans and events with the feature `tracing`: a hand-made subscriber for the whole process notes them.

mod common;

use std::cell::RefCell;
use std::fmt::{Debug, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, Once};
use std::thread;

use common::workers::start_all_workers;
use common::{Gate, on_pool, watched};
use hatchery::{Options, Pool, block_in_place};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Span, Subscriber, info_span};
use tracing_core::span::Current;

/// The fields of a span or an event, as text.
#[derive(Default)]
struct Fields(String);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        write!(self.0, "{}={value:?};", field.name()).unwrap();
    }
}

struct Seen {
    /// The span's or event's name and fields.
    text: String,
    parent: Option<u64>,
    metadata: &'static Metadata<'static>,
}

/// All spans, by their numbers, from 1.
static SPANS: Mutex<Vec<Seen>> = Mutex::new(Vec::new());
static EVENTS: Mutex<Vec<Seen>> = Mutex::new(Vec::new());
/// How many spans were entered, and not left.
static INSIDE: AtomicU64 = AtomicU64::new(0);

thread_local! {
    /// The spans that this thread is in.
    static STACK: RefCell<Vec<u64>> = const { RefCell::new(Vec::new()) };
}

struct Notes;

fn innermost() -> Option<u64> {
    STACK.with_borrow(|stack| stack.last().copied())
}

fn metadata_of(span: u64) -> &'static Metadata<'static> {
    SPANS.lock().unwrap()[usize::try_from(span).unwrap() - 1].metadata
}

impl Subscriber for Notes {
    fn enabled(&self, _metadata: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let mut fields = Fields::default();
        span.record(&mut fields);
        let mut spans = SPANS.lock().unwrap();
        spans.push(Seen {
            text: format!("{}: {}", span.metadata().name(), fields.0),
            parent: innermost(),
            metadata: span.metadata(),
        });
        Id::from_u64(spans.len() as u64)
    }

    fn record(&self, _span: &Id, _values: &Record<'_>) {}

    fn record_follows_from(&self, _span: &Id, _follows: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let text = fields.0;
        assert!(!text.contains("panicky"), "on purpose");
        EVENTS.lock().unwrap().push(Seen {
            text,
            parent: innermost(),
            metadata: event.metadata(),
        });
    }

    fn enter(&self, span: &Id) {
        INSIDE.fetch_add(1, Ordering::SeqCst);
        STACK.with_borrow_mut(|stack| stack.push(span.into_u64()));
    }

    fn exit(&self, span: &Id) {
        let last = STACK.with_borrow_mut(Vec::pop);
        assert_eq!(
            last,
            Some(span.into_u64()),
            "left on another thread, or out of order"
        );
        INSIDE.fetch_sub(1, Ordering::SeqCst);
    }

    fn current_span(&self) -> Current {
        match innermost() {
            None => Current::none(),
            Some(span) => Current::new(Id::from_u64(span), metadata_of(span)),
        }
    }
}

fn subscribe() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| tracing::subscriber::set_global_default(Notes).unwrap());
}

/// The number of the span that this thread is in.
fn here() -> Option<u64> {
    Span::current().id().map(|id| id.into_u64())
}

fn seen<R>(span: u64, look: impl FnOnce(&Seen) -> R) -> R {
    look(&SPANS.lock().unwrap()[usize::try_from(span).unwrap() - 1])
}

/// The texts of the events of one pool.
fn events_of(pool: &str) -> Vec<String> {
    let events = EVENTS.lock().unwrap();
    let own = events.iter().filter(|event| {
        assert!(
            event.metadata.target() != "hatchery"
                || *event.metadata.level() == tracing::Level::TRACE
        );
        event.text.contains(&format!("pool=\"{pool}\""))
    });
    own.map(|event| event.text.clone()).collect()
}

/// Calls `f` in a child that another thread runs.
fn in_child_elsewhere<R: Send>(pool: &Pool, f: impl Fn() -> R + Sync) -> R {
    let (has_run, here) = (Gate::default(), thread::current().id());
    pool.nursery(|n| {
        let child = n.spawn(|| {
            assert_ne!(thread::current().id(), here);
            let result = f();
            has_run.open();
            result
        });
        block_in_place(|| has_run.wait());
        child.join()
    })
}

#[test]
fn a_child_is_in_the_span_of_the_body_wherever_it_runs() {
    subscribe();
    for threads in [1, 2, 4] {
        let name = format!("wherever{threads}");
        on_pool(Pool::builder().threads(threads).name(&name), |pool| {
            let span = info_span!("caller");
            let id = span.id().map(|id| id.into_u64());
            span.in_scope(|| {
                assert_eq!(in_child_elsewhere(pool, here), id);
                pool.nursery(|n| {
                    n.spawn_each(0..100, |_| assert_eq!(here(), id))
                        .for_each(drop);
                    n.spawn_blocking(|| assert_eq!(here(), id));
                    n.spawn(|| {
                        // A span that a child opens is below.
                        let own = info_span!("own");
                        let own_id = own.id().unwrap().into_u64();
                        assert_eq!(seen(own_id, |own| own.parent), id);
                        own.in_scope(|| {
                            hatchery::nursery(|n| {
                                n.spawn_each(0..100, |_| assert_eq!(here(), Some(own_id)))
                                    .count()
                            })
                        });
                    });
                    hatchery::for_each(0..1000, |_| assert_eq!(here(), id));
                });
                assert_eq!(pool.submit(here).join(), id);
                assert_eq!(pool.install(here), id);
            });
            assert_eq!(pool.submit(here).join(), None);
        });
    }
}

#[test]
fn a_closure_of_a_join_is_in_the_span_of_the_call_also_on_the_shared_pool() {
    subscribe();
    watched(Pool::shared(), || {
        let span = info_span!("joins");
        let id = span.id().map(|id| id.into_u64());
        let is_taken = Gate::default();
        let home = thread::current().id();
        let (a, b) = span.in_scope(|| {
            hatchery::join(
                || {
                    block_in_place(|| is_taken.wait());
                    here()
                },
                || {
                    assert_ne!(thread::current().id(), home);
                    is_taken.open();
                    here()
                },
            )
        });
        assert_eq!([a, b], [id; 2]);
    });
}

#[test]
fn a_nursery_with_a_name_is_a_span() {
    subscribe();
    on_pool(Pool::builder().threads(2).name("named"), |pool| {
        let outer = info_span!("around");
        let outer_id = outer.id().map(|id| id.into_u64());
        let options = Options::new().pool(pool).name("import");
        let check = |span: Option<u64>| {
            seen(span.expect("a span"), |span| {
                assert_eq!(span.text, "nursery: name=\"import\";");
                assert_eq!(span.metadata.target(), "hatchery");
                assert_eq!(span.parent, outer_id);
            });
        };
        outer.in_scope(|| {
            let [body, child] = options.nursery(|n| [here(), n.spawn_blocking(here).join()]);
            assert_eq!(body, child);
            check(body);
            let partial = options.try_nursery::<(), _, _>(|n| {
                let child = n.spawn_blocking(|| Ok(here())).join()?;
                assert_eq!(here(), child);
                Ok(child)
            });
            check(partial.unwrap());
            assert_eq!(here(), outer_id);
        });
        // One without a name is none.
        assert_eq!(pool.nursery(|_| here()), None);
    });
}

#[test]
fn events_say_what_threads_do() {
    subscribe();
    on_pool(Pool::builder().threads(2).name("events"), |pool| {
        start_all_workers(pool);
        let before = pool.stats().stolen;
        in_child_elsewhere(pool, || ());
        assert!(pool.stats().stolen > before);
        let [is_begun, may_end] = &<[Gate; 2]>::default();
        pool.nursery(|n| {
            n.spawn_blocking(|| {
                is_begun.open();
                may_end.wait();
            });
            is_begun.wait();
            n.spawn_blocking(|| {
                while !events_of("events")
                    .iter()
                    .any(|event| event.contains("thread_idle"))
                {
                    thread::yield_now();
                }
                may_end.open();
            });
            // It waits until the event is there.
        });
        let events = events_of("events");
        let count = |name: &str| events.iter().filter(|event| event.contains(name)).count() as u64;
        assert_eq!(count("worker_thread"), 2);
        assert_eq!(count("run_stolen"), pool.stats().stolen);
        assert!(count("thread_idle") > 0);
        assert_eq!(count("thread_idle"), count("thread_active"));
        let stolen = events.iter().find(|event| event.contains("run_stolen"));
        let stolen = stolen.expect("counted above");
        assert!(
            stolen.contains("victim=\"") && stolen.contains("children="),
            "{stolen}"
        );
    });
}

#[test]
fn a_context_of_ones_own_is_in_the_place_of_spans() {
    subscribe();
    let builder = Pool::builder()
        .threads(2)
        .name("own")
        .context(|| (), |()| ());
    on_pool(builder, |pool| {
        info_span!("lost").in_scope(|| {
            assert_eq!(in_child_elsewhere(pool, here), None);
        });
    });
}

#[test]
fn a_subscriber_that_panics_harms_nobody() {
    subscribe();
    on_pool(Pool::builder().threads(2).name("panicky"), |pool| {
        for _ in 0..10 {
            assert_eq!(in_child_elsewhere(pool, || 7), 7);
            let sum: u64 = pool.nursery(|n| {
                let blocking = n.spawn_blocking(|| 1);
                let each: u64 = n.spawn_each(0..100, |_| 1).sum();
                blocking.join() + each
            });
            assert_eq!(sum, 101);
        }
    });
}

#[test]
fn a_foreign_thread_that_enters_a_nursery_is_in_its_span() {
    subscribe();
    on_pool(Pool::builder().threads(2).name("foreign"), |pool| {
        Options::new().pool(pool).name("entered").nursery(|n| {
            let own = here();
            assert!(own.is_some());
            let seen = thread::scope(|s| s.spawn(|| (here(), n.enter(here), here())).join());
            assert_eq!(seen.unwrap(), (None, own, None));
        });
    });
}
