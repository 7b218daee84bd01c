//! Which threads public types go to, and who may see them after a panic.

use std::fs;
use std::marker::PhantomData;
use std::ops::Range;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::path::Path;
use std::rc::Rc;

use hatchery::*;

/// Whether a type has a trait: an inherent constant goes before that of a trait.
macro_rules! has {
    ($type:ty: $trait:ident) => {{
        #[allow(dead_code, reason = "not used where the type has the trait")]
        trait Otherwise {
            const HAS: bool = false;
        }
        struct Asked<T: ?Sized>(PhantomData<T>);
        impl<T: ?Sized> Otherwise for Asked<T> {}
        impl<T: ?Sized + $trait> Asked<T> {
            #[allow(dead_code, reason = "not used where the type has not got the trait")]
            const HAS: bool = true;
        }
        if <Asked<$type>>::HAS {
            concat!(" ", stringify!($trait))
        } else {
            ""
        }
    }};
}

/// A row for each type: its name, what it has, and what it should have.
macro_rules! table {
    ($($type:ty: $($trait:ident)*;)*) => {
        [$((
            stringify!($type),
            [
                has!($type: Send),
                has!($type: Sync),
                has!($type: Unpin),
                has!($type: UnwindSafe),
                has!($type: RefUnwindSafe),
            ]
            .concat(),
            concat!($(" ", stringify!($trait)),*),
        )),*]
    };
}

/// May go to another thread, but not be seen from two.
type Lone = std::cell::Cell<u8>;
/// May not go to another thread.
type Local = Rc<u8>;
/// Sent, shared, and of no use after a panic.
type Torn = &'static mut u8;

type Row = (&'static str, String, &'static str);

fn nurseries() -> impl IntoIterator<Item = Row> {
    table! {
        Nursery<'static, 'static>: Send Sync Unpin UnwindSafe RefUnwindSafe;
        Current<'static>: Send Sync Unpin UnwindSafe RefUnwindSafe;
        // Nobody has one by value.
        TryNursery<'static, 'static, u8>: Sync Unpin UnwindSafe RefUnwindSafe;
        // Errors come from several threads, but go to one.
        TryNursery<'static, 'static, Lone>: Sync Unpin UnwindSafe RefUnwindSafe;
        TryNursery<'static, 'static, Local>: Unpin UnwindSafe RefUnwindSafe;
        TryNursery<'static, 'static, Torn>: Sync Unpin UnwindSafe RefUnwindSafe;
        // It has handles.
        Gather<'static, 'static, u8>: Unpin UnwindSafe RefUnwindSafe;
        Gather<'static, 'static, Torn>: Unpin UnwindSafe RefUnwindSafe;
        TryGather<'static, 'static, u8, u8>: Unpin UnwindSafe RefUnwindSafe;
        TryGather<'static, 'static, Torn, Torn>: Unpin UnwindSafe RefUnwindSafe;
        Race<'static, 'static, u8, u8>: Send Sync Unpin UnwindSafe RefUnwindSafe;
        Race<'static, 'static, Lone, Lone>: Send Sync Unpin UnwindSafe RefUnwindSafe;
        Race<'static, 'static, Local, u8>: Unpin UnwindSafe RefUnwindSafe;
        Race<'static, 'static, u8, Local>: Unpin UnwindSafe RefUnwindSafe;
        Race<'static, 'static, Torn, Torn>: Send Sync Unpin UnwindSafe RefUnwindSafe;
    }
}

fn handles() -> impl IntoIterator<Item = Row> {
    table! {
        Child<'static, u8>: Unpin UnwindSafe RefUnwindSafe;
        Child<'static, Local>: Unpin UnwindSafe RefUnwindSafe;
        Child<'static, Torn>: Unpin UnwindSafe RefUnwindSafe;
        Children<'static, u8>: Unpin UnwindSafe RefUnwindSafe;
        Children<'static, Local>: Unpin UnwindSafe RefUnwindSafe;
        Children<'static, Torn>: Unpin UnwindSafe RefUnwindSafe;
        ByCompletion<'static, u8>: Unpin UnwindSafe RefUnwindSafe;
        ByCompletion<'static, Local>: Unpin UnwindSafe RefUnwindSafe;
        ByCompletion<'static, Torn>: Unpin UnwindSafe RefUnwindSafe;
        ChildSet<'static, Nursery<'static, 'static>, u8>: Unpin UnwindSafe RefUnwindSafe;
        ChildSet<'static, Nursery<'static, 'static>, Local>: Unpin UnwindSafe RefUnwindSafe;
        ChildSet<'static, TryNursery<'static, 'static, Local>, Torn>: Unpin UnwindSafe RefUnwindSafe;
        Buffered<'static, Range<u8>, u8>: Unpin UnwindSafe RefUnwindSafe;
        Buffered<'static, Range<u8>, Local>: Unpin UnwindSafe RefUnwindSafe;
        Buffered<'static, Range<u8>, Torn>: Unpin UnwindSafe RefUnwindSafe;
        // It has the iterator.
        Buffered<'static, std::slice::IterMut<'static, u8>, u8>: Unpin RefUnwindSafe;
    }
}

fn inputs() -> impl IntoIterator<Item = Row> {
    table! {
        Chunks<&'static [u8]>: Send Sync Unpin UnwindSafe RefUnwindSafe;
        Chunks<&'static [Lone]>: Unpin;
        Chunks<&'static mut [u8]>: Send Sync Unpin RefUnwindSafe;
        Chunks<&'static mut [Lone]>: Send Unpin;
    }
}

fn jobs() -> impl IntoIterator<Item = Row> {
    table! {
        // Nobody sees the value before it is taken out.
        Submitted<u8>: Send Sync Unpin UnwindSafe RefUnwindSafe;
        Submitted<Lone>: Send Sync Unpin UnwindSafe RefUnwindSafe;
        Submitted<Torn>: Send Sync Unpin UnwindSafe RefUnwindSafe;
        Gate: Send Sync Unpin UnwindSafe RefUnwindSafe;
        Inside: Send Sync Unpin UnwindSafe RefUnwindSafe;
        GateClosed: Send Sync Unpin UnwindSafe RefUnwindSafe;
        Refused: Send Sync Unpin UnwindSafe RefUnwindSafe;
    }
}

fn failures() -> impl IntoIterator<Item = Row> {
    table! {
        Failure<u8>: Send Sync Unpin UnwindSafe RefUnwindSafe;
        Failure<Lone>: Send Unpin UnwindSafe;
        Failure<Local>: Unpin UnwindSafe RefUnwindSafe;
        Failure<Torn>: Send Sync Unpin RefUnwindSafe;
        Failures<u8>: Send Sync Unpin UnwindSafe RefUnwindSafe;
        Failures<Lone>: Send Unpin UnwindSafe;
        Failures<Local>: Unpin UnwindSafe RefUnwindSafe;
        Failures<Torn>: Send Sync Unpin RefUnwindSafe;
        FailureKind<u8>: Send Sync Unpin UnwindSafe RefUnwindSafe;
        FailureKind<Lone>: Send Unpin UnwindSafe;
        FailureKind<Local>: Unpin UnwindSafe RefUnwindSafe;
        FailureKind<Torn>: Send Sync Unpin RefUnwindSafe;
        // What is in the box may be anything.
        BoxedError: Send Sync Unpin;
        // The payload, which is only sent, lies behind a lock.
        Panic: Send Sync Unpin UnwindSafe RefUnwindSafe;
        Cancelled: Send Sync Unpin UnwindSafe RefUnwindSafe;
        CancelReason: Send Sync Unpin UnwindSafe RefUnwindSafe;
        ChildId: Send Sync Unpin UnwindSafe RefUnwindSafe;
    }
}

fn settings_and_numbers() -> impl IntoIterator<Item = Row> {
    table! {
        Pool: Send Sync Unpin UnwindSafe RefUnwindSafe;
        // It has hooks, which may be anything.
        PoolBuilder: Send Sync Unpin;
        Helper: Send Sync Unpin UnwindSafe RefUnwindSafe;
        BuildPoolError: Send Sync Unpin UnwindSafe RefUnwindSafe;
        Options: Send Sync Unpin UnwindSafe RefUnwindSafe;
        OnFailure: Send Sync Unpin UnwindSafe RefUnwindSafe;
        CancelToken: Send Sync Unpin UnwindSafe RefUnwindSafe;
        CancelGuard: Send Sync Unpin UnwindSafe RefUnwindSafe;
        PoolStats: Send Sync Unpin UnwindSafe RefUnwindSafe;
        NurseryStats: Send Sync Unpin UnwindSafe RefUnwindSafe;
        PoolSnapshot: Send Sync Unpin UnwindSafe RefUnwindSafe;
        NurserySnapshot: Send Sync Unpin UnwindSafe RefUnwindSafe;
        ThreadSnapshot: Send Sync Unpin UnwindSafe RefUnwindSafe;
        Taking: Send Sync Unpin UnwindSafe RefUnwindSafe;
        ThreadState: Send Sync Unpin UnwindSafe RefUnwindSafe;
        NurseryPart: Send Sync Unpin UnwindSafe RefUnwindSafe;
        Wait: Send Sync Unpin UnwindSafe RefUnwindSafe;
        WaitUntil: Send Sync Unpin UnwindSafe RefUnwindSafe;
        AwaitedChild: Send Sync Unpin UnwindSafe RefUnwindSafe;
    }
}

fn all() -> Vec<Row> {
    let parts = nurseries().into_iter().chain(handles()).chain(inputs());
    let parts = parts
        .chain(jobs())
        .chain(failures())
        .chain(settings_and_numbers());
    parts.collect()
}

#[test]
fn public_types_have_the_auto_traits_of_the_table_and_no_others() {
    let mut wrong = Vec::new();
    for (name, has, wanted) in all() {
        if has != wanted {
            wrong.push(format!("{name}: has{has}, should have{wanted}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The names that start with a capital letter are those of types and traits.
#[test]
fn no_public_type_is_missing_from_the_table() {
    let lib = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs");
    let lib = fs::read_to_string(lib).expect("UTF-8");
    let mut public = Vec::new();
    for exports in lib.split("pub use ").skip(1) {
        let exports = exports.split(';').next().expect("a statement");
        let words = exports.split(|c: char| !c.is_alphanumeric() && c != '_');
        public.extend(words.filter(|word| word.starts_with(char::is_uppercase)));
    }
    assert!(public.len() > 20, "the exports were found: {public:?}");
    let table = all();
    for name in public {
        let is_listed = table.iter().any(|(row, ..)| {
            let row = row.split(|c: char| !c.is_alphanumeric()).next();
            row == Some(name)
        });
        // Traits: of tuples of closures, and of what can be divided.
        let is_trait = ["Closures", "Indexed"].contains(&name);
        assert!(is_listed || is_trait, "{name} is public");
    }
}

#[test]
fn futures_of_gates_go_to_other_threads() {
    fn sent<T: Send>(_: T) {}
    let gate = Gate::new(1);
    sent(gate.enter());
    sent(gate.submit(|| ()));
    sent(gate.submit_with(&Options::new(), || Lone::new(1)));
}

#[test]
fn what_iterators_over_failures_are_made_of_goes_where_the_failures_go() {
    fn moves<T: Send>(_: fn(Failures<Lone>) -> T) {}
    fn shared<T: Send + Sync>(_: for<'a> fn(&'a Failures<u8>) -> T) {}
    moves(|failures| failures.into_iter());
    shared(|failures| failures.late().len());
}
