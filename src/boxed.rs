//! Failures with errors that are no [`Error`]s, as failures with errors that are.

use std::error::Error;
use std::fmt;
use std::mem;
use std::vec;

use crate::failure::{Failure, FailureKind, Failures, Place, Shape};

/// Any error, as one that is an [`Error`].
///
/// [`Failures::boxed`] makes it of errors that convert into a box but are no [`Error`]s themselves, as
/// `anyhow::Error`, `eyre::Report`, `Box<dyn Error + Send + Sync>` and texts are. Its text
/// and its [`source`](Error::source) are the text and the source of the error in the box.
pub struct BoxedError {
    error: Box<dyn Error + Send + Sync>,
}

impl BoxedError {
    /// What is in the box, for [`downcast_ref`](Error#method.downcast_ref).
    #[must_use]
    pub fn get_ref(&self) -> &(dyn Error + Send + Sync + 'static) {
        &*self.error
    }

    /// The box.
    #[must_use]
    pub fn into_inner(self) -> Box<dyn Error + Send + Sync> {
        self.error
    }
}

impl fmt::Debug for BoxedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

/// With `#`, the texts of the whole chain, as `anyhow` and `eyre` have it.
impl fmt::Display for BoxedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.error)?;
        let mut next = self.source().filter(|_| f.alternate());
        while let Some(source) = next {
            write!(f, ": {source}")?;
            next = source.source();
        }
        Ok(())
    }
}

impl Error for BoxedError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.error.source()
    }
}

impl<E: Into<Box<dyn Error + Send + Sync>>> Failures<E> {
    /// The same failures with errors in boxes, which is an [`Error`] whatever `E` is.
    ///
    /// That is for `?` where `E` is no [`Error`], as `anyhow::Error` and texts are none:
    /// see [With `anyhow` and `eyre`](Self#with-anyhow-and-eyre).
    ///
    /// ```
    /// use std::error::Error;
    /// use hatchery::Failures;
    ///
    /// fn run() -> Result<(), Box<dyn Error>> {
    ///     hatchery::try_nursery(|n| n.spawn(|| Err("no")).join()).map_err(Failures::boxed)?;
    ///     Ok(())
    /// }
    /// assert_eq!(run().unwrap_err().to_string(), "child 0: no");
    /// ```
    #[must_use]
    pub fn boxed(self) -> Failures<BoxedError> {
        boxed(self)
    }
}

impl<E: Into<Box<dyn Error + Send + Sync>>> Failure<E> {
    /// The same failure with its error in a box, as by [`Failures::boxed`].
    #[must_use]
    pub fn boxed(self) -> Failure<BoxedError> {
        let boxed = boxed(Failures::only(self));
        boxed.into_cause()
    }
}

/// Failures whose errors are being put into boxes.
struct Open<E> {
    left: vec::IntoIter<Failure<E>>,
    boxed: Vec<Failure<BoxedError>>,
    shape: Shape,
    /// Of the failure that these are nested in, if there is one.
    place: Place,
}

impl<E> Open<E> {
    fn new(failures: Failures<E>, place: Place) -> Self {
        let (failures, shape) = failures.take_apart();
        Self {
            boxed: Vec::with_capacity(failures.len()),
            left: failures.into_iter(),
            shape,
            place,
        }
    }
}

/// Not by recursion, however deep they are nested.
fn boxed<E: Into<Box<dyn Error + Send + Sync>>>(failures: Failures<E>) -> Failures<BoxedError> {
    let into_box = |error: E| BoxedError {
        error: error.into(),
    };
    let mut outer = Vec::new();
    let mut open = Open::new(failures, Place::default());
    loop {
        let (kind, place) = match open.left.next().map(Failure::take_apart) {
            Some((FailureKind::Nested(nested), place)) => {
                outer.push(mem::replace(&mut open, Open::new(nested, place)));
                continue;
            }
            Some((FailureKind::Error(error), place)) => {
                (FailureKind::Error(into_box(error)), place)
            }
            Some((FailureKind::Late(error), place)) => (FailureKind::Late(into_box(error)), place),
            Some((FailureKind::Panic(panic), place)) => (FailureKind::Panic(panic), place),
            Some((FailureKind::Cancelled(cancelled), place)) => {
                (FailureKind::Cancelled(cancelled), place)
            }
            None => {
                let boxed = Failures::put_together(open.boxed, open.shape);
                let Some(next) = outer.pop() else {
                    return boxed;
                };
                let place = open.place;
                open = next;
                (FailureKind::Nested(boxed), place)
            }
        };
        open.boxed.push(Failure::put_together(kind, place));
    }
}
