//! Programs that must not compile, and the messages their authors get.

#[test]
fn borrows_do_not_escape_and_bounds_hold() {
    let cases = trybuild::TestCases::new();
    cases.compile_fail("tests/compile_fail/*.rs");
}

#[test]
fn public_types_are_as_send_and_unwind_safe_as_promised() {
    use std::panic::{RefUnwindSafe, UnwindSafe};
    fn shared<T: Send + Sync>() {}
    fn unwinds<T: UnwindSafe + RefUnwindSafe>() {}
    fn moves<T: Send>() {}
    shared::<hatchery::Nursery<'_, '_>>();
    shared::<hatchery::Pool>();
    shared::<hatchery::BuildError>();
    moves::<hatchery::PoolBuilder>();
    unwinds::<hatchery::Nursery<'_, '_>>();
    unwinds::<hatchery::Pool>();
    unwinds::<hatchery::Child<'_, u8>>();
    unwinds::<hatchery::Children<'_, u8>>();
}
