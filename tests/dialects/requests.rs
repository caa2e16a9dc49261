//! What can be asked for, dialect by dialect: where it stands in the request, or that the dialect has no such thing.

use serde_json::{Value, json};
use thalweg_abi::guest::{Codec, CodecStream, Request};
use thalweg_abi::types::E_UNSUPPORTED;

/// A dialect as one provider speaks it: name, a model of it, and how to open a stream.
type Column = (&'static str, &'static str, fn() -> Box<dyn CodecStream>);

const COLUMNS: [Column; 10] = [
    ("openai-chat", "m", || open(&thalweg_openai::OpenAiChat, r#"{"provider":"openai"}"#)),
    ("openrouter", "m", || open(&thalweg_openai::OpenAiChat, r#"{"provider":"openrouter"}"#)),
    ("openai-responses", "m", || open(&thalweg_openai_responses::OpenAiResponses, r#"{"provider":"openai"}"#)),
    ("openai-completions", "m", || open(&thalweg_openai_completions::OpenAiCompletions, "")),
    ("anthropic", "claude-sonnet-4-5", || open(&thalweg_anthropic::AnthropicMessages, "")),
    ("gemini", "gemini-2.5-flash", || open(&thalweg_gemini::Gemini, "")),
    ("ollama", "m", || open(&thalweg_ollama::Ollama, "")),
    ("cohere-v2", "m", || open(&thalweg_cohere::Cohere, "")),
    ("cohere-v1", "m", || open(&thalweg_cohere_v1::CohereV1, "")),
    ("bedrock", "anthropic.claude-sonnet-4-5", || open(&thalweg_bedrock::Bedrock, "")),
];

fn open<C: Codec>(codec: &C, options: &str) -> Box<dyn CodecStream> {
    Box::new(codec.open(options).expect("known options"))
}

/// What becomes of a feature.
enum Expect {
    /// It stands there in the body, as a JSON pointer says.
    At(&'static str, Value),
    /// The request is the same as without it: the provider has nothing like it, or does it unasked.
    Nothing,
    /// It is refused, since without it the request would mean something else.
    Refused,
}

use Expect::{At, Nothing, Refused};

/// A feature: its name, what it adds to the request, the messages that have it, and what becomes of it in each column.
type Feature = (&'static str, Value, Vec<Value>, [Expect; 10]);

fn user(parts: Value) -> Value {
    json!({"role": "user", "content": parts})
}

fn text() -> Value {
    user(json!([{"type": "text", "text": "x"}]))
}

/// The user's text, and a medium behind it.
fn with(medium: Value) -> Vec<Value> {
    vec![user(json!([{"type": "text", "text": "x"}, medium]))]
}

fn tool() -> Value {
    json!({"name": "t", "description": "d", "parameters": {"type": "object"}})
}

/// Body and headers, or the code of the refusal.
fn encoded(column: &Column, feature: &Value, messages: &[Value]) -> Result<Value, i32> {
    let (_, model, open) = column;
    let mut stream = open();
    let mut list = Vec::new();
    for message in messages {
        let mut out = String::new();
        stream.encode_message(&message.to_string(), &mut out).map_err(|failure| failure.code)?;
        if !out.is_empty() {
            list.push(out);
        }
    }
    let mut request = json!({"model": model, "stream": true});
    request.as_object_mut().expect("an object").extend(feature.as_object().expect("an object").clone());
    let mut out = Request::default();
    stream.encode_request(&request.to_string(), &mut out).map_err(|failure| failure.code)?;
    let body = format!("{}{}{}", out.body_head, list.join(","), out.body_tail);
    Ok(serde_json::from_str(&body).unwrap_or_else(|error| panic!("{}: {error} in {body}", column.0)))
}

fn check(features: &[Feature]) {
    for (name, request, messages, expected) in features {
        for (column, expected) in COLUMNS.iter().zip(expected) {
            let what = format!("{name} of {}", column.0);
            let got = encoded(column, request, messages);
            match expected {
                Refused => assert_eq!(got, Err(E_UNSUPPORTED), "{what}"),
                At(pointer, value) => {
                    let body = got.unwrap_or_else(|code| panic!("{what} is refused with {code}"));
                    assert_eq!(body.pointer(pointer), Some(value), "{what} in {body}");
                }
                Nothing => {
                    let mut plain = messages.clone();
                    // Marks within messages are left out of the plain ones.
                    strip(&mut plain);
                    let tools = json!({"tools": request.get("tools").cloned().unwrap_or(json!([]))});
                    assert_eq!(got, encoded(column, &tools, &plain), "{what}");
                }
            }
        }
    }
}

fn strip(messages: &mut [Value]) {
    for part in messages.iter_mut().flat_map(|message| message["content"].as_array_mut().expect("a list")) {
        let part = part.as_object_mut().expect("an object");
        part.remove("cache");
        part.remove("signature");
    }
    for message in messages {
        message["content"].as_array_mut().expect("a list").retain(|part| part["type"] != "thinking");
    }
}

#[test]
fn messages_hold_media_as_far_as_the_dialect_has_them() {
    let url = "https://h.example/a";
    check(&[
        (
            "system prompt",
            json!({"system": "s"}),
            vec![text()],
            [
                At("/messages/0", json!({"role": "system", "content": "s"})),
                At("/messages/0", json!({"role": "system", "content": "s"})),
                At("/instructions", json!("s")),
                Refused,
                At("/system", json!("s")),
                At("/systemInstruction/parts/0/text", json!("s")),
                At("/messages/0", json!({"role": "system", "content": "s"})),
                At("/messages/0", json!({"role": "system", "content": "s"})),
                At("/preamble", json!("s")),
                At("/system/0/text", json!("s")),
            ],
        ),
        (
            "image by address",
            json!({}),
            with(json!({"type": "image", "url": url})),
            [
                At("/messages/0/content/1", json!({"type": "image_url", "image_url": {"url": url}})),
                At("/messages/0/content/1", json!({"type": "image_url", "image_url": {"url": url}})),
                At("/input/0/content/1/image_url", json!(url)),
                Refused,
                At("/messages/0/content/1/source", json!({"type": "url", "url": url})),
                At("/contents/0/parts/1/fileData/fileUri", json!(url)),
                Refused,
                At("/messages/0/content/1/image_url/url", json!(url)),
                Refused,
                // It takes addresses of S3 only.
                Refused,
            ],
        ),
        (
            "image by its bytes",
            json!({}),
            with(json!({"type": "image", "media_type": "image/png", "data": "AA=="})),
            [
                At("/messages/0/content/1/image_url/url", json!("data:image/png;base64,AA==")),
                At("/messages/0/content/1/image_url/url", json!("data:image/png;base64,AA==")),
                At("/input/0/content/1/image_url", json!("data:image/png;base64,AA==")),
                Refused,
                At(
                    "/messages/0/content/1/source",
                    json!({"type": "base64", "media_type": "image/png", "data": "AA=="}),
                ),
                At("/contents/0/parts/1/inlineData", json!({"mimeType": "image/png", "data": "AA=="})),
                At("/messages/0/images", json!(["AA=="])),
                At("/messages/0/content/1/image_url/url", json!("data:image/png;base64,AA==")),
                Refused,
                At("/messages/0/content/1/image", json!({"format": "png", "source": {"bytes": "AA=="}})),
            ],
        ),
        (
            "document by its bytes",
            json!({}),
            with(json!({"type": "document", "media_type": "application/pdf", "data": "AA==", "name": "a.pdf"})),
            [
                At(
                    "/messages/0/content/1/file",
                    json!({"filename": "a.pdf", "file_data": "data:application/pdf;base64,AA=="}),
                ),
                At("/messages/0/content/1/file/filename", json!("a.pdf")),
                At("/input/0/content/1/file_data", json!("data:application/pdf;base64,AA==")),
                Refused,
                At("/messages/0/content/1/title", json!("a.pdf")),
                At("/contents/0/parts/1/inlineData", json!({"mimeType": "application/pdf", "data": "AA=="})),
                Refused,
                Refused,
                Refused,
                At("/messages/0/content/1/document/source", json!({"bytes": "AA=="})),
            ],
        ),
        (
            "document by address",
            json!({}),
            with(json!({"type": "document", "url": url, "media_type": "application/pdf"})),
            [
                Refused,
                At("/messages/0/content/1/file/file_data", json!(url)),
                At("/input/0/content/1", json!({"type": "input_file", "file_url": url})),
                Refused,
                At("/messages/0/content/1/source/url", json!(url)),
                At("/contents/0/parts/1/fileData", json!({"mimeType": "application/pdf", "fileUri": url})),
                Refused,
                Refused,
                Refused,
                Refused,
            ],
        ),
        (
            "sound",
            json!({}),
            with(json!({"type": "audio", "media_type": "audio/wav", "data": "AA=="})),
            [
                At("/messages/0/content/1/input_audio", json!({"data": "AA==", "format": "wav"})),
                At("/messages/0/content/1/input_audio", json!({"data": "AA==", "format": "wav"})),
                At("/input/0/content/1/input_audio", json!({"data": "AA==", "format": "wav"})),
                Refused,
                Refused,
                At("/contents/0/parts/1/inlineData", json!({"mimeType": "audio/wav", "data": "AA=="})),
                Refused,
                Refused,
                Refused,
                At("/messages/0/content/1/audio", json!({"format": "wav", "source": {"bytes": "AA=="}})),
            ],
        ),
        (
            "breakpoint of the cache",
            json!({}),
            vec![user(json!([{"type": "text", "text": "x", "cache": true}]))],
            [
                // They find what is the same by themselves.
                Nothing,
                At("/messages/0/content/0/cache_control", json!({"type": "ephemeral"})),
                Nothing,
                Nothing,
                At("/messages/0/content/0/cache_control", json!({"type": "ephemeral"})),
                Nothing,
                Nothing,
                Nothing,
                Nothing,
                At("/messages/0/content/1", json!({"cachePoint": {"type": "default"}})),
            ],
        ),
    ]);
}

#[test]
fn calls_results_and_thinking_go_back() {
    let call = json!({"type": "tool_call", "id": "c", "name": "t", "arguments": "{\"a\":1}"});
    let turn = vec![
        text(),
        json!({"role": "assistant", "content": [{"type": "text", "text": "y"}, call]}),
        json!({"role": "tool", "content": [{"type": "tool_result", "tool_call_id": "c", "tool_name": "t",
            "content": [{"type": "text", "text": "r"}], "is_error": false}]}),
    ];
    let signed = |signature: &str| {
        let thinking = json!({"type": "thinking", "text": "hm", "signature": signature});
        vec![text(), json!({"role": "assistant", "content": [thinking, {"type": "text", "text": "y"}]}), text()]
    };
    let reasoning = r#"{"type":"reasoning","id":"rs","summary":[],"encrypted_content":"q"}"#;
    let details = r#"[{"type":"reasoning.text","signature":"s"}]"#;
    check(&[
        (
            "call of a tool",
            json!({}),
            turn.clone(),
            [
                At("/messages/1/tool_calls/0/function", json!({"name": "t", "arguments": "{\"a\":1}"})),
                At("/messages/1/tool_calls/0/id", json!("c")),
                At("/input/2", json!({"type": "function_call", "call_id": "c", "name": "t", "arguments": "{\"a\":1}"})),
                Refused,
                At("/messages/1/content/1", json!({"type": "tool_use", "id": "c", "name": "t", "input": {"a": 1}})),
                At("/contents/1/parts/1/functionCall/args", json!({"a": 1})),
                At("/messages/1/tool_calls/0/function", json!({"name": "t", "arguments": {"a": 1}})),
                At("/messages/1/tool_calls/0/function", json!({"name": "t", "arguments": "{\"a\":1}"})),
                At("/chat_history/1/tool_calls", json!([{"name": "t", "parameters": {"a": 1}}])),
                At("/messages/1/content/1/toolUse", json!({"toolUseId": "c", "name": "t", "input": {"a": 1}})),
            ],
        ),
        (
            "result of a tool",
            json!({}),
            turn,
            [
                At("/messages/2", json!({"role": "tool", "tool_call_id": "c", "content": "r"})),
                At("/messages/2/content", json!("r")),
                At("/input/3", json!({"type": "function_call_output", "call_id": "c", "output": "r"})),
                Refused,
                At("/messages/2/content/0/content", json!([{"type": "text", "text": "r"}])),
                At("/contents/2/parts/0/functionResponse/response", json!({"output": "r"})),
                At("/messages/2/content", json!("r")),
                At("/messages/2", json!({"role": "tool", "tool_call_id": "c", "content": "r"})),
                At("/tool_results/0/outputs", json!([{"output": "r"}])),
                At("/messages/2/content/0/toolResult/content", json!([{"text": "r"}])),
            ],
        ),
        (
            "thinking with a signature as Anthropic and Google have it",
            json!({}),
            signed("c2ln"),
            [
                Nothing,
                Nothing,
                Nothing,
                Refused,
                At("/messages/1/content/0", json!({"type": "thinking", "thinking": "hm", "signature": "c2ln"})),
                At("/contents/1/parts/0", json!({"text": "hm", "thought": true, "thoughtSignature": "c2ln"})),
                At("/messages/1/thinking", json!("hm")),
                At("/messages/1/content/0", json!({"type": "thinking", "thinking": "hm"})),
                Nothing,
                At("/messages/1/content/0/reasoningContent/reasoningText/signature", json!("c2ln")),
            ],
        ),
        (
            "thinking as an item of its provider",
            json!({}),
            signed(reasoning),
            [
                Nothing,
                Nothing,
                At("/input/1/encrypted_content", json!("q")),
                Refused,
                Nothing,
                At("/contents/1/parts/0/text", json!("hm")),
                At("/messages/1/thinking", json!("hm")),
                At("/messages/1/content/0/thinking", json!("hm")),
                Nothing,
                Nothing,
            ],
        ),
        (
            "thinking with details of a router",
            json!({}),
            signed(details),
            [
                Nothing,
                At(
                    "/messages/1/reasoning_details",
                    json!([{"type": "reasoning.text", "text": "hm", "signature": "s"}]),
                ),
                Nothing,
                Refused,
                Nothing,
                At("/contents/1/parts/0/text", json!("hm")),
                At("/messages/1/thinking", json!("hm")),
                At("/messages/1/content/0/thinking", json!("hm")),
                Nothing,
                Nothing,
            ],
        ),
    ]);
}

#[test]
fn tools_and_the_form_of_the_reply_are_asked_for() {
    let tools = |more: Value| {
        let mut request = json!({"tools": [tool()]});
        request.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        request
    };
    let schema = json!({"type": "object"});
    let function = json!({"name": "t", "description": "d", "parameters": schema});
    check(&[
        (
            "tools",
            tools(json!({})),
            vec![text()],
            [
                At("/tools/0/function", function.clone()),
                At("/tools/0/function", function.clone()),
                At("/tools/0/parameters", schema.clone()),
                Refused,
                At("/tools/0/input_schema", schema.clone()),
                At("/tools/0/functionDeclarations/0/name", json!("t")),
                At("/tools/0/function", function.clone()),
                At("/tools/0/function", function),
                At("/tools/0", json!({"name": "t", "description": "d", "parameter_definitions": {}})),
                At("/toolConfig/tools/0/toolSpec/inputSchema/json", schema.clone()),
            ],
        ),
        (
            "any tool has to be called",
            tools(json!({"tool_choice": "required"})),
            vec![text()],
            [
                At("/tool_choice", json!("required")),
                At("/tool_choice", json!("required")),
                At("/tool_choice", json!("required")),
                Refused,
                At("/tool_choice/type", json!("any")),
                At("/toolConfig/functionCallingConfig/mode", json!("ANY")),
                Refused,
                At("/tool_choice", json!("REQUIRED")),
                Refused,
                At("/toolConfig/toolChoice", json!({"any": {}})),
            ],
        ),
        (
            "one tool has to be called",
            tools(json!({"tool_choice": {"name": "t"}})),
            vec![text()],
            [
                At("/tool_choice/function/name", json!("t")),
                At("/tool_choice/function/name", json!("t")),
                At("/tool_choice", json!({"type": "function", "name": "t"})),
                Refused,
                At("/tool_choice", json!({"type": "tool", "name": "t"})),
                At("/toolConfig/functionCallingConfig/allowedFunctionNames", json!(["t"])),
                Refused,
                Refused,
                Refused,
                At("/toolConfig/toolChoice", json!({"tool": {"name": "t"}})),
            ],
        ),
        (
            "one call at a time",
            tools(json!({"parallel_tools": false})),
            vec![text()],
            [
                At("/parallel_tool_calls", json!(false)),
                At("/parallel_tool_calls", json!(false)),
                At("/parallel_tool_calls", json!(false)),
                Refused,
                At("/tool_choice/disable_parallel_tool_use", json!(true)),
                Nothing,
                Nothing,
                Nothing,
                Nothing,
                Nothing,
            ],
        ),
        (
            "a reply of a schema",
            json!({"output": {"type": "json_schema", "name": "n", "schema": schema, "strict": true}}),
            vec![text()],
            [
                At(
                    "/response_format",
                    json!({"type": "json_schema", "json_schema": {"name": "n", "schema": schema, "strict": true}}),
                ),
                At("/response_format/json_schema/schema", schema.clone()),
                At("/text/format", json!({"type": "json_schema", "name": "n", "schema": schema, "strict": true})),
                Refused,
                At("/output_config/format/schema", schema.clone()),
                At("/generationConfig/responseJsonSchema", schema.clone()),
                At("/format", schema.clone()),
                At("/response_format", json!({"type": "json_object", "json_schema": schema})),
                At("/response_format", json!({"type": "json_object", "schema": schema})),
                At("/outputConfig/textFormat/type", json!("json_schema")),
            ],
        ),
    ]);
}

#[test]
fn sampling_limits_thinking_caches_and_extras_are_asked_for() {
    let set = |key: &str, value: Value| json!({key: value});
    check(&[
        (
            "limit of tokens",
            set("max_tokens", json!(99)),
            vec![text()],
            [
                At("/max_completion_tokens", json!(99)),
                At("/max_tokens", json!(99)),
                At("/max_output_tokens", json!(99)),
                At("/max_tokens", json!(99)),
                At("/max_tokens", json!(99)),
                At("/generationConfig/maxOutputTokens", json!(99)),
                At("/options/num_predict", json!(99)),
                At("/max_tokens", json!(99)),
                At("/max_tokens", json!(99)),
                At("/inferenceConfig/maxTokens", json!(99)),
            ],
        ),
        (
            "temperature",
            set("temperature", json!(0.5)),
            vec![text()],
            [
                At("/temperature", json!(0.5)),
                At("/temperature", json!(0.5)),
                At("/temperature", json!(0.5)),
                At("/temperature", json!(0.5)),
                At("/temperature", json!(0.5)),
                At("/generationConfig/temperature", json!(0.5)),
                At("/options/temperature", json!(0.5)),
                At("/temperature", json!(0.5)),
                At("/temperature", json!(0.5)),
                At("/inferenceConfig/temperature", json!(0.5)),
            ],
        ),
        (
            "top_p",
            set("top_p", json!(0.5)),
            vec![text()],
            [
                At("/top_p", json!(0.5)),
                At("/top_p", json!(0.5)),
                At("/top_p", json!(0.5)),
                At("/top_p", json!(0.5)),
                At("/top_p", json!(0.5)),
                At("/generationConfig/topP", json!(0.5)),
                At("/options/top_p", json!(0.5)),
                At("/p", json!(0.5)),
                At("/p", json!(0.5)),
                At("/inferenceConfig/topP", json!(0.5)),
            ],
        ),
        (
            "top_k",
            set("top_k", json!(5)),
            vec![text()],
            [
                Nothing,
                At("/top_k", json!(5)),
                Nothing,
                Nothing,
                At("/top_k", json!(5)),
                At("/generationConfig/topK", json!(5)),
                At("/options/top_k", json!(5)),
                At("/k", json!(5)),
                At("/k", json!(5)),
                At("/additionalModelRequestFields/top_k", json!(5)),
            ],
        ),
        (
            "seed",
            set("seed", json!(5)),
            vec![text()],
            [
                At("/seed", json!(5)),
                At("/seed", json!(5)),
                Nothing,
                At("/seed", json!(5)),
                Nothing,
                At("/generationConfig/seed", json!(5)),
                At("/options/seed", json!(5)),
                At("/seed", json!(5)),
                At("/seed", json!(5)),
                Nothing,
            ],
        ),
        (
            "frequency penalty",
            set("frequency_penalty", json!(0.5)),
            vec![text()],
            [
                At("/frequency_penalty", json!(0.5)),
                At("/frequency_penalty", json!(0.5)),
                Nothing,
                At("/frequency_penalty", json!(0.5)),
                Nothing,
                At("/generationConfig/frequencyPenalty", json!(0.5)),
                At("/options/frequency_penalty", json!(0.5)),
                At("/frequency_penalty", json!(0.5)),
                At("/frequency_penalty", json!(0.5)),
                Nothing,
            ],
        ),
        (
            "texts that end the reply",
            set("stop", json!(["x"])),
            vec![text()],
            [
                At("/stop", json!(["x"])),
                At("/stop", json!(["x"])),
                Refused,
                At("/stop", json!(["x"])),
                At("/stop_sequences", json!(["x"])),
                At("/generationConfig/stopSequences", json!(["x"])),
                At("/options/stop", json!(["x"])),
                At("/stop_sequences", json!(["x"])),
                At("/stop_sequences", json!(["x"])),
                At("/inferenceConfig/stopSequences", json!(["x"])),
            ],
        ),
        (
            "level of thinking",
            set("thinking", json!({"level": "low"})),
            vec![text()],
            [
                At("/reasoning_effort", json!("low")),
                At("/reasoning", json!({"effort": "low"})),
                At("/reasoning/effort", json!("low")),
                Nothing,
                At("/thinking", json!({"type": "enabled", "budget_tokens": 2048})),
                At("/generationConfig/thinkingConfig/thinkingBudget", json!(2048)),
                At("/think", json!(true)),
                At("/thinking", json!({"type": "enabled", "token_budget": 2048})),
                Nothing,
                At("/additionalModelRequestFields/thinking", json!({"type": "enabled", "budget_tokens": 2048})),
            ],
        ),
        (
            "budget of thinking",
            set("thinking", json!({"budget_tokens": 3000})),
            vec![text()],
            [
                At("/reasoning_effort", json!("low")),
                At("/reasoning", json!({"max_tokens": 3000})),
                At("/reasoning/effort", json!("low")),
                Nothing,
                At("/thinking", json!({"type": "enabled", "budget_tokens": 3000})),
                At("/generationConfig/thinkingConfig/thinkingBudget", json!(3000)),
                At("/think", json!(true)),
                At("/thinking", json!({"type": "enabled", "token_budget": 3000})),
                Nothing,
                At("/additionalModelRequestFields/thinking", json!({"type": "enabled", "budget_tokens": 3000})),
            ],
        ),
        (
            "a prompt that is kept for long",
            json!({"cache": "long", "system": "s"}),
            vec![text()],
            [
                At("/prompt_cache_retention", json!("24h")),
                At("/messages/0/content/0/cache_control", json!({"type": "ephemeral", "ttl": "1h"})),
                At("/prompt_cache_retention", json!("24h")),
                Refused,
                At("/system/0/cache_control", json!({"type": "ephemeral", "ttl": "1h"})),
                // Caches of Google are made by calls of their own, or unasked.
                At("/systemInstruction/parts/0/text", json!("s")),
                At("/messages/0/content", json!("s")),
                At("/messages/0/content", json!("s")),
                At("/preamble", json!("s")),
                At("/system/1", json!({"cachePoint": {"type": "default"}})),
            ],
        ),
        (
            "name of the conversation",
            set("session", json!("c1")),
            vec![text()],
            [
                At("/prompt_cache_key", json!("c1")),
                At("/session_id", json!("c1")),
                At("/prompt_cache_key", json!("c1")),
                Nothing,
                Nothing,
                Nothing,
                Nothing,
                Nothing,
                Nothing,
                Nothing,
            ],
        ),
        (
            "what only this provider has",
            json!({"extra": {"odd": {"a": [1]}}}),
            vec![text()],
            std::array::from_fn(|_| At("/odd", json!({"a": [1]}))),
        ),
    ]);
}
