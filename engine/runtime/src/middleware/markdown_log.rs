//! A log for people: a Markdown file for each request, with the whole prompt and the reply.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::Value;
use thalweg_agent::message::{AssistantMessage, ContentBlock, Message, UserContent};

use super::{Middleware, Observe, Record};
use crate::responder::{Ask, Asking, Responder};

/// Writes a Markdown file into a folder for each request: what was asked, in full, what came back, and how it went. Outermost it
/// logs what the agent asks for; innermost, each try.
///
/// Keys are not part of what it sees, and no header is. What is said in the conversation is in the files as it was said; on Unix only their
/// owner may read them.
///
/// ```
/// use thalweg::middleware::MarkdownLog;
///
/// let agent = thalweg::Agent::builder().model("openai/gpt-5-mini").middleware(MarkdownLog::new("llm_logs"));
/// # drop(agent);
/// ```
#[derive(Clone, Debug)]
pub struct MarkdownLog {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    folder: PathBuf,
    /// Makes the names of files that are begun at the same moment differ.
    number: AtomicU32,
}

impl MarkdownLog {
    /// Files go into `folder`, which is made when the first one is written.
    #[must_use]
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { shared: Arc::new(Shared { folder: folder.into(), number: AtomicU32::new(0) }) }
    }
}

impl Middleware for MarkdownLog {
    fn ask<'a>(&'a self, ask: Ask, next: &'a dyn Responder) -> Asking<'a> {
        Box::pin(async move {
            let prompt = ask.clone();
            let shared = Arc::clone(&self.shared);
            let began = SystemTime::now();
            let observe = Observe::new(move |record| {
                let (shared, prompt, record) = (Arc::clone(&shared), prompt.clone(), record.clone());
                // A log that cannot be written must not cost the reply.
                let write = move || drop(shared.write(began, &prompt, &record));
                // The end of a reply may come on a thread that serves others, too, or when there is no runtime any more.
                match tokio::runtime::Handle::try_current() {
                    Ok(runtime) => drop(runtime.spawn_blocking(write)),
                    Err(_) => write(),
                }
            });
            observe.ask(ask, next).await
        })
    }
}

impl Shared {
    fn write(&self, began: SystemTime, prompt: &Ask, record: &Record) -> io::Result<()> {
        fs::create_dir_all(&self.folder)?;
        let text = render(prompt, record);
        let stamp = stamp(began);
        // Other processes may write into the same folder.
        for _ in 0..NAMES_MAX {
            let number = self.number.fetch_add(1, Ordering::Relaxed);
            let model: String =
                record.model.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).take(60).collect();
            let path = self.folder.join(format!("{stamp}__{model}__{number:03}.md"));
            match create(&path) {
                Ok(mut file) => return file.write_all(text.as_bytes()),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        Err(io::Error::from(io::ErrorKind::AlreadyExists))
    }
}

fn create(path: &Path) -> io::Result<fs::File> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

fn render(prompt: &Ask, record: &Record) -> String {
    let mut text = String::new();
    let mut request: Value = serde_json::from_str(&prompt.envelope()).unwrap_or_default();
    let system = request.as_object_mut().and_then(|request| request.shift_remove("system"));
    section(&mut text, "Request", "");
    fenced(&mut text, "json", &serde_json::to_string_pretty(&request).unwrap_or_default());
    if let Some(system) = system.as_ref().and_then(Value::as_str) {
        section(&mut text, "system", system);
    }
    for message in prompt.messages() {
        match message {
            Message::User(message) => {
                section(&mut text, "user", "");
                message.content.iter().for_each(|content| part(&mut text, content));
            }
            Message::Assistant(message) => reply(&mut text, "assistant", &message),
            Message::Tool(message) => {
                for result in &message.content {
                    let failed = if result.is_error { ", an error" } else { "" };
                    section(&mut text, &format!("tool / {}{failed}", result.tool_name), "");
                    result.content.iter().for_each(|content| part(&mut text, content));
                }
            }
            // Not sent.
            Message::Custom(_) => {}
        }
    }
    text.push_str("---\n\n");
    match &record.reply {
        Some(message) => {
            let model = message.model.as_deref().unwrap_or(&record.model);
            reply(&mut text, &format!("assistant / {model}"), message);
            section(&mut text, "Response", "");
            let mut data = serde_json::to_value(message).unwrap_or_default();
            if let Some(fields) = data.as_object_mut() {
                fields.shift_remove("content");
            }
            fenced(&mut text, "json", &serde_json::to_string_pretty(&data).unwrap_or_default());
        }
        None => section(&mut text, "No reply", ""),
    }
    text.push_str(&format!("{record}\n"));
    text
}

fn reply(out: &mut String, title: &str, message: &AssistantMessage) {
    section(out, title, "");
    for block in &message.content {
        match block {
            ContentBlock::Text { text } | ContentBlock::Refusal { text } => paragraph(out, text),
            ContentBlock::Thinking { text, .. } => {
                for line in text.lines() {
                    out.push_str(&format!("> {line}\n"));
                }
                out.push('\n');
            }
            ContentBlock::RedactedThinking { .. } => paragraph(out, "*(thinking that the provider hides)*"),
            ContentBlock::ToolCall(call) => {
                paragraph(out, &format!("*calls {}*", call.name));
                fenced(out, "json", &call.arguments);
            }
        }
    }
}

fn part(out: &mut String, content: &UserContent) {
    match content.as_text() {
        Some(text) => paragraph(out, text),
        None => {
            let content = serde_json::to_value(content).unwrap_or_default();
            let kind = content["type"].as_str().unwrap_or_default();
            let what = content["url"].as_str().map_or_else(
                || format!("{} base64 characters", content["data"].as_str().map_or(0, str::len)),
                str::to_owned,
            );
            paragraph(out, &format!("*({kind}: {what})*"));
        }
    }
}

fn section(out: &mut String, title: &str, body: &str) {
    out.push_str(&format!("{title}\n{}\n\n", "=".repeat(40)));
    if !body.is_empty() {
        paragraph(out, body);
    }
}

fn paragraph(out: &mut String, text: &str) {
    out.push_str(text);
    out.push_str("\n\n");
}

/// A block of code, in a fence that its text does not end.
fn fenced(out: &mut String, language: &str, text: &str) {
    let longest = text.split(|character| character != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    out.push_str(&format!("{fence}{language}\n{text}\n{fence}\n\n"));
}

/// A time of UTC as `20261121_175900__123456`.
fn stamp(time: SystemTime) -> String {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    // The only format that the library of dates has is that of HTTP: `Sat, 21 Nov 2026 17:59:00 GMT`.
    let date = httpdate::fmt_http_date(time);
    let field = |from: usize, to: usize| date.get(from..to).unwrap_or_default();
    let month = MONTHS.iter().position(|month| *month == field(8, 11)).map_or(0, |month| month + 1);
    let clock = field(17, 25).replace(':', "");
    format!("{}{month:02}{}_{clock}__{:06}", field(12, 16), field(5, 7), since.subsec_micros())
}

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Names that are tried.
const NAMES_MAX: u32 = 1000;

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_file_is_named_by_its_time() {
        assert_eq!(stamp(UNIX_EPOCH + Duration::from_micros(1_795_283_940_000_042)), "20261121_175900__000042");
    }

    #[test]
    fn a_fence_is_longer_than_any_in_its_text() {
        let mut out = String::new();
        fenced(&mut out, "json", "a ``` b ```` c");
        assert!(out.starts_with("`````json\n"), "{out}");
    }
}
