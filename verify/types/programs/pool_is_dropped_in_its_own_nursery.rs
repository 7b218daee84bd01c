fn main() {
    let pool = hatchery::Pool::builder().build().unwrap();
    pool.nursery(|_| drop(pool));
}
