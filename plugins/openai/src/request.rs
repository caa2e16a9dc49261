//! All of a request but its messages.

use serde_json::{Map, Value, json};
use thalweg_abi::guest::canonical::{self, Cache, Mark, Output, Thinking, Tool, ToolChoice};
use thalweg_abi::guest::{Failure, Request};

use crate::message::cache_control;
use crate::options::Options;
use crate::quirks::{MaxTokens, Session, ThinkingForm};

/// Writes path, headers and body of `request`.
pub(crate) fn encode(request: &str, options: &Options, out: &mut Request) -> Result<(), Failure> {
    let request = canonical::request(request)?;
    let cached = cache_control(Mark(request.cached()), options);
    let front = cached.clone().filter(|_| request.marks_front());
    let cached = cached.filter(|_| request.cache_marks.is_none());
    let system = request.system.as_deref().filter(|system| !system.is_empty());
    let system = system.map(|text| {
        let content = match &front {
            Some(cached) => json!([{"type": "text", "text": text, "cache_control": cached}]),
            None => json!(text),
        };
        json!({"role": options.system_role, "content": content})
    });
    out.path.push_str("/chat/completions");
    out.headers.push(("content-type".into(), "application/json".into()));
    if let (Session::GrokHeader, Some(session)) = (options.quirks.session, &request.session) {
        out.headers.push(("x-grok-conv-id".into(), session.clone()));
    }
    let mut body = fields(request, options)?;
    if let Some(cached) = cached {
        // One breakpoint that moves along with the end of the conversation.
        body.entry("cache_control").or_insert(cached);
    }
    let body = Value::Object(body).to_string();
    // The messages are the last field: the object stays open for them.
    out.body_head.push_str(body.strip_suffix('}').unwrap_or(&body));
    out.body_head.push_str(",\"messages\":[");
    if let Some(system) = system {
        out.body_head.push_str(&system.to_string());
        out.body_head.push(',');
    }
    out.body_tail.push_str("]}");
    Ok(())
}

fn fields(request: canonical::Request, options: &Options) -> Result<Map<String, Value>, Failure> {
    let quirks = &options.quirks;
    let mut body = Map::new();
    let mut set = |key: &str, value: Option<Value>| {
        if let Some(value) = value {
            body.insert(key.to_owned(), value);
        }
    };
    set("model", Some(request.model.into()));
    set("stream", Some(request.stream.into()));
    if request.stream && quirks.stream_usage {
        set("stream_options", Some(json!({"include_usage": true})));
    }
    if !request.tools.is_empty() {
        set("tools", Some(request.tools.into_iter().map(tool).collect()));
    }
    set("tool_choice", request.tool_choice.map(tool_choice));
    set("parallel_tool_calls", request.parallel_tools.map(Value::from));
    let max_tokens = match quirks.max_tokens {
        MaxTokens::MaxTokens => "max_tokens",
        MaxTokens::MaxCompletionTokens => "max_completion_tokens",
    };
    set(max_tokens, request.max_tokens.map(Value::from));
    set("temperature", request.temperature);
    set("top_p", request.top_p);
    set("top_k", request.top_k.filter(|_| quirks.top_k));
    set(&options.seed_field, request.seed);
    set("frequency_penalty", request.frequency_penalty);
    set("presence_penalty", request.presence_penalty);
    if !request.stop.is_empty() {
        set("stop", Some(request.stop.into()));
    }
    if let Some((key, value)) = request.thinking.as_ref().and_then(|thinking| asked(thinking, options)) {
        set(key, Some(value));
    }
    if let (ThinkingForm::EnableThinking, Some(budget)) =
        (quirks.thinking, request.thinking.as_ref().and_then(|thinking| thinking.budget_tokens))
    {
        set("thinking_budget", Some(budget.into()));
    }
    set("response_format", request.output.map(|output| format(output, quirks.json_schema)).transpose()?);
    let session = request.session.filter(|_| request.cache != Some(Cache::None));
    match quirks.session {
        Session::PromptCacheKey => set("prompt_cache_key", session.map(Value::from)),
        Session::BodyId => set("session_id", session.map(Value::from)),
        Session::GrokHeader | Session::None => {}
    }
    if request.cache == Some(Cache::Long) && quirks.long_cache {
        set("prompt_cache_retention", Some("24h".into()));
    }
    body.extend(request.extra);
    body.remove("messages");
    Ok(body)
}

/// How thinking is asked for, as far as the server can be asked.
fn asked(thinking: &Thinking, options: &Options) -> Option<(&'static str, Value)> {
    let effort = thinking.effort().and_then(|wanted| options.effort(wanted));
    Some(match options.quirks.thinking {
        ThinkingForm::ReasoningEffort => ("reasoning_effort", effort?.into()),
        ThinkingForm::Reasoning => match thinking.budget_tokens {
            Some(budget) if budget > 0 => ("reasoning", json!({"max_tokens": budget})),
            _ => ("reasoning", json!({"effort": effort?})),
        },
        ThinkingForm::Type => ("thinking", json!({"type": if thinking.is_off() { "disabled" } else { "enabled" }})),
        ThinkingForm::EnableThinking => ("enable_thinking", (!thinking.is_off()).into()),
        ThinkingForm::ChatTemplate => ("chat_template_kwargs", json!({"enable_thinking": !thinking.is_off()})),
        ThinkingForm::None => return None,
    })
}

fn tool(tool: Tool) -> Value {
    let mut function = json!({"name": tool.name, "description": tool.description, "parameters": tool.parameters});
    if let Some(strict) = tool.strict {
        function["strict"] = strict.into();
    }
    json!({"type": "function", "function": function})
}

fn tool_choice(choice: ToolChoice) -> Value {
    match choice {
        ToolChoice::Mode(mode) => mode.into(),
        ToolChoice::Tool { name } => json!({"type": "function", "function": {"name": name}}),
    }
}

fn format(output: Output, has_schemas: bool) -> Result<Value, Failure> {
    Ok(match output {
        Output::Json => json!({"type": "json_object"}),
        Output::JsonSchema { .. } if !has_schemas => {
            return Err(Failure::unsupported(
                "this server takes no schema for its reply; ask for `json` and put the schema into the prompt",
            ));
        }
        Output::JsonSchema { name, schema, strict } => {
            let mut format = json!({"name": name.unwrap_or_else(|| "reply".to_owned()), "schema": schema});
            if let Some(strict) = strict {
                format["strict"] = strict.into();
            }
            json!({"type": "json_schema", "json_schema": format})
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(options: &str, request: &Value) -> Value {
        let mut out = Request::default();
        encode(&request.to_string(), &Options::read(options).unwrap(), &mut out).unwrap();
        assert_eq!(out.path, "/chat/completions");
        let body = format!("{}{}{}", out.body_head, r#"{"role":"user","content":"x"}"#, out.body_tail);
        serde_json::from_str(&body).unwrap()
    }

    #[test]
    fn what_is_not_set_is_not_sent() {
        let user = json!({"role":"user","content":"x"});
        assert_eq!(
            body("", &json!({"model":"m","stream":false,"thinking":null})),
            json!({"model":"m","stream":false,"messages":[user]})
        );
        assert_eq!(
            body("", &json!({"model":"m","stream":true,"system":"s"})),
            json!({"model":"m","stream":true,"stream_options":{"include_usage":true},
                "messages":[{"role":"system","content":"s"},user]})
        );
    }

    #[test]
    fn everything_set_is_sent_in_the_words_of_the_server() {
        let request = json!({"model":"m","system":"s","tools":[{"name":"t","description":"d","parameters":{"type":"object"}}],
            "tool_choice":{"name":"t"},"max_tokens":9,"temperature":0.5,"top_p":0.9,"stop":["x"],
            "thinking":{"level":"low","budget_tokens":7},"stream":true,
            "extra":{"seed":1,"top_p":0.1,"messages":[]}});
        let expected = json!({"model":"m","stream":true,"stream_options":{"include_usage":true},
            "tools":[{"type":"function","function":{"name":"t","description":"d","parameters":{"type":"object"}}}],
            "tool_choice":{"type":"function","function":{"name":"t"}},"max_completion_tokens":9,"temperature":0.5,
            "top_p":0.1,"stop":["x"],"reasoning_effort":"low","seed":1,
            "messages":[{"role":"system","content":"s"},{"role":"user","content":"x"}]});
        assert_eq!(body("", &request), expected);
        let other = body(
            r#"{"base_url":"https://openrouter.ai/api/v1","flags":{"system_role":"developer","stream_usage":false}}"#,
            &request,
        );
        assert_eq!(other["reasoning"], json!({"max_tokens":7}));
        assert_eq!(other["max_tokens"], json!(9));
        assert_eq!(other["messages"][0]["role"], json!("developer"));
        assert!(other.get("stream_options").is_none() && other.get("reasoning_effort").is_none());
    }

    #[test]
    fn thinking_is_asked_for_in_the_words_of_the_server() {
        let (low, off, budget) = (json!({"level":"low"}), json!({"level":"none"}), json!({"budget_tokens":9000}));
        for (provider, thinking, key, expected) in [
            ("openai", &low, "reasoning_effort", json!("low")),
            ("openai", &budget, "reasoning_effort", json!("medium")),
            ("openai", &off, "reasoning_effort", json!("none")),
            ("xai", &budget, "reasoning_effort", json!("low")),
            ("xai", &off, "reasoning_effort", json!(null)),
            ("openrouter", &low, "reasoning", json!({"effort":"low"})),
            ("openrouter", &budget, "reasoning", json!({"max_tokens":9000})),
            ("zai", &low, "thinking", json!({"type":"enabled"})),
            ("deepseek", &off, "thinking", json!({"type":"disabled"})),
            ("qwen", &budget, "enable_thinking", json!(true)),
            ("qwen", &budget, "thinking_budget", json!(9000)),
            ("qwen", &off, "enable_thinking", json!(false)),
            ("vllm", &off, "chat_template_kwargs", json!({"enable_thinking":false})),
            ("minimax", &low, "reasoning_effort", json!(null)),
        ] {
            let sent = body(&json!({"provider":provider}).to_string(), &json!({"model":"m","thinking":thinking}));
            assert_eq!(sent.get(key).unwrap_or(&Value::Null), &expected, "{provider} {thinking}");
        }
    }

    #[test]
    fn sampling_schemas_and_caches_are_sent_where_the_server_has_them() {
        let request = json!({"model":"m","system":"s","top_k":5,"seed":1,"frequency_penalty":0.1,"presence_penalty":0.2,
            "parallel_tools":false,"tools":[{"name":"t","parameters":{},"strict":true}],
            "output":{"type":"json_schema","name":"n","schema":{"type":"object"},"strict":true},
            "cache":"long","session":"c1"});
        let user = json!({"role":"user","content":"x"});
        let tools = json!([{"type":"function","function":{"name":"t","description":"","parameters":{},"strict":true}}]);
        let format = json!({"type":"json_schema","json_schema":{"name":"n","schema":{"type":"object"},"strict":true}});
        assert_eq!(
            body("", &request),
            json!({"model":"m","stream":false,"tools":tools,"parallel_tool_calls":false,"seed":1,
                "frequency_penalty":0.1,"presence_penalty":0.2,"response_format":format,"prompt_cache_key":"c1",
                "prompt_cache_retention":"24h","messages":[{"role":"system","content":"s"},user]})
        );
        let cached = json!({"type":"ephemeral","ttl":"1h"});
        assert_eq!(
            body(r#"{"provider":"openrouter"}"#, &request),
            json!({"model":"m","stream":false,"tools":tools,"parallel_tool_calls":false,"top_k":5,"seed":1,
                "frequency_penalty":0.1,"presence_penalty":0.2,"response_format":format,"session_id":"c1",
                "cache_control":cached,
                "messages":[{"role":"system","content":[{"type":"text","text":"s","cache_control":cached}]},user]})
        );
        assert_eq!(body(r#"{"provider":"mistral"}"#, &request)["random_seed"], json!(1));
        assert_eq!(
            body(r#"{"provider":"zai"}"#, &json!({"model":"m","output":{"type":"json"}}))["response_format"],
            json!({"type":"json_object"})
        );
        let mut out = Request::default();
        let failure =
            encode(&request.to_string(), &Options::read(r#"{"provider":"zai"}"#).unwrap(), &mut out).unwrap_err();
        assert_eq!(failure.code, thalweg_abi::types::E_UNSUPPORTED);
        let mut out = Request::default();
        encode(r#"{"model":"m","session":"c1"}"#, &Options::read(r#"{"provider":"xai"}"#).unwrap(), &mut out).unwrap();
        assert!(out.headers.contains(&("x-grok-conv-id".into(), "c1".into())));
    }

    #[test]
    fn what_is_no_canonical_request_is_refused() {
        for request in ["", "[]", "{}", r#"{"model":1}"#] {
            assert!(encode(request, &Options::read("").unwrap(), &mut Request::default()).is_err(), "{request}");
        }
    }
}
