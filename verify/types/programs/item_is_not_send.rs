use std::rc::Rc;

fn main() {
    hatchery::nursery(|n| {
        n.spawn_each([Rc::new(1)], |i| *i);
    });
}
