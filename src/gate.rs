//! Gates: how many jobs there are at a time, for callers that must not block.

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::options::Options;
use crate::platform::sync::Arc;
use crate::protocol::gate::{Asked, Gate as Protocol, Number, Shut};
use crate::scope::{discard, wake};
use crate::submit::Submitted;

/// A limit on how many jobs are waiting or running at a time, with a line of callers that wait without blocking.
///
/// A server that submits a job for each request takes requests faster than it can serve them: jobs pile up, and each of them
/// comes too late. With a gate the surplus waits in line, where it takes little memory and can be dropped, or it is
/// refused.
///
/// The line is fair: callers come in in the order in which they first polled. A caller that gives up while it waits loses its
/// turn and nothing else. Clones of a gate are the same gate.
///
/// # Examples
///
/// ```
/// # use futures_lite::future::block_on;
/// use hatchery::{Gate, GateClosed};
///
/// async fn serve(gate: &Gate, request: u64) -> Result<u64, GateClosed> {
///     let job = gate.submit(move || request * request).await?; // waits until fewer than four are inside
///     Ok(job.await)
/// }
/// let gate = Gate::new(4);
/// assert_eq!(block_on(serve(&gate, 7)), Ok(49));
/// gate.close();
/// assert_eq!(block_on(serve(&gate, 8)), Err(GateClosed));
/// ```
#[derive(Clone)]
pub struct Gate {
    gate: Arc<Protocol>,
}

impl Gate {
    /// Makes a gate for this many jobs at a time; `0` means `1`.
    ///
    /// # Examples
    ///
    /// ```
    /// let gate = hatchery::Gate::new(2 * hatchery::threads());
    /// assert_eq!(gate.inside(), 0);
    /// ```
    #[must_use]
    pub fn new(most: usize) -> Self {
        Self {
            gate: Arc::new(Protocol::new(most.max(1))),
        }
    }

    /// Waits, without blocking, until fewer jobs are inside than the gate allows, and then submits `f` as
    /// [`submit`](crate::submit()) does.
    ///
    /// The future that this returns does nothing until it is polled. The job is inside until it has ended, or was dropped
    /// before it began.
    ///
    /// # Errors
    ///
    /// [`GateClosed`] if the gate is closed, or is closed while the caller waits. `f` is dropped.
    ///
    /// # Examples
    ///
    /// See [`Gate`].
    pub fn submit<F, T>(
        &self,
        f: F,
    ) -> impl Future<Output = Result<Submitted<T>, GateClosed>> + Send + use<F, T>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        self.submit_with(&Options::new(), f)
    }

    /// The same as [`submit`](Self::submit), with options as for [`Options::submit`].
    ///
    /// The [pool](Options::pool) is chosen, and a [timeout](Options::timeout) counts, from the moment when the job comes in.
    /// For a time that includes the wait, set a [deadline](Options::deadline).
    ///
    /// # Errors
    ///
    /// As [`submit`](Self::submit).
    ///
    /// # Examples
    ///
    /// ```
    /// # use futures_lite::future::block_on;
    /// use hatchery::{Gate, Options};
    ///
    /// let gate = Gate::new(4);
    /// let options = Options::new().name("request");
    /// let job = block_on(gate.submit_with(&options, || 6 * 7))?;
    /// assert_eq!(job.join(), 42);
    /// # Ok::<(), hatchery::GateClosed>(())
    /// ```
    pub fn submit_with<F, T>(
        &self,
        options: &Options,
        f: F,
    ) -> impl Future<Output = Result<Submitted<T>, GateClosed>> + Send + use<F, T>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        let (turn, options) = (self.enter(), options.clone());
        async move {
            let inside = turn.await?;
            Ok(options.submit_inside(inside, f))
        }
    }

    /// Submits `f`, if fewer jobs are inside than the gate allows and nobody waits in line.
    ///
    /// # Errors
    ///
    /// [`Refused`] if not. `f` is dropped; to keep it, call [`try_enter`](Self::try_enter) before.
    ///
    /// # Examples
    ///
    /// ```
    /// use hatchery::{Gate, Refused};
    ///
    /// let gate = Gate::new(1);
    /// let inside = gate.try_enter()?;
    /// assert_eq!(gate.try_submit(|| 1).unwrap_err(), Refused::Full);
    /// drop(inside);
    /// assert_eq!(gate.try_submit(|| 2)?.join(), 2);
    /// # Ok::<(), Refused>(())
    /// ```
    pub fn try_submit<F, T>(&self, f: F) -> Result<Submitted<T>, Refused>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        self.try_submit_with(&Options::new(), f)
    }

    /// The same as [`try_submit`](Self::try_submit), with options as for [`Options::submit`].
    ///
    /// # Errors
    ///
    /// As [`try_submit`](Self::try_submit).
    ///
    /// # Examples
    ///
    /// ```
    /// use hatchery::{Gate, Options};
    ///
    /// let gate = Gate::new(4);
    /// let options = Options::new().name("request");
    /// assert_eq!(gate.try_submit_with(&options, || 6 * 7)?.join(), 42);
    /// # Ok::<(), hatchery::Refused>(())
    /// ```
    pub fn try_submit_with<F, T>(&self, options: &Options, f: F) -> Result<Submitted<T>, Refused>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        let inside = self.try_enter()?;
        Ok(options.submit_inside(inside, f))
    }

    /// Waits, without blocking, until there is room inside, and holds a place there until the [`Inside`] is dropped.
    ///
    /// Use it for what is more than one job, or none: move the `Inside` to where the work ends.
    ///
    /// # Errors
    ///
    /// [`GateClosed`] if the gate is closed, or is closed while the caller waits.
    ///
    /// # Examples
    ///
    /// ```
    /// # use futures_lite::future::block_on;
    /// let gate = hatchery::Gate::new(4);
    /// let inside = block_on(gate.enter())?;
    /// let job = hatchery::try_submit(move |n| {
    ///     let _inside = inside; // until the body has returned
    ///     n.spawn(|| Ok::<_, String>(6 * 7)).join()
    /// });
    /// assert_eq!(job.join().unwrap(), 42);
    /// # Ok::<(), hatchery::GateClosed>(())
    /// ```
    pub fn enter(&self) -> impl Future<Output = Result<Inside, GateClosed>> + Send + use<> {
        Turn {
            gate: self.clone(),
            number: None,
        }
    }

    /// Takes a place inside, if there is room and nobody waits in line.
    ///
    /// # Errors
    ///
    /// [`Refused`] if not.
    ///
    /// # Examples
    ///
    /// See [`try_submit`](Self::try_submit).
    pub fn try_enter(&self) -> Result<Inside, Refused> {
        match self.gate.try_enter() {
            Ok(()) => Ok(Inside { gate: self.clone() }),
            Err(Shut::Full) => Err(Refused::Full),
            Err(Shut::Closed) => Err(Refused::Closed),
        }
    }

    /// Lets nobody in from now on; callers that wait in line get [`GateClosed`]. A caller whose turn has come before is in.
    ///
    /// Jobs that are inside go on. A gate that was closed stays closed.
    ///
    /// # Examples
    ///
    /// ```
    /// use hatchery::{Gate, Refused};
    ///
    /// let gate = Gate::new(4);
    /// gate.close();
    /// assert_eq!(gate.try_submit(|| ()).unwrap_err(), Refused::Closed);
    /// ```
    pub fn close(&self) {
        self.gate.close().into_iter().for_each(wake);
    }

    /// Returns whether the gate was closed.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.gate.is_closed()
    }

    /// Returns how many jobs are inside, and other holders of an [`Inside`].
    #[must_use]
    pub fn inside(&self) -> usize {
        let [inside, _] = self.gate.snapshot();
        inside
    }

    /// Returns how many callers wait in line.
    #[must_use]
    pub fn waiting(&self) -> usize {
        let [_, waiting] = self.gate.snapshot();
        waiting
    }
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [inside, waiting] = self.gate.snapshot();
        f.debug_struct("Gate")
            .field("inside", &inside)
            .field("waiting", &waiting)
            .field("is_closed", &self.is_closed())
            .finish()
    }
}

/// A place inside a [`Gate`]; [`Gate::enter`] and [`Gate::try_enter`] return it.
///
/// On drop the next in line comes in.
#[must_use = "on drop the next in line comes in"]
pub struct Inside {
    gate: Gate,
}

impl Drop for Inside {
    fn drop(&mut self) {
        self.gate.gate.leave().into_iter().for_each(wake);
    }
}

impl fmt::Debug for Inside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inside").finish_non_exhaustive()
    }
}

/// A caller that waits for its turn.
struct Turn {
    gate: Gate,
    /// From the first poll until the turn has come.
    number: Option<Number>,
}

impl Future for Turn {
    type Output = Result<Inside, GateClosed>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let waker = context.waker();
        let asked = match self.number {
            None => self.gate.gate.ask(waker),
            Some(number) => self.gate.gate.ask_again(number, waker),
        };
        self.number = None;
        match asked {
            Asked::Inside => Poll::Ready(Ok(Inside {
                gate: self.gate.clone(),
            })),
            Asked::Closed => Poll::Ready(Err(GateClosed)),
            Asked::InLine(number) => {
                self.number = Some(number);
                Poll::Pending
            }
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if let Some(number) = self.number {
            let [own, next] = self.gate.gate.give_up(number);
            next.into_iter().for_each(wake);
            discard(own);
        }
    }
}

/// The error of a caller that waits at a [`Gate`] that is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct GateClosed;

impl fmt::Display for GateClosed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the gate is closed")
    }
}

impl Error for GateClosed {}

/// Why a [`Gate`] lets nobody in at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Refused {
    /// As many are inside as may be, or somebody waits in line.
    Full,
    /// The gate was closed.
    Closed,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full => "the gate is full",
            Self::Closed => "the gate is closed",
        })
    }
}

impl Error for Refused {}
