use std::rc::Rc;

fn main() {
    let shared = Rc::new(1);
    hatchery::join(|| *shared, || 2);
}
