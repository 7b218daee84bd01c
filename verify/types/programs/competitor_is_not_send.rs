use std::rc::Rc;

fn main() {
    let shared = Rc::new(1);
    let _ = hatchery::race(|r| r.spawn(move || Ok::<_, ()>(*shared)));
    let _ = hatchery::race(|r| r.spawn(|| Ok::<_, ()>(Rc::new(1))));
    let _ = hatchery::race(|r| r.spawn(|| Err::<(), _>(Rc::new(1))));
}
