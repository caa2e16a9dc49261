//! The canonical JSON of messages and requests, as a codec reads it; docs/PLUGINS.md explains the fields.
//!
//! Keys that are not named here are ignored: the engine keeps more with a message than a provider wants to know.

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::failure::Failure;

/// Texts that are to become vectors.
#[derive(Clone, Debug, Deserialize)]
pub struct EmbedRequest {
    /// Name of the model.
    pub model: String,
    /// The texts, at least one.
    pub texts: Vec<String>,
    /// How many numbers a vector shall have, where the model can choose.
    #[serde(default)]
    pub dimensions: Option<u32>,
    /// Goes into the body as it is.
    #[serde(default)]
    pub extra: Map<String, Value>,
}

/// Reads a request for vectors.
///
/// # Errors
/// What is wrong with the JSON.
pub fn embed_request(json: &str) -> Result<EmbedRequest, Failure> {
    serde_json::from_str(json)
        .map_err(|error| Failure::invalid(format!("the request is not in the canonical form: {error}")))
}

/// One message of a conversation.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "role", rename_all = "snake_case")]
pub enum Message {
    /// What a user says.
    User {
        /// Its parts, perhaps none.
        content: Vec<Part>,
    },
    /// What a model said.
    Assistant {
        /// Its blocks in the order in which they came.
        content: Vec<Block>,
        /// The provider that the model ran at.
        #[serde(default)]
        provider: Option<String>,
    },
    /// All tool results of one turn.
    Tool {
        /// One a call, in the order of the calls.
        content: Vec<ToolResult>,
    },
}

/// A part of what a user says or of what a tool answers.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Part {
    /// Text.
    Text {
        /// Perhaps empty.
        text: String,
        /// Whether the prompt is to be cached up to here.
        #[serde(default)]
        cache: Mark,
    },
    /// A picture.
    Image {
        /// Where it is.
        #[serde(flatten)]
        source: Source,
        /// As at [`Part::Text`].
        #[serde(default)]
        cache: Mark,
    },
    /// A PDF or another document.
    Document {
        /// Where it is.
        #[serde(flatten)]
        source: Source,
        /// Name of its file.
        #[serde(default)]
        name: Option<String>,
        /// As at [`Part::Text`].
        #[serde(default)]
        cache: Mark,
    },
    /// Sound.
    Audio {
        /// Where it is.
        #[serde(flatten)]
        source: Source,
        /// As at [`Part::Text`].
        #[serde(default)]
        cache: Mark,
    },
}

impl Part {
    /// The text, if it is one.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        if let Self::Text { text, .. } = self { Some(text) } else { None }
    }

    /// Whether the prompt is to be cached up to here.
    #[must_use]
    pub const fn is_cached(&self) -> bool {
        self.mark().0.is_some()
    }

    /// Up to here the prompt is to be cached, if it says for how long.
    #[must_use]
    pub const fn mark(&self) -> Mark {
        match self {
            Self::Text { cache, .. }
            | Self::Image { cache, .. }
            | Self::Document { cache, .. }
            | Self::Audio { cache, .. } => *cache,
        }
    }
}

/// A mark up to which a prompt is to be cached: `true`, `"short"` or `"long"`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(from = "AnyMark")]
pub struct Mark(pub Option<Cache>);

#[derive(Deserialize)]
#[serde(untagged)]
enum AnyMark {
    Is(bool),
    For(Cache),
}

impl From<AnyMark> for Mark {
    fn from(mark: AnyMark) -> Self {
        Self(match mark {
            AnyMark::Is(false) | AnyMark::For(Cache::None) => None,
            AnyMark::Is(true) => Some(Cache::Short),
            AnyMark::For(cache) => Some(cache),
        })
    }
}

/// Where the bytes of a medium are.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum Source {
    /// In the message.
    Data {
        /// For example `image/png`.
        media_type: String,
        /// Base64 with the standard alphabet.
        data: String,
    },
    /// Somewhere else.
    Url {
        /// Its address.
        url: String,
        /// Its type, where that is known.
        #[serde(default)]
        media_type: Option<String>,
    },
}

impl Source {
    /// The address, or one with the scheme `data` that holds the bytes.
    #[must_use]
    pub fn url(&self) -> String {
        match self {
            Self::Data { media_type, data } => format!("data:{media_type};base64,{data}"),
            Self::Url { url, .. } => url.clone(),
        }
    }
}

/// A part of what a model said.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Block {
    /// Text.
    Text {
        /// Perhaps empty.
        text: String,
        /// As at [`Part::Text`].
        #[serde(default)]
        cache: Mark,
    },
    /// Thinking.
    Thinking {
        /// Empty where the provider does not show it.
        text: String,
        /// What goes back with it unchanged; only its own provider can read it.
        #[serde(default)]
        signature: Option<String>,
    },
    /// Thinking that nobody but the provider can read.
    RedactedThinking {
        /// Goes back unchanged.
        data: String,
    },
    /// A refusal.
    Refusal {
        /// Its words.
        text: String,
    },
    /// A call of a tool.
    ToolCall {
        /// Told apart by it.
        id: String,
        /// Name of the tool.
        name: String,
        /// JSON text of an object.
        arguments: String,
    },
    /// Whatever else was kept.
    #[serde(other)]
    Foreign,
}

/// What a tool answered.
#[derive(Clone, Debug, Deserialize)]
pub struct ToolResult {
    /// The call.
    pub tool_call_id: String,
    /// The tool.
    #[serde(default)]
    pub tool_name: String,
    /// Perhaps nothing.
    pub content: Vec<Part>,
    /// Whether the tool failed.
    #[serde(default)]
    pub is_error: bool,
}

impl ToolResult {
    /// All texts, a line each.
    #[must_use]
    pub fn text(&self) -> String {
        self.content.iter().filter_map(Part::text).collect::<Vec<_>>().join("\n")
    }
}

/// All of a request but its messages. Numbers that are handed on as they stand are kept as JSON.
#[derive(Clone, Debug, Deserialize)]
pub struct Request {
    /// Name of the model.
    pub model: String,
    /// The system prompt.
    #[serde(default)]
    pub system: Option<String>,
    /// What the model may call.
    #[serde(default)]
    pub tools: Vec<Tool>,
    /// Whether it has to.
    #[serde(default)]
    pub tool_choice: Option<ToolChoice>,
    /// Whether it may call several at once.
    #[serde(default)]
    pub parallel_tools: Option<bool>,
    /// Limit on the tokens of the reply.
    #[serde(default)]
    pub max_tokens: Option<u64>,
    /// Sampling.
    #[serde(default)]
    pub temperature: Option<Value>,
    /// Sampling.
    #[serde(default)]
    pub top_p: Option<Value>,
    /// Sampling.
    #[serde(default)]
    pub top_k: Option<Value>,
    /// Sampling.
    #[serde(default)]
    pub seed: Option<Value>,
    /// Sampling.
    #[serde(default)]
    pub frequency_penalty: Option<Value>,
    /// Sampling.
    #[serde(default)]
    pub presence_penalty: Option<Value>,
    /// Texts that end the reply.
    #[serde(default)]
    pub stop: Vec<String>,
    /// How much thinking.
    #[serde(default)]
    pub thinking: Option<Thinking>,
    /// The form that the reply has to have.
    #[serde(default)]
    pub output: Option<Output>,
    /// Whether the prompt is to be cached.
    #[serde(default)]
    pub cache: Option<Cache>,
    /// Set where the messages carry marks of their own: `all_user`, `last_user` or `last_text`. Nothing but what stands in
    /// front of them is marked by the codec then, and nothing at all with `last_text`.
    #[serde(default)]
    pub cache_marks: Option<String>,
    /// Name of the conversation: the same for all of its requests, and for no other.
    #[serde(default)]
    pub session: Option<String>,
    /// Whether the reply is to be streamed.
    #[serde(default)]
    pub stream: bool,
    /// Goes into the body as it is, over all else but the messages.
    #[serde(default)]
    pub extra: Map<String, Value>,
}

impl Request {
    /// How long the prompt is to be cached, where it is.
    #[must_use]
    pub const fn cached(&self) -> Option<Cache> {
        match self.cache {
            Some(Cache::None) => None,
            None if self.cache_marks.is_some() => Some(Cache::Short),
            cache => cache,
        }
    }

    /// Whether what stands in front of the messages is to be marked, once.
    #[must_use]
    pub fn marks_front(&self) -> bool {
        self.cached().is_some() && self.cache_marks.as_deref() != Some("last_text")
    }
}

/// A tool that the model may call.
#[derive(Clone, Debug, Deserialize)]
pub struct Tool {
    /// Its name.
    pub name: String,
    /// What it does.
    #[serde(default)]
    pub description: String,
    /// JSON schema of its arguments.
    pub parameters: Value,
    /// Whether the arguments have to keep to the schema exactly.
    #[serde(default)]
    pub strict: Option<bool>,
}

/// Whether tools have to be called.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum ToolChoice {
    /// `auto`, `none` or `required`.
    Mode(String),
    /// This one.
    Tool {
        /// Its name.
        name: String,
    },
}

/// How much thinking is asked for.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Thinking {
    /// `none`, `minimal`, `low`, `medium`, `high`, `xhigh`.
    #[serde(default)]
    pub level: Option<String>,
    /// Tokens that may be spent on it; goes over the level where the dialect has both.
    #[serde(default)]
    pub budget_tokens: Option<u64>,
}

impl Thinking {
    /// Whether it is turned off.
    #[must_use]
    pub fn is_off(&self) -> bool {
        match self.budget_tokens {
            Some(budget) => budget == 0,
            None => self.level.as_deref() == Some("none"),
        }
    }

    /// The level; the one nearest to the budget where none is set.
    #[must_use]
    pub fn effort(&self) -> Option<&str> {
        self.level.as_deref().or_else(|| {
            Some(match self.budget_tokens? {
                0 => "none",
                1..=1024 => "minimal",
                1025..=4096 => "low",
                4097..=12_288 => "medium",
                _ => "high",
            })
        })
    }

    /// The budget; that of the level where none is set.
    ///
    /// # Errors
    /// When the level is unknown.
    pub fn budget(&self) -> Result<u64, Failure> {
        match (self.budget_tokens, self.level.as_deref()) {
            (Some(budget), _) => Ok(budget),
            (None, Some("none")) => Ok(0),
            (None, Some("minimal")) => Ok(1024),
            (None, Some("low")) => Ok(2048),
            (None, None | Some("medium")) => Ok(8192),
            (None, Some("high")) => Ok(16_384),
            (None, Some("xhigh")) => Ok(32_768),
            (None, Some(_)) => Err(Failure::invalid(
                "the level of thinking is unknown; use none, minimal, low, medium, high or xhigh, or a budget",
            )),
        }
    }
}

/// The form that a reply has to have.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Output {
    /// Any JSON.
    Json,
    /// JSON of a schema.
    JsonSchema {
        /// Name of the schema.
        #[serde(default)]
        name: Option<String>,
        /// The schema.
        schema: Value,
        /// Whether the reply has to keep to it exactly.
        #[serde(default)]
        strict: Option<bool>,
    },
}

/// How long a prompt is kept in the provider's cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cache {
    /// It is not, where that is up to the request.
    None,
    /// Minutes.
    Short,
    /// An hour or a day, as the provider has it.
    Long,
}

/// Reads a message.
///
/// # Errors
/// When it is not in the canonical form.
pub fn message(json: &str) -> Result<Message, Failure> {
    serde_json::from_str(json)
        .map_err(|error| Failure::invalid(format!("the message is not in the canonical form: {error}")))
}

/// Reads a request.
///
/// # Errors
/// As [`message`].
pub fn request(json: &str) -> Result<Request, Failure> {
    serde_json::from_str(json)
        .map_err(|error| Failure::invalid(format!("the request is not in the canonical form: {error}")))
}

/// Reads the options of a stream; nothing at all means no options.
///
/// # Errors
/// When they are not what the dialect takes.
pub fn options<'a, T: Default + Deserialize<'a>>(json: &'a str) -> Result<T, Failure> {
    match json.trim() {
        "" => Ok(T::default()),
        json => serde_json::from_str(json)
            .map_err(|error| Failure::invalid(format!("the options of the stream cannot be read: {error}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn media_are_told_apart_by_where_they_are() {
        let json = r#"{"role":"user","content":[{"type":"image","media_type":"image/png","data":"AA=="},
            {"type":"image","url":"https://x/y","cache":true},{"type":"audio","media_type":"audio/wav","data":"A"},
            {"type":"document","url":"https://x/z","media_type":"application/pdf","name":"z"}]}"#;
        let Message::User { content } = message(json).unwrap() else { panic!("a user's message") };
        let urls: Vec<_> = content
            .iter()
            .map(|part| match part {
                Part::Image { source, .. } | Part::Document { source, .. } | Part::Audio { source, .. } => source.url(),
                Part::Text { .. } => panic!("no text"),
            })
            .collect();
        assert_eq!(urls, ["data:image/png;base64,AA==", "https://x/y", "data:audio/wav;base64,A", "https://x/z"]);
        assert_eq!(content.iter().map(Part::is_cached).collect::<Vec<_>>(), [false, true, false, false]);
    }

    #[test]
    fn what_is_not_canonical_is_refused() {
        for json in ["", "{", "{}", r#"{"role":"system","content":[]}"#, r#"{"role":"user","content":[{"type":"x"}]}"#]
        {
            assert!(message(json).is_err(), "{json}");
        }
        for json in ["", "[]", "{}", r#"{"model":1}"#, r#"{"model":"m","output":{"type":"x"}}"#] {
            assert!(request(json).is_err(), "{json}");
        }
        assert!(options::<Map<String, Value>>("{").is_err());
        assert!(options::<Map<String, Value>>(" ").unwrap().is_empty());
    }

    #[test]
    fn a_budget_goes_over_the_level() {
        let thinking = |json: &str| serde_json::from_str::<Thinking>(json).unwrap();
        assert_eq!(thinking(r#"{"level":"low"}"#).budget(), Ok(2048));
        assert_eq!(thinking(r#"{"level":"low","budget_tokens":9}"#).budget(), Ok(9));
        assert!(thinking(r#"{"level":"none"}"#).is_off() && thinking(r#"{"budget_tokens":0}"#).is_off());
        assert!(!thinking("{}").is_off() && !thinking(r#"{"level":"none","budget_tokens":1}"#).is_off());
        assert!(thinking(r#"{"level":"huge"}"#).budget().is_err());
        assert_eq!(thinking(r#"{"level":"huge","budget_tokens":1}"#).effort(), Some("huge"));
        for (budget, effort) in [(0, "none"), (1024, "minimal"), (2048, "low"), (8192, "medium"), (16_384, "high")] {
            let thinking = Thinking { level: None, budget_tokens: Some(budget) };
            assert_eq!(thinking.effort(), Some(effort));
        }
        assert_eq!(thinking("{}").effort(), None);
    }
}
