struct Mine;

impl hatchery::Jobs for Mine {
    type Output = ();
    fn run(self) {}
}

fn main() {
    hatchery::join_all(Mine);
}
