//! Whether this run measures, and how long; what the rivals are: read from the lock file and the manifest when this is built.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::time::Duration;

use thalweg_benches::is_measuring;

/// How much is measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    /// Bytes of each generated input: more than the second-level cache holds.
    pub(crate) input_bytes: usize,
    /// Samples of each stack.
    pub(crate) rounds: usize,
    /// Samples of one event each, where caches are cold.
    pub(crate) cold_rounds: usize,
    /// The least time of a sample.
    pub(crate) sample_time: Duration,
    /// Streams at once.
    pub(crate) streams: usize,
    /// Bytes of the one large event.
    pub(crate) large_event: usize,
    /// How often criterion draws from the samples to say how sure it is.
    pub(crate) resamples: usize,
    /// All cuts and inputs, or the usual ones.
    pub(crate) is_full: bool,
}

/// The name of this bench target.
pub(crate) const TARGET: &str = env!("CARGO_CRATE_NAME");

impl Settings {
    /// By the name of the bench target, and whether cargo runs it as a test.
    pub(crate) fn of_this_run() -> Self {
        let full = Self {
            input_bytes: 4 << 20,
            rounds: 30,
            cold_rounds: 500,
            sample_time: Duration::from_millis(3),
            streams: 1000,
            large_event: 16 << 20,
            resamples: 4000,
            is_full: true,
        };
        match (is_measuring(), TARGET) {
            (false, _) => Self { input_bytes: 300 << 10, streams: 10, large_event: 64 << 10, ..full },
            (true, "quick") => Self {
                input_bytes: 2 << 20,
                rounds: 10,
                cold_rounds: 200,
                sample_time: Duration::from_millis(2),
                resamples: 1001,
                is_full: false,
                ..full
            },
            (true, _) => full,
        }
    }
}

/// Parts of a group's name that were given on the command line; none chooses all.
pub(crate) fn is_chosen(id: &str) -> bool {
    let mut arguments = std::env::args().skip(1);
    let mut filters = Vec::new();
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--save-baseline"
            | "--baseline"
            | "--baseline-lenient"
            | "--sample-size"
            | "--warm-up-time"
            | "--measurement-time"
            | "--nresamples"
            | "--noise-threshold"
            | "--confidence-level"
            | "--significance-level"
            | "--color"
            | "--colour"
            | "--output-format"
            | "--plotting-backend" => {
                arguments.next();
            }
            flag if flag.starts_with('-') => {}
            filter => filters.push(filter.to_owned()),
        }
    }
    filters.is_empty() || filters.iter().any(|filter| id.contains(filter.as_str()))
}

/// One line a package: name, version, features.
pub(crate) fn packages() -> String {
    let mut text = String::new();
    for name in PACKAGES {
        let version = version(name).unwrap_or_else(|| panic!("{name} is in no table of Cargo.lock"));
        writeln!(text, "{name} {version}  {}", features(name)).expect("writing to a string cannot fail");
    }
    text
}

/// How all of them were built.
pub(crate) fn build() -> String {
    let simd = ["sse2", "sse4.2", "avx2", "avx512f"];
    let compiled_in = [
        cfg!(target_feature = "sse2"),
        cfg!(target_feature = "sse4.2"),
        cfg!(target_feature = "avx2"),
        cfg!(target_feature = "avx512f"),
    ];
    let compiled_in: Vec<&str> = simd.iter().zip(compiled_in).filter(|(_, on)| *on).map(|(name, _)| *name).collect();
    format!(
        "profile bench (opt-level 3, lto fat, codegen-units 1), mimalloc for all, {}, compiled for {}",
        std::env::consts::ARCH,
        if compiled_in.is_empty() { "its baseline".to_owned() } else { compiled_in.join(" ") },
    )
}

fn version(name: &str) -> Option<&'static str> {
    let mut versions = BTreeSet::new();
    let mut lines = LOCK.lines();
    while let Some(line) = lines.next() {
        if line == format!("name = \"{name}\"") {
            versions.extend(lines.next()?.strip_prefix("version = \"")?.strip_suffix('"'));
        }
    }
    versions.pop_last()
}

fn features(name: &str) -> &'static str {
    let line = MANIFEST.lines().find(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(" = {")));
    let Some(line) = line else { return "default features" };
    let list = line.split_once("features = [").and_then(|(_, rest)| rest.split_once(']')).map(|(list, _)| list);
    match list {
        Some(list) => list,
        None if line.contains("default-features = false") => "no features",
        None => "default features",
    }
}

const LOCK: &str = include_str!("../../Cargo.lock");
const MANIFEST: &str = include_str!("../Cargo.toml");
const PACKAGES: [&str; 11] = [
    "eventsource-stream",
    "sse-stream",
    "sseer",
    "sse-core",
    "serde_json",
    "simd-json",
    "sonic-rs",
    "jiter",
    "async-openai",
    "memchr",
    "mimalloc",
];
