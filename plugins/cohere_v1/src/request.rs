//! All of a request but its history.

use serde_json::{Map, Value, json};
use thalweg_abi::guest::canonical::{self, Output, Tool, ToolChoice};
use thalweg_abi::guest::{Failure, Request};

use crate::history::History;

/// Writes headers and body of `request`.
pub(crate) fn encode(request: &str, history: &History, out: &mut Request) -> Result<(), Failure> {
    let body = Value::Object(fields(canonical::request(request)?)?).to_string();
    let last = history.fields()?;
    out.headers.push(("content-type".into(), "application/json".into()));
    // The object stays open for the history and the last message.
    out.body_head.push_str(body.strip_suffix('}').unwrap_or(&body));
    out.body_head.push_str(",\"chat_history\":[");
    out.body_tail.push_str("],");
    out.body_tail.push_str(&last);
    out.body_tail.push('}');
    Ok(())
}

fn fields(request: canonical::Request) -> Result<Map<String, Value>, Failure> {
    let is_none = match &request.tool_choice {
        None => false,
        Some(ToolChoice::Mode(mode)) if mode == "auto" => false,
        Some(ToolChoice::Mode(mode)) if mode == "none" => true,
        Some(_) => {
            return Err(Failure::unsupported("cohere-v1 cannot be told to call a tool; leave the tool choice at auto"));
        }
    };
    let tools = (!request.tools.is_empty() && !is_none).then(|| request.tools.into_iter().map(tool).collect::<Value>());
    let stop = (!request.stop.is_empty()).then(|| Value::from(request.stop));
    let fields = [
        ("model", Some(request.model.into())),
        ("stream", Some(request.stream.into())),
        ("preamble", request.system.filter(|system| !system.is_empty()).map(Value::from)),
        ("tools", tools),
        ("max_tokens", request.max_tokens.map(Value::from)),
        ("temperature", request.temperature),
        ("p", request.top_p),
        ("k", request.top_k),
        ("seed", request.seed),
        ("frequency_penalty", request.frequency_penalty),
        ("presence_penalty", request.presence_penalty),
        ("stop_sequences", stop),
        ("response_format", request.output.map(output)),
    ];
    let mut body: Map<String, Value> =
        fields.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))).collect();
    body.extend(request.extra);
    for key in ["message", "chat_history", "tool_results"] {
        body.remove(key);
    }
    Ok(body)
}

/// The dialect has no JSON schema, only names, types and descriptions of the parameters.
fn tool(tool: Tool) -> Value {
    let required = |name: &str| {
        let names = tool.parameters["required"].as_array();
        names.is_some_and(|names| names.iter().any(|required| required == name))
    };
    let properties = tool.parameters["properties"].as_object().into_iter().flatten();
    let definition = |(name, schema): (&String, &Value)| {
        let mut definition = json!({"type": type_of(schema), "required": required(name)});
        if let Some(text) = described(schema) {
            definition["description"] = text.into();
        }
        (name.clone(), definition)
    };
    let definitions: Map<String, Value> = properties.map(definition).collect();
    json!({"name": tool.name, "description": tool.description, "parameter_definitions": definitions})
}

/// What the dialect has no field for is told in words.
fn described(schema: &Value) -> Option<String> {
    let words = schema["description"].as_str().map(str::to_owned);
    let choices = schema.get("enum").map(|choices| format!("One of {choices}."));
    let words: Vec<String> = words.into_iter().chain(choices).collect();
    (!words.is_empty()).then(|| words.join(" "))
}

/// The type in the words of Python, as the dialect has it.
fn type_of(schema: &Value) -> String {
    // A type that may also be `null` is a list of both.
    let kind = match &schema["type"] {
        Value::Array(kinds) => kinds.iter().find(|kind| *kind != "null").and_then(Value::as_str),
        kind => kind.as_str(),
    };
    match kind {
        Some("string") => "str".into(),
        Some("integer") => "int".into(),
        Some("number") => "float".into(),
        Some("boolean") => "bool".into(),
        Some("array") if schema["items"].is_object() => format!("List[{}]", type_of(&schema["items"])),
        Some("array") => "List".into(),
        Some("object") => "Dict".into(),
        _ => "Any".into(),
    }
}

fn output(output: Output) -> Value {
    match output {
        Output::Json => json!({"type": "json_object"}),
        Output::JsonSchema { schema, .. } => json!({"type": "json_object", "schema": schema}),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(text: &str) -> Value {
        json!({"role":"user","content":[{"type":"text","text":text}]})
    }

    /// The body as the engine puts it together, after each of the messages.
    fn bodies(request: &Value, messages: &[Value]) -> Vec<Value> {
        let (mut history, mut encoded) = (History::default(), Vec::new());
        let mut bodies = Vec::new();
        for message in messages {
            let mut out = String::new();
            history.push(canonical::message(&message.to_string()).unwrap(), &mut out).unwrap();
            if !out.is_empty() {
                encoded.push(out);
            }
            let mut out = Request::default();
            if encode(&request.to_string(), &history, &mut out).is_ok() {
                let body = format!("{}{}{}", out.body_head, encoded.join(","), out.body_tail);
                bodies.push(serde_json::from_str(&body).unwrap());
            }
        }
        bodies
    }

    #[test]
    fn the_last_message_stands_behind_the_history() {
        let messages = [
            user("a"),
            json!({"role":"assistant","content":[{"type":"thinking","text":"hm"},{"type":"text","text":"b"},
                {"type":"tool_call","id":"c1","name":"f","arguments":"{\"x\":1}"},
                {"type":"tool_call","id":"c2","name":"g","arguments":"{\"cut"}]}),
            json!({"role":"tool","content":[
                {"type":"tool_result","tool_call_id":"c1","tool_name":"f","content":[{"type":"text","text":"1"}]},
                {"type":"tool_result","tool_call_id":"c2","tool_name":"g","is_error":true,"content":[{"type":"text","text":"no"}]}]}),
            json!({"role":"assistant","content":[{"type":"text","text":"d"}]}),
            json!({"role":"assistant","content":[]}),
            user("e"),
        ];
        let results = json!([{"call":{"name":"f","parameters":{"x":1}},"outputs":[{"output":"1"}]},
            {"call":{"name":"g","parameters":{}},"outputs":[{"error":"no"}]}]);
        let calls = json!([{"name":"f","parameters":{"x":1}},{"name":"g","parameters":{}}]);
        let reply = json!({"role":"CHATBOT","message":"b","tool_calls":calls});
        let first = json!({"role":"USER","message":"a"});
        let plain = json!({"model":"m"});
        assert_eq!(
            bodies(&plain, &messages),
            [
                json!({"model":"m","stream":false,"chat_history":[],"message":"a"}),
                json!({"model":"m","stream":false,"chat_history":[first,reply],"message":"","tool_results":results}),
                json!({"model":"m","stream":false,"chat_history":[first,reply,{"role":"TOOL","tool_results":results},
                    {"role":"CHATBOT","message":"d"}],"message":"e"}),
            ]
        );
    }

    #[test]
    fn everything_set_is_sent_in_the_words_of_the_provider() {
        let request = json!({"model":"m","system":"s","tools":[{"name":"t","description":"d","parameters":{"type":"object",
            "properties":{"a":{"type":"string","description":"A.","enum":["x","y"]},"b":{"type":["integer","null"]},
                "c":{"type":"array","items":{"type":"number"}},"d":{"type":"array"},"e":{"type":"object"},
                "f":{"type":"boolean"},"g":{}},"required":["a"]}}],
            "max_tokens":9,"temperature":0.5,"top_p":0.9,"top_k":3,"seed":7,"frequency_penalty":1,"presence_penalty":2,
            "stop":["x"],"output":{"type":"json_schema","schema":{"type":"object"}},"stream":true,
            "extra":{"safety_mode":"NONE","seed":8,"message":"no","chat_history":[],"tool_results":[]}});
        let definitions = json!({"a":{"type":"str","required":true,"description":"A. One of [\"x\",\"y\"]."},
            "b":{"type":"int","required":false},"c":{"type":"List[float]","required":false},
            "d":{"type":"List","required":false},"e":{"type":"Dict","required":false},
            "f":{"type":"bool","required":false},"g":{"type":"Any","required":false}});
        let expected = json!({"model":"m","stream":true,"preamble":"s",
            "tools":[{"name":"t","description":"d","parameter_definitions":definitions}],"max_tokens":9,
            "temperature":0.5,"p":0.9,"k":3,"seed":8,"frequency_penalty":1,"presence_penalty":2,"stop_sequences":["x"],
            "response_format":{"type":"json_object","schema":{"type":"object"}},"safety_mode":"NONE",
            "chat_history":[],"message":"u"});
        assert_eq!(bodies(&request, &[user("u")]), [expected]);
        let plain = json!({"model":"m","output":{"type":"json"}});
        assert_eq!(bodies(&plain, &[user("u")])[0]["response_format"], json!({"type":"json_object"}));
    }

    #[test]
    fn tools_can_be_hidden_and_not_be_forced() {
        let tools = json!([{"name":"t","parameters":{}}]);
        let hidden = bodies(&json!({"model":"m","tools":tools,"tool_choice":"none"}), &[user("u")]);
        assert_eq!(hidden[0].get("tools"), None);
        for choice in [json!("required"), json!({"name":"t"})] {
            assert!(bodies(&json!({"model":"m","tools":tools,"tool_choice":choice}), &[user("u")]).is_empty());
        }
    }

    #[test]
    fn what_cannot_be_said_is_refused() {
        assert!(encode(r#"{"model":"m"}"#, &History::default(), &mut Request::default()).is_err());
        let reply = json!({"role":"assistant","content":[{"type":"text","text":"d"}]});
        assert!(bodies(&json!({"model":"m"}), &[reply]).is_empty());
        let picture = r#"{"role":"user","content":[{"type":"image","url":"https://x/y.png"}]}"#;
        let failure = History::default().push(canonical::message(picture).unwrap(), &mut String::new()).unwrap_err();
        assert_eq!(failure.code, thalweg_abi::types::E_UNSUPPORTED);
    }
}
