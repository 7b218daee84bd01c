//! `queens`: solutions, sizes that have none.

use crate::program::Run;
use crate::{refuses, run};

fn queens(number: usize) -> Run {
    run("queens", [number.to_string()])
}

/// The rows and columns of the queens on the printed board.
fn board(run: &Run, size: usize) -> Vec<(usize, usize)> {
    let rows: Vec<Vec<_>> = run
        .stdout
        .lines()
        .take(size)
        .map(|row| row.split(' ').collect())
        .collect();
    assert_eq!(rows.len(), size);
    let mut queens = Vec::new();
    for (y, row) in rows.iter().enumerate() {
        assert_eq!(row.len(), size, "{run:?}");
        queens.extend((0..size).filter(|x| row[*x] == "Q").map(|x| (y, x)));
    }
    queens
}

#[test]
fn no_queen_attacks_another() {
    for size in [1, 4, 5, 6, 8, 13, 20] {
        let run = queens(size);
        assert_eq!(run.code, Some(0), "{run:?}");
        let queens = board(&run, size);
        assert_eq!(queens.len(), size);
        for (i, (y, x)) in queens.iter().enumerate() {
            for (v, u) in &queens[..i] {
                let (down, across) = (y.abs_diff(*v), x.abs_diff(*u));
                assert!(down > 0 && across > 0 && down != across, "{run:?}");
            }
        }
        // All others than the winner are accounted for, but those that found one as well.
        let others = ["in vain", "stopped", "unrun"].map(|row| run.number(row));
        assert!(others.iter().sum::<usize>() < size, "{run:?}");
    }
}

#[test]
fn where_there_is_no_solution_it_says_so() {
    for size in [2, 3] {
        let run = queens(size);
        assert_eq!(run.code, Some(1), "{run:?}");
        let none = format!("There is no way to place {size} queens.\n");
        assert!(run.stdout.starts_with(&none), "{run:?}");
        assert_eq!(run.number("in vain"), size);
    }
}

#[test]
fn nonsense_on_the_command_line_is_named() {
    refuses(
        "queens",
        &[
            (&[], "<N>"),
            (&["0"], "0 is not in 1..=64"),
            (&["65"], "65 is not in 1..=64"),
            (&["-1"], "-1"),
            (&["eight"], "eight"),
            (&["8", "8"], "8"),
        ],
    );
}
