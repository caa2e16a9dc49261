//! All of a request but its messages.

use serde_json::{Map, Value, json};
use thalweg_abi::guest::canonical::{self, Output, Thinking, Tool, ToolChoice};
use thalweg_abi::guest::{Failure, Request};

use crate::options::Options;

/// The provider wants a limit on tokens in every request.
const MAX_TOKENS_DEFAULT: u64 = 4096;
/// The least that the provider takes as a budget of thinking.
const BUDGET_TOKENS_MIN: u64 = 1024;

/// Writes path, headers and body of `request`.
pub(crate) fn encode(request: &str, options: &Options, out: &mut Request) -> Result<(), Failure> {
    let body = Value::Object(fields(canonical::request(request)?, options)?).to_string();
    out.path.push_str(options.path);
    out.headers.push(("content-type".into(), "application/json".into()));
    out.headers.push(("anthropic-version".into(), "2023-06-01".into()));
    // The messages are the last field: the object stays open for them.
    out.body_head.push_str(body.strip_suffix('}').unwrap_or(&body));
    out.body_head.push_str(",\"messages\":[");
    out.body_tail.push_str("]}");
    Ok(())
}

fn fields(request: canonical::Request, options: &Options) -> Result<Map<String, Value>, Failure> {
    let mut body = Map::new();
    let mut set = |key: &str, value: Option<Value>| {
        if let Some(value) = value {
            body.insert(key.to_owned(), value);
        }
    };
    let max_tokens = request.max_tokens.unwrap_or(MAX_TOKENS_DEFAULT);
    let thinking = request.thinking.as_ref().filter(|thinking| !thinking.is_off());
    // A budget that is named is sent as it is; a level becomes one only where the model knows no levels.
    let is_adaptive = |thinking: &Thinking| thinking.budget_tokens.is_none() && options.is_adaptive(&request.model);
    let budget = match thinking {
        Some(thinking) if !is_adaptive(thinking) => Some(thinking.budget()?.max(BUDGET_TOKENS_MIN)),
        _ => None,
    };
    let effort = thinking.filter(|thinking| is_adaptive(thinking)).and_then(|thinking| thinking.level.as_deref());
    let effort = effort.map(|level| if level == "minimal" { "low" } else { level });
    // Breakpoints behind what comes first, and one that moves along with the end of the conversation.
    let cached = request.cached().filter(|_| options.cache).map(|cache| options.cache_control(cache));
    let front = cached.clone().filter(|_| request.marks_front());
    let has_marks = request.cache_marks.is_some();
    set("model", Some(request.model.into()));
    // The budget counts as part of the limit, which would leave nothing for the answer.
    let max_tokens = match budget {
        Some(budget) if budget >= max_tokens => budget.saturating_add(max_tokens),
        _ => max_tokens,
    };
    set("max_tokens", Some(max_tokens.into()));
    set("stream", Some(request.stream.into()));
    set("cache_control", cached.filter(|_| !has_marks));
    let system = request.system.filter(|system| !system.is_empty());
    // The tools come before the system prompt, so that its breakpoint is behind them, too.
    let tools_front = front.clone().filter(|_| system.is_none() || !has_marks);
    set(
        "system",
        system.map(|system| match &front {
            Some(control) => json!([{"type": "text", "text": system, "cache_control": control}]),
            None => system.into(),
        }),
    );
    if !request.tools.is_empty() {
        let mut tools: Vec<Value> = request.tools.into_iter().map(tool).collect();
        if let (Some(last), Some(control)) = (tools.last_mut(), tools_front) {
            last["cache_control"] = control;
        }
        set("tools", Some(tools.into()));
    }
    set("tool_choice", tool_choice(request.tool_choice, request.parallel_tools));
    match (thinking, budget) {
        (_, Some(budget)) => set("thinking", Some(json!({"type": "enabled", "budget_tokens": budget}))),
        (Some(_), None) => set("thinking", Some(json!({"type": "adaptive", "display": "summarized"}))),
        // With thinking the provider refuses any other sampling than its own.
        (None, None) => {
            set("temperature", request.temperature);
            set("top_k", request.top_k);
        }
    }
    set("top_p", request.top_p);
    let mut output = Map::new();
    if let Some(effort) = effort {
        output.insert("effort".into(), effort.into());
    }
    match request.output {
        Some(Output::JsonSchema { schema, .. }) => {
            output.insert("format".into(), json!({"type": "json_schema", "schema": schema}));
        }
        Some(Output::Json) => {
            return Err(Failure::unsupported(
                "this dialect has no JSON without a schema; give one, or ask for JSON in the prompt",
            ));
        }
        None => {}
    }
    if !output.is_empty() {
        set("output_config", Some(output.into()));
    }
    if !request.stop.is_empty() {
        set("stop_sequences", Some(request.stop.into()));
    }
    body.extend(request.extra);
    body.remove("messages");
    Ok(body)
}

fn tool(tool: Tool) -> Value {
    let mut value = json!({"name": tool.name, "description": tool.description, "input_schema": tool.parameters});
    if let Some(strict) = tool.strict {
        value["strict"] = strict.into();
    }
    value
}

fn tool_choice(choice: Option<ToolChoice>, parallel: Option<bool>) -> Option<Value> {
    let mut choice = match choice {
        Some(ToolChoice::Mode(mode)) if mode == "required" => json!({"type": "any"}),
        Some(ToolChoice::Mode(mode)) => json!({"type": mode}),
        Some(ToolChoice::Tool { name }) => json!({"type": "tool", "name": name}),
        None if parallel == Some(false) => json!({"type": "auto"}),
        None => return None,
    };
    if parallel == Some(false) && choice["type"] != "none" {
        choice["disable_parallel_tool_use"] = true.into();
    }
    Some(choice)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(request: &Value) -> Value {
        let mut out = Request::default();
        encode(&request.to_string(), &Options::read("").unwrap(), &mut out).unwrap();
        assert!(out.headers.contains(&("anthropic-version".into(), "2023-06-01".into())));
        let body = format!("{}{}{}", out.body_head, r#"{"role":"user","content":"x"}"#, out.body_tail);
        serde_json::from_str(&body).unwrap()
    }

    #[test]
    fn what_is_not_set_is_not_sent_but_for_the_limit() {
        let user = json!({"role":"user","content":"x"});
        let expected = json!({"model":"m","max_tokens":4096,"stream":true,"messages":[user]});
        assert_eq!(body(&json!({"model":"m","stream":true,"system":""})), expected);
    }

    #[test]
    fn everything_set_is_sent_in_the_words_of_the_provider() {
        let request = json!({"model":"m","system":"s","tools":[{"name":"t","description":"d","parameters":{"type":"object"}}],
            "tool_choice":"required","max_tokens":9,"temperature":0.5,"top_p":0.9,"stop":["x"],"stream":false,
            "extra":{"metadata":{"user_id":"u"},"messages":[]}});
        let expected = json!({"model":"m","max_tokens":9,"stream":false,"system":"s",
            "tools":[{"name":"t","description":"d","input_schema":{"type":"object"}}],"tool_choice":{"type":"any"},
            "temperature":0.5,"top_p":0.9,"stop_sequences":["x"],"metadata":{"user_id":"u"},
            "messages":[{"role":"user","content":"x"}]});
        assert_eq!(body(&request), expected);
        assert_eq!(
            body(&json!({"model":"m","tool_choice":{"name":"t"}}))["tool_choice"],
            json!({"type":"tool","name":"t"})
        );
    }

    #[test]
    fn thinking_leaves_room_for_the_answer() {
        for (thinking, max_tokens, budget, limit) in [
            (json!({"level":"low"}), 4096, 2048, 4096),
            (json!({"level":"high"}), 1000, 16_384, 17_384),
            (json!({"level":"low","budget_tokens":5}), 4096, 1024, 4096),
            (json!({"budget_tokens":5000}), 5000, 5000, 10_000),
        ] {
            let sent = body(&json!({"model":"m","max_tokens":max_tokens,"thinking":thinking,"temperature":0.1}));
            assert_eq!(sent["thinking"], json!({"type":"enabled","budget_tokens":budget}), "{thinking}");
            assert_eq!(sent["max_tokens"], json!(limit), "{thinking}");
            assert!(sent.get("temperature").is_none());
        }
    }

    #[test]
    fn a_level_is_sent_as_it_is_to_models_that_know_levels() {
        let sent = body(&json!({"model":"claude-opus-4-7","thinking":{"level":"minimal"},"temperature":0.1}));
        assert_eq!(sent["thinking"], json!({"type":"adaptive","display":"summarized"}));
        assert_eq!(sent["output_config"], json!({"effort":"low"}));
        assert!(sent.get("temperature").is_none());
        let budget = body(&json!({"model":"claude-opus-4-6","thinking":{"budget_tokens":2000}}));
        assert_eq!(budget["thinking"], json!({"type":"enabled","budget_tokens":2000}));
        let off = body(&json!({"model":"claude-opus-4-7","thinking":{"level":"none"},"temperature":0.1}));
        assert!(off.get("thinking").is_none() && off["temperature"] == json!(0.1));
    }

    #[test]
    fn a_cached_prompt_has_breakpoints_behind_tools_system_and_messages() {
        let tool = |name: &str| json!({"name":name,"parameters":{"type":"object"}});
        let sent = body(&json!({"model":"m","system":"s","tools":[tool("a"),tool("b")],"cache":"long"}));
        let long = json!({"type":"ephemeral","ttl":"1h"});
        assert_eq!(sent["cache_control"], long);
        assert_eq!(sent["system"], json!([{"type":"text","text":"s","cache_control":long}]));
        assert!(sent["tools"][0].get("cache_control").is_none());
        assert_eq!(sent["tools"][1]["cache_control"], long);
        let short = body(&json!({"model":"m","system":"s","cache":"short"}));
        assert_eq!(short["cache_control"], json!({"type":"ephemeral"}));
        assert_eq!(body(&json!({"model":"m","system":"s","cache":"none"}))["system"], json!("s"));
    }

    #[test]
    fn structured_output_strict_tools_and_single_calls_are_asked_for() {
        let sent = body(
            &json!({"model":"m","output":{"type":"json_schema","schema":{"type":"object"}},"parallel_tools":false,
            "tools":[{"name":"t","parameters":{},"strict":true}]}),
        );
        assert_eq!(sent["output_config"], json!({"format":{"type":"json_schema","schema":{"type":"object"}}}));
        assert_eq!(sent["tool_choice"], json!({"type":"auto","disable_parallel_tool_use":true}));
        assert_eq!(sent["tools"][0]["strict"], json!(true));
        assert_eq!(
            body(&json!({"model":"m","tool_choice":"none","parallel_tools":false}))["tool_choice"],
            json!({"type":"none"})
        );
    }

    #[test]
    fn what_is_no_canonical_request_is_refused() {
        for request in [
            "",
            "[]",
            "{}",
            r#"{"model":1}"#,
            r#"{"model":"m","thinking":{"level":"huge"}}"#,
            r#"{"model":"m","output":{"type":"json"}}"#,
        ] {
            assert!(encode(request, &Options::read("").unwrap(), &mut Request::default()).is_err(), "{request}");
        }
    }
}
