//! What goes along with a question: images and documents.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use thalweg::Prompt;
use thalweg::message::Message;

use crate::failure::Failure;

/// The flags of a question.
#[derive(clap::Args, Clone, Debug, Default)]
#[command(next_help_heading = "The question")]
pub(crate) struct Attachments {
    /// An image to ask about, a file or a URL; may be given several times
    #[arg(long, value_name = "FILE|URL")]
    image: Vec<String>,
    /// A document to ask about, such as a PDF, a file or a URL; may be given several times
    #[arg(long, value_name = "FILE|URL")]
    document: Vec<String>,
}

impl Attachments {
    /// The question with what goes along, which stands behind it.
    pub(crate) fn with(&self, question: &str) -> Result<Prompt, Failure> {
        let mut content = vec![json!({"type": "text", "text": question})];
        for place in &self.image {
            content.push(block("image", place)?);
        }
        for place in &self.document {
            content.push(block("document", place)?);
        }
        let message = serde_json::from_value::<Message>(json!({"role": "user", "content": content}));
        Ok(Prompt::from(message.map_err(Failure::usage)?))
    }
}

/// A part of the canonical form of a message.
fn block(kind: &str, place: &str) -> Result<Value, Failure> {
    if place.starts_with("https://") || place.starts_with("http://") {
        return Ok(json!({"type": kind, "url": place}));
    }
    let bytes = std::fs::read(place)
        .map_err(|error| Failure::usage(format_args!("cannot read the {kind} {place}: {error}")))?;
    let media_type = media_type(&bytes).ok_or_else(|| {
        let known: Vec<_> = BEGINNINGS.iter().map(|(_, media_type)| *media_type).collect();
        Failure::usage(format_args!("the {kind} {place} is of no known type; known are {}", known.join(", ")))
    })?;
    let mut block = json!({"type": kind, "media_type": media_type, "data": STANDARD.encode(bytes)});
    if let (Some(name), "document") = (Path::new(place).file_name(), kind) {
        block["name"] = json!(name.to_string_lossy());
    }
    Ok(block)
}

/// Told by the first bytes, since names lie.
fn media_type(bytes: &[u8]) -> Option<&'static str> {
    BEGINNINGS.iter().find(|(start, _)| bytes.starts_with(start)).map(|(_, media_type)| *media_type)
}

const BEGINNINGS: [(&[u8], &str); 5] = [
    (b"\x89PNG", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF8", "image/gif"),
    (b"RIFF", "image/webp"),
    (b"%PDF", "application/pdf"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_is_told_by_the_first_bytes() {
        assert_eq!(media_type(b"\x89PNG\r\n\x1a\n"), Some("image/png"));
        assert_eq!(media_type(b"%PDF-1.7"), Some("application/pdf"));
        assert_eq!(media_type(b"hello"), None);
    }

    #[test]
    fn a_url_is_handed_on_as_it_is() {
        let block = block("image", "https://example.org/a.png").expect("no file is read");
        assert_eq!(block, json!({"type": "image", "url": "https://example.org/a.png"}));
    }

    #[test]
    fn what_goes_along_stands_behind_the_question() {
        let image = vec!["https://example.org/a.png".to_owned()];
        let prompt = Attachments { image, document: Vec::new() }.with("what is this?");
        assert!(prompt.is_ok());
    }
}
