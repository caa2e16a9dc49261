//! CPU time of the calling thread, with the clock's own cost taken off.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// Adds up CPU time between `start` and `stop`.
#[derive(Clone, Debug)]
pub(crate) struct CpuClock {
    overhead: Duration,
    started: Duration,
    total: Duration,
}

impl CpuClock {
    /// A clock at zero; finds out what reading it costs.
    pub(crate) fn new() -> Self {
        let overhead =
            (0..32).map(|_| now()).collect::<Vec<_>>().windows(2).map(|pair| pair[1].saturating_sub(pair[0])).min();
        Self { overhead: overhead.unwrap_or_default(), started: Duration::ZERO, total: Duration::ZERO }
    }

    pub(crate) fn start(&mut self) {
        self.started = now();
    }

    pub(crate) fn stop(&mut self) {
        self.total += now().saturating_sub(self.started).saturating_sub(self.overhead);
    }

    pub(crate) const fn total(&self) -> Duration {
        self.total
    }
}

fn now() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec as u32)
}

#[cfg(test)]
mod tests {
    use super::CpuClock;
    use std::time::Duration;

    #[test]
    fn work_costs_more_than_nothing_and_sleep_costs_nearly_nothing() {
        let mut idle = CpuClock::new();
        idle.start();
        std::thread::sleep(Duration::from_millis(20));
        idle.stop();
        let mut busy = CpuClock::new();
        busy.start();
        let mut sum = 0_u64;
        for index in 0..2_000_000_u64 {
            sum = std::hint::black_box(sum ^ index.wrapping_mul(0x9E37_79B9));
        }
        busy.stop();
        assert!(idle.total() < Duration::from_millis(10), "{:?}", idle.total());
        assert!(busy.total() > Duration::from_micros(100), "{:?} {sum}", busy.total());
    }
}
