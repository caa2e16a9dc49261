//! The headers of a message, of which only the names of events, exceptions and errors are read.

use std::ops::Range;

use crate::utf8;

/// What the headers say.
#[derive(Debug, Default)]
pub(super) struct Headers<'a> {
    bytes: &'a [u8],
    message_type: &'a [u8],
    event_type: Range<usize>,
    exception_type: Range<usize>,
    error_code: &'a [u8],
    error_message: &'a [u8],
}

impl<'a> Headers<'a> {
    /// Reads all headers; `None` when they are malformed.
    pub(super) fn read(bytes: &'a [u8]) -> Option<Self> {
        let mut headers = Self { bytes, ..Self::default() };
        let mut at = 0;
        while at < bytes.len() {
            let name = take(bytes, &mut at, 1)?;
            let name = take(bytes, &mut at, name[0].into())?;
            let kind = take(bytes, &mut at, 1)?[0];
            let length = match kind {
                // True and false.
                0 | 1 => 0,
                // Numbers of one to eight bytes, and a time.
                2 => 1,
                3 => 2,
                4 => 4,
                5 | 8 => 8,
                // Bytes and text.
                6 | 7 => {
                    let length = take(bytes, &mut at, 2)?;
                    usize::from(length[0]) << 8 | usize::from(length[1])
                }
                // A UUID.
                9 => 16,
                _ => return None,
            };
            let start = at;
            let value = take(bytes, &mut at, length)?;
            if kind != TEXT {
                continue;
            }
            match name {
                b":message-type" => headers.message_type = value,
                b":event-type" => headers.event_type = start..at,
                b":exception-type" => headers.exception_type = start..at,
                b":error-code" => headers.error_code = value,
                b":error-message" => headers.error_message = value,
                _ => {}
            }
        }
        Some(headers)
    }

    /// Whether the message is an error that has no payload.
    pub(super) fn is_error(&self) -> bool {
        self.message_type == b"error"
    }

    /// Whether the message is the event `name`.
    pub(super) fn is_event(&self, name: &[u8]) -> bool {
        &self.bytes[self.name()] == name
    }

    /// Where the name of the event or of the exception is among the headers.
    pub(super) fn name(&self) -> Range<usize> {
        if self.event_type.is_empty() { self.exception_type.clone() } else { self.event_type.clone() }
    }

    /// Appends the JSON of an error that has no payload.
    pub(super) fn push_error(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"code\":\"");
        push_escaped(self.error_code, out);
        out.extend_from_slice(b"\",\"message\":\"");
        push_escaped(self.error_message, out);
        out.extend_from_slice(b"\"}");
    }
}

/// The kind of a header whose value is text.
const TEXT: u8 = 7;

/// The next `length` bytes.
fn take<'a>(bytes: &'a [u8], at: &mut usize, length: usize) -> Option<&'a [u8]> {
    let taken = bytes.get(*at..*at + length)?;
    *at += length;
    Some(taken)
}

/// Appends `text` as it stands between the quotes of a JSON string.
fn push_escaped(text: &[u8], out: &mut Vec<u8>) {
    let mut replaced = Vec::new();
    utf8::push_replaced(&mut replaced, text);
    for byte in replaced {
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0x08 => out.extend_from_slice(b"\\b"),
            0x0c => out.extend_from_slice(b"\\f"),
            0..0x20 => out.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
            _ => out.push(byte),
        }
    }
}
