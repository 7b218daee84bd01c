use std::rc::Rc;

fn main() {
    let shared = Rc::new(1);
    hatchery::Pool::shared().join(|| *shared, || 2);
}
