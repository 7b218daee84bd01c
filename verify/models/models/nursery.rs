//! A nursery and its children, for models that pass them around.
//!
//! Records and the nursery itself are the real ones. Each child says whether it runs once, after what its spawner
//! did, and before the nursery ends.
#![allow(
    unsafe_code,
    reason = "makes and runs records, as the scope layer does"
)]

use std::alloc::Layout;
use std::ops::Deref;
use std::ptr;
use std::sync::{Arc, Weak};

use super::Memory;
use crate::engine::node::Node;
use crate::engine::seat::Seat;
use crate::task::chunk::Owner;
use crate::task::placement::{self, LoneChunk, Room};
use crate::task::record::{Class, Completion, Handle, Outcome, Queued, Record, Running, Vtable};

type Task = Box<dyn FnOnce() -> usize + Send>;

/// As `scope::nest::Typed`, for children that do not panic.
const VTABLE: &Vtable = &Vtable {
    call,
    dispose,
    drops_values: true,
};

unsafe fn call(child: Running, _owner: *const ()) -> Outcome {
    // SAFETY: all records here hold a task, and run once.
    let task = unsafe { child.take_closure::<Task>() };
    let value = task();
    // SAFETY: their results are of this type.
    unsafe { child.store(value) }
}

unsafe fn dispose(child: Running, _owner: *const (), outcome: Outcome) {
    // SAFETY: as above.
    let _ = unsafe { child.take::<usize>(outcome) };
}

/// One child's record, and what it reads and writes.
struct Child {
    /// A chunk with this one record.
    chunk: LoneChunk<Task, usize>,
    is_spawned: Memory<bool>,
    has_run: Memory<bool>,
}

/// A nursery in the frame of its home. Its end is what `end` says; the model
/// keeps the memory itself until all threads are done.
pub(super) struct Nursery {
    node: Node,
    children: Vec<Child>,
}

// SAFETY: a chunk is used by whoever has a reference to its record.
unsafe impl Send for Nursery {}
// SAFETY: as above.
unsafe impl Sync for Nursery {}

impl Deref for Nursery {
    type Target = Node;

    fn deref(&self) -> &Node {
        &self.node
    }
}

impl Nursery {
    pub(super) fn new(home: &Seat, children: usize) -> Arc<Self> {
        Arc::new_cyclic(|this: &Weak<Self>| {
            let child = |index| {
                let this = this.clone();
                let task: Task = Box::new(move || {
                    let nursery = this.upgrade().expect("kept by the model");
                    nursery.run(index);
                    index
                });
                Child {
                    chunk: LoneChunk::new(task),
                    is_spawned: Memory::new(false),
                    has_run: Memory::new(false),
                }
            };
            Self {
                // As a fork's, so that it counts nothing that models would have to explore.
                node: Node::open_on(home, ptr::null(), true),
                children: (0..children).map(child).collect(),
            }
        })
    }

    fn run(&self, index: usize) {
        self.node.witness.note_look();
        assert!(self.children[index].is_spawned.read());
        assert!(!self.children[index].has_run.read(), "run once");
        self.children[index].has_run.write(true);
    }

    /// Makes the record of a child that nobody will join.
    pub(super) fn spawn_unjoined(&self, index: usize) -> Queued {
        let (child, handle) = self.spawn(index);
        let abandoned = handle.abandon_in_private();
        assert!(abandoned.is_ok());
        child
    }

    /// Makes the record of a child.
    pub(super) fn spawn(&self, index: usize) -> (Queued, Handle<usize>) {
        let child = &self.children[index];
        child.is_spawned.write(true);
        let owner = Owner {
            scope: ptr::null(),
            spawner: ptr::null(),
        };
        // SAFETY: once for each child, whose chunk stays in place; the vtable is of these types.
        unsafe { child.chunk.publish(owner, VTABLE) }
    }

    /// The same in a chunk of its own, for a spawner that is not at home.
    pub(super) fn spawn_single(self: &Arc<Self>, index: usize) -> (Queued, Handle<usize>) {
        self.node.witness.note_look();
        self.children[index].is_spawned.write(true);
        let owner = Owner {
            scope: ptr::null(),
            spawner: ptr::null(),
        };
        let this = Arc::clone(self);
        let task: Task = Box::new(move || {
            this.run(index);
            index
        });
        let record = Layout::new::<Record<Task, usize>>();
        let room = Room::single(owner, 0, Class::Compute, record);
        // SAFETY: nobody looks at the owner; the vtable is of these types.
        unsafe { placement::write_record(room, VTABLE, |_| task) }
    }

    /// The home goes on, and uses the memory for something else.
    pub(super) fn close(&self) {
        self.end();
        for index in 0..self.children.len() {
            assert!(self.is_released(index), "released once");
        }
    }

    /// The same where records lie elsewhere, or are none.
    pub(super) fn end(&self) {
        self.node.witness.note_use();
        for child in &self.children {
            assert!(child.has_run.read(), "every child has run");
            child.has_run.write(false);
        }
    }

    /// The closure of a child that has no record yet, which is called here.
    pub(super) fn call(&self, index: usize) -> usize {
        let child = &self.children[index];
        child.is_spawned.write(true);
        // SAFETY: the closure is still there.
        let task = unsafe { child.chunk.take() };
        task()
    }

    /// What a child that has ended has left.
    pub(super) fn result(&self, child: Handle<usize>) -> usize {
        match child.take() {
            Ok(Completion::Done(value)) => value,
            _ => unreachable!("waited for"),
        }
    }

    /// Whether the record of this child has been given back.
    pub(super) fn is_released(&self, index: usize) -> bool {
        // SAFETY: it is spawned.
        unsafe { self.children[index].chunk.is_released() }
    }
}
