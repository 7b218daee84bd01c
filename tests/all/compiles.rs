//! Programs that must go on compiling: what inference and lifetimes have to allow (and what was once
//! found not to work with other signatures).

use std::cell::{Cell, RefCell};
use std::error::Error;
use std::num::ParseIntError;
use std::rc::Rc;

use hatchery::{
    CancelToken, Cancelled, Child, Failure, Failures, Gather, Nursery, Options, Pool, Race,
    TryNursery, gather, join, nursery, race, race_each, try_nursery,
};

type AnyError<'a> = Box<dyn Error + Send + Sync + 'a>;

#[test]
fn a_total_nursery_infers_everything() {
    let words = ["one", "three"];
    let (letters, longest) = nursery(|n| {
        let letters = n.spawn(|| words.iter().map(|word| word.len()).sum::<usize>());
        let longest = n.spawn(|| words.iter().map(|word| word.len()).max().unwrap_or(0));
        (letters.join(), longest.join())
    });
    assert_eq!((letters, longest), (8, 5));
}

#[test]
fn the_error_of_a_partial_nursery_is_inferred_from_its_children() {
    let sum = try_nursery(|n| {
        let (a, b) = (
            n.spawn(|| "1".parse::<i32>()),
            n.spawn(|| "2".parse::<i32>()),
        );
        Ok(a.join()? + b.join()?)
    });
    assert_eq!(sum.unwrap(), 3);
}

#[test]
fn the_error_of_a_partial_nursery_is_inferred_from_where_it_goes() {
    fn parse_all(lines: &[&str]) -> Result<Vec<i64>, Failures<ParseIntError>> {
        try_nursery(|n| n.spawn_each(lines, |line| line.parse()).collect())
    }
    assert_eq!(parse_all(&["1", "2"]).unwrap(), [1, 2]);
}

#[test]
fn the_error_may_be_given_first_and_the_rest_left_to_inference() {
    let value = try_nursery::<ParseIntError, _, _>(|n| {
        n.spawn_body(|| {
            n.checkpoint()?;
            Ok("1".parse::<i32>()?)
        })
        .join()
    });
    assert_eq!(value.unwrap(), 1);
}

#[test]
fn boxed_errors_may_borrow_from_around_the_nursery() {
    #[derive(Debug)]
    struct Borrowing<'a>(&'a str);
    impl std::fmt::Display for Borrowing<'_> {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str(self.0)
        }
    }
    impl Error for Borrowing<'_> {}
    let why = String::from("borrowed");
    let why = why.as_str();
    let failed = try_nursery::<AnyError<'_>, (), _>(|n| {
        n.spawn(|| Err(AnyError::from(Borrowing(why)))).join()
    });
    assert_eq!(failed.unwrap_err().to_string(), "child 0: borrowed");
}

#[test]
fn failures_convert_into_a_boxed_error() {
    fn run() -> Result<i32, AnyError<'static>> {
        let parsed = try_nursery(|n| n.spawn(|| "x".parse::<i32>()).join())?;
        Ok(parsed)
    }
    assert!(run().unwrap_err().to_string().starts_with("child 0"));
}

#[test]
fn a_foreign_error_is_lifted_in_a_body() {
    let value = try_nursery::<AnyError<'static>, _, _>(|n| {
        let own: i32 = "8".parse().map_err(Failure::new)?;
        Ok(n.spawn(|| Ok("7".parse::<i32>()?)).join()? + own)
    });
    assert_eq!(value.unwrap(), 15);
}

#[test]
fn recursive_partial_nurseries_compose_by_the_question_mark() {
    fn count(depth: u32) -> Result<u32, Failures<ParseIntError>> {
        try_nursery(|n| {
            if depth == 0 {
                return Ok("1".parse::<u32>()?);
            }
            let below = n.spawn_body(move || Ok(count(depth - 1)?));
            Ok(below.join()? + count(depth - 1)?)
        })
    }
    assert_eq!(count(3).unwrap(), 8);
}

#[test]
fn a_plain_child_checks_with_an_error_that_knows_cancellation() {
    #[derive(Debug)]
    enum Mine {
        Stopped(Cancelled),
    }
    impl From<Cancelled> for Mine {
        fn from(cancelled: Cancelled) -> Self {
            Self::Stopped(cancelled)
        }
    }
    let value = try_nursery::<Mine, _, _>(|n| {
        n.spawn(|| {
            hatchery::checkpoint()?;
            Ok(1)
        })
        .join()
    });
    let value = value.map_err(|failures| match failures.into_cause().into_error() {
        Ok(Mine::Stopped(cancelled)) => cancelled.reason(),
        Err(failure) => panic!("{failure:?}"),
    });
    assert_eq!(value, Ok(1));
}

#[test]
fn errors_that_are_sent_but_not_shared_do() {
    let failed = try_nursery::<Cell<u8>, (), _>(|n| {
        let child = n.spawn_body(|| n.spawn(|| Err(Cell::new(7))).join());
        child.join()
    });
    let cause = failed.unwrap_err().into_cause();
    assert_eq!(cause.into_error().unwrap().get(), 7);
}

#[test]
fn a_body_may_have_and_return_what_is_not_send() {
    let counted = Rc::new(Cell::new(0));
    let result = nursery(|n| {
        counted.set(n.spawn(|| 1).join());
        Rc::clone(&counted)
    });
    let again = try_nursery::<(), _, _>(|n| {
        counted.set(counted.get() + n.spawn(|| Ok(1)).join()?);
        Ok(Rc::clone(&counted))
    });
    assert_eq!((result.get(), again.unwrap().get()), (2, 2));
}

#[test]
fn children_borrow_mutably_in_parts_and_the_rest_is_free_again_afterwards() {
    let mut values = [1, 2, 3, 4];
    nursery(|n| {
        let (left, right) = values.split_at_mut(2);
        n.spawn(|| left[0] = 10);
        n.spawn_blocking(|| right[0] = 30);
    });
    values[1] = 20;
    assert_eq!(values, [10, 20, 30, 4]);
}

#[test]
fn children_spawn_siblings_through_a_function_that_names_the_nursery() {
    fn spread<'scope>(n: &'scope Nursery<'scope, '_>, depth: u32) -> Child<'scope, u32> {
        n.spawn(move || match depth {
            0 => 1,
            _ => spread(n, depth - 1).join() + spread(n, depth - 1).join(),
        })
    }
    fn partial<'scope>(n: &'scope TryNursery<'scope, '_, ()>, depth: u32) {
        n.spawn_body(move || {
            if depth > 0 {
                partial(n, depth - 1);
            }
            n.checkpoint()
        });
    }
    assert_eq!(nursery(|n| spread(n, 4).join()), 16);
    let ended = try_nursery(|n| {
        partial(n, 4);
        Ok(n.stats())
    });
    // Others may have begun by then.
    assert!((1..=5).contains(&ended.unwrap().spawned));
}

#[test]
fn a_child_of_an_outer_nursery_is_spawned_and_joined_further_in() {
    let sum = nursery(|outer| {
        nursery(|inner| {
            let theirs = outer.spawn(|| 1);
            let ours = inner.spawn(|| outer.spawn(|| 2).join());
            theirs.join() + ours.join()
        })
    });
    assert_eq!(sum, 3);
}

#[test]
fn handles_are_kept_for_a_shorter_time() {
    fn sum<'short>(children: Vec<Child<'short, i32>>, _until: &'short ()) -> i32 {
        children.into_iter().map(Child::join).sum()
    }
    let total = nursery(|n| {
        let until = ();
        let children = (0..4).map(|i| n.spawn(move || i)).collect();
        sum(children, &until)
    });
    assert_eq!(total, 6);
}

#[test]
fn a_thread_outside_of_the_pool_spawns_into_a_nursery() {
    let sum = nursery(|n| {
        std::thread::scope(|scope| scope.spawn(|| n.spawn(|| 1).join()).join().unwrap())
    });
    assert_eq!(sum, 1);
}

#[test]
fn gathers_and_races_are_named_by_functions() {
    fn all<'scope>(g: &Gather<'scope, '_, usize>, words: &'scope [String]) {
        words.iter().for_each(|word| g.spawn(|| word.len()));
    }
    fn any<'scope, 'env: 'scope>(r: &Race<'scope, '_, &'env str, ()>, words: &'env [String]) {
        words.iter().for_each(|word| r.spawn(|| Ok(word.as_str())));
    }
    let words = ["one".to_owned(), "three".to_owned()];
    assert_eq!(gather(|g| all(g, &words)), [3, 5]);
    let won = race(|r| any(r, &words)).unwrap();
    assert!(words.iter().any(|word| word == won));
}

#[test]
fn forks_borrow_and_recurse() {
    fn sum(numbers: &[u64]) -> u64 {
        match numbers {
            [] => 0,
            [number] => *number,
            _ => {
                let (left, right) = numbers.split_at(numbers.len() / 2);
                let (left, right) = join(|| sum(left), || sum(right));
                left + right
            }
        }
    }
    assert_eq!(sum(&[1, 2, 3, 4, 5]), 15);
    let mut parts = ([0; 2], [0; 2]);
    let (a, b) = (&mut parts.0, &mut parts.1);
    hatchery::join_all((|| a[0] = 1, || b[1] = 2, || ()));
    assert_eq!(parts, ([1, 0], [0, 2]));
}

#[test]
fn options_are_values_that_open_every_kind_of_nursery() {
    let (pool, token) = (
        Pool::builder().threads(1).build().unwrap(),
        CancelToken::new(),
    );
    let options = Options::new().pool(&pool).cancel_on(&token).limit(2);
    let values = RefCell::new(Vec::new());
    values
        .borrow_mut()
        .push(options.nursery(|n| n.spawn(|| 1).join()));
    let partial = options.try_nursery::<(), _, _>(|n| n.spawn(|| Ok(2)).join());
    values.borrow_mut().push(partial.unwrap());
    let winner = options.race_each([3], Ok::<_, ()>);
    values.borrow_mut().push(winner.unwrap());
    assert_eq!(race_each([4], Ok::<_, ()>).unwrap(), 4);
    assert_eq!(values.into_inner(), [1, 2, 3]);
}

#[test]
fn a_panic_may_be_caught_around_what_spawns() {
    use std::panic::catch_unwind;
    let options = Options::new();
    let values = nursery(|n| {
        let child = n.spawn(|| 1);
        let one = catch_unwind(|| child.join());
        [one, catch_unwind(|| n.spawn(|| 2).join())].map(Result::unwrap)
    });
    assert_eq!(values, [1, 2]);
    assert_eq!(gather(|g| catch_unwind(|| g.spawn(|| 3)).unwrap()), [3]);
    assert_eq!(catch_unwind(|| options.nursery(|_| 4)).unwrap(), 4);
}
