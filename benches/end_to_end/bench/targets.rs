//! What the engine must reach, and whether this run shows it.

use std::fmt::Write as _;

use super::clients::{AGENT, FLOOR, THALWEG};
use super::figures::Figures;
use super::start;

/// One line a target.
pub(crate) fn text(figures: &Figures) -> String {
    let mut lines = Lines("targets\n".to_owned());
    for (id, client, factor_max) in FACTORS {
        let name = format!("{id}, {client}: CPU, times that of hyper, at most");
        lines.most(&name, figures.times(id, "cpu_us", client, FLOOR), *factor_max);
    }
    for (id, rival, times_min) in TIMES {
        let name = format!("{id}: CPU of {rival}, times that of thalweg, at least");
        lines.least(&name, figures.times(id, "cpu_us", rival, THALWEG), *times_min);
    }
    let more = |figure: &str, client: &str| {
        Some(figures.best("first", client, figure)? - figures.best("first", FLOOR, figure)?)
    };
    lines.most("first delta, p50 beyond that of hyper, µs at most", more("first_p50_us", THALWEG), 15.0);
    lines.most("first delta, p99 beyond that of hyper, µs at most", more("first_p99_us", THALWEG), 100.0);
    for client in [THALWEG, AGENT] {
        let open = |figure: &str| figures.best("open", client, figure);
        lines.least(
            &format!("10,000 streams, {client}: deltas of the least served, a second"),
            open("least_a_second"),
            0.6,
        );
        lines.most(
            &format!("10,000 streams, {client}: KiB a stream, at most"),
            open("rss_stream").map(|b| b / 1024.0),
            14.0,
        );
        lines.most(
            &format!("10,000 streams, {client}: % of a core, at most"),
            open("core").map(|core| core * 100.0),
            60.0,
        );
        let delay = open("delay_p99_us").map(|micros| micros / 1000.0);
        lines.most(&format!("10,000 streams, {client}: delay of a delta, p99, ms at most"), delay, 20.0);
    }
    for client in [THALWEG, AGENT] {
        let busy = figures.best("busy", client, "rss_stream").map(|bytes| bytes / 1024.0);
        lines.most(&format!("1,000 busy streams, {client}: KiB a stream, at most"), busy, 64.0);
        let one = figures.best("chunks", client, "rate");
        let share = figures.best("busy", client, "rate").zip(one).map(|(all, one)| all / one);
        lines.least(&format!("1,000 busy streams, {client}: share of the rate of one"), share, 0.9);
    }
    lines.most(
        "start of the command line to its first byte, ms at most",
        figures.best(start::ID, THALWEG, "start_ms"),
        10.0,
    );
    let turns = |figure: &str, client: &str| figures.best("turns", client, figure);
    lines.most(
        "agent loop: CPU of a turn, ms at most",
        turns("turn_cpu_us_mean", AGENT).map(|micros| micros / 1000.0),
        0.3,
    );
    // What the bytes themselves cost is what hyper takes for them.
    let own = |figure: &str| Some(turns(figure, AGENT)? - turns(figure, FLOOR)?);
    let growth = own("turn_cpu_us_last").zip(own("turn_cpu_us_20")).map(|(last, early)| last / early);
    lines.most("agent loop: turn 200 to turn 20, without hyper's part, at most", growth, 1.3);
    for (rival, times_min) in [("rig", 8.0), ("tiny-agent-os", 12.0), ("ai-sdk", 12.0)] {
        let times = figures.times("turns", "turn_cpu_us_mean", rival, AGENT);
        lines.least(&format!("agent loop: CPU of {rival}, times that of thalweg, at least"), times, times_min);
    }
    lines.0
}

struct Lines(String);

impl Lines {
    fn most(&mut self, name: &str, value: Option<f64>, max: f64) {
        self.line(name, value, max, |value| value <= max);
    }

    fn least(&mut self, name: &str, value: Option<f64>, min: f64) {
        self.line(name, value, min, |value| value >= min);
    }

    fn line(&mut self, name: &str, value: Option<f64>, target: f64, holds: impl Fn(f64) -> bool) {
        let Some(value) = value else { return };
        let word = if holds(value) { "holds" } else { "misses" };
        writeln!(self.0, "  {name:76}{value:>9.2}{target:>8.2}  {word}").expect("writing to a string cannot fail");
    }
}

/// Case, client, most processor time as a multiple of that of hyper alone.
const FACTORS: &[(&str, &str, f64)] = &[
    ("chunks", THALWEG, 1.15),
    ("chunks", AGENT, 1.25),
    ("batches", THALWEG, 1.6),
    ("tls", THALWEG, 1.15),
    ("paced", THALWEG, 1.1),
    ("paced", AGENT, 1.1),
];

/// Case, rival, how many times our processor time it takes at least.
const TIMES: &[(&str, &str, f64)] = &[
    ("chunks", "reqwest", 3.5),
    ("chunks", "async-openai", 5.0),
    ("chunks", "genai", 11.0),
    ("batches", "hand", 8.0),
    ("batches", "reqwest", 20.0),
    ("batches", "async-openai", 30.0),
];
