//! Failures whose errors do not implement [`Error`], made into failures whose errors do.

use std::error::Error;
use std::fmt;
use std::mem;
use std::vec;

use crate::failure::{Failure, FailureKind, Failures, Place, Shape};

/// An error in a box, which implements [`Error`] whatever the error is.
///
/// [`Failures::boxed`] makes it of errors that convert into a box, but do not implement [`Error`] themselves:
/// `anyhow::Error`, `eyre::Report`, `Box<dyn Error + Send + Sync>` and strings. It has the text and the
/// [`source`](Error::source) of the error in the box.
///
/// # Examples
///
/// ```
/// use hatchery::{BoxedError, Failures, FailureKind};
///
/// let failed = hatchery::try_nursery(|n| n.spawn(|| Err::<(), _>("disk full")).join());
/// let failures: Failures<BoxedError> = failed.unwrap_err().boxed();
/// let FailureKind::Error(error) = failures.into_cause().into_kind() else { panic!("no error") };
/// assert_eq!(error.to_string(), "disk full");
/// ```
pub struct BoxedError {
    error: Box<dyn Error + Send + Sync>,
}

impl BoxedError {
    /// Returns the error in the box, for example for [`downcast_ref`](Error#method.downcast_ref).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::error::Error;
    /// use std::num::ParseIntError;
    ///
    /// let failed = hatchery::try_nursery::<Box<dyn Error + Send + Sync>, _, _>(|n| {
    ///     n.spawn(|| Ok("seven".parse::<i32>()?)).join()
    /// });
    /// let error = failed.unwrap_err().boxed().into_cause().into_error().unwrap();
    /// assert!(error.get_ref().is::<ParseIntError>());
    /// ```
    #[must_use]
    pub fn get_ref(&self) -> &(dyn Error + Send + Sync + 'static) {
        &*self.error
    }

    /// Converts the error into the box.
    ///
    /// # Examples
    ///
    /// ```
    /// let failed = hatchery::try_nursery(|n| n.spawn(|| Err::<(), _>("disk full")).join());
    /// let error = failed.unwrap_err().boxed().into_cause().into_error().unwrap();
    /// assert_eq!(error.into_inner().to_string(), "disk full");
    /// ```
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

/// With `#` it writes the texts of the whole chain, as `anyhow` and `eyre` do.
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
    /// Converts the failures into failures with errors in boxes, which implement [`Error`] whatever `E` is.
    ///
    /// So `?` can convert them even if `E` does not implement [`Error`], as `anyhow::Error` and strings do not:
    /// see [With `anyhow` and `eyre`](Self#with-anyhow-and-eyre).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::error::Error;
    /// use hatchery::Failures;
    ///
    /// fn run() -> Result<(), Box<dyn Error>> {
    ///     hatchery::try_nursery(|n| n.spawn(|| Err("disk full")).join()).map_err(Failures::boxed)?;
    ///     Ok(())
    /// }
    /// assert_eq!(run().unwrap_err().to_string(), "child 0: disk full");
    /// ```
    #[must_use]
    pub fn boxed(self) -> Failures<BoxedError> {
        boxed(self)
    }
}

impl<E: Into<Box<dyn Error + Send + Sync>>> Failure<E> {
    /// Converts the failure into one with its error in a box, see [`Failures::boxed`].
    ///
    /// # Examples
    ///
    /// A child that returns `anyhow::Error` joins a sibling:
    ///
    /// ```
    /// use hatchery::Failure;
    ///
    /// let sum = hatchery::try_nursery::<anyhow::Error, _, _>(|n| {
    ///     let child = n.spawn(|| {
    ///         let sibling = n.spawn(|| Ok("3".parse::<i32>()?));
    ///         Ok(sibling.join().map_err(Failure::boxed)? + 4)
    ///     });
    ///     child.join()
    /// });
    /// assert_eq!(sum.unwrap(), 7);
    /// ```
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
    /// The place of the failure that these are nested in, if there is one.
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

/// Puts all errors into boxes, without recursion, however deep failures are nested.
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
