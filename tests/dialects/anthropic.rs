//! The messages dialect and its variations.

use thalweg_tests::naive::Dialect;

use crate::support::check;

#[test]
fn a_whole_reply_is_told_block_by_block() {
    check(
        Dialect::Anthropic,
        &[
            (
                "thinking, text, a tool call",
                &[
                    r#"event:message_start {"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"claude","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":9,"cache_creation_input_tokens":1,"cache_read_input_tokens":2,"output_tokens":1}}}"#,
                    r#"event:content_block_start {"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}"#,
                    r#"event:ping {"type": "ping"}"#,
                    r#"event:content_block_delta {"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"hm"}}"#,
                    r#"event:content_block_delta {"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"c2ln"}}"#,
                    r#"event:content_block_stop {"type":"content_block_stop","index":0}"#,
                    r#"event:content_block_start {"type":"content_block_start","index":1,"content_block":{"type":"text","text":""}}"#,
                    r#"event:content_block_delta {"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"Hel"}}"#,
                    r#"event:content_block_delta {"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"lo"}    }"#,
                    r#"event:content_block_stop {"type":"content_block_stop","index":1}"#,
                    r#"event:content_block_start {"type":"content_block_start","index":2,"content_block":{"type":"tool_use","id":"toolu_1","name":"f","input":{}}}"#,
                    r#"event:content_block_delta {"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":""}}"#,
                    r#"event:content_block_delta {"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":"{\"x\":"}}"#,
                    r#"event:content_block_delta {"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":"1}"}}"#,
                    r#"event:content_block_stop {"type":"content_block_stop","index":2}"#,
                    r#"event:message_delta {"type":"message_delta","delta":{"stop_reason":"tool_use","stop_sequence":null},"usage":{"output_tokens":15,"input_tokens":null}}"#,
                    r#"event:message_stop {"type":"message_stop"}"#,
                ],
                &[
                    r#"start "claude" (msg_1)"#,
                    r#"usage {"input_tokens":9,"cache_creation_input_tokens":1,"cache_read_input_tokens":2,"output_tokens":1}"#,
                    "count input 9",
                    "count output 1",
                    "count cache_read 2",
                    "count cache_write 1",
                    r#"thinking 0.0 "hm""#,
                    r#"signature 0.0 "c2ln""#,
                    "end 0.0",
                    r#"text 0.1 "Hello""#,
                    "end 0.1",
                    r#"call 0.2 "f" (toolu_1)"#,
                    r#"arguments 0.2 "{\"x\":1}""#,
                    "end 0.2",
                    r#"stop 0 tools "tool_use""#,
                    r#"merge {"output_tokens":15,"input_tokens":null}"#,
                    "count output 15",
                    "done",
                ],
            ),
            (
                "content inside of the first event",
                &[
                    r#"{"type":"message_start","message":{"id":"m","model":"c","content":[{"type":"text","text":"a"},{"type":"tool_use","id":"t","name":"f","input":{"x":1}}],"stop_reason":null,"usage":{}}}"#,
                    r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"b"}}"#,
                    r#"{"type":"message_delta","delta":{"stop_reason":"stop_sequence","stop_sequence":"\n\n"},"usage":{}}"#,
                    r#"{"type":"message_stop"}"#,
                ],
                &[
                    r#"start "c" (m)"#,
                    r#"text 0.0 "a""#,
                    r#"call 0.1 "f" (t)"#,
                    r#"text 0.0 "b""#,
                    r#"arguments 0.1 "{\"x\":1}""#,
                    "stop 0 sequence \"stop_sequence\" (\n\n)",
                    "done",
                ],
            ),
        ],
    );
}

#[test]
fn tool_arguments_come_in_deltas_or_whole_or_not_at_all() {
    let begin = |input: &str| {
        format!(
            r#"{{"type":"content_block_start","index":0,"content_block":{{"type":"tool_use","id":"t","name":"f","input":{input}}}}}"#
        )
    };
    let (whole, empty, null) = (begin(r#"{"x": [1]}"#), begin("{ }"), begin("null"));
    let stop = r#"{"type":"content_block_stop","index":0}"#;
    let delta =
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"{\"y\":2}"}}"#;
    let call = r#"call 0.0 "f" (t)"#;
    check(
        Dialect::Anthropic,
        &[
            ("whole with the beginning", &[&whole, stop], &[call, r#"arguments 0.0 "{\"x\": [1]}""#, "end 0.0"]),
            ("whole, and the stream ends too early", &[&whole], &[call, r#"arguments 0.0 "{\"x\": [1]}""#]),
            (
                "deltas go over what came with the beginning",
                &[&whole, delta, stop],
                &[call, r#"arguments 0.0 "{\"y\":2}""#, "end 0.0"],
            ),
            ("none", &[&empty, stop], &[call, r#"arguments 0.0 "{}""#, "end 0.0"]),
            ("null", &[&null, stop], &[call, r#"arguments 0.0 "{}""#, "end 0.0"]),
            ("none, and the stream ends too early", &[&empty], &[call]),
        ],
    );
}

#[test]
fn other_blocks_are_kept_unread() {
    check(
        Dialect::Anthropic,
        &[
            (
                "hidden thinking",
                &[
                    r#"{"type":"content_block_start","index":0,"content_block":{"type":"redacted_thinking","data":"zz"}}"#,
                    r#"{"type":"content_block_stop","index":0}"#,
                ],
                &[r#"redacted 0.0 "zz""#, "end 0.0"],
            ),
            (
                "a tool of the provider is told whole at its end",
                &[
                    r#"{"type":"content_block_start","index":0,"content_block":{"type":"server_tool_use","id":"s","name":"web_search","input":{}}}"#,
                    r#"{"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"{\"query\": \"a \\\"b"}}"#,
                    r#"{"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"\\\"\"}"}}"#,
                    r#"{"type":"content_block_stop","index":0}"#,
                    r#"{"type":"content_block_start","index":1,"content_block":{"type":"web_search_tool_result","tool_use_id":"s","content":[]}}"#,
                    r#"{"type":"content_block_stop","index":1}"#,
                ],
                &[
                    r#"other 0.0 {"type":"server_tool_use","id":"s","name":"web_search","input":{"query":"a \"b\""}} (server_tool_use)"#,
                    "end 0.0",
                    r#"other 0.1 {"type":"web_search_tool_result","tool_use_id":"s","content":[]} (web_search_tool_result)"#,
                    "end 0.1",
                ],
            ),
            (
                "a tool of the provider that was cut keeps its text",
                &[
                    r#"{"type":"content_block_start","index":0,"content_block":{"type":"mcp_tool_use","id":"s","name":"n","input":{}}}"#,
                    r#"{"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"{\"q"}}"#,
                ],
                &[r#"other 0.0 {"type":"mcp_tool_use","id":"s","name":"n","input":"{\"q"} (mcp_tool_use)"#],
            ),
            (
                "citations and deltas of a kind unknown",
                &[
                    r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":"a","citations":[{"c":1}]}}"#,
                    r#"{"type":"content_block_delta","index":0,"delta":{"type":"citations_delta","citation":{"u":1}}}"#,
                    r#"{"type":"content_block_delta","index":0,"delta":{"type":"odd_delta"}}"#,
                    r#"{"type":"content_block_delta","index":0,"delta":{}}"#,
                    r#"{"type":"content_block_delta","index":0}"#,
                ],
                &[
                    r#"text 0.0 "a""#,
                    r#"other 0.0 [{"c":1}] (citations)"#,
                    r#"other 0.0 {"type":"citations_delta","citation":{"u":1}} (citations_delta)"#,
                    r#"other 0.0 {"type":"odd_delta"} (odd_delta)"#,
                    "skipped",
                    "skipped",
                ],
            ),
            (
                "deltas of a block that never began",
                &[
                    r#"{"type":"content_block_delta","index":3,"delta":{"type":"text_delta","text":"a"}}"#,
                    r#"{"type":"content_block_delta","index":3,"delta":{"type":"text_delta","text":"b"}}"#,
                    r#"{"type":"content_block_delta","index":4,"delta":{"type":"input_json_delta","partial_json":"x"}}"#,
                    r#"{"type":"content_block_stop","index":9}"#,
                ],
                &[
                    r#"text 0.3 "ab""#,
                    r#"other 0.4 {"type":"input_json_delta","partial_json":"x"} (input_json_delta)"#,
                    "end 0.9",
                ],
            ),
            (
                "a number that is used again",
                &[
                    r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":"a"}}"#,
                    r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":"b"}}"#,
                ],
                &[r#"text 0.0 "a""#, "end 0.0", r#"text 0.0 "b""#],
            ),
        ],
    );
}

#[test]
fn events_are_told_apart_by_type_or_else_by_name() {
    check(
        Dialect::Anthropic,
        &[
            (
                "the name of the event where the payload has no type",
                &[
                    r#"event:content_block_delta {"index":0,"delta":{"type":"text_delta","text":"x"}}"#,
                    r#"event:message_stop {}"#,
                ],
                &[r#"text 0.0 "x""#, "done"],
            ),
            (
                "the type goes before the name",
                &[r#"event:message_stop {"type":"ping"}"#, r#"event:ping {"type":"message_stop"}"#],
                &["done"],
            ),
            (
                "unknown ones are skipped and counted",
                &[r#"{"type":"odd"}"#, "event:odder {}", "{}", "[]", "null", "[DONE]"],
                &["skipped (odd)", "skipped (odder)", "skipped", "skipped", "skipped", "done"],
            ),
            (
                "errors",
                &[
                    r#"event:error {"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#,
                    r#"{"error":{"message":"from a proxy","code":500}}"#,
                    r#"{"type":"error"}"#,
                ],
                &[
                    r#"error overloaded "Overloaded" ({"type":"overloaded_error","message":"Overloaded"})"#,
                    r#"error server "from a proxy" ({"message":"from a proxy","code":500})"#,
                    r#"error other "" ({"type":"error"})"#,
                ],
            ),
            (
                "every reason to stop",
                &[
                    r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"}}"#,
                    r#"{"type":"message_delta","delta":{"stop_reason":"max_tokens"}}"#,
                    r#"{"type":"message_delta","delta":{"stop_reason":"refusal"}}"#,
                    r#"{"type":"message_delta","delta":{"stop_reason":"pause_turn"}}"#,
                    r#"{"type":"message_delta","delta":{"stop_reason":"model_context_window_exceeded"}}"#,
                    r#"{"type":"message_delta","delta":{"stop_reason":"odd"}}"#,
                    r#"{"type":"message_delta","delta":{"stop_reason":null},"usage":{"output_tokens":1}}"#,
                ],
                &[
                    r#"stop 0 end "end_turn""#,
                    r#"stop 0 length "max_tokens""#,
                    r#"stop 0 filter "refusal""#,
                    r#"stop 0 pause "pause_turn""#,
                    r#"stop 0 length "model_context_window_exceeded""#,
                    r#"stop 0 other "odd""#,
                    r#"merge {"output_tokens":1}"#,
                    "count output 1",
                ],
            ),
        ],
    );
}
