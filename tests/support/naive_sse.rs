//! Server-sent events in the most obvious way: the whole body at once, as the standard says it. The twin of the product.

/// One dispatched event; an empty type stands for `message`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Name of the event.
    pub event_type: String,
    /// Lines of data, joined.
    pub data: String,
    /// The last id in force.
    pub last_event_id: String,
    /// The last `retry` in force.
    pub retry: Option<u64>,
}

/// All that a body says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Body {
    /// The events in order.
    pub events: Vec<Event>,
    /// The id in force at the end.
    pub last_event_id: String,
    /// The `retry` in force at the end.
    pub retry: Option<u64>,
    /// Number of comment lines.
    pub comments: u64,
}

/// Reads a whole body.
#[must_use]
pub fn decode(body: &[u8]) -> Body {
    read(body, |_| false)
}

/// Reads a whole body; lines that are no fields but together something that `is_data` are an event too.
#[must_use]
pub fn read(body: &[u8], is_data: impl Fn(&str) -> bool) -> Body {
    let text = String::from_utf8_lossy(body);
    let mut rest = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let (mut out, mut kind, mut data, mut id) = (Body::default(), String::new(), None::<String>, String::new());
    // The lines since the last event as they stand in the body.
    let mut lines = String::new();
    while let Some(end) = rest.find(['\n', '\r']) {
        let next = if rest[end..].starts_with("\r\n") { end + 2 } else { end + 1 };
        let (line, whole) = (&rest[..end], &rest[..next]);
        rest = &rest[next..];
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        if !(lines.is_empty() && line.starts_with(':')) {
            lines += whole;
        }
        match name {
            "" if line.starts_with(':') => out.comments += 1,
            "" => {
                out.last_event_id.clone_from(&id);
                let event_type = std::mem::take(&mut kind);
                let (last_event_id, retry) = (id.clone(), out.retry);
                let lines = std::mem::take(&mut lines);
                let bare = Some(lines.trim_ascii_end().to_owned()).filter(|lines| is_data(lines));
                let data = data.take().or(bare);
                out.events.extend(data.map(|data| Event { event_type, data, last_event_id, retry }));
            }
            "data" => data = Some(data.map_or_else(|| value.into(), |data| data + "\n" + value)),
            "event" => kind = value.into(),
            "id" if !value.contains('\0') => id = value.into(),
            "retry" if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) => {
                out.retry = Some(value.parse().unwrap_or(u64::MAX));
            }
            _ => {}
        }
    }
    out
}
