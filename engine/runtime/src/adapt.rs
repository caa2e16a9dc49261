//! Makes a message fit for the model that gets it, when another one said it or it holds what the model does not take.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::{Value, json};

/// What a model takes, beyond what its dialect has words for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accepts {
    /// Whether it sees images. Where it does not, a note stands in the place of each.
    pub images: bool,
    /// What becomes of the thinking of another provider's model, whose signatures this one would refuse.
    pub foreign_thinking: ForeignThinking,
}

/// What becomes of the thinking of another provider's model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ForeignThinking {
    /// It becomes text, so that the model knows what was thought.
    #[default]
    AsText,
    /// It is left out.
    Dropped,
}

impl Default for Accepts {
    fn default() -> Self {
        Self { images: true, foreign_thinking: ForeignThinking::default() }
    }
}

/// Who gets the messages.
#[derive(Clone, Debug, Default)]
pub(crate) struct Target {
    /// Its id, where it has one.
    pub(crate) provider: Option<String>,
    pub(crate) accepts: Accepts,
}

#[derive(Deserialize)]
struct Head<'a> {
    #[serde(borrow, default)]
    provider: Option<Cow<'a, str>>,
}

impl Target {
    /// The canonical JSON of a message as the target takes it. Ids of calls are made to fit by the codecs, each as its
    /// provider wants them, and in calls and results alike.
    pub(crate) fn adapt<'j>(&self, json: &'j str) -> Cow<'j, str> {
        let changed = if json.starts_with("{\"role\":\"assistant\"") {
            self.is_foreign(json).then(|| self.adapt_reply(json)).flatten()
        } else {
            let has_image = !self.accepts.images && json.contains("\"type\":\"image\"");
            has_image.then(|| without_images(json)).flatten()
        };
        changed.map_or(Cow::Borrowed(json), Cow::Owned)
    }

    /// Whether another provider gave the reply. One that does not say so is taken for this one's.
    fn is_foreign(&self, json: &str) -> bool {
        let head: Result<Head<'_>, _> = serde_json::from_str(json);
        let provider = head.ok().and_then(|head| head.provider);
        provider.is_some_and(|provider| self.provider.as_deref() != Some(&provider))
    }

    fn adapt_reply(&self, json: &str) -> Option<String> {
        let mut message: Value = serde_json::from_str(json).ok()?;
        let blocks = message["content"].as_array_mut()?;
        blocks.retain_mut(|block| match block["type"].as_str() {
            Some("thinking") => {
                let text = block["text"].as_str().unwrap_or_default().trim();
                if text.is_empty() || self.accepts.foreign_thinking == ForeignThinking::Dropped {
                    return false;
                }
                *block = json!({"type": "text", "text": text});
                true
            }
            Some("redacted_thinking") => false,
            _ => true,
        });
        Some(message.to_string())
    }
}

/// The message with a note in the place of each image, also of those in the results of tools.
fn without_images(json: &str) -> Option<String> {
    let mut message: Value = serde_json::from_str(json).ok()?;
    for part in message["content"].as_array_mut()? {
        if part["type"] == "tool_result" {
            part["content"].as_array_mut()?.iter_mut().for_each(replace_image);
        } else {
            replace_image(part);
        }
    }
    Some(message.to_string())
}

fn replace_image(part: &mut Value) {
    if part["type"] == "image" {
        *part = json!({"type": "text", "text": IMAGE_OMITTED});
    }
}

const IMAGE_OMITTED: &str = "[An image was left out here: this model does not take images.]";

#[cfg(test)]
mod tests {
    use super::*;

    fn target(provider: Option<&str>, accepts: Accepts) -> Target {
        Target { provider: provider.map(str::to_owned), accepts }
    }

    const REPLY: &str = r#"{"role":"assistant","content":[{"type":"thinking","text":" hm ","signature":"s"},{"type":"redacted_thinking","data":"d"},{"type":"thinking","text":""},{"type":"tool_call","id":"c","name":"n","arguments":"{}"}],"provider":"a"}"#;

    #[test]
    fn a_reply_of_the_same_provider_or_of_nobody_stays_byte_for_byte() {
        let same = target(Some("a"), Accepts::default());
        assert!(matches!(same.adapt(REPLY), Cow::Borrowed(REPLY)));
        let unsaid = REPLY.replace(",\"provider\":\"a\"", "");
        for provider in [None, Some("b")] {
            assert_eq!(target(provider, Accepts::default()).adapt(&unsaid), unsaid);
        }
    }

    #[test]
    fn thinking_of_another_provider_becomes_text_or_goes_and_hidden_thinking_goes() {
        let call = json!({"type":"tool_call","id":"c","name":"n","arguments":"{}"});
        for (foreign_thinking, expected) in [
            (ForeignThinking::AsText, json!([{"type":"text","text":"hm"}, call])),
            (ForeignThinking::Dropped, json!([call])),
        ] {
            for provider in [None, Some("b")] {
                let accepts = Accepts { foreign_thinking, ..Accepts::default() };
                let adapted: Value = serde_json::from_str(&target(provider, accepts).adapt(REPLY)).unwrap();
                assert_eq!(adapted["content"], expected);
            }
        }
    }

    #[test]
    fn images_become_a_note_where_none_are_taken() {
        let blind = target(None, Accepts { images: false, ..Accepts::default() });
        let user = r#"{"role":"user","content":[{"type":"image","url":"https://x/y"},{"type":"text","text":"a"}]}"#;
        let adapted: Value = serde_json::from_str(&blind.adapt(user)).unwrap();
        assert_eq!(adapted["content"][0]["text"], IMAGE_OMITTED);
        assert_eq!(adapted["content"][1]["text"], "a");
        let tool = r#"{"role":"tool","content":[{"type":"tool_result","tool_call_id":"c","tool_name":"n","content":[{"type":"image","media_type":"image/png","data":"AA=="}],"is_error":false}]}"#;
        assert!(blind.adapt(tool).contains("left out here"));
        assert_eq!(target(None, Accepts::default()).adapt(user), user);
    }
}
