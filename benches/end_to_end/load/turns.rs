//! Processor time turn by turn, of a run that calls a tool in each.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::measure;

static MARKS: Mutex<Vec<(Duration, Instant)>> = Mutex::new(Vec::new());

/// The tool was called: a turn is over.
pub fn mark() {
    MARKS.lock().unwrap_or_else(PoisonError::into_inner).push((measure::processor_time(), Instant::now()));
}

/// Microseconds that each turn took: of the processor, and by the clock.
pub(crate) fn taken() -> Vec<(f64, f64)> {
    let marks = std::mem::take(&mut *MARKS.lock().unwrap_or_else(PoisonError::into_inner));
    let micros = |duration: Duration| duration.as_nanos() as f64 / 1000.0;
    marks.windows(2).map(|pair| (micros(pair[1].0 - pair[0].0), micros(pair[1].1 - pair[0].1))).collect()
}

/// The median of the ten turns that end with turn `turn`.
pub(crate) fn around(turns: &[f64], turn: usize) -> f64 {
    let end = turn.min(turns.len());
    let mut near = turns[end.saturating_sub(10)..end].to_vec();
    near.sort_by(f64::total_cmp);
    near.get(near.len() / 2).copied().unwrap_or_default()
}
