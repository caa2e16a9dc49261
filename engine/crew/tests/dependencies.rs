//! What the crate stands on without its features: read from cargo, so that promises stay free of HTTP.

use std::collections::BTreeSet;
use std::process::Command;

#[test]
fn promises_know_nothing_of_models_and_http() {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["tree", "--offline", "--locked", "--edges", "normal,build", "--prefix", "none", "--format", "{p}"])
        .args(["--package", "thalweg-crew", "--no-default-features"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs this test, so there is a cargo");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let names: BTreeSet<&str> =
        text.lines().filter_map(|line| line.split(' ').next()).filter(|name| !name.is_empty()).collect();
    let ours: Vec<_> = names.iter().copied().filter(|name| name.starts_with("thalweg")).collect();
    assert_eq!(ours, ["thalweg-actor", "thalweg-crew", "thalweg-log"]);
    for word in ["hyper", "http", "tls", "h2", "libloading", "sqlite"] {
        let found: Vec<_> = names.iter().filter(|name| name.contains(word)).collect();
        assert!(found.is_empty(), "{found:?}");
    }
}
