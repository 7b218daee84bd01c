use std::sync::Mutex;

fn main() {
    let lock = Mutex::new(1);
    hatchery::nursery(|n| {
        let guard = lock.lock().unwrap();
        n.spawn(move || *guard + 1);
    });
}
