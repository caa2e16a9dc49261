//! What a provider says when it fails: the forms in which it is said, and the kind of failure that it means.
//!
//! All dialects meet the same few forms, since gateways and servers put their own errors into streams and bodies of any
//! dialect. The kind decides what an engine does about it, so it is read from type, code, status and message together.

use thalweg_abi::failure::Failure;
use thalweg_abi::retry_hint::retry_after_ms;
use thalweg_abi::types::{
    E_REMOTE, EVENT_ERROR, FAILURE_AUTH, FAILURE_CONTENT_FILTER, FAILURE_CONTEXT_OVERFLOW, FAILURE_INVALID_REQUEST,
    FAILURE_OTHER, FAILURE_OVERLOADED, FAILURE_RATE_LIMIT, FAILURE_SERVER, FLAG_TEXT_ESCAPED, StreamEvent,
};

use crate::escape;
use crate::json::{self, NESTING_MAX, Names, Raw};

/// An error as a provider reported it.
#[derive(Clone, Copy, Debug)]
pub struct ProviderError<'a> {
    /// `FAILURE_*`.
    pub kind: i64,
    /// What is said about it, perhaps nothing.
    pub message: &'a [u8],
    /// Whether `message` is still JSON-escaped.
    pub is_escaped: bool,
    /// The error's JSON; empty when it is none.
    pub json: &'a [u8],
}

impl<'a> ProviderError<'a> {
    /// Reads the whole body of an HTTP error: JSON of any of the usual forms, plain text or HTML. `status` may be 0.
    #[must_use]
    pub fn from_body(body: &'a [u8], status: u32) -> Self {
        match json::value(body, NESTING_MAX) {
            Ok(value) => Self::from_value(value, status),
            Err(_) => {
                let message = first_line(body);
                Self { kind: classify(status, &[], message), message, is_escaped: false, json: &[] }
            }
        }
    }

    /// Reads an error out of a payload: a string, an object, or an object or array that holds one.
    #[must_use]
    pub fn from_value(value: Raw<'a>, status: u32) -> Self {
        let value = if value.is_array() { value.items().next().unwrap_or(value) } else { value };
        let outer = Parts::read(value);
        let inner = if outer.error.is_object() { Parts::read(outer.error) } else { Parts::default() };
        let json = if outer.error.is_truthy() { outer.error } else { value };
        let status = [status, inner.status(), outer.status()].into_iter().find(|status| *status != 0).unwrap_or(0);
        let (message, is_escaped) = [inner.message(), outer.message(), unwrapped(value)]
            .into_iter()
            .flatten()
            .find(|(message, _)| !message.is_empty())
            .unwrap_or_default();
        let words = [inner.kind, inner.code, inner.status, outer.kind, outer.code, outer.status];
        Self { kind: classify(status, &words, message), message, is_escaped, json: json.bytes() }
    }

    /// The event that tells it.
    #[must_use]
    pub const fn event(&self) -> StreamEvent<'a> {
        let flags = if self.is_escaped { FLAG_TEXT_ESCAPED } else { 0 };
        StreamEvent::new(EVENT_ERROR).with_num(self.kind).with_text(self.message).with_aux(self.json).with_flags(flags)
    }
}

impl ProviderError<'_> {
    /// The failure of a call that tells it, for what is not streamed. `status` is that of the reply, or 0.
    #[must_use]
    pub fn failure(&self, status: u32) -> Failure {
        let mut message = Vec::new();
        if self.is_escaped {
            escape::unescape(self.message, &mut message);
        } else {
            message.extend_from_slice(self.message);
        }
        let is_passing = matches!(self.kind, FAILURE_RATE_LIMIT | FAILURE_OVERLOADED | FAILURE_SERVER);
        Failure {
            http_status: i32::try_from(status).unwrap_or(0),
            retryable: is_passing || matches!(status, 408 | 429 | 500..=599),
            retry_after_ms: retry_after_ms(&message, self.json),
            ..Failure::new(E_REMOTE, String::from_utf8_lossy(&message).into_owned())
        }
    }
}

/// What to say of an event that is no JSON.
#[must_use]
pub fn not_json(error: &json::Error) -> String {
    format!("an event of the provider is not JSON: it {error}")
}

/// The fields of an error object that are read.
#[derive(Default)]
struct Parts<'a> {
    error: Raw<'a>,
    messages: [Raw<'a>; 3],
    kind: Raw<'a>,
    code: Raw<'a>,
    status: Raw<'a>,
}

static PARTS: Names<7> = Names::new(["message", "type", "code", "error", "detail", "msg", "status"]);

impl<'a> Parts<'a> {
    fn read(value: Raw<'a>) -> Self {
        let [message, kind, code, error, detail, msg, status] = value.fields(&PARTS).unwrap_or_default();
        Self { error, messages: [message, detail, msg], kind, code, status }
    }

    /// The message; one that is no string is given as its JSON.
    fn message(&self) -> Option<(&'a [u8], bool)> {
        let text = if self.error.text().is_some() { Some(self.error) } else { None };
        self.messages.into_iter().chain(text).find(Raw::is_truthy).and_then(unwrapped)
    }

    /// An HTTP status that the error itself names.
    fn status(&self) -> u32 {
        [self.code, self.status]
            .into_iter()
            .filter_map(|value| match value.text() {
                Some(text) => std::str::from_utf8(text.raw()).ok()?.parse().ok(),
                None => value.int().and_then(|status| u32::try_from(status).ok()),
            })
            .find(|status| (400..600).contains(status))
            .unwrap_or(0)
    }
}

/// A value as a message: the content of a string, the JSON of anything else that says something.
fn unwrapped(value: Raw<'_>) -> Option<(&[u8], bool)> {
    match value.text() {
        Some(text) => Some((text.raw(), text.is_escaped())),
        None if value.is_array() => Some((value.bytes(), false)),
        None => None,
    }
}

/// The kind of failure, `FAILURE_*`. The provider's own words count most; they say "rate limit" with many a status.
fn classify(status: u32, words: &[Raw<'_>], message: &[u8]) -> i64 {
    let says = |list: &[&str]| words.iter().filter_map(Raw::text).any(|word| contains_any(word.raw(), list));
    let is_one =
        |list: &[&str]| words.iter().filter_map(Raw::text).any(|word| list.iter().any(|w| word.is(w.as_bytes())));
    if says(RATE_LIMIT_WORDS) || is_one(&["tokens", "requests"]) {
        FAILURE_RATE_LIMIT
    } else if says(OVERLOADED_WORDS) {
        FAILURE_OVERLOADED
    } else if says(CONTENT_FILTER_WORDS) {
        FAILURE_CONTENT_FILTER
    } else if says(CONTEXT_WORDS)
        || (status != 429 && contains_any(message, CONTEXT_PHRASES) && !contains_any(message, RATE_PHRASES))
        || (status == 413 && message.is_empty())
    {
        FAILURE_CONTEXT_OVERFLOW
    } else if says(AUTH_WORDS) {
        FAILURE_AUTH
    } else if says(SERVER_WORDS) {
        FAILURE_SERVER
    } else if says(INVALID_WORDS) {
        FAILURE_INVALID_REQUEST
    } else {
        of_status(status).unwrap_or_else(|| of_message(message))
    }
}

const fn of_status(status: u32) -> Option<i64> {
    Some(match status {
        429 => FAILURE_RATE_LIMIT,
        503 | 529 => FAILURE_OVERLOADED,
        401..=403 => FAILURE_AUTH,
        408 | 500..=599 => FAILURE_SERVER,
        400..=499 => FAILURE_INVALID_REQUEST,
        _ => return None,
    })
}

fn of_message(message: &[u8]) -> i64 {
    if contains_any(message, &["rate limit", "too many requests", "quota"]) {
        FAILURE_RATE_LIMIT
    } else if contains_any(message, &["overloaded", "high demand", "at capacity", "unavailable", "server busy"]) {
        FAILURE_OVERLOADED
    } else if contains_any(message, &["api key", "unauthorized", "authentication", "permission"]) {
        FAILURE_AUTH
    } else if contains_any(message, &["content filter", "content policy", "content management policy"]) {
        FAILURE_CONTENT_FILTER
    } else if contains_any(message, &["internal server error", "bad gateway", "timeout", "timed out"]) {
        FAILURE_SERVER
    } else {
        FAILURE_OTHER
    }
}

// Parts of types and codes, as OpenAI, Anthropic, Azure, Google and the servers that follow them write them.
const RATE_LIMIT_WORDS: &[&str] = &["rate_limit", "ratelimit", "quota", "too_many_requests", "resource_exhausted"];
const OVERLOADED_WORDS: &[&str] = &["overloaded", "unavailable", "capacity"];
const CONTENT_FILTER_WORDS: &[&str] = &["content_filter", "content_policy", "responsibleai", "moderation", "safety"];
const CONTEXT_WORDS: &[&str] =
    &["context_length", "context_size", "context_window", "max_prompt_tokens", "string_above_max", "request_too_large"];
const AUTH_WORDS: &[&str] = &[
    "authentication",
    "permission",
    "api_key",
    "apikey",
    "unauthorized",
    "unauthenticated",
    "forbidden",
    "access",
    "billing",
];
const SERVER_WORDS: &[&str] = &["server_error", "servererror", "api_error", "internal", "timeout"];
const INVALID_WORDS: &[&str] = &[
    "invalid",
    "not_found",
    "notfound",
    "too_large",
    "unsupported",
    "bad_request",
    "badrequest",
    "missing",
    "unprocessable",
];

// How the providers and local servers say that a prompt is too long; mostly with nothing but "invalid request" as a type.
const CONTEXT_PHRASES: &[&str] = &[
    "context length",
    "context window",
    "context size",
    "prompt is too long",
    "prompt too long",
    "input is too long",
    "input length",
    "maximum prompt length",
    "maximum allowed number of input tokens",
    "maximum number of tokens",
    "reduce the length of the messages",
    "prompt token count",
    "input token count",
    "exceeded model token limit",
    "token limit exceeded",
    "too many tokens",
    "exceed context limit",
    "context_length_exceeded",
    "context_window_exceeded",
    "request_too_large",
];

// A limit on tokens a minute, said in nearly the same words.
const RATE_PHRASES: &[&str] = &["too many tokens, please wait", "tokens per min", "per day"];

fn contains_any(haystack: &[u8], needles: &[&str]) -> bool {
    needles
        .iter()
        .any(|needle| haystack.windows(needle.len()).any(|window| window.eq_ignore_ascii_case(needle.as_bytes())))
}

/// The line of a text that tells most: the title of an HTML page, else the first that is not empty.
fn first_line(body: &[u8]) -> &[u8] {
    let body = body.trim_ascii();
    if body.first() == Some(&b'<')
        && let Some(start) = find_ignoring_case(body, b"<title>")
        && let rest = &body[start + b"<title>".len()..]
        && let Some(end) = memchr::memchr(b'<', rest)
        && let title = rest[..end].trim_ascii()
        && !title.is_empty()
    {
        return title;
    }
    let end = memchr::memchr2(b'\n', b'\r', body).unwrap_or(body.len());
    body[..end].trim_ascii()
}

fn find_ignoring_case(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window.eq_ignore_ascii_case(needle))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Status, body, kind, message, JSON.
    const CASES: &[(u32, &str, i64, &str, &str)] = &[
        (
            429,
            r#"{"error":{"message":"Rate limit reached","type":"tokens","param":null,"code":"rate_limit_exceeded"}}"#,
            FAILURE_RATE_LIMIT,
            "Rate limit reached",
            r#"{"message":"Rate limit reached","type":"tokens","param":null,"code":"rate_limit_exceeded"}"#,
        ),
        (
            400,
            r#"{"error":{"message":"This model's maximum context length is 8192 tokens.","type":"invalid_request_error","code":"context_length_exceeded"}}"#,
            FAILURE_CONTEXT_OVERFLOW,
            "This model's maximum context length is 8192 tokens.",
            r#"{"message":"This model's maximum context length is 8192 tokens.","type":"invalid_request_error","code":"context_length_exceeded"}"#,
        ),
        (
            401,
            r#"{"error":{"message":"Incorrect API key provided","type":"invalid_request_error","code":"invalid_api_key"}}"#,
            FAILURE_AUTH,
            "Incorrect API key provided",
            r#"{"message":"Incorrect API key provided","type":"invalid_request_error","code":"invalid_api_key"}"#,
        ),
        (
            529,
            r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"},"request_id":"r"}"#,
            FAILURE_OVERLOADED,
            "Overloaded",
            r#"{"type":"overloaded_error","message":"Overloaded"}"#,
        ),
        (
            400,
            r#"{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 210000 tokens > 200000 maximum"}}"#,
            FAILURE_CONTEXT_OVERFLOW,
            "prompt is too long: 210000 tokens > 200000 maximum",
            r#"{"type":"invalid_request_error","message":"prompt is too long: 210000 tokens > 200000 maximum"}"#,
        ),
        (
            0,
            r#"{"error":"model \"x\" not found"}"#,
            FAILURE_OTHER,
            r#"model \"x\" not found"#,
            r#""model \"x\" not found""#,
        ),
        (404, r#"{"detail":"Not Found"}"#, FAILURE_INVALID_REQUEST, "Not Found", r#"{"detail":"Not Found"}"#),
        (
            422,
            r#"{"detail":[{"loc":["body"],"msg":"bad"}]}"#,
            FAILURE_INVALID_REQUEST,
            r#"[{"loc":["body"],"msg":"bad"}]"#,
            r#"{"detail":[{"loc":["body"],"msg":"bad"}]}"#,
        ),
        (500, r#"{"message":"boom"}"#, FAILURE_SERVER, "boom", r#"{"message":"boom"}"#),
        (
            0,
            r#"{"error":{"message":"Provider returned error","code":429,"metadata":{"raw":"x"}}}"#,
            FAILURE_RATE_LIMIT,
            "Provider returned error",
            r#"{"message":"Provider returned error","code":429,"metadata":{"raw":"x"}}"#,
        ),
        (
            0,
            r#"[{"error":{"code":503,"message":"The model is overloaded.","status":"UNAVAILABLE"}}]"#,
            FAILURE_OVERLOADED,
            "The model is overloaded.",
            r#"{"code":503,"message":"The model is overloaded.","status":"UNAVAILABLE"}"#,
        ),
        (
            400,
            r#"{"error":{"message":"filtered","code":"content_filter","innererror":{"code":"ResponsibleAIPolicyViolation"}}}"#,
            FAILURE_CONTENT_FILTER,
            "filtered",
            r#"{"message":"filtered","code":"content_filter","innererror":{"code":"ResponsibleAIPolicyViolation"}}"#,
        ),
        (0, "", FAILURE_OTHER, "", ""),
        (0, "{}", FAILURE_OTHER, "", "{}"),
        (0, "null", FAILURE_OTHER, "", "null"),
        (400, r#""just text""#, FAILURE_INVALID_REQUEST, "just text", r#""just text""#),
        (0, "\n  Too Many Requests \r\nslow down", FAILURE_RATE_LIMIT, "Too Many Requests", ""),
        (
            502,
            "<html>\n<head><TITLE>502 Bad Gateway</TITLE></head>\n<body></body></html>",
            FAILURE_SERVER,
            "502 Bad Gateway",
            "",
        ),
        (403, "<!DOCTYPE html>\n<p>no", FAILURE_AUTH, "<!DOCTYPE html>", ""),
        (500, r#"{"error":{"message":"cut"#, FAILURE_SERVER, r#"{"error":{"message":"cut"#, ""),
    ];

    #[test]
    fn errors_of_every_form_give_kind_message_and_json() {
        for &(status, body, kind, message, json) in CASES {
            let error = ProviderError::from_body(body.as_bytes(), status);
            assert_eq!(error.kind, kind, "{body}");
            assert_eq!(String::from_utf8_lossy(error.message), message, "{body}");
            assert_eq!(String::from_utf8_lossy(error.json), json, "{body}");
            assert_eq!(error.event().has(FLAG_TEXT_ESCAPED), message.contains('\\'), "{body}");
        }
    }
}
