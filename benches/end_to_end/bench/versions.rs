//! Which versions were measured, read from the lock files when this is built.

use std::fmt::Write as _;

use super::programs::Programs;

/// Lines for the table.
pub(crate) fn text(programs: &Programs) -> String {
    let mut text = String::new();
    let list = |names: &[&str], lock: &str| {
        let found = names.iter().map(|name| format!("{name} {}", version(lock, name)));
        found.collect::<Vec<String>>().join(", ")
    };
    writeln!(text, "here: {}", list(&HERE, OURS)).expect("writing to a string cannot fail");
    writeln!(text, "rivals: {}", list(&RIVALS, THEIRS)).expect("writing to a string cannot fail");
    for (name, version) in &programs.scripts {
        writeln!(text, "{name}: {version}").expect("writing to a string cannot fail");
    }
    text.push_str("all in Rust: opt-level 3, lto fat, codegen-units 1, mimalloc, one thread\n");
    text
}

fn version(lock: &str, name: &str) -> String {
    let mut lines = lock.lines();
    let mut found = "is in no lock file".to_owned();
    while let Some(line) = lines.next() {
        if line == format!("name = \"{name}\"") {
            let version = lines.next().and_then(|line| line.strip_prefix("version = \"")?.strip_suffix('"'));
            found = version.unwrap_or_default().to_owned();
        }
    }
    found
}

const OURS: &str = include_str!("../../../Cargo.lock");
const THEIRS: &str = include_str!("../../clients/Cargo.lock");
const HERE: [&str; 6] = ["hyper", "tokio", "rustls", "memchr", "serde_json", "mimalloc"];
const RIVALS: [&str; 9] =
    ["reqwest", "eventsource-stream", "serde_json", "async-openai", "genai", "rig", "hyper", "tokio", "mimalloc"];
