//! Where and when a figure was measured.

use std::fs;
use std::process::Command;
use std::time::SystemTime;

/// The processor, as its vendor calls it.
#[must_use]
pub fn processor() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let field = |name: &str| {
        let line = info.lines().find(|line| line.starts_with(name))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    };
    match (field("model name"), field("cpu family"), field("model\t")) {
        (Some(name), Some(family), Some(model)) => format!("{name} (family {family}, model {model})"),
        (Some(name), ..) => name,
        _ => std::env::consts::ARCH.to_owned(),
    }
}

/// One line: processor, cores, system, compiler, commit.
#[must_use]
pub fn describe() -> String {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let (compiler, commit) = (compiler(), commit());
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or_default().to_owned();
    format!(
        "{}, {cores} cores, {} {}, {compiler}, commit {commit}, load {load}",
        processor(),
        std::env::consts::OS,
        std::env::consts::ARCH
    )
}

/// The compiler on the path, with its version.
#[must_use]
pub fn compiler() -> String {
    first_line("rustc", &["--version"])
}

/// The commit that is checked out.
#[must_use]
pub fn commit() -> String {
    first_line("git", &["describe", "--always", "--dirty"])
}

/// The name of this machine in file names.
#[must_use]
pub fn slug() -> String {
    let mut slug = String::new();
    for c in processor().chars() {
        match c.to_ascii_lowercase() {
            c if c.is_ascii_alphanumeric() => slug.push(c),
            _ if !slug.ends_with('-') => slug.push('-'),
            _ => {}
        }
    }
    slug.trim_matches('-').to_owned()
}

/// Today in UTC, as `2026-11-21`.
#[must_use]
pub fn date() -> String {
    thalweg_replay::date(SystemTime::now())
}

fn first_line(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).current_dir(env!("CARGO_MANIFEST_DIR")).output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    match text.lines().next() {
        Some(line) if !line.is_empty() => line.to_owned(),
        _ => format!("{program} unknown"),
    }
}
