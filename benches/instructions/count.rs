//! Runs this program under callgrind and reads how many instructions it took.

use crate::work::Work;
use std::process::{Command, Stdio};

/// Tells this program to do one piece of work and end.
pub(crate) const PASS: &str = "--pass";

/// Whether valgrind can be called.
pub(crate) fn is_possible() -> bool {
    let version = Command::new("valgrind").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    version.is_ok_and(|status| status.success())
}

/// Instructions an event, once everything is warm.
pub(crate) fn instructions(work: &Work) -> f64 {
    const FEW: u64 = 1;
    const MANY: u64 = 4;
    let difference = total(work.name, MANY) - total(work.name, FEW);
    difference as f64 / ((MANY - FEW) * work.events()) as f64
}

fn total(name: &str, passes: u64) -> u64 {
    let program = std::env::current_exe().expect("a program knows where it is");
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(program)
        .args([PASS, name, &passes.to_string()])
        .output()
        .expect("valgrind was called a moment ago");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{name} failed under valgrind:\n{said}");
    let count = said.lines().find_map(|line| line.split_once("Collected :")?.1.trim().parse().ok());
    count.unwrap_or_else(|| panic!("valgrind did not say how many instructions it counted:\n{said}"))
}
