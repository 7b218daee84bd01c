//! How inputs are divided is the crate's own matter.

struct Mine;

impl hatchery::Indexed for Mine {
    type Item = usize;
    type Parts<'a> = std::ops::Range<usize>;
    type Memory = ();

    fn parts(self, (): &mut ()) -> std::ops::Range<usize> {
        0..10
    }
}

fn main() {
    hatchery::for_each(Mine, |_| ());
}
