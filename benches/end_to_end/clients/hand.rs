//! What a careful programmer would write by hand: hyper, line ends by memchr, serde_json with types that borrow.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, Visitor};
use std::borrow::Cow;
use thalweg_end_to_end::arguments::Arguments;
use thalweg_end_to_end::client::{Client, Sink};

use super::floor::Floor;
use super::request_body;

/// hyper, memchr and serde_json.
#[derive(Clone)]
pub(super) struct Hand(Floor);

impl Client for Hand {
    fn new(arguments: &Arguments) -> Self {
        Self(Floor::new(arguments))
    }

    async fn ask<S: Sink>(&self, sink: &mut S) {
        // The beginning of a line whose end has not come.
        let mut rest = Vec::new();
        self.0
            .read(request_body().into(), |chunk| {
                let mut start = 0;
                for end in memchr::memchr_iter(b'\n', &chunk) {
                    if rest.is_empty() {
                        line(&chunk[start..end], sink);
                    } else {
                        rest.extend_from_slice(&chunk[start..end]);
                        line(&rest, sink);
                        rest.clear();
                    }
                    start = end + 1;
                }
                rest.extend_from_slice(&chunk[start..]);
            })
            .await;
        assert!(rest.is_empty(), "the body ends within a line");
    }
}

fn line<S: Sink>(line: &[u8], sink: &mut S) {
    let Some(data) = line.strip_prefix(b"data: ") else { return };
    if data == b"[DONE]" {
        return;
    }
    let chunk: Chunk<'_> = serde_json::from_slice(data).expect("JSON of a chunk");
    for choice in &chunk.choices {
        if let Some(Text(text)) = &choice.delta.content {
            sink.text(text.as_bytes());
        }
    }
}

#[derive(Deserialize)]
struct Chunk<'a> {
    #[serde(borrow)]
    choices: Vec<Choice<'a>>,
}

#[derive(Deserialize)]
struct Choice<'a> {
    #[serde(borrow)]
    delta: Delta<'a>,
}

#[derive(Deserialize)]
struct Delta<'a> {
    #[serde(borrow)]
    content: Option<Text<'a>>,
}

/// Borrows where it can: an `Option<Cow<str>>` never does.
struct Text<'a>(Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Texts;

        impl<'de> Visitor<'de> for Texts {
            type Value = Text<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text")
            }

            fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Borrowed(text)))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
        }

        deserializer.deserialize_str(Texts)
    }
}
