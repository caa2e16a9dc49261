//! AWS event streams in the most obvious way: the whole body at once, checksums bit by bit. The twin of the product.

use serde_json::{Value, json};

/// One message: the name of the event or exception, and the payload, which the bare framing leaves as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Name of the event or exception.
    pub event_type: String,
    /// The payload.
    pub data: String,
}

/// All that a body says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Body {
    /// The messages in order, up to the first damage.
    pub messages: Vec<Message>,
    /// Where the message begins that is damaged.
    pub damage: Option<usize>,
    /// Bytes of a last message that is not all there.
    pub pending: usize,
}

/// Reads a whole body. Messages longer than `max` bytes are damage.
#[must_use]
pub fn decode(body: &[u8], max: usize) -> Body {
    let mut out = Body::default();
    let mut at = 0;
    loop {
        let rest = &body[at..];
        if rest.len() < 12 {
            out.pending = rest.len();
            return out;
        }
        let (total, headers) = (u32_at(rest, 0), u32_at(rest, 4));
        if crc(&rest[..8]) as usize != u32_at(rest, 8) || total < 16 || headers > total - 16 || total > max {
            out.damage = Some(at);
            return out;
        }
        if rest.len() < total {
            out.pending = rest.len();
            return out;
        }
        let message = &rest[..total];
        let read = (crc(&message[..total - 4]) as usize == u32_at(message, total - 4))
            .then(|| read_headers(&message[12..12 + headers]))
            .flatten();
        let Some(names) = read else {
            out.damage = Some(at);
            return out;
        };
        let get = |name: &str| names.iter().rev().find(|(key, _)| key == name).map_or("", |(_, value)| value);
        out.messages.push(if get(":message-type") == "error" {
            let data = json!({"code": get(":error-code"), "message": get(":error-message")});
            Message { event_type: "error".into(), data: data.to_string() }
        } else {
            let event = [get(":event-type"), get(":exception-type")].into_iter().find(|name| !name.is_empty());
            let data = String::from_utf8_lossy(&message[12 + headers..total - 4]).into_owned();
            Message { event_type: event.unwrap_or_default().into(), data }
        });
        at += total;
    }
}

/// The message as a stream of Bedrock means it: an event of the model itself, where one is wrapped.
#[must_use]
pub fn unwrapped(message: &Message) -> Message {
    let inner = || {
        if message.event_type != "chunk" {
            return None;
        }
        let payload: Value = serde_json::from_str(&message.data).ok()?;
        from_base64(payload.get("bytes")?.as_str().filter(|text| !text.is_empty())?)
    };
    let Some(inner) = inner() else { return message.clone() };
    Message { event_type: message.event_type.clone(), data: String::from_utf8_lossy(&inner).into_owned() }
}

/// A message with its lengths and checksums, the headers all text.
#[must_use]
pub fn encode(headers: &[(&str, &str)], data: &[u8]) -> Vec<u8> {
    let mut head = Vec::new();
    for (name, value) in headers {
        head.push(name.len() as u8);
        head.extend_from_slice(name.as_bytes());
        head.push(7);
        head.extend_from_slice(&(value.len() as u16).to_be_bytes());
        head.extend_from_slice(value.as_bytes());
    }
    frame(&head, data)
}

/// A message around headers as they stand on the wire.
#[must_use]
pub fn frame(headers: &[u8], data: &[u8]) -> Vec<u8> {
    let total = 16 + headers.len() + data.len();
    let mut message = (total as u32).to_be_bytes().to_vec();
    message.extend_from_slice(&(headers.len() as u32).to_be_bytes());
    message.extend_from_slice(&crc(&message).to_be_bytes());
    message.extend_from_slice(headers);
    message.extend_from_slice(data);
    message.extend_from_slice(&crc(&message).to_be_bytes());
    message
}

/// The event of a stream of Bedrock.
#[must_use]
pub fn event(name: &str, data: &str) -> Vec<u8> {
    let headers = [(":event-type", name), (":content-type", "application/json"), (":message-type", "event")];
    encode(&headers, data.as_bytes())
}

/// The standard alphabet, padded.
#[must_use]
pub fn to_base64(bytes: &[u8]) -> String {
    let mut out = String::new();
    for group in bytes.chunks(3) {
        let bits = group.iter().chain([0, 0].iter()).take(3).fold(0, |bits, byte| bits << 8 | usize::from(*byte));
        for at in 0..4 {
            let letter = ALPHABET[bits >> (18 - 6 * at) & 63] as char;
            out.push(if at <= group.len() { letter } else { '=' });
        }
    }
    out
}

fn from_base64(text: &str) -> Option<Vec<u8>> {
    let padding = text.bytes().rev().take_while(|byte| *byte == b'=').count();
    if !text.len().is_multiple_of(4) || padding > 2 {
        return None;
    }
    let letters = &text.as_bytes()[..text.len() - padding];
    let (mut bits, mut count, mut out) = (0_u32, 0, Vec::new());
    for letter in letters {
        bits = bits << 6 | ALPHABET.iter().position(|known| known == letter)? as u32;
        count += 6;
        if count >= 8 {
            count -= 8;
            out.push((bits >> count) as u8);
            bits &= (1 << count) - 1;
        }
    }
    (bits == 0).then_some(out)
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Names and values of the headers that are text.
fn read_headers(mut bytes: &[u8]) -> Option<Vec<(String, String)>> {
    let mut headers = Vec::new();
    while let [length, rest @ ..] = bytes {
        let (name, rest) = rest.split_at_checked(usize::from(*length))?;
        let (kind, rest) = rest.split_first()?;
        let (skipped, length) = match kind {
            0 | 1 => (0, 0),
            2 => (0, 1),
            3 => (0, 2),
            4 => (0, 4),
            5 | 8 => (0, 8),
            6 | 7 => (2, usize::from(u16::from_be_bytes([*rest.first()?, *rest.get(1)?]))),
            9 => (0, 16),
            _ => return None,
        };
        let (value, rest) = rest[skipped..].split_at_checked(length)?;
        if *kind == 7 {
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            headers.push((text(name), text(value)));
        }
        bytes = rest;
    }
    Some(headers)
}

fn u32_at(bytes: &[u8], at: usize) -> usize {
    u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]) as usize
}

/// CRC-32 as Ethernet and zip have it.
fn crc(bytes: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ 0xEDB8_8320 } else { crc >> 1 };
        }
    }
    !crc
}
