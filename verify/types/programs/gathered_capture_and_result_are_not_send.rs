use std::rc::Rc;

fn main() {
    let shared = Rc::new(1);
    hatchery::gather(|g| g.spawn(move || *shared));
    hatchery::gather(|g| g.spawn(|| Rc::new(1)));
}
