//! An error may come from another thread.

use std::rc::Rc;

fn main() {
    let _ = hatchery::try_nursery(|n| n.spawn(|| Err::<(), _>(Rc::new(1))).join());
}
