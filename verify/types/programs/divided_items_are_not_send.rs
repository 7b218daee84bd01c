use std::rc::Rc;

fn main() {
    hatchery::for_each(&[Rc::new(1)], |i| drop(Rc::clone(i)));
    hatchery::for_each(vec![Rc::new(1)], drop);
    let shared = Rc::new(1);
    hatchery::for_each(0..3, |_| drop(Rc::clone(&shared)));
    let _ = hatchery::map(0..3, Rc::new);
}
