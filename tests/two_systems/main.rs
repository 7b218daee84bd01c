//! The `two_systems` example end to end: on its own servers, and on servers that misbehave.

#[path = "../common/program.rs"]
mod program;
mod running;
mod serving;

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::thread;

use serde_json::json;
use socket2::{Domain, Socket, Type};
use tempfile::TempDir;

use running::{entries, fails_in_time, fails_on_page, query, small, two_systems};
use serving::{answer, filled, page, serve};

// ---- on its own servers -------------------------------------------------------------------------

#[test]
fn the_merged_file_agrees_with_the_summary() {
    let dir = TempDir::new().unwrap();
    let out = dir.path().join("merged.jsonl");
    let run = small(&out, &[]);
    assert_eq!(run.code, Some(0), "{run:?}");

    let entries = entries(&out);
    let ids: Vec<u64> = entries
        .iter()
        .map(|entry| entry["record"]["id"].as_u64().unwrap())
        .collect();
    assert!(
        ids.is_sorted_by(|a, b| a < b),
        "ids must be unique and sorted"
    );

    let count = |verdict| {
        entries
            .iter()
            .filter(|entry| entry["verdict"] == verdict)
            .count()
    };
    let [here, there, equal, conflict] =
        ["only_first", "only_second", "equal", "conflict"].map(count);
    assert_eq!(run.number("only here"), here);
    assert_eq!(run.number("only there"), there);
    assert_eq!(run.number("equal"), equal);
    assert_eq!(run.number("conflicting"), conflict);
    assert_eq!(run.number("merged"), entries.len());
    assert_eq!(
        here + equal + conflict,
        2000,
        "every record of the first system is accounted for"
    );
    assert_eq!(
        there + equal + conflict,
        2000,
        "every record of the second system is accounted for"
    );
    assert!(
        here > 0 && there > 0 && equal > 0 && conflict > 0,
        "{run:?}"
    );
}

#[test]
fn the_summary_times_every_part_beside_the_serial_sum() {
    let run = small(&TempDir::new().unwrap().path().join("out"), &[]);
    let seconds = |name| {
        run.row(name)
            .split(' ')
            .next()
            .unwrap()
            .parse::<f64>()
            .unwrap()
    };
    let parts = seconds("first system") + seconds("second system") + seconds("pi");
    // Each of the four figures is rounded to a hundredth.
    assert!((parts - seconds("serial sum")).abs() < 0.021, "{run:?}");
    assert!(
        seconds("together") >= 0.0 && seconds("then merge") >= 0.0,
        "{run:?}"
    );
}

#[test]
fn the_same_seed_gives_the_same_file_and_another_seed_another() {
    let dir = TempDir::new().unwrap();
    let merged = |name, arguments: &[&str]| {
        let out = dir.path().join(name);
        let run = small(&out, arguments);
        assert_eq!(run.code, Some(0), "{run:?}");
        fs::read(out).unwrap()
    };
    let once = merged("once", &["--seed", "7"]);
    assert!(once == merged("again", &["--seed", "7", "--page", "33"]));
    assert!(once != merged("other", &["--seed", "8"]));
}

#[test]
fn the_last_digits_of_pi_are_right() {
    for (digits, last) in [
        ("50", "6939937510"),
        ("200", "5493038196"),
        ("20000", "0490755178"),
    ] {
        let run = two_systems(&["--records", "10", "--latency-ms", "0", "--digits", digits]);
        assert_eq!(
            (run.row("begins"), run.row("ends")),
            ("3.1415926535", last),
            "{run:?}"
        );
    }
}

#[test]
fn one_record_on_pages_of_one_and_one_digit_are_enough() {
    let run = two_systems(&[
        "--records",
        "1",
        "--page",
        "1",
        "--latency-ms",
        "0",
        "--digits",
        "1",
    ]);
    assert_eq!(run.code, Some(0), "{run:?}");
    assert_eq!(run.row("ends"), "1", "{run:?}");
}

#[test]
fn progress_is_a_few_plain_lines_where_there_is_no_terminal() {
    let run = small(
        &TempDir::new().unwrap().path().join("out"),
        &["--page", "10"],
    );
    assert_eq!(
        run.stderr.lines().count(),
        6,
        "a start and an end for each of three parts: {run:?}"
    );
    assert!(!run.stderr.contains(['\r', '\x1b']), "{run:?}");
}

// ---- on other people's servers ------------------------------------------------------------------

#[test]
fn of_two_records_that_differ_the_newer_is_kept_and_the_first_on_a_tie() {
    let record =
        |id: u64, revision: u64, name: &str| json!({"id": id, "revision": revision, "name": name});
    let first = serve(vec![
        page(
            &[record(5, 1, "only here"), record(2, 9, "newer here")],
            true,
        ),
        page(
            &[
                record(1, 1, "same"),
                record(4, 3, "tie here"),
                record(3, 1, "older here"),
            ],
            false,
        ),
    ]);
    let second = serve(vec![page(
        &[
            record(6, 1, "only there"),
            record(4, 3, "tie there"),
            record(3, 2, "newer there"),
            record(2, 8, "older there"),
            record(1, 1, "same"),
        ],
        false,
    )]);
    let dir = TempDir::new().unwrap();
    let out = dir.path().join("merged.jsonl");
    let run = query(&first, &second, &out, &[]);
    assert_eq!(run.code, Some(0), "{run:?}");

    let expected = [
        ("equal", "first", record(1, 1, "same")),
        ("conflict", "first", record(2, 9, "newer here")),
        ("conflict", "second", record(3, 2, "newer there")),
        ("conflict", "first", record(4, 3, "tie here")),
        ("only_first", "first", record(5, 1, "only here")),
        ("only_second", "second", record(6, 1, "only there")),
    ];
    let expected = expected
        .map(|(verdict, kept, record)| json!({"verdict": verdict, "kept": kept, "record": record}));
    assert_eq!(entries(&out), expected);
}

#[test]
fn a_body_that_is_no_page_is_named() {
    fails_on_page(1, "not a catalogue page", || {
        serve(vec![answer("200 OK", "<html>hello</html>")])
    });
    fails_on_page(1, "not a catalogue page", || {
        serve(vec![answer("200 OK", r#"{"items": [{"id""#)])
    });
    fails_on_page(1, "missing field `more`", || {
        serve(vec![answer("200 OK", r#"{"items": []}"#)])
    });
}

#[test]
fn a_status_other_than_200_is_named() {
    fails_on_page(1, "500 Internal Server Error", || {
        serve(vec![answer("500 Internal Server Error", "sorry")])
    });
    fails_on_page(2, "404 Not Found", || {
        serve(vec![filled(1, true), answer("404 Not Found", "")])
    });
}

#[test]
fn a_server_that_dies_after_the_first_page_is_named() {
    fails_on_page(2, "no answer", || serve(vec![filled(1, true)]));
}

#[test]
fn a_server_that_dies_in_the_middle_of_a_page_is_named() {
    fails_on_page(2, "the answer broke off", || {
        let mut half = filled(2, false);
        half.truncate(half.len() - 10);
        serve(vec![filled(1, true), half])
    });
}

#[test]
fn a_server_that_refuses_connections_is_named() {
    // Bound but not listening: it refuses, and nobody else can get the port meanwhile.
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket
        .bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into())
        .unwrap();
    let port = socket.local_addr().unwrap().as_socket().unwrap().port();
    fails_on_page(1, "no answer", || format!("http://127.0.0.1:{port}/"));
}

#[test]
fn a_server_that_never_answers_is_named() {
    // The other one has to answer in that time.
    fails_in_time("5000", 1, "timed out", || {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            // Held open, unanswered.
            let _streams: Vec<_> = listener.incoming().collect();
        });
        format!("http://{address}/")
    });
}

#[test]
fn a_server_that_promises_more_for_ever_is_named() {
    fails_on_page(2, "empty", || serve(vec![filled(1, true), page(&[], true)]));
    fails_on_page(2, "id 1 came before", || {
        serve(vec![filled(1, true), filled(1, true)])
    });
    fails_on_page(3, "still more", || {
        serve(vec![
            filled(1, true),
            filled(2, true),
            filled(3, true),
            filled(4, true),
        ])
    });
}

#[test]
fn if_both_systems_fail_both_are_named() {
    let dir = TempDir::new().unwrap();
    let (first, second) = (
        serve(vec![]),
        serve(vec![answer("500 Internal Server Error", "")]),
    );
    let run = query(&first, &second, &dir.path().join("out"), &[]);
    assert_eq!(run.code, Some(1), "{run:?}");
    assert!(
        run.stderr.contains("error: first system, page 1"),
        "{run:?}"
    );
    assert!(
        run.stderr.contains("error: second system, page 1"),
        "{run:?}"
    );
}

// ---- the file -----------------------------------------------------------------------------------

#[test]
fn a_failure_leaves_an_older_file_as_it_was() {
    let dir = TempDir::new().unwrap();
    let out = dir.path().join("merged.jsonl");
    fs::write(&out, "yesterday\n").unwrap();
    let run = query(&serve(vec![]), &serve(vec![filled(1, false)]), &out, &[]);
    assert_eq!(run.code, Some(1), "{run:?}");
    assert_eq!(fs::read_to_string(&out).unwrap(), "yesterday\n");
}

#[test]
fn a_file_that_cannot_be_written_is_named_before_anything_is_queried() {
    let dir = TempDir::new().unwrap();
    for out in [
        dir.path().join("nowhere").join("merged.jsonl"),
        dir.path().to_owned(),
    ] {
        let run = small(&out, &[]);
        assert_eq!(run.code, Some(1), "{run:?}");
        assert!(
            run.stderr
                .contains(&format!("cannot write {}", out.display())),
            "{run:?}"
        );
        assert!(!run.stderr.contains(".two_systems-"), "{run:?}");
        assert!(!run.stderr.contains("querying"), "{run:?}");
    }
}

// ---- the command line ---------------------------------------------------------------------------

#[test]
fn nonsense_on_the_command_line_is_named() {
    for (arguments, complaint) in [
        (&["--records", "0"][..], "--records"),
        (&["--page", "0"], "--page"),
        (&["--digits", "0"], "--digits"),
        (&["--latency-ms", "soon"], "--latency-ms"),
        (&["--first", "http://localhost/"], "--second"),
        (&["--second", "http://localhost/"], "--first"),
        (
            &[
                "--first",
                "ftp://localhost/",
                "--second",
                "http://localhost/",
            ],
            "http://HOST",
        ),
        (
            &[
                "--first",
                "http://localhost:99999/",
                "--second",
                "http://localhost/",
            ],
            "not a port",
        ),
    ] {
        let run = two_systems(arguments);
        assert_eq!(run.code, Some(2), "{run:?}");
        assert!(run.stderr.contains(complaint), "{run:?}");
    }
}
