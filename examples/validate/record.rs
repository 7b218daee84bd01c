//! What a record has to look like.

use std::fmt;
use std::str;

use csv::ByteRecord;

/// What the first line names.
pub(crate) const COLUMNS: [&str; 4] = ["id", "name", "amount", "date"];

/// Whether a field is good.
type Check = fn(&str) -> bool;

/// A record that is wrong, and where it begins.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Bad {
    /// Records count from 1, the header is none.
    pub(crate) record: u64,
    /// Lines count from 1; a quoted field may have several, so this is more than the record's number.
    pub(crate) line: u64,
    /// Where the reader has begun to look for the record, in bytes: at the end of the record before.
    pub(crate) byte: u64,
    pub(crate) why: String,
}

impl fmt::Display for Bad {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "line {}, record {}: {}",
            self.line, self.record, self.why
        )
    }
}

/// Checks one record; what is wrong with it, otherwise.
pub(crate) fn check(record: &ByteRecord) -> Result<(), String> {
    if record.len() != COLUMNS.len() {
        let (expected, found) = (COLUMNS.len(), record.len());
        return Err(format!("expected {expected} fields, found {found}"));
    }
    let checks: [(Check, &str); COLUMNS.len()] = [
        (is_id, "a whole number below 2^64"),
        (is_name, "a name"),
        (is_decimal, "a decimal number"),
        (is_date, "a date as YYYY-MM-DD"),
    ];
    for ((field, column), (is_good, expected)) in record.iter().zip(COLUMNS).zip(checks) {
        let Ok(text) = str::from_utf8(field) else {
            return Err(format!("{column}: it is not UTF-8"));
        };
        if !is_good(text) {
            return Err(format!("{column}: expected {expected}, found {text:?}"));
        }
    }
    Ok(())
}

/// The sign that `parse` allows is not one of an id.
fn is_id(text: &str) -> bool {
    are_digits(text) && text.parse::<u64>().is_ok()
}

fn is_name(text: &str) -> bool {
    !text.trim().is_empty()
}

/// Digits with at most one point among them, and perhaps a minus in front.
fn is_decimal(text: &str) -> bool {
    let text = text.strip_prefix('-').unwrap_or(text);
    match text.split_once('.') {
        Some((whole, fraction)) => are_digits(whole) && are_digits(fraction),
        None => are_digits(text),
    }
}

fn is_date(text: &str) -> bool {
    let part = |from: usize, to: usize| -> Option<u32> {
        let digits = text.get(from..to).filter(|digits| are_digits(digits))?;
        digits.parse().ok()
    };
    let is_spaced = text.len() == 10 && text.get(4..5) == Some("-") && text.get(7..8) == Some("-");
    match (part(0, 4), part(5, 7), part(8, 10)) {
        (Some(year), Some(month), Some(day)) => is_spaced && day >= 1 && day <= days(year, month),
        _ => false,
    }
}

/// How many days the month has; none if there is no such month.
pub(crate) fn days(year: u32, month: u32) -> u32 {
    let is_leap = year % 4 == 0 && year % 100 != 0 || year % 400 == 0;
    match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if is_leap => 29,
        2 => 28,
        _ => 0,
    }
}

fn are_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}
