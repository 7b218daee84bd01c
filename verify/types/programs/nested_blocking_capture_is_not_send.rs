use std::rc::Rc;

fn main() {
    let shared = Rc::new(1);
    let _ = hatchery::try_nursery::<(), _, _>(|n| n.spawn_blocking_body(|| Ok(*shared)).join());
}
