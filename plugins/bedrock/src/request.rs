//! All of a request but its messages.

use serde_json::{Map, Value, json};
use thalweg_abi::guest::canonical::{self, Output, Thinking, Tool, ToolChoice};
use thalweg_abi::guest::{Failure, Request};

use crate::message::cache_point;

/// Writes path, headers and body of `request`.
pub(crate) fn encode(request: &str, out: &mut Request) -> Result<(), Failure> {
    let request = canonical::request(request)?;
    out.path.push_str("/model/");
    push_encoded(&request.model, &mut out.path);
    out.path.push_str(if request.stream { "/converse-stream" } else { "/converse" });
    out.headers.push(("content-type".into(), "application/json".into()));
    let body = Value::Object(fields(request)?).to_string();
    let body = body.strip_suffix('}').unwrap_or(&body);
    // The messages are the last field: the object stays open for them.
    out.body_head.push_str(body);
    out.body_head.push_str(if body == "{" { "\"messages\":[" } else { ",\"messages\":[" });
    out.body_tail.push_str("]}");
    Ok(())
}

/// The name of a model is one part of the path, also where it has colons and slashes.
fn push_encoded(model: &str, out: &mut String) {
    for byte in model.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(byte.into());
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
}

fn fields(request: canonical::Request) -> Result<Map<String, Value>, Failure> {
    let mut body = Map::new();
    let is_cached = request.marks_front();
    // With marks in the messages there is one in front of them: the tools come before the system prompt.
    let is_once = request.cache_marks.is_some() && request.system.as_ref().is_some_and(|system| !system.is_empty());
    let mark = || if is_cached { Some(cache_point()) } else { None };
    if let Some(system) = request.system.filter(|system| !system.is_empty()) {
        let blocks: Vec<Value> = [json!({"text": system})].into_iter().chain(mark()).collect();
        body.insert("system".into(), blocks.into());
    }
    let mut own = Map::new();
    let mut max_tokens = request.max_tokens;
    let is_thinking = match request.thinking {
        Some(thinking) if !thinking.is_off() => {
            set_thinking(&thinking, &request.model, &mut max_tokens, &mut own)?;
            true
        }
        _ => false,
    };
    let stop = (!request.stop.is_empty()).then(|| Value::from(request.stop));
    // With thinking the models refuse any other temperature than their own.
    let temperature = request.temperature.filter(|_| !is_thinking);
    let sampling = object([
        ("maxTokens", max_tokens.map(Value::from)),
        ("temperature", temperature),
        ("topP", request.top_p),
        ("stopSequences", stop),
    ]);
    if !sampling.is_empty() {
        body.insert("inferenceConfig".into(), sampling.into());
    }
    own.extend(object([("top_k", request.top_k)]));
    let is_none = matches!(&request.tool_choice, Some(ToolChoice::Mode(mode)) if mode == "none");
    if !request.tools.is_empty() && !is_none {
        let tools: Vec<Value> = request.tools.into_iter().map(tool).chain(mark().filter(|_| !is_once)).collect();
        let config = object([("tools", Some(tools.into())), ("toolChoice", request.tool_choice.map(tool_choice))]);
        body.insert("toolConfig".into(), config.into());
    }
    if let Some(output) = request.output {
        body.insert("outputConfig".into(), self::output(output)?);
    }
    let mut extra = request.extra;
    // What is set there goes beside what is set here, and over it.
    if let Some(Value::Object(more)) = extra.remove("additionalModelRequestFields") {
        own.extend(more);
    }
    if !own.is_empty() {
        body.insert("additionalModelRequestFields".into(), own.into());
    }
    body.extend(extra);
    body.remove("messages");
    Ok(body)
}

fn object<const N: usize>(fields: [(&str, Option<Value>); N]) -> Map<String, Value> {
    fields.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))).collect()
}

/// Thinking is a field of each family's own.
fn set_thinking(
    thinking: &Thinking,
    model: &str,
    max_tokens: &mut Option<u64>,
    own: &mut Map<String, Value>,
) -> Result<(), Failure> {
    let budget = thinking.budget()?.max(BUDGET_TOKENS_MIN);
    let effort = match thinking.level.as_deref() {
        Some("minimal" | "low") => "low",
        Some("high" | "xhigh") => "high",
        None if budget > 8192 => "high",
        None if budget <= 2048 => "low",
        _ => "medium",
    };
    if model.contains("anthropic") || model.contains("claude") {
        // The budget counts as part of the limit, which would leave nothing for the answer.
        *max_tokens = Some(match *max_tokens {
            Some(limit) if limit > budget => limit,
            limit => budget.saturating_add(limit.unwrap_or(ANSWER_TOKENS)),
        });
        own.insert("thinking".into(), json!({"type": "enabled", "budget_tokens": budget}));
    } else if model.contains("nova") {
        own.insert("reasoningConfig".into(), json!({"type": "enabled", "maxReasoningEffort": effort}));
    } else if model.contains("gpt-oss") {
        own.insert("reasoning_effort".into(), effort.into());
    } else {
        return Err(Failure::unsupported(
            "how this model is told to think is not known; put its own fields into extra.additionalModelRequestFields",
        ));
    }
    Ok(())
}

/// The least that Claude takes as a budget of thinking.
const BUDGET_TOKENS_MIN: u64 = 1024;
/// Tokens left for the answer where no limit is set.
const ANSWER_TOKENS: u64 = 4096;

fn tool(tool: Tool) -> Value {
    let mut spec = json!({"name": tool.name, "inputSchema": {"json": tool.parameters}});
    // An empty description is refused.
    if !tool.description.is_empty() {
        spec["description"] = tool.description.into();
    }
    if let Some(strict) = tool.strict {
        spec["strict"] = strict.into();
    }
    json!({"toolSpec": spec})
}

fn tool_choice(choice: ToolChoice) -> Value {
    match choice {
        ToolChoice::Mode(mode) if mode == "required" => json!({"any": {}}),
        ToolChoice::Mode(_) => json!({"auto": {}}),
        ToolChoice::Tool { name } => json!({"tool": {"name": name}}),
    }
}

fn output(output: Output) -> Result<Value, Failure> {
    match output {
        Output::Json => Err(Failure::unsupported("bedrock gives JSON of a schema only; set one")),
        Output::JsonSchema { name, schema, .. } => {
            // The schema is sent as text.
            let mut definition = json!({"schema": schema.to_string()});
            if let Some(name) = name {
                definition["name"] = name.into();
            }
            Ok(json!({"textFormat": {"type": "json_schema", "structure": {"jsonSchema": definition}}}))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(request: &Value) -> (String, Value) {
        let mut out = Request::default();
        encode(&request.to_string(), &mut out).unwrap();
        let body = format!("{}{}{}", out.body_head, r#"{"role":"user","content":[]}"#, out.body_tail);
        (out.path, serde_json::from_str(&body).unwrap())
    }

    #[test]
    fn the_model_is_a_part_of_the_path() {
        let (path, body) =
            sent(&json!({"model":"us.anthropic.claude-haiku-4-5-20251001-v1:0","stream":true,"system":""}));
        assert_eq!(path, "/model/us.anthropic.claude-haiku-4-5-20251001-v1%3A0/converse-stream");
        assert_eq!(body, json!({"messages":[{"role":"user","content":[]}]}));
        let (path, _) = sent(&json!({"model":"arn:aws:bedrock:x:1:inference-profile/é"}));
        assert_eq!(path, "/model/arn%3Aaws%3Abedrock%3Ax%3A1%3Ainference-profile%2F%C3%A9/converse");
    }

    #[test]
    fn everything_set_is_sent_in_the_words_of_the_provider() {
        let request = json!({"model":"amazon.nova-2-lite-v1:0","system":"s","cache":"short",
            "tools":[{"name":"t","description":"d","parameters":{"type":"object"},"strict":true},{"name":"u","parameters":{}}],
            "tool_choice":"required","max_tokens":9,"temperature":0.5,"top_p":0.9,"top_k":3,"stop":["x"],
            "output":{"type":"json_schema","name":"n","schema":{"type":"object"}},
            "extra":{"guardrailConfig":{"trace":"enabled"},"additionalModelRequestFields":{"a":1},"messages":[]}});
        let expected = json!({"system":[{"text":"s"},{"cachePoint":{"type":"default"}}],
            "inferenceConfig":{"maxTokens":9,"temperature":0.5,"topP":0.9,"stopSequences":["x"]},
            "toolConfig":{"tools":[
                {"toolSpec":{"name":"t","inputSchema":{"json":{"type":"object"}},"description":"d","strict":true}},
                {"toolSpec":{"name":"u","inputSchema":{"json":{}}}},
                {"cachePoint":{"type":"default"}}],"toolChoice":{"any":{}}},
            "outputConfig":{"textFormat":{"type":"json_schema","structure":{"jsonSchema":{"schema":"{\"type\":\"object\"}","name":"n"}}}},
            "additionalModelRequestFields":{"top_k":3,"a":1},"guardrailConfig":{"trace":"enabled"},
            "messages":[{"role":"user","content":[]}]});
        assert_eq!(sent(&request).1, expected);
        let choice = |choice: Value| {
            sent(&json!({"model":"m","tools":[{"name":"t","parameters":{}}],"tool_choice":choice})).1["toolConfig"]
                .clone()
        };
        assert_eq!(choice(json!({"name":"t"}))["toolChoice"], json!({"tool":{"name":"t"}}));
        assert_eq!(choice(json!("auto"))["toolChoice"], json!({"auto":{}}));
        assert_eq!(choice(json!("none")), Value::Null);
    }

    #[test]
    fn each_family_is_told_to_think_in_its_own_words() {
        for (model, thinking, own, limit) in [
            (
                "anthropic.claude-x",
                json!({"level":"low"}),
                json!({"thinking":{"type":"enabled","budget_tokens":2048}}),
                6144,
            ),
            (
                "anthropic.claude-x",
                json!({"budget_tokens":5}),
                json!({"thinking":{"type":"enabled","budget_tokens":1024}}),
                5120,
            ),
            (
                "amazon.nova-2",
                json!({"level":"xhigh"}),
                json!({"reasoningConfig":{"type":"enabled","maxReasoningEffort":"high"}}),
                0,
            ),
            ("openai.gpt-oss-20b", json!({"budget_tokens":4000}), json!({"reasoning_effort":"medium"}), 0),
        ] {
            let (_, body) = sent(&json!({"model":model,"thinking":thinking,"temperature":1}));
            assert_eq!(body["additionalModelRequestFields"], own, "{model}");
            let expected = if limit == 0 { Value::Null } else { json!({"maxTokens":limit}) };
            assert_eq!(body["inferenceConfig"], expected, "{model}");
        }
        let (_, body) = sent(&json!({"model":"m","thinking":{"level":"none"},"temperature":1}));
        assert_eq!(body["inferenceConfig"], json!({"temperature":1}));
    }

    #[test]
    fn what_cannot_be_said_is_refused() {
        for request in
            [json!({"model":"meta.llama","thinking":{"level":"low"}}), json!({"model":"m","output":{"type":"json"}})]
        {
            let failure = encode(&request.to_string(), &mut Request::default()).unwrap_err();
            assert_eq!(failure.code, thalweg_abi::types::E_UNSUPPORTED, "{request}");
        }
        assert!(encode("{}", &mut Request::default()).is_err());
    }
}
