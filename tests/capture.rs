//! What `cargo test` shows of a panic on a pool's thread: the docs of `Pool::shared` say what.

use std::env;
use std::process::Command;
use std::thread;

use hatchery::Pool;

/// Has a child panic on a side thread, while its nursery waits elsewhere.
fn panic_on(pool: &Pool) {
    pool.nursery(|n| {
        let child = n.spawn_blocking(|| panic!("the text of the child"));
        while !child.is_finished() {
            thread::yield_now();
        }
    });
}

#[test]
#[ignore = "run by the test below"]
fn it_passes() {
    let pool = Pool::builder().threads(2).build().unwrap();
    pool.nursery(|n| n.spawn_blocking(|| ()).join());
}

#[test]
#[ignore = "run by the test below"]
fn it_fails() {
    let pool = Pool::builder().threads(2).build().unwrap();
    panic_on(&pool);
}

/// The threads of a pool that a test has made itself are that test's.
#[test]
fn the_text_of_a_panic_on_a_pool_of_the_tests_own_is_shown_with_the_test() {
    let own = env::current_exe().expect("a path");
    let tests = Command::new(own)
        .args(["--ignored", "--test-threads=1", "--color=never"])
        .output()
        .expect("a process");
    assert!(!tests.status.success());
    let shown = String::from_utf8_lossy(&tests.stdout);
    let (_, of_failed) = shown.split_once("---- it_fails stdout ----").expect("it");
    assert_eq!(
        of_failed.matches("the text of the child").count(),
        1,
        "{shown}"
    );
    assert!(of_failed.contains(file!()), "and its place");
}
