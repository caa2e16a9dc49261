//! Whether memory comes back: what is counted over many calls.
//!
//! Two things are counted: the bytes that the plugin holds of the engine's `alloc`, to the byte; and, on Linux, the resident
//! memory of the whole process, in pages, which also has what the plugin takes from an allocator of its own. The engine's
//! own memory has been taken by then: the first calls are not counted.

use std::time::{Duration, Instant};

use thalweg_abi::host::Host;

use super::Outcome;

/// Parts that are looked at one by one, and calls of each.
const PARTS: u32 = 10;
const CALLS_A_PART: u32 = 1_000;
/// Calls before, in which all that is kept is made.
const WARM_UP: u32 = 1_000;
/// Resident growth of a part that is no noise: less than the least that an allocator gives for each call.
const BYTES_A_CALL: u64 = 12;
/// A leak grows in every part; a pool that finds its size, or an allocator that tidies up, does not.
const GROWN_PARTS: usize = 8;
/// Time for one row; a slow plugin has fewer calls counted.
const TIME_MAX: Duration = Duration::from_secs(20);

/// Runs `call` many times and says what is missing after it.
pub(super) fn check(host: &Host, mut call: impl FnMut() -> Result<(), String>) -> Outcome {
    let deadline = Instant::now() + TIME_MAX;
    let mut run = |calls: u32| (0..calls).try_for_each(|_| call());
    let mut counts = Vec::new();
    let mut counted = run(WARM_UP);
    counts.push(Count::take(host));
    while counted.is_ok() && counts.len() <= PARTS as usize && Instant::now() < deadline {
        counted = run(CALLS_A_PART);
        counts.push(Count::take(host));
    }
    if let Err(error) = counted {
        return Outcome::Failed(error);
    }
    let parts = counts.len() - 1;
    let calls = parts * CALLS_A_PART as usize;
    let (Some(first), Some(last)) = (counts.first(), counts.last().filter(|_| parts > 0)) else {
        return Outcome::Skipped(format!("{WARM_UP} calls took longer than {} s", TIME_MAX.as_secs()));
    };
    let held = last.held - first.held;
    if held > 0 {
        return Outcome::Failed(format!("{held} bytes of the engine's alloc were not given back after {calls} calls"));
    }
    let text = format!("{calls} calls; of the engine's alloc nothing is held");
    let (Some(start), Some(end)) = (first.resident, last.resident) else {
        return Outcome::Kept(format!("{text}; resident memory is not counted here"));
    };
    let grown = end.cast_signed() - start.cast_signed();
    let text = format!("{text}; resident memory of the process {:+} KiB", grown / 1024);
    let limit = u64::from(CALLS_A_PART) * BYTES_A_CALL;
    let is_grown = |pair: &[Count]| pair[1].resident > pair[0].resident.map(|before| before + limit);
    let grown_parts = counts.windows(2).filter(|pair| is_grown(pair)).count();
    if parts == PARTS as usize && grown_parts >= GROWN_PARTS {
        let growths = counts.windows(2).filter(|pair| is_grown(pair));
        let sum: u64 = growths.filter_map(|pair| Some(pair[1].resident? - pair[0].resident?)).sum();
        let each = sum / (grown_parts as u64 * u64::from(CALLS_A_PART));
        return Outcome::Failed(format!("{text}; it grew in {grown_parts} of {PARTS} parts by {each} bytes a call"));
    }
    Outcome::Kept(text)
}

/// What is held at one time.
struct Count {
    /// Of the engine's `alloc`.
    held: i64,
    /// By the process.
    resident: Option<u64>,
}

impl Count {
    fn take(host: &Host) -> Self {
        Self { held: host.bytes_held(), resident: resident_bytes() }
    }
}

/// Resident memory of the process without what is mapped from files, where the system tells.
fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"))?;
    let kilobytes: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kilobytes * 1024)
}
