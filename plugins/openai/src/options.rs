//! The options of a stream: what is known of the server, and flags that go over it.

use serde::Deserialize;
use thalweg_abi::guest::{Failure, canonical};

use crate::quirks::{MaxTokens, Quirks, Session, ThinkingForm, nearest_effort};

/// How requests are written, and whether thinking is looked for in the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Options {
    /// The habits of the server.
    pub(crate) quirks: Quirks,
    /// The levels of thinking that the server knows, where they are not those of the table.
    efforts: Option<Vec<String>>,
    /// Role of the system prompt.
    pub(crate) system_role: String,
    /// Field in which thinking goes back; it does not go back without one.
    pub(crate) thinking_field: Option<String>,
    /// Name of the seed.
    pub(crate) seed_field: String,
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
    thinking: Option<ThinkingForm>,
    efforts: Option<Vec<String>>,
    system_role: Option<String>,
    stream_usage: Option<bool>,
    thinking_field: Option<String>,
    thinking_details: Option<bool>,
    think_tags: Option<bool>,
    tool_result_name: Option<bool>,
    call_id_chars: Option<usize>,
    session: Option<Session>,
    cache_control: Option<bool>,
    long_cache: Option<bool>,
    json_schema: Option<bool>,
    top_k: Option<bool>,
    seed_field: Option<String>,
    document_url: Option<bool>,
    plain_content: Option<bool>,
}

impl Options {
    /// Reads the JSON options of a stream.
    pub(crate) fn read(json: &str) -> Result<Self, Failure> {
        let Given { provider, base_url, flags } = canonical::options(json)?;
        let flags = flags.unwrap_or_default();
        let known = Quirks::of(provider.as_deref(), base_url.as_deref());
        let thinking_field = flags.thinking_field.or_else(|| known.thinking_field.map(str::to_owned));
        Ok(Self {
            efforts: flags.efforts,
            system_role: flags.system_role.unwrap_or_else(|| known.system_role.to_owned()),
            // An empty name takes the table's away.
            thinking_field: thinking_field.filter(|field| !field.is_empty()),
            seed_field: flags.seed_field.unwrap_or_else(|| known.seed_field.to_owned()),
            quirks: Quirks {
                max_tokens: flags.max_tokens_field.unwrap_or(known.max_tokens),
                thinking: flags.thinking.unwrap_or(known.thinking),
                stream_usage: flags.stream_usage.unwrap_or(known.stream_usage),
                thinking_details: flags.thinking_details.unwrap_or(known.thinking_details),
                think_tags: flags.think_tags.unwrap_or(known.think_tags),
                tool_result_name: flags.tool_result_name.unwrap_or(known.tool_result_name),
                call_id_chars: flags.call_id_chars.map_or(known.call_id_chars, |chars| (chars > 0).then_some(chars)),
                session: flags.session.unwrap_or(known.session),
                cache_control: flags.cache_control.unwrap_or(known.cache_control),
                long_cache: flags.long_cache.unwrap_or(known.long_cache),
                json_schema: flags.json_schema.unwrap_or(known.json_schema),
                top_k: flags.top_k.unwrap_or(known.top_k),
                document_url: flags.document_url.unwrap_or(known.document_url),
                plain_content: flags.plain_content.unwrap_or(known.plain_content),
                ..known
            },
        })
    }
}

impl Options {
    /// The level to ask for where this one is wanted, if there is one.
    pub(crate) fn effort<'a>(&'a self, wanted: &'a str) -> Option<&'a str> {
        match &self.efforts {
            Some(own) => nearest_effort(wanted, own),
            None => nearest_effort(wanted, self.quirks.efforts),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Options {
        Options::read(json).unwrap()
    }

    #[test]
    fn provider_and_address_choose_what_flags_do_not() {
        assert_eq!(read("").quirks.max_tokens, MaxTokens::MaxCompletionTokens);
        assert_eq!(read(r#"{"provider":"openai","other":1}"#).quirks.max_tokens, MaxTokens::MaxCompletionTokens);
        let local = read(r#"{"base_url":"http://127.0.0.1:8080/v1"}"#).quirks;
        assert_eq!((local.max_tokens, local.thinking), (MaxTokens::MaxTokens, ThinkingForm::ReasoningEffort));
        let router = read(r#"{"base_url":"https://openrouter.ai/api/v1"}"#).quirks;
        assert_eq!(router.thinking, ThinkingForm::Reasoning);
    }

    #[test]
    fn every_flag_goes_over_the_table() {
        let flagged = read(
            r#"{"provider":"openai","flags":{"max_tokens_field":"max_tokens","thinking":"none","efforts":["low"],
                "system_role":"developer","stream_usage":false,"thinking_field":"reasoning","thinking_details":true,"think_tags":true,
                "tool_result_name":true,"call_id_chars":9,"session":"session_id","cache_control":true,"long_cache":false,
                "json_schema":false,"top_k":true,"seed_field":"s","document_url":true,"plain_content":true,"unknown":1}}"#,
        );
        let expected = Quirks {
            max_tokens: MaxTokens::MaxTokens,
            thinking: ThinkingForm::None,
            stream_usage: false,
            thinking_details: true,
            think_tags: true,
            tool_result_name: true,
            call_id_chars: Some(9),
            session: Session::BodyId,
            cache_control: true,
            long_cache: false,
            json_schema: false,
            top_k: true,
            document_url: true,
            plain_content: true,
            ..Quirks::of(None, None)
        };
        assert_eq!(flagged.quirks, expected);
        assert_eq!((flagged.effort("high"), flagged.system_role.as_str()), (Some("low"), "developer"));
        assert_eq!((flagged.thinking_field.as_deref(), flagged.seed_field.as_str()), (Some("reasoning"), "s"));
        assert_eq!(read(r#"{"provider":"zai","flags":{"thinking_field":""}}"#).thinking_field, None);
        assert_eq!(read(r#"{"provider":"mistral","flags":{"call_id_chars":0}}"#).quirks.call_id_chars, None);
    }

    #[test]
    fn options_that_are_no_json_are_refused() {
        assert!(Options::read("{").is_err());
        assert!(Options::read(r#"{"flags":{"max_tokens_field":"tokens"}}"#).is_err());
    }
}
