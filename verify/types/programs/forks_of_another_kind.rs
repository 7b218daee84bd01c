struct Mine;

impl hatchery::Closures for Mine {
    type Output = ();
    fn run(self) {}
}

fn main() {
    hatchery::join_all(Mine);
}
