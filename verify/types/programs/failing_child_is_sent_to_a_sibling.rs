//! Only its spawner may join a child, of a partial nursery, too.

fn main() {
    let _ = hatchery::try_nursery::<(), _, _>(|n| {
        let child = n.spawn(|| Ok(1));
        n.spawn_body(move || child.join()).join()
    });
}
