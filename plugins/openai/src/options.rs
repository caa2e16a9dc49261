//! What one server wants written differently. Reading needs none of it.

use serde::Deserialize;
use thalweg_abi::guest::Failure;

/// How requests are written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Options {
    pub(crate) max_tokens: MaxTokens,
    pub(crate) thinking: Thinking,
    /// Role of the system prompt.
    pub(crate) system_role: String,
    /// Whether usage is asked for at the end of a stream.
    pub(crate) has_stream_usage: bool,
    /// Field in which thinking goes back; it does not go back without one.
    pub(crate) thinking_field: Option<String>,
    /// Whether a tool result carries the tool's name.
    pub(crate) has_tool_result_name: bool,
}

/// Name of the limit on tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum MaxTokens {
    MaxTokens,
    MaxCompletionTokens,
}

/// How thinking is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Thinking {
    /// `"reasoning_effort": level`.
    ReasoningEffort,
    /// `"reasoning": {"effort": level}` or `{"max_tokens": n}`, as OpenRouter has it.
    Reasoning,
    /// Not at all.
    None,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Given {
    provider: Option<String>,
    base_url: Option<String>,
    flags: Option<Flags>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Flags {
    max_tokens_field: Option<MaxTokens>,
    thinking: Option<Thinking>,
    system_role: Option<String>,
    stream_usage: Option<bool>,
    thinking_field: Option<String>,
    tool_result_name: Option<bool>,
}

impl Options {
    /// Reads the JSON options of a stream: what the provider's name or address tells, and flags that go over it.
    pub(crate) fn read(json: &str) -> Result<Self, Failure> {
        let given: Given = match json.trim() {
            "" => Given::default(),
            json => serde_json::from_str(json)
                .map_err(|error| Failure::invalid(format!("the options of the stream cannot be read: {error}")))?,
        };
        let flags = given.flags.unwrap_or_default();
        let is_at = |provider: &str, host: &str| {
            given.provider.as_deref() == Some(provider)
                || given.base_url.as_deref().is_some_and(|url| url.contains(host))
        };
        let is_openrouter = is_at("openrouter", "openrouter.ai");
        let is_mistral = is_at("mistral", "mistral.ai");
        let is_openai = is_at("openai", "api.openai.com")
            || is_at("azure", ".openai.azure.com")
            || (given.provider.is_none() && given.base_url.is_none());
        let max_tokens = if is_openai { MaxTokens::MaxCompletionTokens } else { MaxTokens::MaxTokens };
        let thinking = if is_openrouter { Thinking::Reasoning } else { Thinking::ReasoningEffort };
        Ok(Self {
            max_tokens: flags.max_tokens_field.unwrap_or(max_tokens),
            thinking: flags.thinking.unwrap_or(thinking),
            system_role: flags.system_role.unwrap_or_else(|| "system".to_owned()),
            has_stream_usage: flags.stream_usage.unwrap_or(!is_mistral),
            thinking_field: flags.thinking_field.filter(|field| !field.is_empty()),
            has_tool_result_name: flags.tool_result_name.unwrap_or(is_mistral),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn provider_and_address_choose_what_flags_do_not() {
        let read = |json: &str| Options::read(json).unwrap();
        assert_eq!(read("").max_tokens, MaxTokens::MaxCompletionTokens);
        assert_eq!(read(r#"{"provider":"openai","other":1}"#).max_tokens, MaxTokens::MaxCompletionTokens);
        let local = read(r#"{"base_url":"http://127.0.0.1:8080/v1"}"#);
        assert_eq!((local.max_tokens, local.thinking), (MaxTokens::MaxTokens, Thinking::ReasoningEffort));
        assert_eq!(read(r#"{"base_url":"https://openrouter.ai/api/v1"}"#).thinking, Thinking::Reasoning);
        let flagged = read(
            r#"{"provider":"openai","flags":{"max_tokens_field":"max_tokens","thinking":"none","system_role":"developer",
                "stream_usage":false,"thinking_field":"reasoning_content","tool_result_name":true,"unknown":1}}"#,
        );
        let expected = Options {
            max_tokens: MaxTokens::MaxTokens,
            thinking: Thinking::None,
            system_role: "developer".into(),
            has_stream_usage: false,
            thinking_field: Some("reasoning_content".into()),
            has_tool_result_name: true,
        };
        assert_eq!(flagged, expected);
    }

    #[test]
    fn options_that_are_no_json_are_refused() {
        assert!(Options::read("{").is_err());
        assert!(Options::read(r#"{"flags":{"max_tokens_field":"tokens"}}"#).is_err());
    }
}
