//! What the crate stands on: read from cargo, so that nobody slips a model, HTTP or an agent under it.
#![cfg(not(loom))]

use std::collections::BTreeSet;
use std::process::Command;

#[test]
fn nothing_of_models_http_or_agents_lies_below() {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["tree", "--offline", "--locked", "--edges", "normal,build", "--prefix", "none", "--format", "{p}"])
        .args(["--package", "thalweg-actor"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs this test, so there is a cargo");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let names: BTreeSet<&str> =
        text.lines().filter_map(|line| line.split(' ').next()).filter(|name| !name.is_empty()).collect();
    assert!(names.contains("thalweg-actor") && names.contains("tokio"), "{names:?}");
    let ours: Vec<_> = names.iter().filter(|name| name.starts_with("thalweg")).collect();
    assert_eq!(ours, [&"thalweg-actor"], "it stands alone among our crates");
    for word in ["hyper", "http", "tls", "reqwest", "h2", "openai", "anthropic", "llm", "actix", "kameo", "ractor"] {
        let found: Vec<_> = names.iter().filter(|name| name.contains(word)).collect();
        assert!(found.is_empty(), "{found:?}");
    }
}
