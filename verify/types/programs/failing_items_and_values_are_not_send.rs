use std::rc::Rc;

fn main() {
    let _ = hatchery::try_nursery::<(), _, _>(|n| {
        n.spawn_each([Rc::new(1)], |i| Ok(*i)).for_each(drop);
        n.spawn_each(0..3, |i| Ok(Rc::new(i))).for_each(drop);
        Ok(())
    });
}
