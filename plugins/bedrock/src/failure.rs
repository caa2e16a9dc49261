//! Exceptions inside of a stream.

use thalweg_abi::guest::Out;
use thalweg_abi::types::{EVENT_ERROR, FAILURE_MALFORMED, StreamEvent};
use thalweg_wire::json::{self, NESTING_MAX};
use thalweg_wire::provider_error::{self, ProviderError};

/// Whether an event of that name is an error: an exception, or the framing's own `error`.
pub(crate) fn is_exception(name: &[u8]) -> bool {
    name == b"error" || name.ends_with(b"Exception")
}

/// Tells an exception. Its JSON is `{"name":payload}`, since the name says more than the payload.
#[cold]
pub(crate) fn report<'f>(name: &'f [u8], data: &'f [u8], out: &mut Out<'_, 'f>) {
    let payload = json::value(data, NESTING_MAX).unwrap_or_default();
    let error = ProviderError::from_value(payload, status_of(name));
    let json = if payload.is_absent() { b"{}" } else { payload.bytes() };
    let json = [b"{\"", name, b"\":", json, b"}"].concat();
    out.push_copied(error.event(), error.message, &json);
}

/// The HTTP status that the exception has where it comes instead of a stream; 0 where there is none.
fn status_of(name: &[u8]) -> u32 {
    let known = STATUSES.iter().find(|(known, _)| name.eq_ignore_ascii_case(known.as_bytes()));
    known.map_or(0, |(_, status)| *status)
}

const STATUSES: &[(&str, u32)] = &[
    ("throttlingException", 429),
    ("serviceQuotaExceededException", 429),
    ("modelNotReadyException", 503),
    ("serviceUnavailableException", 503),
    ("internalServerException", 500),
    // Both have 424, which would put the blame on the request.
    ("modelErrorException", 500),
    ("modelStreamErrorException", 500),
    ("modelTimeoutException", 408),
    ("accessDeniedException", 403),
    ("expiredTokenException", 403),
    ("unrecognizedClientException", 403),
    ("resourceNotFoundException", 404),
    ("validationException", 400),
];

/// Tells that a payload is no JSON.
#[cold]
pub(crate) fn malformed(error: &json::Error, out: &mut Out<'_, '_>) {
    let event = StreamEvent::new(EVENT_ERROR).with_num(FAILURE_MALFORMED);
    out.push_copied(event, provider_error::not_json(error).as_bytes(), b"");
}
