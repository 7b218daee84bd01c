use hatchery::Nursery;

type Body<'scope, 'env> = Box<dyn FnOnce(&'scope Nursery<'scope, 'env>) + 'env>;

fn longer<'short, 'long: 'short, 'env: 'long>(body: Body<'short, 'env>) -> Body<'long, 'env> {
    body
}

fn shorter<'short, 'long: 'short, 'env: 'long>(body: Body<'long, 'env>) -> Body<'short, 'env> {
    body
}

fn main() {}
