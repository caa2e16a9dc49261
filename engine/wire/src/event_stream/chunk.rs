//! An event `chunk`, `{"bytes":"…"}`, in which Bedrock wraps the events of a model's own dialect as base64.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::json::{self, NESTING_MAX, Names};
use crate::utf8;

static CHUNK: Names<1> = Names::new(["bytes"]);

/// Appends the event that is in `payload` to `out`, as valid UTF-8. Whether there is one; if not, nothing is appended.
pub(super) fn unwrap(payload: &[u8], out: &mut Vec<u8>) -> bool {
    let Ok(Some([bytes])) = json::object(payload, &CHUNK, NESTING_MAX) else { return false };
    let Some(text) = bytes.non_empty_text() else { return false };
    let start = out.len();
    let decoded = if text.is_escaped() {
        let mut encoded = Vec::new();
        text.push_to(&mut encoded);
        STANDARD.decode_vec(encoded, out)
    } else {
        STANDARD.decode_vec(text.raw(), out)
    };
    if decoded.is_err() {
        out.truncate(start);
        return false;
    }
    if !utf8::is_valid(&out[start..]) {
        let invalid = out.split_off(start);
        utf8::push_replaced(out, &invalid);
    }
    true
}
