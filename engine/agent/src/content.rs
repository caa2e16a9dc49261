//! What messages are made of: text, media, thinking, tool calls and their results.
//!
//! The serde form is the canonical JSON that codecs read.

use serde::{Deserialize, Serialize};

/// Where the bytes of an image or a document are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Source {
    /// In the message itself.
    Data {
        /// Such as `image/png`.
        media_type: String,
        /// Base64.
        data: String,
    },
    /// Behind an address that the provider fetches.
    Url {
        /// The address.
        url: String,
    },
}

/// A part of what a user says, or of what a tool answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum UserContent {
    /// Text.
    Text {
        /// The text.
        text: String,
        /// Whether the provider shall cache the prompt up to here.
        #[serde(default, skip_serializing_if = "is_false")]
        cache: bool,
    },
    /// An image.
    Image {
        /// Its bytes.
        #[serde(flatten)]
        source: Source,
        /// Whether the provider shall cache the prompt up to here.
        #[serde(default, skip_serializing_if = "is_false")]
        cache: bool,
    },
    /// A document, such as a PDF.
    Document {
        /// Its bytes.
        #[serde(flatten)]
        source: Source,
        /// Its title or file name.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<String>,
        /// Whether the provider shall cache the prompt up to here.
        #[serde(default, skip_serializing_if = "is_false")]
        cache: bool,
    },
    /// Sound.
    Audio {
        /// Its bytes.
        #[serde(flatten)]
        source: Source,
        /// Whether the provider shall cache the prompt up to here.
        #[serde(default, skip_serializing_if = "is_false")]
        cache: bool,
    },
}

impl Source {
    /// Bytes in the message itself; `data` is Base64.
    pub fn data(media_type: impl Into<String>, data: impl Into<String>) -> Self {
        Self::Data { media_type: media_type.into(), data: data.into() }
    }

    /// Bytes behind an address.
    pub fn url(url: impl Into<String>) -> Self {
        Self::Url { url: url.into() }
    }
}

impl UserContent {
    /// A text part.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text { text: text.into(), cache: false }
    }

    /// An image.
    #[must_use]
    pub const fn image(source: Source) -> Self {
        Self::Image { source, cache: false }
    }

    /// A document with its title or file name.
    #[must_use]
    pub const fn document(source: Source, name: Option<String>) -> Self {
        Self::Document { source, name, cache: false }
    }

    /// Sound.
    #[must_use]
    pub const fn audio(source: Source) -> Self {
        Self::Audio { source, cache: false }
    }

    /// The same part, up to which the provider shall cache the prompt. Providers that do so unasked ignore the mark.
    #[must_use]
    pub fn cached(mut self) -> Self {
        let (Self::Text { cache, .. }
        | Self::Image { cache, .. }
        | Self::Document { cache, .. }
        | Self::Audio { cache, .. }) = &mut self;
        *cache = true;
        self
    }

    /// The text of a text part.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text { text, .. } => Some(text),
            Self::Image { .. } | Self::Document { .. } | Self::Audio { .. } => None,
        }
    }
}

/// A part of what the model says. Its place in the message is the `content_index` of events.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ContentBlock {
    /// Text of the answer.
    Text {
        /// The text.
        text: String,
    },
    /// Thinking that the provider shows.
    Thinking {
        /// The text.
        text: String,
        /// Opaque; goes back to the provider unchanged.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        signature: Option<String>,
    },
    /// Thinking that the provider hides.
    RedactedThinking {
        /// Opaque; goes back to the provider unchanged.
        data: String,
    },
    /// Why the model will not answer.
    Refusal {
        /// The text.
        text: String,
    },
    /// A request to run a tool.
    ToolCall(ToolCall),
}

/// The model asks for a tool.
///
/// `arguments` is always the text of a JSON object, so that a history can be sent to any provider. Where the wire said
/// something else (nothing, `null`, a cut text), `wire_arguments` keeps that, and `arguments_error` says why a text is
/// no JSON object; such a call is answered with an error and never executed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolCall {
    /// Given by the provider, or by the engine when there was none; unique within its message.
    pub id: String,
    /// Name of the tool.
    pub name: String,
    /// JSON text of the arguments, always an object.
    pub arguments: String,
    /// The arguments as they came, where they differ from `arguments`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wire_arguments: Option<String>,
    /// Why the text that came is not a JSON object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arguments_error: Option<String>,
}

impl ToolCall {
    /// The arguments byte for byte as the provider sent them.
    #[must_use]
    pub fn arguments_as_received(&self) -> &str {
        self.wire_arguments.as_deref().unwrap_or(&self.arguments)
    }

    /// Reads the arguments into a type of one's own.
    ///
    /// # Errors
    /// When they do not fit the type.
    pub fn parse_arguments<'a, T: Deserialize<'a>>(&'a self) -> Result<T, serde_json::Error> {
        serde_json::from_str(&self.arguments)
    }
}

/// The answer to one tool call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename = "tool_result")]
pub struct ToolResult {
    /// `id` of the call.
    pub tool_call_id: String,
    /// Name of the tool.
    pub tool_name: String,
    /// What the model gets to read.
    pub content: Vec<UserContent>,
    /// Whether the call failed.
    pub is_error: bool,
    /// What the tool has for the program and not for the model; never sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<serde_json::Value>,
}

impl ToolResult {
    /// All text parts, joined.
    #[must_use]
    pub fn text(&self) -> String {
        self.content.iter().filter_map(UserContent::as_text).collect()
    }
}

/// Content that is kept for the reader but neither understood nor sent back: search results, citations, ….
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OtherContent {
    /// The provider's name for it.
    #[serde(rename = "type")]
    pub content_type: String,
    /// The provider's JSON; a string where it was no JSON.
    pub json: serde_json::Value,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
const fn is_false(value: &bool) -> bool {
    !*value
}
