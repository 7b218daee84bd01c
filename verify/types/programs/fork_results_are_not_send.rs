use std::rc::Rc;

fn main() {
    hatchery::join(|| Rc::new(1), || 2);
    hatchery::join(|| 1, || Rc::new(2));
}
