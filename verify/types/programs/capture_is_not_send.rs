use std::rc::Rc;

fn main() {
    let shared = Rc::new(1);
    hatchery::nursery(|n| {
        n.spawn(move || *shared + 1);
    });
}
