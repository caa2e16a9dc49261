//! A session as Markdown that people read and that can be taken back: what is not text stands in comments.
//!
//! A comment `<!-- thalweg:KIND {…} -->` on a line of its own begins a part. `session` and `message` and `note` are followed by
//! headings for people; `block` by the text of a part of the message, up to the next comment. A line of such a text that looks
//! like a comment of ours has a backslash put before it. Markdown of other programs, with a heading a speaker, can be imported, too.

use serde_json::{Map, Value, json};
use thalweg_agent::message::Message;

use crate::error::Error;
use crate::lines::Imported;
use crate::record::{SessionId, Stored};
use crate::store::Store;

impl Store {
    /// The session as Markdown, with all its branches in the order in which they were stored.
    ///
    /// # Errors
    /// When there is no such session.
    pub fn export_markdown(&self, session: &SessionId) -> Result<String, Error> {
        let (about, created_us) = self.about(session)?;
        let title = about.title.clone().unwrap_or_else(|| format!("Session {session}"));
        let mut text = String::new();
        let head = self.head(session)?;
        let about = json!({"id": session.as_str(), "created_us": created_us, "head": head, "about": about});
        mark(&mut text, "session", &about);
        text.push_str(&format!("# {}\n\n", title.replace('\n', " ")));
        for stored in self.all(session)? {
            write_message(&mut text, &stored);
        }
        Ok(text)
    }

    /// Stores a session of Markdown, as exported here or with a heading for each speaker (`# user`, `## Assistant`).
    ///
    /// # Errors
    /// When it is of neither form, or the session cannot be written.
    pub fn import_markdown(&mut self, text: &str) -> Result<SessionId, Error> {
        let session =
            if text.lines().any(|line| parse_mark(line).is_some()) { read(text)? } else { read_headings(text)? };
        session.store(self)
    }
}

fn mark(out: &mut String, kind: &str, data: &Value) {
    // Within JSON a `>` stands in strings only; as an escape it cannot end the comment.
    let data = data.to_string().replace('>', "\\u003e");
    out.push_str(&format!("{MARK}{kind} {data} -->\n"));
}

fn write_message(out: &mut String, stored: &Stored) {
    let mut message = serde_json::to_value(&stored.message).unwrap_or_default();
    let content = message.as_object_mut().and_then(|message| message.remove("content"));
    let data = json!({"id": stored.id, "parent": stored.parent, "time_us": stored.time_us, "message": message});
    mark(out, "message", &data);
    let speaker = match stored.message {
        Message::User(_) => "User",
        Message::Assistant(_) => "Assistant",
        Message::Tool(_) => "Tools",
        Message::Custom(_) => "Note",
    };
    out.push_str(&format!("## {speaker}\n\n"));
    for block in content.as_ref().and_then(Value::as_array).into_iter().flatten() {
        let mut block = block.clone();
        let (note, body) = take_body(&mut block);
        if let Some(note) = note {
            mark(out, "note", &json!({}));
            out.push_str(&format!("*{note}*\n\n"));
        }
        mark(out, "block", &block);
        if let Some(body) = body {
            for line in body.split('\n') {
                if line.trim_start_matches('\\').starts_with(MARK) {
                    out.push('\\');
                }
                out.push_str(line);
                out.push('\n');
            }
        }
        out.push('\n');
    }
}

/// Takes out what of a block is read as text, and says what it is where that does not show.
fn take_body(block: &mut Value) -> (Option<String>, Option<String>) {
    let Some(fields) = block.as_object_mut() else { return (None, None) };
    let kind = fields.get("type").and_then(Value::as_str).unwrap_or_default().to_owned();
    let name =
        |fields: &Map<String, Value>, key: &str| fields.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let note = match kind.as_str() {
        "text" => None,
        "tool_call" => Some(format!("calls {}", name(fields, "name"))),
        "tool_result" => Some(format!("answer of {}", name(fields, "tool_name"))),
        other => Some(other.replace('_', " ")),
    };
    let body = fields.get_mut(body_key(&kind)).and_then(|value| match value {
        Value::String(text) => Some(std::mem::take(text)),
        // The answer of a tool, if it is one text.
        Value::Array(parts) if parts.len() == 1 => match parts[0].get_mut("text") {
            Some(Value::String(text)) => Some(std::mem::take(text)),
            _ => None,
        },
        _ => None,
    });
    (note, body)
}

/// Puts it back.
fn put_body(block: &mut Value, body: &str) {
    let kind = block["type"].as_str().unwrap_or_default().to_owned();
    let place = match block.get_mut(body_key(&kind)) {
        Some(Value::Array(parts)) if parts.len() == 1 => parts[0].get_mut("text"),
        place => place,
    };
    // What was taken out has left an empty string behind.
    if let Some(Value::String(text)) = place.filter(|place| place.as_str() == Some("")) {
        body.clone_into(text);
    }
}

fn body_key(kind: &str) -> &'static str {
    match kind {
        "tool_call" => "arguments",
        "tool_result" => "content",
        _ => "text",
    }
}

/// The kind and the data of a comment of ours.
fn parse_mark(line: &str) -> Option<(&str, &str)> {
    line.strip_prefix(MARK)?.trim_end().strip_suffix("-->")?.split_once(' ')
}

/// Reads what [`Store::export_markdown`] has written.
fn read(text: &str) -> Result<Imported, Error> {
    let mut session = Imported::default();
    let mut head = None;
    let mut message: Option<(usize, Value)> = None;
    // Not `lines`, which would drop carriage returns that belong to the text.
    let mut lines = text.strip_suffix('\n').unwrap_or(text).split('\n').enumerate().peekable();
    while let Some((index, line)) = lines.next() {
        let at = |reason: String| Error::Import { line: index + 1, reason };
        let Some((kind, data)) = parse_mark(line) else { continue };
        let data: Value = serde_json::from_str(data).map_err(|error| at(error.to_string()))?;
        match kind {
            "session" => {
                session.name = data["id"].as_str().map(str::to_owned);
                session.created_us = data["created_us"].as_u64().unwrap_or(0);
                session.about = serde_json::from_value(data["about"].clone()).map_err(|error| at(error.to_string()))?;
                head = data.get("head").cloned();
            }
            "message" => {
                finish(&mut session, message.take())?;
                let mut data = data;
                data["message"]["content"] = json!([]);
                message = Some((index, data));
            }
            "block" => {
                let mut body = String::new();
                while let Some((_, line)) = lines.next_if(|(_, line)| parse_mark(line).is_none()) {
                    let is_escaped = line.starts_with('\\') && line.trim_start_matches('\\').starts_with(MARK);
                    body.push_str(if is_escaped { &line[1..] } else { line });
                    body.push('\n');
                }
                let mut block = data;
                // The end of the last line, and the empty line that was put behind it.
                put_body(&mut block, body.strip_suffix("\n\n").unwrap_or(body.trim_end_matches('\n')));
                let (_, message) = message.as_mut().ok_or_else(|| at("a block without a message".to_owned()))?;
                if let Some(content) = message["message"]["content"].as_array_mut() {
                    content.push(block);
                }
            }
            _ => {}
        }
    }
    finish(&mut session, message)?;
    if let Some(head) = head {
        let head = head.as_u64();
        session.check(head).map_err(|reason| Error::Import { line: 1, reason })?;
        session.head = head;
    }
    Ok(session)
}

fn finish(session: &mut Imported, message: Option<(usize, Value)>) -> Result<(), Error> {
    let Some((index, data)) = message else { return Ok(()) };
    let at = |reason: String| Error::Import { line: index + 1, reason };
    let stored: Stored = serde_json::from_value(data).map_err(|error| at(error.to_string()))?;
    session.push(stored).map_err(at)
}

/// Reads a conversation that has only headings: `# user`, `## Assistant / model`, or a name underlined with `===`. A system prompt goes
/// to what the session is about.
fn read_headings(text: &str) -> Result<Imported, Error> {
    let mut session = Imported::default();
    let mut parts: Vec<(Speaker, String)> = Vec::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        let is_underlined = lines.peek().is_some_and(|next| next.len() >= 3 && next.bytes().all(|byte| byte == b'='));
        let title = line.trim_start_matches('#');
        let speaker = if is_underlined || title.len() < line.len() { speaker(title) } else { None };
        match (speaker, parts.last_mut()) {
            (Some(speaker), _) => {
                if is_underlined {
                    lines.next();
                }
                parts.push((speaker, String::new()));
            }
            (None, Some((_, body))) => {
                body.push_str(line);
                body.push('\n');
            }
            (None, None) => {}
        }
    }
    for (speaker, body) in parts {
        let body = body.trim();
        let id = session.messages.len() as u64 + 1;
        let message = match speaker {
            Speaker::System => {
                session.about.system = Some(body.to_owned());
                continue;
            }
            Speaker::User => json!({"role": "user", "content": [{"type": "text", "text": body}]}),
            Speaker::Assistant => json!({"role": "assistant", "content": [{"type": "text", "text": body}],
                "stop_reason": {"mapped": "stop"}}),
        };
        let parent = session.head;
        let stored = json!({"id": id, "parent": parent, "time_us": 0, "message": message});
        finish(&mut session, Some((0, stored)))?;
    }
    if session.messages.is_empty() {
        let reason = "there is no heading `# user` or `# assistant`, and no comment of an export".to_owned();
        return Err(Error::Import { line: 1, reason });
    }
    Ok(session)
}

enum Speaker {
    System,
    User,
    Assistant,
}

fn speaker(title: &str) -> Option<Speaker> {
    // Behind the speaker may stand which model it was.
    let name = title.split('/').next().unwrap_or_default().trim().trim_end_matches(':');
    match name.to_ascii_lowercase().as_str() {
        "system" => Some(Speaker::System),
        "user" | "human" => Some(Speaker::User),
        "assistant" | "model" => Some(Speaker::Assistant),
        _ => None,
    }
}

const MARK: &str = "<!-- thalweg:";
