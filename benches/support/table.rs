//! The table at the end of a run: what the report of a bench library scatters over many lines.

use crate::machine;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use std::{fs, io};

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
        if std::env::var_os("THALWEG_RECORD").is_some_and(|value| value == "1") {
            match self.record(&text) {
                Ok(path) => println!("written to {}", path.display()),
                Err(error) => {
                    eprintln!("cannot write to benches/record: {error}");
                    std::process::exit(1);
                }
            }
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

    /// Puts the table into today's file for this machine, in the place of an earlier one of the same target.
    fn record(&self, text: &str) -> io::Result<PathBuf> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("record");
        fs::create_dir_all(&folder)?;
        let path = folder.join(format!("{}-{}.md", machine::date(), machine::slug()));
        let heading = format!("## {}\n", self.target);
        let section = format!(
            "{heading}\n{}\n\n`cargo bench -p thalweg-benches --bench {}`\n\n```text\n{text}```\n",
            machine::describe(),
            self.target
        );
        let mut sections: Vec<String> = fs::read_to_string(&path)
            .unwrap_or_else(|_| format!("# {}\n", machine::date()))
            .split("\n## ")
            .enumerate()
            .map(|(at, part)| if at == 0 { part.to_owned() } else { format!("## {part}") })
            .filter(|part| !part.starts_with(&heading))
            .map(|part| format!("{}\n", part.trim_end()))
            .collect();
        sections.push(section);
        fs::write(&path, sections.join("\n"))?;
        Ok(path)
    }
}

impl Row {
    fn median(&self) -> f64 {
        let mut sorted = self.samples.clone();
        sorted.sort_by(f64::total_cmp);
        sorted[sorted.len() / 2]
    }
}
