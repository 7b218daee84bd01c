use hatchery::{Child, Children};

fn longer<'short, 'long>(child: Child<'short, u8>) -> Child<'long, u8> {
    child
}

fn all_longer<'short, 'long>(children: Children<'short, u8>) -> Children<'long, u8> {
    children
}

fn main() {}
