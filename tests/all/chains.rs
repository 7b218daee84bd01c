//! Failures as errors: the chain behind them, and how they get into reports and out of nurseries.

use std::error::Error;
use std::fmt;
use std::num::ParseIntError;

use crate::common::{on_every_pool, payload_of};
use hatchery::{BoxedError, CancelToken, Cancelled, Failure, Failures, OnFailure, Options};

/// An error with a source.
#[derive(Debug)]
struct InLine(usize, ParseIntError);

impl fmt::Display for InLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "in line {}", self.0)
    }
}

impl Error for InLine {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.1)
    }
}

const LINES: [&str; 3] = ["1", "two", "3"];

fn parse() -> Result<Vec<i32>, Failures<InLine>> {
    hatchery::try_nursery(|n| {
        let lines = LINES.into_iter().enumerate();
        let parse = |(i, line): (usize, &str)| line.parse().map_err(|error| InLine(i, error));
        n.spawn_each(lines, parse).collect()
    })
}

/// In a nursery around that of [`parse`].
fn parse_further_in() -> Result<Vec<i32>, Failures<InLine>> {
    hatchery::try_nursery(|n| n.spawn_body(|| Ok(parse()?)).join())
}

/// The texts of an error and what has caused it.
fn chain(error: &dyn Error) -> Vec<String> {
    let mut texts = vec![error.to_string()];
    let mut next = error.source();
    while let Some(error) = next {
        texts.push(error.to_string());
        next = error.source();
    }
    texts
}

#[test]
fn the_chain_of_causes_goes_on_and_says_nothing_twice() {
    on_every_pool(|_| {
        let expected = ["child 1: in line 1", "invalid digit found in string"];
        let failures = parse().unwrap_err();
        assert_eq!(chain(&failures), expected);
        assert_eq!(chain(&failures.into_cause()), expected);
        let expected = [
            "child 0: child 1: in line 1",
            "invalid digit found in string",
        ];
        assert_eq!(chain(&parse_further_in().unwrap_err()), expected);
    });
    // Neither a panic nor a cancellation has more to say.
    let panicked = hatchery::try_nursery::<InLine, (), _>(|_| panic!("no"));
    assert_eq!(chain(&panicked.unwrap_err()), ["panicked: no"]);
    let cancelled = hatchery::try_nursery::<InLine, (), _>(|n| {
        n.cancel();
        n.checkpoint()
    });
    assert_eq!(chain(&cancelled.unwrap_err()).len(), 1);
}

#[test]
fn a_question_mark_takes_failures_into_reports() {
    fn anyhow() -> anyhow::Result<Vec<i32>> {
        Ok(parse()?)
    }
    fn eyre() -> eyre::Result<Vec<i32>> {
        Ok(parse()?)
    }
    fn boxed() -> Result<Vec<i32>, Box<dyn Error>> {
        Ok(parse()?)
    }
    let whole = "child 1: in line 1: invalid digit found in string";
    let error = anyhow().unwrap_err();
    assert_eq!(format!("{error:#}"), whole);
    assert!(error.is::<Failures<InLine>>());
    assert!(error.chain().any(|cause| cause.is::<ParseIntError>()));
    let error = eyre().unwrap_err();
    assert_eq!(format!("{error:#}"), whole);
    assert!(error.is::<Failures<InLine>>());
    assert!(error.chain().any(|cause| cause.is::<ParseIntError>()));
    let error = boxed().unwrap_err();
    let failures = error.downcast::<Failures<InLine>>().unwrap();
    assert!(matches!(failures.into_error_or_stop(), Ok(InLine(1, _))));
}

/// `into_error` for an error into which no cancellation converts.
trait IntoErrorOrStop<E> {
    fn into_error_or_stop(self) -> Result<E, Failure<E>>;
}

impl<E> IntoErrorOrStop<E> for Failures<E> {
    fn into_error_or_stop(self) -> Result<E, Failure<E>> {
        self.resume_panic().into_cause().into_error()
    }
}

#[test]
fn reports_of_children_come_out_of_a_nursery_whole() {
    use anyhow::Context;
    fn failures() -> Result<(), Failures<anyhow::Error>> {
        hatchery::try_nursery(|n| n.spawn(|| parse().map(drop).context("reading")).join())
    }
    fn alone() -> anyhow::Result<()> {
        failures().map_err(Failures::into_error)
    }
    fn all() -> anyhow::Result<()> {
        Ok(failures().map_err(Failures::boxed)?)
    }
    fn one() -> anyhow::Result<()> {
        Ok(failures().map_err(|failures| failures.into_cause().boxed())?)
    }
    let whole = "reading: child 1: in line 1: invalid digit found in string";
    assert_eq!(failures().unwrap_err().to_string(), "child 0: reading");
    let listed = format!("{:#}", failures().unwrap_err());
    assert_eq!(listed, format!("child 0: {whole}"));
    let error = alone().unwrap_err();
    assert_eq!(format!("{error:#}"), whole);
    assert!(error.downcast_ref::<Failures<InLine>>().is_some());
    for error in [all(), one()].map(Result::unwrap_err) {
        assert_eq!(format!("{error:#}"), format!("child 0: {whole}"));
        assert!(error.chain().any(|cause| cause.is::<ParseIntError>()));
        assert!(error.chain().any(|cause| cause.is::<Failures<InLine>>()));
    }
    let listed = format!("{:#}", failures().map_err(Failures::boxed).unwrap_err());
    assert_eq!(listed, format!("child 0: {whole}"));
}

#[test]
fn reports_of_eyre_and_texts_come_out_of_a_nursery_whole() {
    use eyre::WrapErr;
    fn failures() -> Result<(), Failures<eyre::Report>> {
        hatchery::try_nursery(|n| n.spawn(|| parse().map(drop).wrap_err("reading")).join())
    }
    fn alone() -> eyre::Result<()> {
        failures().map_err(Failures::into_error)
    }
    fn all() -> eyre::Result<()> {
        Ok(failures().map_err(Failures::boxed)?)
    }
    let whole = "reading: child 1: in line 1: invalid digit found in string";
    let error = alone().unwrap_err();
    assert_eq!(format!("{error:#}"), whole);
    assert!(error.downcast_ref::<Failures<InLine>>().is_some());
    let error = all().unwrap_err();
    assert_eq!(format!("{error:#}"), format!("child 0: {whole}"));
    assert!(error.chain().any(|cause| cause.is::<ParseIntError>()));

    fn texts() -> Result<(), Box<dyn Error>> {
        hatchery::try_nursery(|n| n.spawn(|| Err("no")).join()).map_err(Failures::boxed)?;
        Ok(())
    }
    let error = texts().unwrap_err();
    assert_eq!(error.to_string(), "child 0: no");
    let failures = *error.downcast::<Failures<BoxedError>>().unwrap();
    assert_eq!(
        failures
            .resume_panic()
            .into_cause()
            .into_error()
            .unwrap()
            .get_ref()
            .to_string(),
        "no"
    );
    fn boxes() -> anyhow::Result<()> {
        let failures = hatchery::try_nursery::<Box<dyn Error + Send + Sync>, (), _>(|n| {
            n.spawn(|| Ok(parse().map(drop)?)).join()
        });
        Ok(failures.map_err(Failures::boxed)?)
    }
    let whole = "child 0: child 1: in line 1: invalid digit found in string";
    assert_eq!(format!("{:#}", boxes().unwrap_err()), whole);
}

#[test]
fn into_error_loses_no_panic_and_says_why_a_nursery_was_cancelled() {
    on_every_pool(|pool| {
        let options = Options::new().pool(pool).on_failure(OnFailure::Continue);
        // Behind an error, and in a nursery further in.
        let failures = options.try_nursery::<anyhow::Error, (), _>(|n| {
            n.spawn(|| Err::<(), _>(anyhow::anyhow!("first")));
            n.spawn_body(|| {
                let inner = options.try_nursery::<anyhow::Error, (), _>(|n| {
                    n.spawn(|| Err::<(), _>(anyhow::anyhow!("inner")));
                    n.spawn(|| -> anyhow::Result<()> { panic!("on purpose") });
                    Ok(())
                });
                Ok(inner?)
            });
            Ok(())
        });
        let payload = payload_of(|| failures.unwrap_err().into_error());
        assert_eq!(payload.downcast_ref(), Some(&"on purpose"));
        let token = CancelToken::new();
        token.cancel();
        let failures = options
            .cancel_on(&token)
            .try_nursery::<anyhow::Error, (), _>(|n| n.checkpoint());
        let error = failures.unwrap_err().into_error();
        assert!(error.is::<Cancelled>());
    });
}
