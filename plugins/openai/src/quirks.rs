//! What each server wants written differently, as data. A server that is not here gets what most of them take.
//!
//! A row is found by the provider's name, else by its host in the base URL; flags of the stream's options go over it.

use serde::Deserialize;

/// The habits of one server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Quirks {
    /// Name of the limit on tokens.
    pub(crate) max_tokens: MaxTokens,
    /// How thinking is asked for.
    pub(crate) thinking: ThinkingForm,
    /// The levels of thinking that it knows.
    pub(crate) efforts: &'static [&'static str],
    /// Role of the system prompt.
    pub(crate) system_role: &'static str,
    /// Whether usage is asked for at the end of a stream; others send it unasked.
    pub(crate) stream_usage: bool,
    /// Field in which thinking goes back; it does not go back without one.
    pub(crate) thinking_field: Option<&'static str>,
    /// Whether `reasoning_details` go back, with what signs the thinking.
    pub(crate) thinking_details: bool,
    /// Whether thinking stands in the text, between `<think>` and `</think>`.
    pub(crate) think_tags: bool,
    /// Whether a tool result carries the tool's name.
    pub(crate) tool_result_name: bool,
    /// Length of the ids of tool calls, if only ids of that length are taken.
    pub(crate) call_id_chars: Option<usize>,
    /// Where the name of the conversation goes.
    pub(crate) session: Session,
    /// Whether it takes breakpoints for its cache.
    pub(crate) cache_control: bool,
    /// Whether it keeps prompts for a day when asked.
    pub(crate) long_cache: bool,
    /// Whether a reply can be held to a schema, not just to JSON.
    pub(crate) json_schema: bool,
    /// Whether it knows `top_k`.
    pub(crate) top_k: bool,
    /// Name of the seed.
    pub(crate) seed_field: &'static str,
    /// Whether it fetches documents by their address.
    pub(crate) document_url: bool,
    /// Whether a message of several texts has to be one string.
    pub(crate) plain_content: bool,
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
pub(crate) enum ThinkingForm {
    /// `"reasoning_effort": level`.
    ReasoningEffort,
    /// `"reasoning": {"effort": level}` or `{"max_tokens": n}`.
    Reasoning,
    /// `"thinking": {"type": "enabled" or "disabled"}`.
    Type,
    /// `"enable_thinking": bool, "thinking_budget": n`.
    EnableThinking,
    /// `"chat_template_kwargs": {"enable_thinking": bool}`.
    ChatTemplate,
    /// Not at all.
    None,
}

/// Where the name of the conversation goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Session {
    /// `"prompt_cache_key": name`.
    PromptCacheKey,
    /// `"session_id": name`.
    #[serde(rename = "session_id")]
    BodyId,
    /// The header `x-grok-conv-id`.
    GrokHeader,
    /// Nowhere.
    None,
}

/// All levels of thinking, in their order.
pub(crate) const EFFORTS: &[&str] = &["none", "minimal", "low", "medium", "high", "xhigh"];
const LOW_TO_HIGH: &[&str] = &["low", "medium", "high"];

/// What most servers take.
const PLAIN: Quirks = Quirks {
    max_tokens: MaxTokens::MaxTokens,
    thinking: ThinkingForm::ReasoningEffort,
    efforts: EFFORTS,
    system_role: "system",
    stream_usage: true,
    thinking_field: None,
    thinking_details: false,
    think_tags: false,
    tool_result_name: false,
    call_id_chars: None,
    session: Session::None,
    cache_control: false,
    long_cache: false,
    json_schema: true,
    top_k: true,
    seed_field: "seed",
    document_url: false,
    plain_content: false,
};

/// A server with a closed list of fields, as the larger providers have it.
const CLOSED: Quirks = Quirks { top_k: false, ..PLAIN };

const OPENAI: Quirks =
    Quirks { max_tokens: MaxTokens::MaxCompletionTokens, session: Session::PromptCacheKey, long_cache: true, ..CLOSED };

struct Row {
    providers: &'static [&'static str],
    /// Parts of base URLs.
    hosts: &'static [&'static str],
    quirks: Quirks,
}

const ROWS: &[Row] = &[
    Row { providers: &["openai"], hosts: &["api.openai.com"], quirks: OPENAI },
    Row {
        providers: &["azure"],
        hosts: &[".openai.azure.com", ".cognitiveservices.azure.com", ".services.ai.azure.com"],
        quirks: Quirks { long_cache: false, ..OPENAI },
    },
    Row {
        providers: &["github-models", "github-copilot"],
        hosts: &["models.github.ai", "githubcopilot.com"],
        quirks: Quirks { session: Session::None, long_cache: false, ..OPENAI },
    },
    Row {
        providers: &["openrouter"],
        hosts: &["openrouter.ai"],
        quirks: Quirks {
            thinking: ThinkingForm::Reasoning,
            thinking_details: true,
            session: Session::BodyId,
            cache_control: true,
            document_url: true,
            ..PLAIN
        },
    },
    Row {
        providers: &["vercel"],
        hosts: &["ai-gateway.vercel.sh"],
        quirks: Quirks { thinking: ThinkingForm::Reasoning, thinking_details: true, cache_control: true, ..PLAIN },
    },
    Row {
        providers: &["mistral"],
        hosts: &["mistral.ai"],
        quirks: Quirks {
            stream_usage: false,
            tool_result_name: true,
            call_id_chars: Some(9),
            seed_field: "random_seed",
            document_url: false,
            ..CLOSED
        },
    },
    Row {
        providers: &["deepseek"],
        hosts: &["api.deepseek.com"],
        quirks: Quirks {
            thinking: ThinkingForm::Type,
            thinking_field: Some("reasoning_content"),
            json_schema: false,
            plain_content: true,
            ..CLOSED
        },
    },
    Row {
        providers: &["groq"],
        hosts: &["api.groq.com"],
        quirks: Quirks {
            max_tokens: MaxTokens::MaxCompletionTokens,
            efforts: &["none", "low", "medium", "high"],
            ..CLOSED
        },
    },
    Row {
        providers: &["xai"],
        hosts: &["api.x.ai"],
        quirks: Quirks { efforts: &["low", "high"], session: Session::GrokHeader, ..CLOSED },
    },
    Row {
        providers: &["cerebras"],
        hosts: &["api.cerebras.ai"],
        quirks: Quirks {
            max_tokens: MaxTokens::MaxCompletionTokens,
            efforts: LOW_TO_HIGH,
            plain_content: true,
            ..CLOSED
        },
    },
    Row {
        providers: &["perplexity"],
        hosts: &["api.perplexity.ai"],
        quirks: Quirks { think_tags: true, efforts: &["minimal", "low", "medium", "high"], ..PLAIN },
    },
    Row {
        providers: &["minimax", "minimax-cn"],
        hosts: &["api.minimax.io", "api.minimaxi.com", "api.minimax.chat"],
        quirks: Quirks { thinking: ThinkingForm::None, think_tags: true, ..CLOSED },
    },
    Row {
        providers: &["moonshot", "moonshot-cn", "kimi"],
        hosts: &["api.moonshot.ai", "api.moonshot.cn", "api.kimi.com"],
        quirks: Quirks {
            thinking: ThinkingForm::Type,
            thinking_field: Some("reasoning_content"),
            session: Session::PromptCacheKey,
            ..CLOSED
        },
    },
    Row {
        providers: &["zai", "zai-coding", "zhipu"],
        hosts: &["api.z.ai", "open.bigmodel.cn"],
        quirks: Quirks {
            thinking: ThinkingForm::Type,
            thinking_field: Some("reasoning_content"),
            json_schema: false,
            ..CLOSED
        },
    },
    Row {
        providers: &["qwen", "qwen-cn"],
        hosts: &["dashscope"],
        quirks: Quirks { thinking: ThinkingForm::EnableThinking, ..PLAIN },
    },
    Row {
        providers: &["together", "fireworks", "huggingface", "baseten", "deepinfra"],
        hosts: &["api.together.", "api.fireworks.ai", "router.huggingface.co", "inference.baseten.co", "deepinfra.com"],
        quirks: Quirks { efforts: &["none", "low", "medium", "high"], ..PLAIN },
    },
    Row {
        providers: &["chutes", "featherless", "novita", "siliconflow", "siliconflow-cn"],
        hosts: &["chutes.ai", "featherless.ai", "api.novita.ai", "api.siliconflow."],
        quirks: Quirks { thinking: ThinkingForm::EnableThinking, ..PLAIN },
    },
    Row {
        providers: &["vllm", "llama.cpp"],
        hosts: &[],
        quirks: Quirks { thinking: ThinkingForm::ChatTemplate, ..PLAIN },
    },
];

impl Quirks {
    /// Those of a provider, or of the host of a base URL. Without both they are those of the dialect's inventor.
    pub(crate) fn of(provider: Option<&str>, base_url: Option<&str>) -> Self {
        if provider.is_none() && base_url.is_none() {
            return OPENAI;
        }
        let by_name = ROWS.iter().find(|row| provider.is_some_and(|name| row.providers.contains(&name)));
        let is_at = |row: &&Row| base_url.is_some_and(|url| row.hosts.iter().any(|host| url.contains(host)));
        by_name.or_else(|| ROWS.iter().find(is_at)).map_or(PLAIN, |row| row.quirks)
    }
}

/// The level of `known` that is nearest to the one wanted. A level that is not one of [`EFFORTS`] is the server's own;
/// none, where the server cannot do without thinking, is left out.
pub(crate) fn nearest_effort<'a, S: AsRef<str>>(wanted: &'a str, known: &'a [S]) -> Option<&'a str> {
    let place = |effort: &str| EFFORTS.iter().position(|known| *known == effort);
    if known.iter().any(|known| known.as_ref() == wanted) {
        return Some(wanted);
    }
    let Some(at) = place(wanted) else { return Some(wanted) };
    if wanted == "none" {
        return None;
    }
    let thinking = known.iter().map(AsRef::as_ref).filter(|known| *known != "none");
    thinking.min_by_key(|known| place(known).map_or(usize::MAX, |place| place.abs_diff(at)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_stands_in_two_rows() {
        let mut names: Vec<&str> = ROWS.iter().flat_map(|row| row.providers.iter().chain(row.hosts)).copied().collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }

    #[test]
    fn a_row_is_found_by_name_or_else_by_host() {
        assert_eq!(Quirks::of(None, None), OPENAI);
        assert_eq!(Quirks::of(Some("openai"), Some("http://127.0.0.1:1/v1")), OPENAI);
        assert_eq!(Quirks::of(Some("mine"), Some("https://api.openai.com/v1")), OPENAI);
        assert_eq!(Quirks::of(None, Some("http://127.0.0.1:8080/v1")), PLAIN);
        assert!(Quirks::of(None, Some("https://api.minimaxi.com/v1")).think_tags);
        assert_eq!(Quirks::of(Some("kimi"), None).thinking_field, Some("reasoning_content"));
    }

    #[test]
    fn the_nearest_level_is_asked_for() {
        for (wanted, known, expected) in [
            ("low", EFFORTS, Some("low")),
            ("medium", &["low", "high"][..], Some("low")),
            ("xhigh", LOW_TO_HIGH, Some("high")),
            ("minimal", LOW_TO_HIGH, Some("low")),
            ("none", LOW_TO_HIGH, None),
            ("none", EFFORTS, Some("none")),
            ("minimal", &["none", "high"], Some("high")),
            ("default", LOW_TO_HIGH, Some("default")),
        ] {
            assert_eq!(nearest_effort(wanted, known), expected, "{wanted} of {known:?}");
        }
    }
}
