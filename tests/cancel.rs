//! Who cancels a nursery, and what of that is told: laws X1 and X5.

mod common;

use common::on_every_pool;
use hatchery::{CancelToken, Options, Reason};

#[test]
fn x1_nobody_is_the_first_to_cancel_a_nursery_that_was_cancelled_from_outside() {
    on_every_pool(|pool| {
        let value = pool.try_nursery::<(), _, _>(|outer| {
            outer.cancel();
            let failures = hatchery::try_nursery::<(), _, _>(|n| {
                assert!(!n.cancel());
                n.spawn(|| -> Result<(), ()> { panic!("started") });
                Ok(())
            });
            let cancelled = failures.unwrap_err().cancelled().unwrap();
            assert_eq!(cancelled.reason(), Reason::Requested);
            assert!(cancelled.is_inherited());
            Ok(7)
        });
        assert_eq!(value.unwrap(), 7);
    });
}

#[test]
fn each_of_several_tokens_cancels_a_nursery() {
    on_every_pool(|pool| {
        for cancelled in 0..3 {
            let tokens = [(); 3].map(|()| CancelToken::new());
            let options = Options::new().pool(pool);
            let options = tokens.iter().fold(options, Options::cancel_on);
            let failures = options.try_nursery::<(), (), _>(|n| {
                n.checkpoint()?;
                tokens[cancelled].cancel();
                n.checkpoint()
            });
            let cancelled = failures.unwrap_err().cancelled().unwrap();
            assert_eq!(cancelled.reason(), Reason::Token);
        }
    });
}
