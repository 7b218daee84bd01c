use std::collections::HashMap;

fn main() {
    let ages = HashMap::from([("Ada", 36)]);
    hatchery::for_each(&ages, |(_, age)| assert!(*age > 30));
    let _ = hatchery::map("a b".split(' '), str::len);
}
