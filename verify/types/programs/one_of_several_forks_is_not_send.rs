use std::rc::Rc;

fn main() {
    let shared = Rc::new(1);
    hatchery::join_all((|| 1, move || *shared, || 3));
}
