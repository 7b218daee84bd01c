use hatchery::{Nursery, TryNursery};

fn main() {
    hatchery::nursery(|n| drop(Nursery::clone(n)));
    let _made = Nursery::default();
    let _made = TryNursery::<()>::default();
}
