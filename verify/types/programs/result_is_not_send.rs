use std::rc::Rc;

fn main() {
    hatchery::nursery(|n| {
        n.spawn(|| Rc::new(1));
    });
}
