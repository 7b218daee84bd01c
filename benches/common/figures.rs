//! Figures as text.

/// Nanoseconds with a unit that suits them.
pub(crate) fn time(nanos: f64) -> String {
    match nanos.abs() {
        ..1e3 => format!("{} ns", digits(nanos)),
        ..1e6 => format!("{} us", digits(nanos / 1e3)),
        _ => format!("{} ms", digits(nanos / 1e6)),
    }
}

/// Three digits, or all of the whole number if it has more.
pub(crate) fn digits(value: f64) -> String {
    match value.abs() {
        ..9.995 => format!("{value:.2}"),
        ..99.95 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}
