//! The dialects of Bedrock and their variations: Converse, and what models say themselves through `InvokeModel`.

use thalweg_tests::naive::Dialect;
use thalweg_tests::naive_event_stream::to_base64;

use crate::support::check;

/// An event of `InvokeModel` around the event of a model.
fn wrapped(inner: &str) -> String {
    format!(r#"event:chunk {{"bytes":"{}","p":"abcd"}}"#, to_base64(inner.as_bytes()))
}

/// Checks events of a model itself.
fn check_invoke(name: &str, events: &[&str], expected: &[&str]) {
    let events: Vec<String> = events.iter().map(|event| wrapped(event)).collect();
    let events: Vec<&str> = events.iter().map(String::as_str).collect();
    check(Dialect::Bedrock, &[(name, &events, expected)]);
}

#[test]
fn converse_tells_blocks_by_their_number() {
    check(
        Dialect::Bedrock,
        &[
            (
                "thinking, text, a tool call",
                &[
                    r#"event:messageStart {"p":"abc","role":"assistant"}"#,
                    r#"event:contentBlockDelta {"contentBlockIndex":0,"delta":{"reasoningContent":{"text":"h\u006d"}},"p":"ab"}"#,
                    r#"event:contentBlockDelta {"contentBlockIndex":0,"delta":{"reasoningContent":{"text":"!"}},"p":"abc"}"#,
                    r#"event:contentBlockDelta {"contentBlockIndex":0,"delta":{"reasoningContent":{"signature":"c2ln"}},"p":"a"}"#,
                    r#"event:contentBlockStop {"contentBlockIndex":0,"p":"abcd"}"#,
                    r#"event:contentBlockDelta {"contentBlockIndex":1,"delta":{"text":"Hel"},"p":"abcd"}"#,
                    r#"event:contentBlockDelta {"contentBlockIndex":1,"delta":{"text":""},"p":"abcd"}"#,
                    r#"event:contentBlockDelta {"contentBlockIndex":1,"delta":{"text":"lo\n"},"p":"ab"}"#,
                    r#"event:contentBlockStop {"contentBlockIndex":1}"#,
                    r#"event:contentBlockStart {"contentBlockIndex":2,"start":{"toolUse":{"name":"f","toolUseId":"tooluse_1","type":"tool_use"}}}"#,
                    r#"event:contentBlockDelta {"contentBlockIndex":2,"delta":{"toolUse":{"input":""}}}"#,
                    r#"event:contentBlockDelta {"contentBlockIndex":2,"delta":{"toolUse":{"input":"{\"x\":"}}}"#,
                    r#"event:contentBlockDelta {"contentBlockIndex":2,"delta":{"toolUse":{"input":"1}"}}}"#,
                    r#"event:contentBlockStop {"contentBlockIndex":2}"#,
                    r#"event:messageStop {"p":"abc","stopReason":"tool_use"}"#,
                    r#"event:metadata {"metrics":{"latencyMs":1859},"p":"abc","usage":{"inputTokens":446,"outputTokens":76,"serverToolUsage":{},"totalTokens":522,"cacheReadInputTokens":5,"cacheWriteInputTokens":6}}"#,
                ],
                &[
                    r#"start """#,
                    r#"thinking 0.0 "hm!""#,
                    r#"signature 0.0 "c2ln""#,
                    "end 0.0",
                    r#"text 0.1 "Hello\n""#,
                    "end 0.1",
                    r#"call 0.2 "f" (tooluse_1)"#,
                    r#"arguments 0.2 "{\"x\":1}""#,
                    "end 0.2",
                    r#"stop 0 tools "tool_use""#,
                    r#"usage {"inputTokens":446,"outputTokens":76,"serverToolUsage":{},"totalTokens":522,"cacheReadInputTokens":5,"cacheWriteInputTokens":6}"#,
                    "count input 446",
                    "count output 76",
                    "count total 522",
                    "count cache_read 5",
                    "count cache_write 6",
                    "done",
                ],
            ),
            (
                "a new block for each piece, and none begun",
                &[
                    r#"event:contentBlockDelta {"delta":{"text":"The"},"contentBlockIndex":0}"#,
                    r#"event:contentBlockStop {"contentBlockIndex":0}"#,
                    r#"event:contentBlockDelta {"delta":{"text":" end"},"contentBlockIndex":24}"#,
                    r#"event:messageStop {"stopReason":"end_turn"}"#,
                ],
                &[r#"start """#, r#"text 0.0 "The""#, "end 0.0", r#"text 0.24 " end""#, r#"stop 0 end "end_turn""#],
            ),
            (
                "what is kept and not read",
                &[
                    r#"event:contentBlockStart {"contentBlockIndex":1,"start":{"toolResult":{"status":"success","toolUseId":"t","type":"nova_code_interpreter_result"}}}"#,
                    r#"event:contentBlockDelta {"contentBlockIndex":1,"delta":{"toolResult":[{"json":{"exitCode":0}}]}}"#,
                    r#"event:contentBlockDelta {"contentBlockIndex":0,"delta":{"citation":{"title":"facts"}}}"#,
                    r#"event:contentBlockDelta {"contentBlockIndex":0,"delta":{"reasoningContent":{"redactedContent":"zz"}}}"#,
                    r#"event:contentBlockDelta {"contentBlockIndex":0,"delta":{"text":"a","toolUse":{"input":{"x":1}},"citation":{}}}"#,
                    r#"event:metadata {"trace":{"guardrail":{"actionReason":"Guardrail masked."}},"usage":{}}"#,
                    r#"event:odd {"a":1}"#,
                    r#"event:contentBlockStop []"#,
                ],
                &[
                    r#"start """#,
                    r#"other 0.1 {"status":"success","toolUseId":"t","type":"nova_code_interpreter_result"} (toolResult)"#,
                    r#"other 0.1 [{"json":{"exitCode":0}}] (toolResult)"#,
                    r#"other 0.0 {"title":"facts"} (citation)"#,
                    r#"redacted 0.0 "zz""#,
                    r#"text 0.0 "a""#,
                    r#"arguments 0.0 "{\"x\":1}""#,
                    r#"other 0.0 {} (citation)"#,
                    r#"other 0.0 {"guardrail":{"actionReason":"Guardrail masked."}} (trace)"#,
                    "done",
                    "skipped (odd)",
                    "skipped (contentBlockStop)",
                ],
            ),
            (
                "every reason to stop",
                &[
                    r#"event:messageStop {"stopReason":"max_tokens"}"#,
                    r#"event:messageStop {"stopReason":"model_context_window_exceeded"}"#,
                    r#"event:messageStop {"stopReason":"stop_sequence","additionalModelResponseFields":{"stop_sequence":"\n\n"}}"#,
                    r#"event:messageStop {"stopReason":"guardrail_intervened"}"#,
                    r#"event:messageStop {"stopReason":"content_filtered"}"#,
                    r#"event:messageStop {"stopReason":"malformed_tool_use"}"#,
                    r#"event:messageStop {"stopReason":"odd"}"#,
                    r#"event:messageStop {"stopReason":null}"#,
                ],
                &[
                    r#"stop 0 length "max_tokens""#,
                    r#"stop 0 length "model_context_window_exceeded""#,
                    "stop 0 sequence \"stop_sequence\" (\n\n)",
                    r#"stop 0 filter "guardrail_intervened""#,
                    r#"stop 0 filter "content_filtered""#,
                    r#"stop 0 error "malformed_tool_use""#,
                    r#"stop 0 other "odd""#,
                ],
            ),
        ],
    );
}

#[test]
fn exceptions_inside_of_a_stream_are_typed() {
    check(
        Dialect::Bedrock,
        &[(
            "each by its name",
            &[
                r#"event:contentBlockDelta {"contentBlockIndex":0,"delta":{"text":"a"}}"#,
                r#"event:throttlingException {"message":"Too many requests"}"#,
                r#"event:serviceUnavailableException {"message":"x"}"#,
                r#"event:internalServerException {"message":"x"}"#,
                r#"event:modelStreamErrorException {"message":"x","originalStatusCode":424,"originalMessage":"y"}"#,
                r#"event:modelTimeoutException {}"#,
                r#"event:validationException {"message":"Input is too long for requested model."}"#,
                r#"event:validationException {"message":"The provided model identifier is invalid."}"#,
                r#"event:accessDeniedException {"message":"no \"access\""}"#,
                r#"event:newException "#,
                r#"event:error {"code":"InternalError","message":"a"}"#,
            ],
            &[
                r#"start """#,
                r#"text 0.0 "a""#,
                r#"error rate_limit "Too many requests" ({"throttlingException":{"message":"Too many requests"}})"#,
                r#"error overloaded "x" ({"serviceUnavailableException":{"message":"x"}})"#,
                r#"error server "x" ({"internalServerException":{"message":"x"}})"#,
                r#"error server "x" ({"modelStreamErrorException":{"message":"x","originalStatusCode":424,"originalMessage":"y"}})"#,
                r#"error server "" ({"modelTimeoutException":{}})"#,
                r#"error context_overflow "Input is too long for requested model." ({"validationException":{"message":"Input is too long for requested model."}})"#,
                r#"error invalid_request "The provided model identifier is invalid." ({"validationException":{"message":"The provided model identifier is invalid."}})"#,
                r#"error auth "no \"access\"" ({"accessDeniedException":{"message":"no \"access\""}})"#,
                r#"error other "" ({"newException":{}})"#,
                r#"error server "a" ({"error":{"code":"InternalError","message":"a"}})"#,
            ],
        )],
    );
}

#[test]
fn messages_of_claude_come_through_unchanged() {
    check_invoke(
        "a message",
        &[
            r#"{"type":"message_start","message":{"model":"claude","id":"msg_bdrk_1","content":[],"usage":{"input_tokens":1}}}"#,
            r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#,
            r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hél"}}"#,
            r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"lo"}}"#,
            r#"{"type":"content_block_stop","index":0}"#,
            r#"{"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":2}}"#,
            r#"{"type":"message_stop","amazon-bedrock-invocationMetrics":{"inputTokenCount":656}}"#,
        ],
        &[
            r#"start "claude" (msg_bdrk_1)"#,
            r#"usage {"input_tokens":1}"#,
            "count input 1",
            r#"text 0.0 "Héllo""#,
            "end 0.0",
            r#"stop 0 end "end_turn""#,
            r#"merge {"output_tokens":2}"#,
            "count output 2",
            "done",
        ],
    );
    check_invoke(
        "a tool of the provider that was cut keeps its text",
        &[
            r#"{"type":"content_block_start","index":0,"content_block":{"type":"mcp_tool_use","id":"s","name":"n","input":{}}}"#,
            r#"{"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"{\"q"}}"#,
        ],
        &[r#"other 0.0 {"type":"mcp_tool_use","id":"s","name":"n","input":"{\"q"} (mcp_tool_use)"#],
    );
}

#[test]
fn events_of_nova_are_those_of_converse_one_level_deeper() {
    check_invoke(
        "a message",
        &[
            r#"{"messageStart":{"role":"assistant"}}"#,
            r#"{"contentBlockDelta":{"delta":{"text":"The"},"contentBlockIndex":0}}"#,
            r#"{"contentBlockStop":{"contentBlockIndex":0}}"#,
            r#"{"contentBlockStart":{"start":{"toolUse":{"toolUseId":"d8","name":"w"}},"contentBlockIndex":24}}"#,
            r#"{"contentBlockDelta":{"delta":{"toolUse":{"input":"{\"a\":1}"}},"contentBlockIndex":24}}"#,
            r#"{"messageStop":{"stopReason":"end_turn"}}"#,
            r#"{"metadata":{"usage":{"inputTokens":12,"outputTokens":13,"cacheReadInputTokenCount":0},"metrics":{},"trace":{}},"amazon-bedrock-invocationMetrics":{"inputTokenCount":12}}"#,
            r#"{"odd":{}}"#,
            r#"{"error":{"message":"m"}}"#,
        ],
        &[
            r#"start """#,
            r#"text 0.0 "The""#,
            "end 0.0",
            r#"call 0.24 "w" (d8)"#,
            r#"arguments 0.24 "{\"a\":1}""#,
            r#"stop 0 end "end_turn""#,
            r#"usage {"inputTokens":12,"outputTokens":13,"cacheReadInputTokenCount":0}"#,
            "count input 12",
            "count output 13",
            "done",
            "skipped",
            r#"error other "m" ({"message":"m"})"#,
        ],
    );
}

#[test]
fn other_models_give_text_under_a_name_of_their_own() {
    check_invoke(
        "Claude of old",
        &[
            r#"{"completion":" Hi","stop_reason":null,"stop":null}"#,
            r#"{"completion":"!","stop_reason":"stop_sequence","stop":"\n\nHuman:","amazon-bedrock-invocationMetrics":{"inputTokenCount":25}}"#,
        ],
        &[
            r#"start """#,
            r#"text 0.0 " Hi!""#,
            "stop 0 sequence \"\" (\n\nHuman:)",
            r#"other 0.0 {"inputTokenCount":25} (amazon-bedrock-invocationMetrics)"#,
            "done",
        ],
    );
    check_invoke(
        "Llama",
        &[
            r#"{"generation":"\n","prompt_token_count":10,"generation_token_count":1,"stop_reason":null}"#,
            r#"{"generation":"a","prompt_token_count":null,"generation_token_count":2,"stop_reason":null}"#,
            r#"{"generation":"","prompt_token_count":null,"generation_token_count":3,"stop_reason":null}"#,
            r#"{"generation":".","prompt_token_count":null,"generation_token_count":60,"stop_reason":"length"}"#,
        ],
        &[r#"start """#, r#"text 0.0 "\na.""#, r#"stop 0 length """#],
    );
    check_invoke(
        "Titan, Cohere, Mistral, Jamba",
        &[
            r#"{"outputText":"a","index":0,"completionReason":"LENGTH"}"#,
            r#"{"index":1,"is_finished":false,"text":" b"}"#,
            r#"{"finish_reason":"MAX_TOKENS","is_finished":true}"#,
            r#"{"generations":[{"text":" c","finish_reason":"COMPLETE"}]}"#,
            r#"{"outputs":[{"text":" d","stop_reason":"stop"}]}"#,
            r#"{"choices":[{"index":0,"message":{"content":" e"}},{"delta":{"content":" f"},"stop_reason":"odd"}]}"#,
            "[]",
            "{",
        ],
        &[
            r#"start """#,
            r#"text 0.0 "a""#,
            r#"stop 0 length """#,
            r#"text 0.0 " b""#,
            r#"stop 0 length """#,
            r#"text 0.0 " c""#,
            r#"stop 0 end """#,
            r#"text 0.0 " d""#,
            r#"stop 0 end """#,
            r#"text 0.0 " e f""#,
            r#"stop 0 other """#,
            "skipped",
            r#"error malformed "an event of the provider is not JSON: it ends too early at byte 1""#,
        ],
    );
}
