use std::rc::Rc;

fn main() {
    let _ = hatchery::race_each([Rc::new(1)], |i| Ok::<_, ()>(*i));
    let _ = hatchery::race_each(0..3, |i| Ok::<_, ()>(Rc::new(i)));
}
