//! What the documentation of scoped threads in std shows, with nurseries.

use crate::common::{on_every_pool, payload_of};

#[test]
fn children_borrow_and_change_locals_of_the_enclosing_frame() {
    on_every_pool(|pool| {
        let mut numbers = vec![10, 20, 30];
        let mut total = 0;
        pool.nursery(|n| {
            n.spawn(|| assert_eq!(numbers.len(), 3));
            n.spawn(|| total += numbers.iter().sum::<i32>());
            assert_eq!(numbers[0], 10);
        });
        // Everything is ours again.
        numbers.push(total);
        assert_eq!(numbers, [10, 20, 30, 60]);
    });
}

#[test]
fn a_child_may_spawn_a_child_that_borrows_for_as_long() {
    on_every_pool(|pool| {
        let name = String::from("outer");
        let length = pool.nursery(|n| {
            let child = n.spawn(|| {
                let name = &name;
                n.spawn(move || name.len()).join()
            });
            child.join()
        });
        assert_eq!(length, 5);
    });
}

#[test]
fn a_handle_gives_the_value_or_the_panic() {
    on_every_pool(|pool| {
        pool.nursery(|n| {
            assert_eq!(n.spawn(|| "value").join(), "value");
            let child = n.spawn(|| std::panic::resume_unwind(Box::new("panic")));
            let payload = payload_of(|| -> () { child.join() });
            assert_eq!(*payload.downcast::<&str>().unwrap(), "panic");
        });
    });
}

#[test]
fn a_finished_child_says_so() {
    on_every_pool(|pool| {
        pool.nursery(|n| {
            let (first, second) = (n.spawn(|| 1), n.spawn(|| 2));
            assert_eq!(second.join(), 2);
            assert_eq!(first.join(), 1);
            let child = n.spawn_blocking(|| 3);
            let is_finished = child.is_finished();
            assert_eq!(child.join(), 3);
            let _either_way: bool = is_finished;
        });
    });
}

#[test]
fn a_nursery_passes_through_functions_with_both_lifetimes() {
    fn spawn_sum<'scope, 'env>(
        n: &'scope hatchery::Nursery<'scope, 'env>,
        numbers: &'env [u32],
    ) -> hatchery::Child<'scope, u32> {
        n.spawn(move || numbers.iter().sum())
    }
    on_every_pool(|pool| {
        let numbers = [1, 2, 3];
        assert_eq!(pool.nursery(|n| spawn_sum(n, &numbers).join()), 6);
    });
}
