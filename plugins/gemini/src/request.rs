//! All of a request but its messages.

use std::fmt::Write;

use serde_json::{Map, Value, json};
use thalweg_abi::guest::canonical::{self, Output, Thinking, Tool, ToolChoice};
use thalweg_abi::guest::{Failure, Request};

use crate::options::Options;

/// Writes path and body of `request`.
pub(crate) fn encode(request: &str, options: &Options, out: &mut Request) -> Result<(), Failure> {
    let request = canonical::request(request)?;
    path(&request, &mut out.path);
    let body = Value::Object(fields(request, options)?).to_string();
    out.headers.push(("content-type".into(), "application/json".into()));
    // The contents are the last field: the object stays open for them.
    out.body_head.push_str(body.strip_suffix('}').unwrap_or(&body));
    if body != "{}" {
        out.body_head.push(',');
    }
    out.body_head.push_str("\"contents\":[");
    out.body_tail.push_str("]}");
    Ok(())
}

/// The model is part of the path. One with a slash names its own collection, as tuned models do.
fn path(request: &canonical::Request, out: &mut String) {
    out.push_str(if request.model.contains('/') { "/" } else { "/models/" });
    for byte in request.model.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/@".contains(&byte) {
            out.push(char::from(byte));
        } else {
            // Writing to a string never fails.
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out.push_str(if request.stream { ":streamGenerateContent?alt=sse" } else { ":generateContent" });
}

fn fields(request: canonical::Request, options: &Options) -> Result<Map<String, Value>, Failure> {
    let mut body = Map::new();
    let generation = generation(&request, options)?;
    if let Some(system) = request.system.filter(|system| !system.is_empty()) {
        body.insert("systemInstruction".into(), json!({"parts": [{"text": system}]}));
    }
    if !request.tools.is_empty() {
        let declarations: Vec<Value> = request.tools.into_iter().map(|tool| declaration(tool, options)).collect();
        body.insert("tools".into(), json!([{"functionDeclarations": declarations}]));
    }
    if let Some(choice) = request.tool_choice {
        body.insert("toolConfig".into(), json!({"functionCallingConfig": tool_choice(choice)}));
    }
    if !generation.is_empty() {
        body.insert("generationConfig".into(), generation.into());
    }
    for (key, value) in request.extra {
        match (body.get_mut(&key), value) {
            // Settings of its own are added to those from here.
            (Some(Value::Object(known)), Value::Object(more)) => known.extend(more),
            (_, value) => {
                body.insert(key, value);
            }
        }
    }
    body.remove("contents");
    Ok(body)
}

fn generation(request: &canonical::Request, options: &Options) -> Result<Map<String, Value>, Failure> {
    let mut config = Map::new();
    let mut set = |key: &str, value: Option<Value>| {
        if let Some(value) = value {
            config.insert(key.to_owned(), value);
        }
    };
    set("temperature", request.temperature.clone());
    set("topP", request.top_p.clone());
    set("topK", request.top_k.clone());
    set("seed", request.seed.clone());
    set("maxOutputTokens", request.max_tokens.map(Value::from));
    set("frequencyPenalty", request.frequency_penalty.clone());
    set("presencePenalty", request.presence_penalty.clone());
    if !request.stop.is_empty() {
        set("stopSequences", Some(request.stop.clone().into()));
    }
    match &request.output {
        None => {}
        Some(output) => {
            set("responseMimeType", Some("application/json".into()));
            if let Output::JsonSchema { schema, .. } = output {
                let key = if options.openapi_schema { "responseSchema" } else { "responseJsonSchema" };
                set(key, Some(schema.clone()));
            }
        }
    }
    if let Some(wanted) = &request.thinking {
        set("thinkingConfig", Some(thinking(wanted, &request.model)?));
    }
    Ok(config)
}

/// Models from the third generation on take a level, those before a budget; a budget that is asked for is always sent.
fn thinking(thinking: &Thinking, model: &str) -> Result<Value, Failure> {
    let has_levels = !["gemini-1", "gemini-2"].iter().any(|old| model.contains(old));
    if thinking.budget_tokens.is_some() || !has_levels {
        let budget = thinking.budget()?;
        return Ok(json!({"thinkingBudget": budget, "includeThoughts": budget > 0}));
    }
    // The larger models know only two levels, and none of this generation can do without.
    let is_large = model.contains("-pro");
    let level = match thinking.level.as_deref() {
        None => return Ok(json!({"includeThoughts": true})),
        Some("none" | "minimal") if is_large => "low",
        Some("medium") if is_large && model.contains("gemini-3-pro") => "high",
        Some("none" | "minimal") => "minimal",
        Some("xhigh") => "high",
        Some(level @ ("low" | "medium" | "high")) => level,
        Some(_) => {
            thinking.budget()?;
            "high"
        }
    };
    Ok(json!({"thinkingLevel": level, "includeThoughts": !thinking.is_off()}))
}

fn declaration(tool: Tool, options: &Options) -> Value {
    let key = if options.openapi_schema { "parameters" } else { "parametersJsonSchema" };
    let mut declaration = json!({"name": tool.name, "description": tool.description});
    declaration[key] = tool.parameters;
    declaration
}

fn tool_choice(choice: ToolChoice) -> Value {
    match choice {
        ToolChoice::Mode(mode) => match mode.as_str() {
            "required" => json!({"mode": "ANY"}),
            other => json!({"mode": other.to_uppercase()}),
        },
        ToolChoice::Tool { name } => json!({"mode": "ANY", "allowedFunctionNames": [name]}),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(options: &str, request: &Value) -> (String, Value) {
        let mut out = Request::default();
        encode(&request.to_string(), &Options::read(options).unwrap(), &mut out).unwrap();
        let body = format!("{}{}{}", out.body_head, r#"{"role":"user","parts":[{"text":"x"}]}"#, out.body_tail);
        (out.path, serde_json::from_str(&body).unwrap())
    }

    #[test]
    fn what_is_not_set_is_not_sent() {
        let contents = json!([{"role":"user","parts":[{"text":"x"}]}]);
        let (path, body) = encoded("", &json!({"model":"gemini-2.5-flash","stream":true,"system":"","session":"c"}));
        assert_eq!(path, "/models/gemini-2.5-flash:streamGenerateContent?alt=sse");
        assert_eq!(body, json!({"contents": contents}));
        let (path, body) = encoded("", &json!({"model":"tunedModels/a b?","system":"s"}));
        assert_eq!(path, "/tunedModels/a%20b%3F:generateContent");
        assert_eq!(body, json!({"systemInstruction":{"parts":[{"text":"s"}]},"contents":contents}));
    }

    #[test]
    fn everything_set_is_sent_in_the_words_of_the_provider() {
        let request = json!({"model":"gemini-2.5-pro","tools":[{"name":"t","description":"d","parameters":{"type":"object"}}],
            "tool_choice":{"name":"t"},"max_tokens":9,"temperature":0.5,"top_p":0.9,"top_k":4,"seed":1,
            "frequency_penalty":0.1,"presence_penalty":0.2,"stop":["x"],"thinking":{"level":"low"},
            "output":{"type":"json_schema","schema":{"type":"object"}},
            "extra":{"safetySettings":[],"generationConfig":{"candidateCount":2},"cachedContent":"c","contents":[]}});
        let mut expected = json!({
            "tools":[{"functionDeclarations":[{"name":"t","description":"d","parametersJsonSchema":{"type":"object"}}]}],
            "toolConfig":{"functionCallingConfig":{"mode":"ANY","allowedFunctionNames":["t"]}},
            "generationConfig":{"temperature":0.5,"topP":0.9,"topK":4,"seed":1,"maxOutputTokens":9,
                "frequencyPenalty":0.1,"presencePenalty":0.2,"stopSequences":["x"],
                "responseMimeType":"application/json","responseJsonSchema":{"type":"object"},
                "thinkingConfig":{"thinkingBudget":2048,"includeThoughts":true},"candidateCount":2},
            "safetySettings":[],"cachedContent":"c",
            "contents":[{"role":"user","parts":[{"text":"x"}]}]});
        assert_eq!(encoded("", &request).1, expected);
        let config = &mut expected["generationConfig"];
        config["responseSchema"] = json!({"type":"object"});
        config.as_object_mut().unwrap().remove("responseJsonSchema");
        let declaration = &mut expected["tools"][0]["functionDeclarations"][0];
        declaration["parameters"] = json!({"type":"object"});
        declaration.as_object_mut().unwrap().remove("parametersJsonSchema");
        assert_eq!(encoded(r#"{"flags":{"openapi_schema":true}}"#, &request).1, expected);
    }

    #[test]
    fn thinking_is_asked_for_as_the_model_takes_it() {
        for (model, thinking, expected) in [
            ("gemini-2.5-flash", json!({"level":"none"}), json!({"thinkingBudget":0,"includeThoughts":false})),
            ("gemini-2.5-flash", json!({}), json!({"thinkingBudget":8192,"includeThoughts":true})),
            (
                "gemini-3-flash-preview",
                json!({"level":"none"}),
                json!({"thinkingLevel":"minimal","includeThoughts":false}),
            ),
            (
                "gemini-3-flash-preview",
                json!({"level":"medium"}),
                json!({"thinkingLevel":"medium","includeThoughts":true}),
            ),
            ("gemini-3-pro-preview", json!({"level":"medium"}), json!({"thinkingLevel":"high","includeThoughts":true})),
            (
                "gemini-3.1-pro-preview",
                json!({"level":"minimal"}),
                json!({"thinkingLevel":"low","includeThoughts":true}),
            ),
            (
                "gemini-3.1-pro-preview",
                json!({"level":"xhigh"}),
                json!({"thinkingLevel":"high","includeThoughts":true}),
            ),
            (
                "gemini-3-pro-preview",
                json!({"level":"low","budget_tokens":99}),
                json!({"thinkingBudget":99,"includeThoughts":true}),
            ),
            ("gemini-flash-latest", json!({}), json!({"includeThoughts":true})),
        ] {
            let (_, body) = encoded("", &json!({"model":model,"thinking":thinking}));
            assert_eq!(body["generationConfig"]["thinkingConfig"], expected, "{model} {thinking}");
        }
    }

    #[test]
    fn every_choice_of_tools_has_its_mode() {
        for (choice, mode) in [("auto", "AUTO"), ("none", "NONE"), ("required", "ANY")] {
            let (_, body) = encoded("", &json!({"model":"m","tool_choice":choice}));
            assert_eq!(body["toolConfig"], json!({"functionCallingConfig":{"mode":mode}}));
        }
    }

    #[test]
    fn what_is_no_canonical_request_is_refused() {
        for request in ["", "{}", r#"{"model":"gemini-3-flash","thinking":{"level":"huge"}}"#] {
            assert!(encode(request, &Options::read("").unwrap(), &mut Request::default()).is_err(), "{request}");
        }
    }
}
