//! Pi by the Chudnovsky series, summed by binary splitting over nested nurseries.
//!
//! The series and the recurrences for P, Q and T are by Haible and Papanikolaou, "Fast
//! multiprecision evaluation of series of rational numbers" (1998).

use num_bigint::{BigInt, BigUint};

use crate::progress;

/// Ranges of at most this many terms are summed by one child: some 20 µs of work.
const GRAIN: u64 = 64;

/// Computed and thrown away: rounding spoils fewer than three of them, so a printed digit could be
/// wrong only if the other seventeen were all 0 or all 9.
const GUARD_DIGITS: usize = 20;

/// The beginning as published, to notice a miscalculation.
const PUBLISHED: &str = "3.14159265358979323846264338327950288419716939937510";

/// Terms of the series that `digits` decimals take: each adds a little over 14.18 digits.
pub(crate) fn terms(digits: usize) -> u64 {
    (digits + GUARD_DIGITS) as u64 * 100 / 1418 + 2
}

/// `3.` and `digits` decimals, not rounded.
///
/// # Panics
///
/// If the first fifty decimals are not the published ones.
pub(crate) fn digits(digits: usize, progress: &progress::Part) -> String {
    progress.start(format_args!("computing {digits} digits"));
    let scale =
        BigUint::from(10_u32).pow(u32::try_from(digits + GUARD_DIGITS).expect("few digits"));
    let (sum, root) = hatchery::nursery(|n| {
        let root = n.spawn(|| (10_005_u32 * &scale * &scale).sqrt());
        (split(0, terms(digits), progress), root.join())
    });
    let pi = sum.q * 426_880_u32 * BigInt::from(root) / sum.t;

    let mut text = pi.to_string();
    text.truncate(1 + digits);
    text.insert(1, '.');
    let common = text.len().min(PUBLISHED.len());
    assert_eq!(text[..common], PUBLISHED[..common], "pi is wrong");
    progress.finish(format_args!("{digits} digits"));
    text
}

/// The terms of a range as one fraction, `t / q`; `p` is what the next range is multiplied by.
struct Sum {
    p: BigInt,
    q: BigInt,
    t: BigInt,
}

/// The sum of the terms `from..to`, which must not be empty.
fn split(from: u64, to: u64, progress: &progress::Part) -> Sum {
    let middle = from.midpoint(to);
    if to - from <= GRAIN {
        progress.advance(to - from);
        return split_serially(from, to);
    }
    let (left, right) = hatchery::nursery(|n| {
        let left = n.spawn(|| split(from, middle, progress));
        let right = split(middle, to, progress);
        (left.join(), right)
    });
    // The last two products are among the largest of all.
    let (t_left, t_right) = hatchery::join(|| &left.t * &right.q, || &left.p * &right.t);
    Sum {
        p: left.p * right.p,
        q: left.q * right.q,
        t: t_left + t_right,
    }
}

fn split_serially(from: u64, to: u64) -> Sum {
    if to - from == 1 {
        return term(from);
    }
    let middle = from.midpoint(to);
    let (left, right) = (split_serially(from, middle), split_serially(middle, to));
    let t = left.t * &right.q + &left.p * right.t;
    Sum {
        p: left.p * right.p,
        q: left.q * right.q,
        t,
    }
}

fn term(k: u64) -> Sum {
    const C3_OVER_24: u64 = 640_320_u64.pow(3) / 24;
    let (p, q) = match k {
        0 => (BigInt::from(1), BigInt::from(1)),
        _ => (
            BigInt::from(6 * k - 5) * (2 * k - 1) * (6 * k - 1),
            BigInt::from(k).pow(3) * C3_OVER_24,
        ),
    };
    let t = &p * (13_591_409 + 545_140_134 * k);
    Sum {
        t: if k % 2 == 0 { t } else { -t },
        p,
        q,
    }
}
