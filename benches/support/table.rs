//! The table at the end of a run: what the report of a bench library scatters over many lines.

use crate::record;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

/// The rows of one bench target.
#[derive(Debug)]
pub struct Table {
    target: &'static str,
    rows: Vec<Row>,
}

#[derive(Debug)]
struct Row {
    name: String,
    events: u64,
    bytes: u64,
    /// Nanoseconds of one pass over the input, one value a sample.
    samples: Vec<f64>,
    /// The fastest pass of all.
    best: f64,
}

impl Table {
    /// An empty table for a bench target.
    #[must_use]
    pub const fn new(target: &'static str) -> Self {
        Self { target, rows: Vec::new() }
    }

    /// Runs `work` so many times, notes the time as a sample of the row, and returns it. `work` reads `events` events
    /// of `bytes` bytes together; 0 bytes where that says nothing.
    pub fn sample(&mut self, name: &str, events: u64, bytes: u64, times: u64, mut work: impl FnMut()) -> Duration {
        let start = Instant::now();
        let (mut pass_start, mut best) = (start, Duration::MAX);
        for _ in 0..times {
            work();
            let now = Instant::now();
            best = best.min(now - pass_start);
            pass_start = now;
        }
        let elapsed = pass_start - start;
        let row = match self.rows.iter().position(|row| row.name == name) {
            Some(row) => &mut self.rows[row],
            None => {
                self.rows.push(Row { name: name.to_owned(), events, bytes, samples: Vec::new(), best: f64::MAX });
                self.rows.last_mut().expect("pushed in the line above")
            }
        };
        row.samples.push(elapsed.as_nanos() as f64 / times as f64);
        row.best = row.best.min(best.as_nanos() as f64);
        elapsed
    }

    /// Prints the table after `cargo bench`, and writes it to `benches/record` if `THALWEG_RECORD` is `1`.
    pub fn finish(&self) {
        if !crate::is_measuring() || self.rows.is_empty() {
            return;
        }
        let text = self.text();
        println!("\n{text}");
        if record::is_wanted() {
            record::write(self.target, &text);
        }
    }

    fn text(&self) -> String {
        let width = self.rows.iter().map(|row| row.name.len()).max().unwrap_or(0).max(4);
        let mut text = format!("{:width$}  {:>9}  {:>9}  {:>8}\n", self.target, "ns/event", "best", "GB/s");
        for row in &self.rows {
            let median = row.median();
            let per_event = |ns: f64| ns / row.events as f64;
            let rate = if row.bytes == 0 { "-".to_owned() } else { format!("{:.2}", row.bytes as f64 / row.best) };
            writeln!(text, "{:width$}  {:>9.2}  {:>9.2}  {rate:>8}", row.name, per_event(median), per_event(row.best))
                .expect("writing to a string cannot fail");
        }
        text
    }
}

impl Row {
    fn median(&self) -> f64 {
        let mut sorted = self.samples.clone();
        sorted.sort_by(f64::total_cmp);
        sorted[sorted.len() / 2]
    }
}
