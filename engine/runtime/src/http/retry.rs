//! When a request is sent again: only while nothing of a reply's body was seen.

use std::hash::{BuildHasher as _, RandomState};
use std::time::{Duration, SystemTime};

use super::body::Response;
use super::client::Client;
use super::error::Error;
use super::request::Request;

/// How often and after which pauses a request is sent again.
#[derive(Clone, Debug)]
pub struct Retry {
    /// Tries after the first one. 3.
    pub retries: u32,
    /// Pause before the first retry; doubled before each later one. 500 ms.
    pub first_delay: Duration,
    /// Longest pause of our own choosing. 8 s.
    pub delay_max: Duration,
    /// Longest pause that a server may ask for. Asked for more, the reply is handed on instead. 60 s.
    pub asked_max: Duration,
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            retries: 3,
            first_delay: Duration::from_millis(500),
            delay_max: Duration::from_secs(8),
            asked_max: Duration::from_secs(60),
        }
    }
}

/// A retry that is about to be made.
#[derive(Clone, Debug)]
pub struct RetryNotice {
    /// Number of the retry, from 1.
    pub number: u32,
    /// Pause before it.
    pub delay: Duration,
    /// Status of the reply, if there was one.
    pub status: Option<u16>,
    /// The error, if there was no reply.
    pub error: Option<Error>,
}

impl Retry {
    /// Sends once only.
    #[must_use]
    pub fn never() -> Self {
        Self { retries: 0, ..Self::default() }
    }

    /// The pause before retry `number` (from 1) after such an outcome, or `None` when it shall not be made.
    #[must_use]
    pub fn delay(&self, number: u32, outcome: &Result<Response, Error>) -> Option<Duration> {
        match outcome {
            Err(error) => self.pause(number, None).filter(|_| error.is_retryable()),
            Ok(response) => {
                if !Self::is_wanted(response) || response.is_success() {
                    return None;
                }
                self.pause(number, asked(response, SystemTime::now()))
            }
        }
    }

    /// Whether the server wants the request again, by its own word or by its status.
    pub(crate) fn is_wanted(response: &Response) -> bool {
        match response.header("x-should-retry") {
            Some("true") => true,
            Some("false") => false,
            _ => matches!(response.status, 408 | 429 | 500..=599),
        }
    }

    /// The pause before retry `number` (from 1) where a server asks for `asked` or for nothing; `None` when it shall not
    /// be made.
    pub(crate) fn pause(&self, number: u32, asked: Option<Duration>) -> Option<Duration> {
        match asked {
            _ if number > self.retries => None,
            Some(asked) if asked > self.asked_max => None,
            Some(asked) => Some(asked),
            None => Some(self.backoff(number, random())),
        }
    }

    /// Doubles from retry to retry; up to a quarter is taken off so that clients do not come back together.
    fn backoff(&self, number: u32, random: f64) -> Duration {
        let factor = 1_u32.checked_shl(number.saturating_sub(1)).unwrap_or(u32::MAX);
        let delay = self.first_delay.saturating_mul(factor).min(self.delay_max);
        delay.mul_f64(random.mul_add(-0.25, 1.0))
    }
}

impl Client {
    /// Sends a request, and sends it again as `retry` says while there is no reply or one that asks for it. The last
    /// reply is handed on whatever its status. `notice` hears of every retry before its pause.
    ///
    /// # Errors
    /// As [`Client::send`] on the last try.
    pub async fn send_with_retries(
        &self,
        request: Request,
        retry: &Retry,
        notice: &mut (dyn FnMut(RetryNotice) + Send),
    ) -> Result<Response, Error> {
        let mut number = 0;
        loop {
            let outcome = self.send(request.clone()).await;
            number += 1;
            let Some(delay) = retry.delay(number, &outcome) else { return outcome };
            let (status, error) = match outcome {
                // Dropped here: its connection is closed while we wait.
                Ok(response) => (Some(response.status), None),
                Err(error) => (None, Some(error)),
            };
            notice(RetryNotice { number, delay, status, error });
            tokio::time::sleep(delay).await;
        }
    }
}

impl Response {
    /// How long its headers ask to wait before the next try.
    pub(crate) fn asked_wait(&self) -> Option<Duration> {
        asked(self, SystemTime::now())
    }
}

/// How long the server asks to wait.
fn asked(response: &Response, now: SystemTime) -> Option<Duration> {
    if let Some(ms) = response.header("retry-after-ms").and_then(|value| value.trim().parse().ok()) {
        return Duration::try_from_secs_f64(f64::max(ms, 0.0) / 1000.0).ok();
    }
    wait_of(response.header("retry-after")?, now)
}

/// Reads Retry-After: seconds, or a date.
fn wait_of(value: &str, now: SystemTime) -> Option<Duration> {
    let value = value.trim();
    if let Ok(seconds) = value.parse::<f64>() {
        return Duration::try_from_secs_f64(seconds).ok();
    }
    let date = httpdate::parse_http_date(value).ok()?;
    Some(date.duration_since(now).unwrap_or_default())
}

/// A number from 0 to 1 that differs from call to call.
fn random() -> f64 {
    // The standard library seeds every hasher anew, which is random enough to spread clients.
    (RandomState::new().hash_one(0) >> 11) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_read_as_seconds_and_as_a_date() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
        assert_eq!(wait_of("7", now), Some(Duration::from_secs(7)));
        assert_eq!(wait_of(" 0.5 ", now), Some(Duration::from_millis(500)));
        assert_eq!(wait_of("Sun, 06 Nov 1994 08:50:07 GMT", now), Some(Duration::from_secs(30)));
        assert_eq!(wait_of("Sun, 06 Nov 1994 08:00:00 GMT", now), Some(Duration::ZERO), "a date gone by");
        for bad in ["soon", "-1", "", "inf", "NaN", "1e400"] {
            assert_eq!(wait_of(bad, now), None, "{bad}");
        }
    }

    #[test]
    fn pauses_double_up_to_their_limit_and_lose_at_most_a_quarter() {
        let retry = Retry::default();
        let ms = |number, random| retry.backoff(number, random).as_millis();
        assert_eq!([ms(1, 0.0), ms(2, 0.0), ms(3, 0.0), ms(9, 0.0), ms(99, 0.0)], [500, 1000, 2000, 8000, 8000]);
        assert_eq!(ms(1, 1.0), 375);
        assert!((0..100).all(|_| (0.0..=1.0).contains(&random())));
    }
}
