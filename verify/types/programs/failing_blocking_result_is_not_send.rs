use std::rc::Rc;

fn main() {
    let _ = hatchery::try_nursery::<(), _, _>(|n| n.spawn_blocking(|| Ok(Rc::new(1))).join());
}
