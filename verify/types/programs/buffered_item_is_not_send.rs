use std::rc::Rc;

fn main() {
    hatchery::nursery(|n| {
        n.spawn_buffered(2, [Rc::new(1)], |i| *i).for_each(drop);
    });
}
