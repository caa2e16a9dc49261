//! A group of stacks that read the same bytes, measured in turn: a pass of each, then the next round.
//!
//! What disturbs the machine so disturbs all of them alike. Criterion would measure one after the other; it gets the
//! samples afterwards, for its statistics and its drawings.

use std::time::{Duration, Instant};

use criterion::{Criterion, SamplingMode, Throughput};

use crate::rivals::allocator::allocations;
use crate::rivals::work::Work;

/// Stacks over one input.
pub(crate) struct Group {
    /// The block of the table that it belongs to.
    pub(crate) section: String,
    /// Its column there.
    pub(crate) column: String,
    /// What must be said of its input; mostly empty.
    pub(crate) note: String,
    /// Events of one pass.
    pub(crate) events: u64,
    /// Bytes of one pass.
    pub(crate) bytes: u64,
    /// The stacks.
    pub(crate) rows: Vec<Row>,
    /// How often each is measured.
    pub(crate) rounds: usize,
    /// What a sample takes at least, for which passes are repeated.
    pub(crate) sample_time: Duration,
    /// Whether a sample is one event after the caches were filled with something else.
    pub(crate) is_cold: bool,
}

/// One stack.
pub(crate) struct Row {
    /// Its name in the table.
    pub(crate) name: String,
    /// Nanoseconds of one pass, a value a round.
    pub(crate) samples: Vec<f64>,
    /// Allocations of one pass.
    pub(crate) allocations: Option<u64>,
    work: Box<dyn Work>,
    times: u32,
}

impl Group {
    /// Without stacks, and measuring nothing.
    pub(crate) const fn empty() -> Self {
        Self {
            section: String::new(),
            column: String::new(),
            note: String::new(),
            events: 0,
            bytes: 0,
            rows: Vec::new(),
            rounds: 0,
            sample_time: Duration::ZERO,
            is_cold: false,
        }
    }

    /// What criterion and a filter on the command line call it.
    pub(crate) fn id(&self) -> String {
        format!("{}/{}", self.section, self.column)
    }

    /// Adds a stack.
    pub(crate) fn push(&mut self, name: &str, work: Box<dyn Work>) {
        self.rows.push(Row { name: name.to_owned(), samples: Vec::new(), allocations: None, work, times: 1 });
    }

    /// Checks each stack, then measures them in turn.
    pub(crate) fn measure(&mut self) {
        for row in &mut self.rows {
            row.work.check();
            // Buffers are grown and caches are warm now: what a pass asks for from here on it asks for every time.
            if !self.is_cold {
                row.allocations = Some(allocations(|| row.work.pass()));
            }
            let start = Instant::now();
            row.work.pass();
            let pass = start.elapsed().max(Duration::from_nanos(1));
            row.times = self.sample_time.div_duration_f64(pass).ceil().max(1.0) as u32;
        }
        let rows = self.rows.len();
        for round in 0..self.rounds {
            // Everyone is sometimes the one after the slowest.
            for at in 0..rows {
                let row = &mut self.rows[(at + round) % rows];
                row.samples.push(row.work.sample(row.times));
            }
        }
    }

    /// Gives criterion the samples; in a test run, checks the answers instead.
    pub(crate) fn report(&mut self, criterion: &mut Criterion) {
        let (events, bytes) = (self.events, self.bytes);
        let mut group = criterion.benchmark_group(self.id());
        group.throughput(Throughput::ElementsAndBytes { elements: events, bytes });
        group.sampling_mode(SamplingMode::Flat).warm_up_time(Duration::from_nanos(1));
        group.sample_size(self.rounds.clamp(10, 100));
        for row in &mut self.rows {
            let total: f64 = row.samples.iter().sum();
            group.measurement_time(Duration::from_nanos(total.max(1.0) as u64));
            let mut samples = row.samples.iter().copied().cycle();
            group.bench_function(&row.name, |bencher| {
                bencher.iter_custom(|times| match samples.next() {
                    Some(sample) => Duration::from_nanos((sample * times as f64) as u64),
                    None => {
                        row.work.check();
                        Duration::from_nanos(1)
                    }
                });
            });
        }
        group.finish();
    }
}

impl Row {
    /// The fastest pass, as an average over one sample.
    pub(crate) fn best(&self) -> f64 {
        self.samples.iter().copied().fold(f64::INFINITY, f64::min)
    }

    /// The pass in the middle.
    pub(crate) fn median(&self) -> f64 {
        let mut sorted = self.samples.clone();
        sorted.sort_by(f64::total_cmp);
        sorted.get(sorted.len() / 2).copied().unwrap_or(f64::INFINITY)
    }
}
