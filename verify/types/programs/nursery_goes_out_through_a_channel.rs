fn main() {
    let (sender, receiver) = std::sync::mpsc::channel();
    hatchery::nursery(|n| sender.send(n).unwrap());
    receiver.recv().unwrap().spawn(|| 1);
}
