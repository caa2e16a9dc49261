//! All of a request but its messages.

use serde_json::{Map, Value, json};
use thalweg_abi::guest::canonical::{self, Cache, Output, Tool, ToolChoice};
use thalweg_abi::guest::{Failure, Request};

use crate::options::Options;

/// Writes path and body of `request`.
pub(crate) fn encode(request: &str, options: &Options, out: &mut Request) -> Result<(), Failure> {
    let body = Value::Object(fields(canonical::request(request)?, options)?).to_string();
    out.path.push_str("/responses");
    out.headers.push(("content-type".into(), "application/json".into()));
    // The items are the last field: the object stays open for them.
    out.body_head.push_str(body.strip_suffix('}').unwrap_or(&body));
    out.body_head.push_str(",\"input\":[");
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
    set("model", Some(request.model.into()));
    set("stream", Some(request.stream.into()));
    set("store", Some(options.store.into()));
    set("instructions", request.system.filter(|system| !system.is_empty()).map(Value::from));
    if !request.tools.is_empty() {
        set("tools", Some(request.tools.into_iter().map(tool).collect()));
    }
    set("tool_choice", request.tool_choice.map(tool_choice));
    set("parallel_tool_calls", request.parallel_tools.map(Value::from));
    set("max_output_tokens", request.max_tokens.map(Value::from));
    set("temperature", request.temperature);
    set("top_p", request.top_p);
    if !request.stop.is_empty() {
        if !options.stop {
            return Err(Failure::unsupported(
                "this dialect has no stop sequences; leave `stop` out, or set the flag `stop` if the server takes them",
            ));
        }
        set("stop", Some(request.stop.into()));
    }
    if let Some(thinking) = &request.thinking {
        let mut reasoning = Map::new();
        if let Some(effort) = thinking.effort() {
            reasoning.insert("effort".into(), effort.into());
        }
        if options.summary && !thinking.is_off() {
            reasoning.insert("summary".into(), "auto".into());
        }
        if !reasoning.is_empty() {
            set("reasoning", Some(reasoning.into()));
        }
        if options.encrypted_reasoning && !options.store && !thinking.is_off() {
            set("include", Some(json!(["reasoning.encrypted_content"])));
        }
    }
    set("text", request.output.map(|output| json!({"format": format(output)})));
    if request.cache != Some(Cache::None) {
        set("prompt_cache_key", request.session.map(Value::from));
    }
    if request.cache == Some(Cache::Long) && options.long_cache {
        set("prompt_cache_retention", Some("24h".into()));
    }
    body.extend(request.extra);
    body.remove("input");
    Ok(body)
}

fn tool(tool: Tool) -> Value {
    // Left out, the provider would take it for true.
    let strict = tool.strict.unwrap_or(false);
    json!({"type": "function", "name": tool.name, "description": tool.description, "parameters": tool.parameters,
        "strict": strict})
}

fn tool_choice(choice: ToolChoice) -> Value {
    match choice {
        ToolChoice::Mode(mode) => mode.into(),
        ToolChoice::Tool { name } => json!({"type": "function", "name": name}),
    }
}

fn format(output: Output) -> Value {
    match output {
        Output::Json => json!({"type": "json_object"}),
        Output::JsonSchema { name, schema, strict } => {
            let name = name.unwrap_or_else(|| "reply".to_owned());
            let mut format = json!({"type": "json_schema", "name": name, "schema": schema});
            if let Some(strict) = strict {
                format["strict"] = strict.into();
            }
            format
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(options: &str, request: &Value) -> Value {
        let mut out = Request::default();
        encode(&request.to_string(), &Options::read(options).unwrap(), &mut out).unwrap();
        assert_eq!(out.path, "/responses");
        let body = format!("{}{}{}", out.body_head, r#"{"role":"user","content":"x"}"#, out.body_tail);
        serde_json::from_str(&body).unwrap()
    }

    #[test]
    fn what_is_not_set_is_not_sent() {
        let input = json!([{"role":"user","content":"x"}]);
        assert_eq!(
            body("", &json!({"model":"m","stream":true,"system":"","thinking":null,"top_k":5})),
            json!({"model":"m","stream":true,"store":false,"input":input})
        );
    }

    #[test]
    fn everything_set_is_sent_in_the_words_of_the_provider() {
        let request = json!({"model":"m","system":"s","tools":[{"name":"t","description":"d","parameters":{"type":"object"}},
            {"name":"u","parameters":{},"strict":true}],
            "tool_choice":{"name":"t"},"parallel_tools":false,"max_tokens":9,"temperature":0.5,"top_p":0.9,
            "thinking":{"level":"low"},"output":{"type":"json_schema","name":"n","schema":{"type":"object"},"strict":true},
            "cache":"long","session":"c1","stream":true,"extra":{"service_tier":"flex","top_p":0.1,"input":[]}});
        let expected = json!({"model":"m","stream":true,"store":false,"instructions":"s",
            "tools":[{"type":"function","name":"t","description":"d","parameters":{"type":"object"},"strict":false},
                {"type":"function","name":"u","description":"","parameters":{},"strict":true}],
            "tool_choice":{"type":"function","name":"t"},"parallel_tool_calls":false,"max_output_tokens":9,
            "temperature":0.5,"top_p":0.1,"reasoning":{"effort":"low","summary":"auto"},
            "include":["reasoning.encrypted_content"],
            "text":{"format":{"type":"json_schema","name":"n","schema":{"type":"object"},"strict":true}},
            "prompt_cache_key":"c1","prompt_cache_retention":"24h","service_tier":"flex",
            "input":[{"role":"user","content":"x"}]});
        assert_eq!(body("", &request), expected);
    }

    #[test]
    fn a_local_server_gets_only_what_it_knows() {
        let request = json!({"model":"m","thinking":{"budget_tokens":9000},"stop":["x"],"output":{"type":"json"},
            "cache":"none","session":"c1"});
        let local = r#"{"base_url":"http://127.0.0.1:8080/v1","flags":{"stop":true}}"#;
        assert_eq!(
            body(local, &request),
            json!({"model":"m","stream":false,"store":false,"stop":["x"],"reasoning":{"effort":"medium"},
                "text":{"format":{"type":"json_object"}},"input":[{"role":"user","content":"x"}]})
        );
        let off = json!({"model":"m","thinking":{"level":"none"}});
        assert_eq!(body("", &off)["reasoning"], json!({"effort":"none"}));
        assert!(body("", &off).get("include").is_none());
    }

    #[test]
    fn what_the_dialect_cannot_say_is_refused() {
        for request in ["", "{}", r#"{"model":"m","stop":["x"]}"#] {
            assert!(encode(request, &Options::read("").unwrap(), &mut Request::default()).is_err(), "{request}");
        }
    }
}
