//! The verbs pause, unpause and stats.
#![cfg(all(target_os = "linux", feature = "cli"))]
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    reason = "tests"
)]

mod cli;
mod support;

use cli::{Cli, start};
use serde_json::Value;
use std::io::{BufRead, BufReader};
use support::{Need, skip_unless};

fn lines(text: &str) -> Vec<Value> {
    let parse = |line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
    text.lines().map(parse).collect()
}

#[test]
fn stats_shows_every_container_once_as_a_table_and_as_a_line_of_json_each() {
    let cli = Cli::new();
    cli.call(&["stats", "--no-stream", "--format", "json"])
        .says("");
    let header = cli.call(&["stats", "--no-stream"]).out;
    assert_eq!(
        header,
        "NAME  CPU %  MEM USAGE / LIMIT  MEM %  NET I/O  BLOCK I/O  PIDS\n"
    );
    let (one, two) = (cli.started("stats-a"), cli.started("stats-b"));
    let done = cli.call(&["stats", "--no-stream"]);
    assert_eq!((done.code, done.err.as_str()), (0, ""));
    let names: Vec<_> = done
        .out
        .lines()
        .map(|line| line.split(' ').next())
        .collect();
    assert_eq!(names, [Some("NAME"), Some("stats-a"), Some("stats-b")]);
    assert!(!done.out.contains('\u{1b}'), "{done:?}");
    let all = lines(&cli.call(&["stats", "--no-stream", "--format", "json"]).out);
    assert_eq!(all.len(), 2);
    assert_eq!(
        (&all[0]["id"], &all[1]["id"]),
        (&"stats-a".into(), &"stats-b".into())
    );
    assert!(all.iter().all(|one| one["memory_limit"].as_i64() > Some(0)));
    assert!(all.iter().all(|one| one["read"].is_string()));
    let named = cli.call(&["stats", "--no-stream", "--format", "json", "stats-b"]);
    assert_eq!(lines(&named.out)[0]["id"], "stats-b");
    for args in [&["stats", "--no-stream", "none"][..], &["stats", "none"]] {
        let done = cli.call(args);
        assert_eq!(done.code, 1);
        assert!(done.err.contains("no container \"none\""), "{done:?}");
    }
    cli.call(&["clean", "--all", "--force"]).says("");
    assert_eq!((one.done().code, two.done().code), (137, 137));
}

#[test]
fn stats_goes_on_while_containers_come_and_go_and_ends_with_those_that_were_named() {
    let cli = Cli::new();
    let one = cli.started("live-a");
    let named = start(cli.command(&["stats", "--format", "json", "live-a"]));
    let mut all = cli.command(&["stats", "--format", "json"]);
    let mut all = all.stdout(std::process::Stdio::piped()).spawn().unwrap();
    let mut read = BufReader::new(all.stdout.take().unwrap()).lines();
    let mut wait_for = |id: &str| {
        let found = read.by_ref().flatten().find(|line| line.contains(id));
        assert!(found.is_some(), "{id} shows up");
    };
    wait_for("\"id\":\"live-a\"");
    let two = cli.started("live-b");
    wait_for("\"id\":\"live-b\"");
    cli.call(&["kill", "live-a", "9"]).says("");
    one.done();
    let done = named.done();
    assert_eq!(done.code, 0, "{done:?}");
    assert!(lines(&done.out).iter().all(|line| line["id"] == "live-a"));
    wait_for("\"id\":\"live-b\"");
    // Nobody reads any more: it ends, too.
    drop(read);
    assert!(all.wait().unwrap().success());
    cli.call(&["kill", "live-b", "9"]).says("");
    two.done();
}

#[test]
fn pause_stops_several_and_list_tells() {
    if skip_unless(&[Need::Root]) {
        return;
    }
    let cli = Cli::new();
    let (one, two) = (cli.started("pause-a"), cli.started("pause-b"));
    cli.call(&["pause", "pause-a", "pause-b"]).says("");
    let states = |cli: &Cli| {
        let listed: Value =
            serde_json::from_str(&cli.call(&["list", "--format", "json"]).out).unwrap();
        let all = listed.as_array().unwrap().iter();
        all.map(|one| one["state"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(states(&cli), ["paused", "paused"]);
    cli.call(&["exec", "pause-a", "--", "true"])
        .fails(125, &["pause-a", "paused"]);
    let done = cli.call(&["unpause", "none", "pause-a"]);
    assert_eq!(done.code, 1);
    assert!(done.err.contains("none"), "{done:?}");
    assert_eq!(states(&cli), ["running", "paused"]);
    let named: Vec<_> = lines(&cli.call(&["stats", "--no-stream", "--format", "json"]).out);
    assert_eq!(named.len(), 2, "a paused one has counters, too");
    cli.call(&["kill", "pause-b", "KILL"]).says("");
    cli.call(&["kill", "pause-a", "KILL"]).says("");
    assert_eq!((one.done().code, two.done().code), (137, 137));
    assert_eq!(cli.left(), [""; 0]);
}
