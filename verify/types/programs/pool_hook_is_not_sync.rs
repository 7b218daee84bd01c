use std::cell::Cell;

fn main() {
    let started = Cell::new(0);
    let _ = hatchery::Pool::builder().on_thread_start(move |_| started.set(1));
}
