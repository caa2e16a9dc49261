//! Prompts and all else of a request.

use serde_json::{Map, Value, json};
use thalweg_abi::guest::canonical::{self, Message, Part};
use thalweg_abi::guest::{Failure, Request};

/// Appends the prompt that a message is.
pub(crate) fn encode_message(message: &str, out: &mut String) -> Result<(), Failure> {
    let Message::User { content } = canonical::message(message)? else {
        return Err(Failure::unsupported(
            "this dialect completes prompts and knows no conversation; send messages of the user only",
        ));
    };
    let texts: Option<Vec<&str>> = content.iter().map(Part::text).collect();
    let Some(texts) = texts else {
        return Err(Failure::unsupported("this dialect takes text only; leave media out of the message"));
    };
    if !texts.is_empty() {
        out.push_str(&Value::from(texts.concat()).to_string());
    }
    Ok(())
}

/// Writes path and body of `request`.
pub(crate) fn encode(request: &str, has_stream_usage: bool, out: &mut Request) -> Result<(), Failure> {
    let body = Value::Object(fields(canonical::request(request)?, has_stream_usage)?).to_string();
    out.path.push_str("/completions");
    out.headers.push(("content-type".into(), "application/json".into()));
    // The prompts are the last field: the object stays open for them.
    out.body_head.push_str(body.strip_suffix('}').unwrap_or(&body));
    out.body_head.push_str(",\"prompt\":[");
    out.body_tail.push_str("]}");
    Ok(())
}

fn fields(request: canonical::Request, has_stream_usage: bool) -> Result<Map<String, Value>, Failure> {
    if request.system.is_some_and(|system| !system.is_empty()) {
        return Err(Failure::unsupported("this dialect has no system prompt; put its words into the prompt"));
    }
    if !request.tools.is_empty() {
        return Err(Failure::unsupported("this dialect has no tools; leave `tools` out"));
    }
    if request.output.is_some() {
        return Err(Failure::unsupported(
            "this dialect has no structured output; leave `output` out, or pass what the server takes in `extra`",
        ));
    }
    let mut body = Map::new();
    let mut set = |key: &str, value: Option<Value>| {
        if let Some(value) = value {
            body.insert(key.to_owned(), value);
        }
    };
    set("model", Some(request.model.into()));
    set("stream", Some(request.stream.into()));
    if request.stream && has_stream_usage {
        set("stream_options", Some(json!({"include_usage": true})));
    }
    set("max_tokens", request.max_tokens.map(Value::from));
    set("temperature", request.temperature);
    set("top_p", request.top_p);
    set("seed", request.seed);
    set("frequency_penalty", request.frequency_penalty);
    set("presence_penalty", request.presence_penalty);
    if !request.stop.is_empty() {
        set("stop", Some(request.stop.into()));
    }
    body.extend(request.extra);
    body.remove("prompt");
    Ok(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(request: &Value, messages: &[Value]) -> Value {
        let mut out = Request::default();
        encode(&request.to_string(), true, &mut out).unwrap();
        assert_eq!(out.path, "/completions");
        let encoded: Vec<String> = messages
            .iter()
            .map(|message| {
                let mut out = String::new();
                encode_message(&message.to_string(), &mut out).unwrap();
                out
            })
            .collect();
        serde_json::from_str(&format!("{}{}{}", out.body_head, encoded.join(","), out.body_tail)).unwrap()
    }

    fn user(text: &str) -> Value {
        json!({"role":"user","content":[{"type":"text","text":text}]})
    }

    #[test]
    fn every_message_is_a_prompt() {
        assert_eq!(
            body(&json!({"model":"m","stream":true}), &[user("Once \"upon\""), user("b")]),
            json!({"model":"m","stream":true,"stream_options":{"include_usage":true},"prompt":["Once \"upon\"","b"]})
        );
    }

    #[test]
    fn everything_set_is_sent() {
        let request = json!({"model":"m","max_tokens":9,"temperature":0.5,"top_p":0.9,"seed":1,"frequency_penalty":0.1,
            "presence_penalty":0.2,"stop":["x"],"extra":{"suffix":"end","echo":true,"prompt":"no"}});
        assert_eq!(
            body(&request, &[user("a")]),
            json!({"model":"m","stream":false,"max_tokens":9,"temperature":0.5,"top_p":0.9,"seed":1,
                "frequency_penalty":0.1,"presence_penalty":0.2,"stop":["x"],"suffix":"end","echo":true,"prompt":["a"]})
        );
    }

    #[test]
    fn what_the_dialect_cannot_say_is_refused() {
        for message in [
            json!({"role":"assistant","content":[{"type":"text","text":"a"}]}),
            json!({"role":"tool","content":[]}),
            json!({"role":"user","content":[{"type":"image","url":"u"}]}),
            json!({}),
        ] {
            assert!(encode_message(&message.to_string(), &mut String::new()).is_err(), "{message}");
        }
        for request in [
            json!({"model":"m","system":"s"}),
            json!({"model":"m","tools":[{"name":"t","parameters":{}}]}),
            json!({"model":"m","output":{"type":"json"}}),
            json!({}),
        ] {
            assert!(encode(&request.to_string(), true, &mut Request::default()).is_err(), "{request}");
        }
    }
}
