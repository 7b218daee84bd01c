//! `serve`: each request is accounted for, and a job ends when its client leaves.

use crate::program::Run;
use crate::{refuses, run};

const WAYS: [&str; 3] = [
    "hatchery submit",
    "tokio spawn_blocking",
    "rayon spawn, oneshot",
];

/// What became of the requests to one server.
#[derive(Debug)]
struct Row {
    served: usize,
    refused: usize,
    late: usize,
    left: usize,
    cancelled: usize,
    in_vain: usize,
}

impl Row {
    fn of(run: &Run, way: &str) -> Self {
        let row = run.row(way).replace(" ms", "");
        let columns: Vec<_> = row.split_whitespace().collect();
        let [served, refused, late, left, _, _, _, cancelled, in_vain] =
            <[&str; 9]>::try_from(columns)
                .unwrap()
                .map(|column| column.parse().unwrap_or(usize::MAX));
        Self {
            served,
            refused,
            late,
            left,
            cancelled,
            in_vain,
        }
    }
}

/// Runs it small; the first argument is the deadline. On a busy machine some requests may be late.
fn serve(arguments: &[&str]) -> (Run, [Row; 3]) {
    let small = ["--requests", "100", "--connections", "4", "--deadline"];
    let run = run("serve", [&small[..], arguments].concat());
    assert_eq!(run.code, Some(0), "{run:?}");
    let rows = WAYS.map(|way| Row::of(&run, way));
    (run, rows)
}

#[test]
fn all_requests_are_served_where_there_is_room() {
    let (run, rows) = serve(&["1000", "--rounds", "10", "--leave", "0", "--inside", "4"]);
    for row in rows {
        assert_eq!(row.served + row.late, 100, "{run:?}");
        assert_eq!((row.refused, row.left, row.in_vain), (0, 0, 0), "{run:?}");
    }
}

/// The two requests without an end would keep the program from ending.
#[test]
fn a_job_ends_when_its_client_leaves_or_its_time_is_over() {
    let (run, _) = serve(&["100", "--rounds", "1", "--leave", "0"]);
    let told = run.row("its client leaves");
    assert!(told.starts_with("its job has ended "), "{run:?}");
    let late = run.row("its time is over");
    assert!(late.starts_with("504 after "), "{run:?}");
}

#[test]
fn what_no_client_waits_for_is_cancelled_by_hatchery_only() {
    // 20 ms at least, and the clients leave after one.
    let (run, rows) = serve(&[
        "3000", "--rounds", "300000", "--leave", "2", "--inside", "9",
    ]);
    for row in &rows {
        // A server that is full of jobs that run in vain refuses clients before they leave.
        assert!((1..=50).contains(&row.left), "{run:?}");
        assert_eq!(row.served + row.late + row.refused, 50, "{run:?}");
    }
    let [hatchery, others @ ..] = rows;
    assert!(hatchery.cancelled > 0, "{run:?}");
    for row in others {
        assert_eq!(row.cancelled, 0, "{run:?}");
        assert!(row.in_vain > 0, "{run:?}");
    }
}

#[test]
fn a_server_that_is_full_refuses() {
    let (run, rows) = serve(&["3000", "--rounds", "20000", "--leave", "0", "--inside", "1"]);
    for row in rows {
        assert_eq!(row.served + row.late + row.refused, 100, "{run:?}");
        assert!(row.refused > 0, "{run:?}");
    }
}

#[test]
fn nonsense_on_the_command_line_is_named() {
    refuses(
        "serve",
        &[
            (&["--requests", "0"], "0 is not in 1.."),
            (&["--connections", "many"], "many"),
            (&["--inside", "0"], "0 is not in 1.."),
            (&["80"], "80"),
        ],
    );
}
