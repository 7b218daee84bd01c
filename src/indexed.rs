//! What `for_each`, `map` and `fold` take: items that are known by their numbers.

use std::cmp::Ordering::{Equal, Greater, Less};
use std::fmt;
use std::iter::{self, Zip};
use std::ops::{Range, RangeFrom, RangeInclusive};
use std::slice;

use crate::scope::Divide;
use crate::task::owned::{Owned, Vacant};

/// Items that can be divided anywhere at no cost: the input of [`for_each`](crate::for_each()),
/// [`map`](crate::map()) and [`fold`](crate::fold()).
///
/// | input | its items |
/// |-------|-----------|
/// | `a..b`, `a..=b` of integers of up to 64 bits | the numbers |
/// | `&slice`, `&array`, `&vec` | `&T` |
/// | `&mut slice`, `&mut array`, `&mut vec` | `&mut T` |
/// | a `Vec<T>` | `T` |
/// | [`chunks`] and [`chunks_mut`] of a slice | slices |
/// | a pair of inputs | pairs, up to the end of the shorter input; what a `Vec` has beyond is dropped at once |
/// | a pair `(0.., input)` | each item with its number; alone, `0..` does not end |
///
/// For a collection of another kind, take the numbers of its items. For an iterator, use
/// [`Nursery::spawn_each`](crate::Nursery::spawn_each).
///
/// The trait is sealed: only this crate implements it.
///
/// # Examples
///
/// ```
/// use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
///
/// fn total<I: hatchery::Indexed<Item = u64>>(items: I) -> u64 {
///     let total = AtomicU64::new(0);
///     hatchery::for_each(items, |n| _ = total.fetch_add(n, Relaxed));
///     total.into_inner()
/// }
/// assert_eq!(total(1..=100), 5050);
/// assert_eq!(total(vec![7, 8]), 15);
/// ```
// How items are divided may change while the trait is sealed, and to open it later breaks nobody. With numbers
// and chunks every collection can be used as it is.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be divided into parts",
    label = "not a range of integers, a slice, a `Vec`, chunks of a slice, or a pair of these",
    note = "a collection that is borrowed is an input: `&vec`, `&mut vec`",
    note = "for an iterator, use `Nursery::spawn_each`, or collect it into a `Vec`"
)]
pub trait Indexed: sealed::Sealed {
    /// What the items are.
    type Item;

    /// The items while they are borrowed from the input.
    #[doc(hidden)]
    type Parts<'a>: Parts<Item = Self::Item>
    where
        Self: 'a;

    /// Memory that the items lie in.
    #[doc(hidden)]
    type Memory: Default;

    /// Stores in `memory` what the items lie in, and returns the items.
    #[doc(hidden)]
    fn parts(self, memory: &mut Self::Memory) -> Self::Parts<'_>;
}

mod sealed {
    /// Keeps [`Indexed`](super::Indexed) from being implemented elsewhere.
    pub trait Sealed {}
}

/// The items of an input, not yet made or moved.
pub trait Parts: Divide {
    /// What the items are.
    type Item;
    /// All items, one after the other.
    type Iter: Iterator<Item = Self::Item>;

    /// Takes all of the items.
    fn take(self) -> Self::Iter;
}

/// An integer.
// The inputs are ranges of any `T: Integer`, and not one for each type: so the compiler knows that
// the items of `0..9` are of the same type as the `0`, before it knows which type that is.
pub trait Integer: Copy + Send + PartialOrd {
    /// A range of no numbers.
    const NONE: RangeInclusive<Self>;

    /// How far it is from this number to a larger one; `usize::MAX` if it is further than that.
    fn steps_to(self, end: Self) -> usize;

    /// The number `steps` after this one. It exists.
    fn after(self, steps: usize) -> Self;

    /// The number before this one. It exists.
    fn previous(self) -> Self;
}

macro_rules! integers {
    ($($integer:ty)+) => {$(
        impl Integer for $integer {
            const NONE: RangeInclusive<Self> = RangeInclusive::new(1, 0);

            #[inline]
            fn steps_to(self, end: Self) -> usize {
                end.abs_diff(self).try_into().unwrap_or(usize::MAX)
            }

            #[inline]
            fn after(self, steps: usize) -> Self {
                // Of a signed type, there may be more numbers than positive ones.
                self.wrapping_add(steps as Self)
            }

            #[inline]
            fn previous(self) -> Self {
                self - 1
            }
        }
    )+};
}

integers!(u8 u16 u32 u64 usize i8 i16 i32 i64 isize);

impl<T: Integer> sealed::Sealed for Range<T> {}

impl<T: Integer> Indexed for Range<T>
where
    Self: Iterator<Item = T>,
{
    type Item = T;
    type Parts<'a>
        = Self
    where
        Self: 'a;
    type Memory = ();

    fn parts(self, (): &mut ()) -> Self {
        self
    }
}

impl<T: Integer> Divide for Range<T> {
    #[inline]
    fn len(&self) -> usize {
        if self.is_empty() {
            return 0;
        }
        self.start.steps_to(self.end)
    }

    #[inline]
    fn split_at(self, at: usize) -> (Self, Self) {
        let middle = self.start.after(at);
        (self.start..middle, middle..self.end)
    }
}

impl<T: Integer> Parts for Range<T>
where
    Self: Iterator<Item = T>,
{
    type Item = T;
    type Iter = Self;

    #[inline]
    fn take(self) -> Self {
        self
    }
}

impl<T: Integer> sealed::Sealed for RangeInclusive<T> {}

impl<T: Integer> Indexed for RangeInclusive<T>
where
    Self: Iterator<Item = T>,
{
    type Item = T;
    type Parts<'a>
        = Self
    where
        Self: 'a;
    type Memory = ();

    fn parts(self, (): &mut ()) -> Self {
        self
    }
}

impl<T: Integer> Divide for RangeInclusive<T> {
    #[inline]
    fn len(&self) -> usize {
        if self.is_empty() {
            return 0;
        }
        self.start().steps_to(*self.end()).saturating_add(1)
    }

    #[inline]
    fn split_at(self, at: usize) -> (Self, Self) {
        let (start, end) = (*self.start(), *self.end());
        if at == 0 {
            return (T::NONE, self);
        }
        if at == Divide::len(&self) {
            return (self, T::NONE);
        }
        let middle = start.after(at);
        (start..=middle.previous(), middle..=end)
    }
}

impl<T: Integer> Parts for RangeInclusive<T>
where
    Self: Iterator<Item = T>,
{
    type Item = T;
    type Iter = Self;

    #[inline]
    fn take(self) -> Self {
        self
    }
}

impl sealed::Sealed for RangeFrom<usize> {}

/// The numbers from this one on, for the items of another input. (`usize::MAX` is left out: no item has that
/// number.)
impl Indexed for RangeFrom<usize> {
    type Item = usize;
    type Parts<'a> = Range<usize>;
    type Memory = ();

    fn parts(self, (): &mut ()) -> Range<usize> {
        self.start..usize::MAX
    }
}

impl<T: Sync> Divide for &[T] {
    #[inline]
    fn len(&self) -> usize {
        (**self).len()
    }

    #[inline]
    fn split_at(self, at: usize) -> (Self, Self) {
        self.split_at(at)
    }
}

impl<'s, T: Sync> Parts for &'s [T] {
    type Item = &'s T;
    type Iter = slice::Iter<'s, T>;

    #[inline]
    fn take(self) -> Self::Iter {
        self.iter()
    }
}

impl<T: Send> Divide for &mut [T] {
    #[inline]
    fn len(&self) -> usize {
        (**self).len()
    }

    #[inline]
    fn split_at(self, at: usize) -> (Self, Self) {
        self.split_at_mut(at)
    }
}

impl<'s, T: Send> Parts for &'s mut [T] {
    type Item = &'s mut T;
    type Iter = slice::IterMut<'s, T>;

    #[inline]
    fn take(self) -> Self::Iter {
        self.iter_mut()
    }
}

/// Implements the input for borrowed collections that are slices.
macro_rules! slices {
    ($($collection:ty $(, const $len:ident: usize)?;)+) => {$(
        impl<T $(, const $len: usize)?> sealed::Sealed for &$collection {}
        impl<T $(, const $len: usize)?> sealed::Sealed for &mut $collection {}

        impl<'s, T: Sync $(, const $len: usize)?> Indexed for &'s $collection {
            type Item = &'s T;
            type Parts<'a>
                = &'s [T]
            where
                Self: 'a;
            type Memory = ();

            fn parts(self, (): &mut ()) -> &'s [T] {
                self
            }
        }

        impl<'s, T: Send $(, const $len: usize)?> Indexed for &'s mut $collection {
            type Item = &'s mut T;
            type Parts<'a>
                = &'s mut [T]
            where
                Self: 'a;
            type Memory = ();

            fn parts(self, (): &mut ()) -> &'s mut [T] {
                self
            }
        }
    )+};
}

slices! {
    [T];
    [T; N], const N: usize;
    Vec<T>;
}

impl<T> sealed::Sealed for Vec<T> {}

impl<T: Send> Indexed for Vec<T> {
    type Item = T;
    type Parts<'a>
        = Owned<'a, T>
    where
        Self: 'a;
    type Memory = Self;

    fn parts(self, memory: &mut Self) -> Owned<'_, T> {
        *memory = self;
        Owned::of(memory)
    }
}

impl<T: Send> Divide for Owned<'_, T> {
    #[inline]
    fn len(&self) -> usize {
        self.len()
    }

    #[inline]
    fn split_at(self, at: usize) -> (Self, Self) {
        self.split_at(at)
    }
}

impl<T: Send> Parts for Owned<'_, T> {
    type Item = T;
    type Iter = Self;

    #[inline]
    fn take(self) -> Self {
        self
    }
}

impl<T: Send> Divide for Vacant<'_, T> {
    #[inline]
    fn len(&self) -> usize {
        self.len()
    }

    #[inline]
    fn split_at(self, at: usize) -> (Self, Self) {
        self.split_at(at)
    }
}

impl<A: Indexed, B: Indexed> sealed::Sealed for (A, B) {}

impl<A: Indexed, B: Indexed> Indexed for (A, B) {
    type Item = (A::Item, B::Item);
    type Parts<'a>
        = Pair<A::Parts<'a>, B::Parts<'a>>
    where
        Self: 'a;
    type Memory = (A::Memory, B::Memory);

    fn parts(self, memory: &mut Self::Memory) -> Self::Parts<'_> {
        let (first, second) = (self.0.parts(&mut memory.0), self.1.parts(&mut memory.1));
        let (a, b) = (first.len(), second.len());
        // What one of them has beyond the other is dropped at once. Two lengths that are no numbers of
        // `usize` end when they end.
        match a.cmp(&b) {
            Less => Pair(first, second.split_at(a).0),
            Equal => Pair(first, second),
            Greater => Pair(first.split_at(b).0, second),
        }
    }
}

/// The parts of two inputs, of which each has as many items as the other. (If both have more than `usize::MAX`, the
/// shorter input ends it.)
#[derive(Debug)]
pub struct Pair<A, B>(pub(crate) A, pub(crate) B);

impl<A: Divide, B: Divide> Divide for Pair<A, B> {
    #[inline]
    fn len(&self) -> usize {
        self.0.len().min(self.1.len())
    }

    #[inline]
    fn split_at(self, at: usize) -> (Self, Self) {
        let (first, second) = (self.0.split_at(at), self.1.split_at(at));
        (Self(first.0, second.0), Self(first.1, second.1))
    }
}

impl<A: Parts, B: Parts> Parts for Pair<A, B> {
    type Item = (A::Item, B::Item);
    type Iter = Zip<A::Iter, B::Iter>;

    #[inline]
    fn take(self) -> Self::Iter {
        iter::zip(self.0.take(), self.1.take())
    }
}

/// The chunks of a slice, as an input of [`for_each`](crate::for_each()) and [`fold`](crate::fold());
/// [`chunks`] and [`chunks_mut`] return one.
///
/// # Examples
///
/// ```
/// use hatchery::Chunks;
///
/// /// The rows of a picture.
/// fn rows(picture: &[u8], width: usize) -> Chunks<&[u8]> {
///     hatchery::chunks(picture, width)
/// }
/// let brightest = hatchery::fold(
///     rows(&[3, 1, 4, 1, 5, 9], 3),
///     || 0,
///     |brightest, row| brightest.max(row.iter().sum::<u8>()),
///     u8::max,
/// );
/// assert_eq!(brightest, 15);
/// ```
pub struct Chunks<S> {
    slice: S,
    /// Items in a chunk, at least one.
    len: usize,
}

/// Divides a slice into chunks of `len` items; the last chunk may be shorter.
///
/// # Panics
///
/// If `len` is zero.
///
/// # Examples
///
/// ```
/// let words = ["one", "two", "three"];
/// let letters = hatchery::fold(
///     hatchery::chunks(&words, 2),
///     Vec::new,
///     |mut letters, chunk| {
///         letters.push(chunk.concat().len());
///         letters
///     },
///     |left, right| [left, right].concat(),
/// );
/// assert_eq!(letters, [6, 5]);
/// ```
#[must_use]
pub fn chunks<T>(slice: &[T], len: usize) -> Chunks<&[T]> {
    assert!(len > 0, "chunks have at least one item");
    Chunks { slice, len }
}

/// Divides a slice into chunks of `len` items, which may be changed; the last chunk may be shorter.
///
/// # Panics
///
/// If `len` is zero.
///
/// # Examples
///
/// ```
/// let mut table = [0; 12];
/// hatchery::for_each((0.., hatchery::chunks_mut(&mut table, 4)), |(y, row)| {
///     for (x, entry) in row.iter_mut().enumerate() {
///         *entry = (x + 1) * (y + 1);
///     }
/// });
/// assert_eq!(table, [1, 2, 3, 4, 2, 4, 6, 8, 3, 6, 9, 12]);
/// ```
#[must_use]
pub fn chunks_mut<T>(slice: &mut [T], len: usize) -> Chunks<&mut [T]> {
    assert!(len > 0, "chunks have at least one item");
    Chunks { slice, len }
}

impl<S> sealed::Sealed for Chunks<S> {}

/// Implements the input and its parts for the chunks of one kind of slice.
macro_rules! chunks {
    ($slice:ty, $bound:ident, $iter:ident, $split:ident, $chunks:ident) => {
        impl<'s, T: $bound> Indexed for Chunks<$slice> {
            type Item = $slice;
            type Parts<'a>
                = Self
            where
                Self: 'a;
            type Memory = ();

            fn parts(self, (): &mut ()) -> Self {
                self
            }
        }

        impl<'s, T: $bound> Divide for Chunks<$slice> {
            #[inline]
            fn len(&self) -> usize {
                self.slice.len().div_ceil(self.len)
            }

            #[inline]
            fn split_at(self, at: usize) -> (Self, Self) {
                let len = self.len;
                // The last chunk may be shorter.
                let middle = at.saturating_mul(len).min(self.slice.len());
                let (first, second) = self.slice.$split(middle);
                (Self { slice: first, len }, Self { slice: second, len })
            }
        }

        impl<'s, T: $bound> Parts for Chunks<$slice> {
            type Item = $slice;
            type Iter = slice::$iter<'s, T>;

            #[inline]
            fn take(self) -> Self::Iter {
                self.slice.$chunks(self.len)
            }
        }
    };
}

chunks!(&'s [T], Sync, Chunks, split_at, chunks);
chunks!(&'s mut [T], Send, ChunksMut, split_at_mut, chunks_mut);

impl<T> fmt::Debug for Chunks<&[T]> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        describe(self.slice.len(), self.len, f)
    }
}

impl<T> fmt::Debug for Chunks<&mut [T]> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        describe(self.slice.len(), self.len, f)
    }
}

fn describe(items: usize, of: usize, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    f.debug_struct("Chunks")
        .field("items", &items)
        .field("of", &of)
        .finish()
}
