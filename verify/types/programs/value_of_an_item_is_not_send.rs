use std::rc::Rc;

fn main() {
    hatchery::nursery(|n| {
        n.spawn_each(0..3, Rc::new);
    });
}
