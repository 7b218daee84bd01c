//! Snapshots and statistics as data for other programs.

mod common;

use common::{Gate, on_every_pool};
use hatchery::{Options, Pool};
use serde_json::{Value, json};

/// The names of an object's fields.
fn fields(object: &Value) -> Vec<&str> {
    let object = object.as_object().expect("an object");
    object.keys().map(String::as_str).collect()
}

#[test]
fn a_snapshot_says_in_json_what_its_fields_say() {
    on_every_pool(|pool| {
        let name =
            "a \"quoted\" \\ name\nwith\r\tlines, \u{0}\u{1b}[31m, \u{7f}\u{85}\u{2028} and ä€𝄞";
        let snapshot = Options::new().pool(pool).name(name).nursery(|n| {
            (0..3).for_each(|_| drop(n.spawn(|| ())));
            n.cancel();
            pool.dump()
        });
        let json = serde_json::to_value(&snapshot).expect("JSON");
        assert_eq!(json["name"], snapshot.name);
        assert_eq!(json["threads"], pool.threads());
        let [nursery] = &*snapshot.nurseries else {
            panic!("one nursery: {snapshot}");
        };
        let shown = &json["nurseries"][0];
        assert_eq!(shown["name"], name);
        assert_eq!(shown["parent"], Value::Null);
        assert_eq!(shown["cancelled"], "on request");
        assert_eq!(shown["stats"]["spawned"], nursery.stats.spawned);
        let state = &json["thread_states"][0];
        assert_eq!(
            (&state["state"], &state["part"]),
            (&json!("runs"), &json!("body"))
        );
        let text = serde_json::to_string(&snapshot).expect("JSON");
        assert_eq!(serde_json::from_str::<Value>(&text).expect("JSON"), json);
    });
}

#[test]
fn a_wait_says_in_json_what_it_is_for() {
    let pool = Pool::builder().threads(2).name("waits").build().unwrap();
    let gate = Gate::default();
    std::thread::scope(|threads| {
        threads.spawn(|| pool.nursery(|n| n.spawn_blocking(|| gate.wait()).join()));
        let wait = loop {
            let snapshot = pool.dump();
            let mut threads = snapshot.thread_states.into_iter();
            if let Some(wait) = threads.find_map(|thread| thread.waits_for) {
                break serde_json::to_value(wait).expect("JSON");
            }
            std::thread::yield_now();
        };
        gate.open();
        assert_eq!(wait["nursery"], 1);
        assert_eq!(wait["until"]["child"]["is_blocking"], true);
    });
}

/// JSON has as many fields as the text that `Debug` writes.
#[test]
fn every_number_is_in_the_json() {
    on_every_pool(|pool| {
        let of_pool = serde_json::to_value(pool.stats()).expect("JSON");
        let own = pool.nursery(|n| serde_json::to_value(n.stats()).expect("JSON"));
        let debug = format!("{:?}", pool.stats());
        assert_eq!(fields(&of_pool).len(), debug.matches(':').count());
        assert!(
            fields(&own)
                .iter()
                .all(|field| fields(&of_pool).contains(field))
        );
        assert!(fields(&own).contains(&"run_by_opener"));
    });
}
