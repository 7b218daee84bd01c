//! Three ways to find a factor of a composite number.
//!
//! Each asks at every step whether it should stop, which takes about as long as the step's division.

use hatchery::Cancelled;

use crate::arithmetic::{gcd, multiply};

/// Finds a factor of a composite number that is neither 1 nor the number, unless it is told to stop.
type Solve = fn(u64, &mut Steps) -> Result<u64, Cancelled>;

/// The solvers that compete, by name.
pub(crate) const SOLVERS: [(&str, Solve); 3] = [
    ("trial division", trial_division),
    ("Fermat", fermat),
    ("Pollard's rho", pollard_rho),
];

/// What a solver has done so far.
#[derive(Debug, Default)]
pub(crate) struct Steps(u64);

impl Steps {
    /// Begins another step, unless somebody else has won.
    fn next(&mut self) -> Result<(), Cancelled> {
        hatchery::checkpoint()?;
        self.0 += 1;
        Ok(())
    }

    /// How many there were.
    pub(crate) fn taken(&self) -> u64 {
        self.0
    }
}

/// Tries 2 and the odd numbers. It ends, as a composite number has a factor up to its root.
fn trial_division(n: u64, steps: &mut Steps) -> Result<u64, Cancelled> {
    let mut divisor = 2;
    loop {
        steps.next()?;
        if n % divisor == 0 {
            return Ok(divisor);
        }
        divisor += if divisor == 2 { 1 } else { 2 };
    }
}

/// Looks for a square `b * b` with `n + b * b = a * a`, from the root of `n` upwards; `a - b` is a factor
/// then. An odd composite number has such squares.
fn fermat(n: u64, steps: &mut Steps) -> Result<u64, Cancelled> {
    if n % 2 == 0 {
        steps.next()?;
        return Ok(2);
    }
    let n = u128::from(n);
    let mut a = n.isqrt();
    if a * a < n {
        a += 1;
    }
    loop {
        steps.next()?;
        let square = a * a - n;
        let b = square.isqrt();
        if b * b == square {
            return Ok((a - b) as u64);
        }
        a += 1;
    }
}

/// Goes around the cycle of `x * x + c` modulo `n`, once slowly and once twice as fast: where the two
/// meet modulo a factor and not modulo `n`, their difference shows it (Pollard, A Monte Carlo method
/// for factorization, 1975). With another `c` each time that they meet modulo `n`.
fn pollard_rho(n: u64, steps: &mut Steps) -> Result<u64, Cancelled> {
    if n % 2 == 0 {
        steps.next()?;
        return Ok(2);
    }
    for c in 1..n {
        let next = |x| {
            let square = multiply(x, x, n);
            // The sum modulo n, which may not fit into 64 bits.
            if square >= n - c {
                square - (n - c)
            } else {
                square + c
            }
        };
        let (mut slow, mut fast) = (2, 2);
        loop {
            steps.next()?;
            slow = next(slow);
            fast = next(next(fast));
            match gcd(slow.abs_diff(fast), n) {
                1 => {}
                factor if factor == n => break,
                factor => return Ok(factor),
            }
        }
    }
    // A number this small has other ways.
    trial_division(n, steps)
}
