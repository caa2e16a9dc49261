//! How long a provider asks to wait, as it says in the words or the JSON of an error, where no header says it.

/// Milliseconds to wait before the next try. `message` is what an error says, `json` the error itself; either may be empty.
///
/// Read are `retryDelay` (Google), `retry_after`, `retry_after_ms` and their like in the JSON, and "try again in 6.2s" or
/// "retry after 10 seconds" in the message.
///
/// ```
/// use thalweg_abi::retry_hint::retry_after_ms;
///
/// assert_eq!(retry_after_ms(b"Rate limit reached. Please try again in 6.2s.", b""), Some(6200));
/// assert_eq!(retry_after_ms(b"", br#"{"details":[{"retryDelay":"26s"}]}"#), Some(26_000));
/// ```
#[must_use]
pub fn retry_after_ms(message: &[u8], json: &[u8]) -> Option<u64> {
    of_json(json).or_else(|| of_message(message))
}

/// Keys, and the milliseconds of a number without a unit.
const KEYS: &[(&str, f64)] = &[
    ("\"retryDelay\"", 1000.0),
    ("\"retry_after_ms\"", 1.0),
    ("\"retry-after-ms\"", 1.0),
    ("\"retryAfterMs\"", 1.0),
    ("\"retry_after\"", 1000.0),
    ("\"retry-after\"", 1000.0),
    ("\"retryAfter\"", 1000.0),
    ("\"retry_after_seconds\"", 1000.0),
];

const PHRASES: &[&str] = &["try again in ", "retry in ", "try again after ", "retry after ", "wait for ", "wait "];

/// No wait longer than this is believed: 30 days.
const MS_MAX: f64 = 30.0 * 86_400_000.0;

fn of_json(json: &[u8]) -> Option<u64> {
    KEYS.iter().find_map(|(key, unit_ms)| {
        let rest = json.get(find(json, key.as_bytes())? + key.len()..)?.trim_ascii_start();
        let rest = rest.strip_prefix(b":")?.trim_ascii_start();
        duration(rest.strip_prefix(b"\"").unwrap_or(rest), Some(*unit_ms))
    })
}

fn of_message(message: &[u8]) -> Option<u64> {
    PHRASES.iter().find_map(|phrase| duration(message.get(find(message, phrase.as_bytes())? + phrase.len()..)?, None))
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window.eq_ignore_ascii_case(needle))
}

/// The duration at the start of `text`: numbers with their units, such as `1m30.5s`. A number without a unit counts as
/// `unit_ms` each, if that is known.
fn duration(mut text: &[u8], unit_ms: Option<f64>) -> Option<u64> {
    let mut total = None;
    loop {
        let digits = text.iter().take_while(|byte| byte.is_ascii_digit() || **byte == b'.').count();
        // The full stop of a sentence is no part of a number.
        let number: f64 = core::str::from_utf8(&text[..digits]).ok()?.trim_end_matches('.').parse().unwrap_or(f64::NAN);
        let rest = text[digits..].trim_ascii_start();
        let letters = rest.iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
        let unit = match rest[..letters].to_ascii_lowercase().as_slice() {
            b"ms" | b"millisecond" | b"milliseconds" => Some(1.0),
            b"s" | b"sec" | b"secs" | b"second" | b"seconds" => Some(1000.0),
            b"m" | b"min" | b"mins" | b"minute" | b"minutes" => Some(60_000.0),
            b"h" | b"hr" | b"hour" | b"hours" => Some(3_600_000.0),
            b"d" | b"day" | b"days" => Some(86_400_000.0),
            _ => None,
        };
        let Some(ms) = unit.or(if total.is_none() { unit_ms } else { None }).map(|unit| number * unit) else { break };
        if !ms.is_finite() {
            break;
        }
        total = Some(total.unwrap_or(0.0) + ms);
        if unit.is_none() {
            break;
        }
        text = rest[letters..].trim_ascii_start();
    }
    total.filter(|ms| *ms <= MS_MAX).map(|ms: f64| ms.ceil() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_are_read_from_words_and_json() {
        for (message, json, expected) in [
            ("Rate limit reached for gpt. Please try again in 6.2s. Visit x.", "", Some(6200)),
            ("Please try again in 20ms.", "", Some(20)),
            ("Please try again in 1m30.5s", "", Some(90_500)),
            ("Try Again In 2 minutes and", "", Some(120_000)),
            ("Please retry after 10 seconds.", "", Some(10_000)),
            ("Please retry in 26.318s.", "", Some(26_318)),
            ("wait 5 sec", "", Some(5000)),
            ("", r#"{"details":[{"@type":"RetryInfo","retryDelay":"26s"}]}"#, Some(26_000)),
            ("", r#"{"retry_after" : 1.5}"#, Some(1500)),
            ("", r#"{"retry_after_ms":250}"#, Some(250)),
            ("", r#"{"metadata":{"headers":{"Retry-After":"7"}}}"#, Some(7000)),
            ("try again in 1s", r#"{"retryDelay":"2s"}"#, Some(2000)),
            ("", "", None),
            ("try again later", "", None),
            ("try again in a while", "", None),
            ("try again in 5", "", None),
            ("try again in 99999 days", "", None),
            ("try again in 1.2.3s", "", None),
            ("", r#"{"retry_after":null}"#, None),
            ("", r#"{"retryDelay"}"#, None),
        ] {
            assert_eq!(retry_after_ms(message.as_bytes(), json.as_bytes()), expected, "{message} {json}");
        }
    }
}
