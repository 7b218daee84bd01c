use std::rc::Rc;

fn main() {
    hatchery::nursery(|n| {
        n.spawn_blocking(|| Rc::new(1));
    });
}
