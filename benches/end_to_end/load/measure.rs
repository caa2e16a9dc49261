//! What a process reads of itself.

use std::fs;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::time::{ClockId, Timespec, clock_gettime};

/// Processor time of this process so far, of all its threads and in the kernel.
#[must_use]
pub fn processor_time() -> Duration {
    duration(clock_gettime(ClockId::ProcessCPUTime))
}

/// Microseconds on a clock that all processes of the machine share.
#[must_use]
pub fn now_us() -> u64 {
    u64::try_from(duration(clock_gettime(ClockId::Monotonic)).as_micros()).unwrap_or(u64::MAX)
}

/// Bytes of memory that this process has in use now.
#[must_use]
pub fn resident_bytes() -> u64 {
    status("VmRSS:")
}

/// The most that [`resident_bytes`] has been.
#[must_use]
pub fn peak_bytes() -> u64 {
    status("VmHWM:")
}

/// Allows as many open files as this process may allow itself.
pub fn raise_open_files() {
    let limit = getrlimit(Resource::Nofile);
    // A refusal shows when the files are opened.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
}

/// The value below which lies that share of `sorted`; 0 if there are none.
#[must_use]
pub fn quantile(sorted: &[u64], share: f64) -> u64 {
    let place = (sorted.len() as f64 * share) as usize;
    sorted.get(place.min(sorted.len().saturating_sub(1))).copied().unwrap_or_default()
}

/// A number that texts of another content do not have (FNV-1a).
#[must_use]
pub fn hash(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

fn duration(time: Timespec) -> Duration {
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or_default())
}

fn status(field: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(field)).unwrap_or_default();
    1024 * line.trim().trim_end_matches(" kB").parse::<u64>().unwrap_or_default()
}
