//! `race`: factors, primes, and that there is one winner.

use crate::program::Run;
use crate::{refuses, run};

const SOLVERS: [&str; 3] = ["trial division", "Fermat", "Pollard's rho"];

fn race(number: u64) -> Run {
    let run = run("race", [number.to_string()]);
    assert_eq!(run.code, Some(0), "{run:?}");
    run
}

#[test]
fn a_composite_number_is_split_by_one_winner() {
    for number in [
        4,
        6,
        9,
        15,
        25,
        49,
        1001,
        // Even; a prime square; two primes next to each other; two far apart.
        1 << 63,
        4_294_967_291 * 4_294_967_291,
        4_294_967_279 * 4_294_967_291,
        1_000_003 * 2_147_483_647,
        u64::MAX,
    ] {
        let run = race(number);
        let (factors, _) = run.stdout.split_once('\n').unwrap();
        let (left, right) = factors.split_once(" = ").unwrap();
        let factors = right.split(" x ").map(|factor| factor.parse().unwrap());
        let factors: Vec<u64> = factors.collect();
        assert_eq!(left, number.to_string());
        assert!(factors.len() == 2 && factors[0] > 1, "{run:?}");
        assert_eq!(factors[0] * factors[1], number);

        let ends = SOLVERS.map(|solver| run.row(solver));
        let won = ends.iter().filter(|end| end.starts_with("won"));
        assert_eq!(won.count(), 1, "{run:?}");
        let lost = ends
            .iter()
            .filter(|end| end.starts_with("cancelled") || **end == "found a factor, too late");
        assert_eq!(lost.count(), 2, "{run:?}");
    }
}

/// Fermat would go on for hours: if it were not stopped, this would not end.
#[test]
fn those_that_are_far_from_an_answer_are_cancelled() {
    let run = race(1_000_003 * 1_000_000_000_039);
    let fermat = run.row("Fermat");
    assert!(fermat.starts_with("cancelled"), "{run:?}");
}

#[test]
fn a_prime_is_told_without_a_race() {
    for prime in [2, 3, 37, 41, 2_147_483_647, 18_446_744_073_709_551_557] {
        let run = race(prime);
        let told = format!("{prime} is prime, there is nothing to split.\n");
        assert_eq!(run.stdout, told);
    }
}

#[test]
fn nonsense_on_the_command_line_is_named() {
    refuses(
        "race",
        &[
            (&[], "<N>"),
            (&["0"], "0 is not in 2.."),
            (&["1"], "1 is not in 2.."),
            (&["18446744073709551616"], "18446744073709551616"),
            (&["-4"], "-4"),
            (&["many"], "many"),
        ],
    );
}
