//! The responses dialect and its variations.

use thalweg_tests::naive::Dialect;

use crate::support::check;

#[test]
fn a_whole_reply_is_told_item_by_item() {
    let reasoning = r#"{"id":"rs_1","type":"reasoning","summary":[{"type":"summary_text","text":"hm"},{"type":"summary_text","text":"yes"}],"encrypted_content":"zz"}"#;
    check(
        Dialect::OpenAiResponses,
        &[(
            "thinking, text, a call",
            &[
                r#"event:response.created {"type":"response.created","sequence_number":0,"response":{"id":"resp_1","object":"response","status":"in_progress","model":"gpt","output":[],"usage":null}}"#,
                r#"event:response.in_progress {"type":"response.in_progress","sequence_number":1,"response":{"id":"resp_1","status":"in_progress","model":"gpt"}}"#,
                r#"{"type":"response.output_item.added","sequence_number":2,"output_index":0,"item":{"id":"rs_1","type":"reasoning","summary":[]}}"#,
                r#"{"type":"response.reasoning_summary_part.added","item_id":"rs_1","output_index":0,"summary_index":0,"part":{"type":"summary_text","text":""}}"#,
                r#"{"type":"response.reasoning_summary_text.delta","item_id":"rs_1","output_index":0,"summary_index":0,"delta":"h","obfuscation":"a"}"#,
                r#"{"type":"response.reasoning_summary_text.delta","item_id":"rs_1","output_index":0,"summary_index":0,"delta":"m","obfuscation":"ab"}"#,
                r#"{"type":"response.reasoning_summary_text.done","item_id":"rs_1","output_index":0,"summary_index":0,"text":"hm"}"#,
                r#"{"type":"response.reasoning_summary_part.done","item_id":"rs_1","output_index":0,"summary_index":0,"part":{"type":"summary_text","text":"hm"}}"#,
                r#"{"type":"response.reasoning_summary_text.delta","item_id":"rs_1","output_index":0,"summary_index":1,"delta":"yes"}"#,
                &format!(r#"{{"type":"response.output_item.done","output_index":0,"item":{reasoning}}}"#),
                r#"{"type":"response.output_item.added","output_index":1,"item":{"id":"msg_1","type":"message","status":"in_progress","content":[],"role":"assistant"}}"#,
                r#"{"type":"response.content_part.added","item_id":"msg_1","output_index":1,"content_index":0,"part":{"type":"output_text","annotations":[],"text":""}}"#,
                r#"{"type":"response.output_text.delta","item_id":"msg_1","output_index":1,"content_index":0,"delta":"Hel","logprobs":[]}"#,
                r#"{"type":"response.output_text.delta","item_id":"msg_1","output_index":1,"content_index":0,"delta":"lo","logprobs":[]}"#,
                r#"{"type":"response.output_text.annotation.added","item_id":"msg_1","output_index":1,"content_index":0,"annotation_index":0,"annotation":{"type":"url_citation","url":"u"}}"#,
                r#"{"type":"response.output_text.done","item_id":"msg_1","output_index":1,"content_index":0,"text":"Hello"}"#,
                r#"{"type":"response.output_item.done","output_index":1,"item":{"id":"msg_1","type":"message","status":"completed","content":[{"type":"output_text","text":"Hello"}]}}"#,
                r#"{"type":"response.output_item.added","output_index":2,"item":{"id":"fc_1","type":"function_call","status":"in_progress","arguments":"","call_id":"call_1","name":"f"}}"#,
                r#"{"type":"response.function_call_arguments.delta","item_id":"fc_1","output_index":2,"delta":"{\"x\":"}"#,
                r#"{"type":"response.function_call_arguments.delta","item_id":"fc_1","output_index":2,"delta":"1}"}"#,
                r#"{"type":"response.function_call_arguments.done","item_id":"fc_1","output_index":2,"arguments":"{\"x\":1}"}"#,
                r#"{"type":"response.output_item.done","output_index":2,"item":{"id":"fc_1","type":"function_call","status":"completed","arguments":"{\"x\":1}","call_id":"call_1","name":"f"}}"#,
                r#"{"type":"response.completed","response":{"id":"resp_1","status":"completed","model":"gpt","error":null,"incomplete_details":null,"output":[{"type":"reasoning"},{"type":"message"},{"type":"function_call"}],"usage":{"input_tokens":9,"input_tokens_details":{"cached_tokens":4},"output_tokens":5,"output_tokens_details":{"reasoning_tokens":3},"total_tokens":14}}}"#,
                "[DONE]",
            ],
            &[
                r#"start "gpt" (resp_1)"#,
                r#"thinking 0.0 "hm""#,
                r#"thinking 0.1 "yes""#,
                &format!("signature 0.1 {reasoning:?}"),
                "end 0.0",
                "end 0.1",
                r#"text 0.2 "Hello""#,
                r#"other 0.2 {"type":"url_citation","url":"u"} (url_citation)"#,
                "end 0.2",
                r#"call 0.3 "f" (call_1)"#,
                r#"arguments 0.3 "{\"x\":1}""#,
                "end 0.3",
                r#"stop 0 tools "completed""#,
                r#"usage {"input_tokens":9,"input_tokens_details":{"cached_tokens":4},"output_tokens":5,"output_tokens_details":{"reasoning_tokens":3},"total_tokens":14}"#,
                "count input 9",
                "count output 5",
                "count total 14",
                "count reasoning 3",
                "count cache_read 4",
                "done",
            ],
        )],
    );
}

#[test]
fn items_may_come_without_deltas_or_without_numbers() {
    check(
        Dialect::OpenAiResponses,
        &[
            (
                "arguments only in the item that is done",
                &[
                    r#"{"type":"response.output_item.added","output_index":0,"item":{"id":"fc","type":"function_call","call_id":"c","name":"f","arguments":""}}"#,
                    r#"{"type":"response.output_item.done","output_index":0,"item":{"id":"fc","type":"function_call","call_id":"c","name":"f","arguments":"{\"x\":1}"}}"#,
                ],
                &[r#"call 0.0 "f" (c)"#, r#"arguments 0.0 "{\"x\":1}""#, "end 0.0"],
            ),
            (
                "arguments as an object, and none at all",
                &[
                    r#"{"type":"response.output_item.done","output_index":0,"item":{"type":"function_call","call_id":"c","name":"f","arguments":{"x":1}}}"#,
                    r#"{"type":"response.output_item.done","output_index":1,"item":{"type":"function_call","call_id":"d","name":"g","arguments":""}}"#,
                    r#"{"type":"response.output_item.done","output_index":2,"item":{"type":"function_call","call_id":"e","name":"h"}}"#,
                ],
                &[
                    r#"call 0.0 "f" (c)"#,
                    r#"arguments 0.0 "{\"x\":1}""#,
                    "end 0.0",
                    r#"call 0.1 "g" (d)"#,
                    r#"arguments 0.1 "{}""#,
                    "end 0.1",
                    r#"call 0.2 "h" (e)"#,
                    r#"arguments 0.2 "{}""#,
                    "end 0.2",
                ],
            ),
            (
                "a message that only comments says so before its text, once",
                &[
                    r#"{"type":"response.output_item.added","output_index":0,"item":{"id":"m","type":"message","content":[],"phase":"commentary"}}"#,
                    r#"{"type":"response.output_text.delta","output_index":0,"content_index":0,"delta":"a"}"#,
                    r#"{"type":"response.output_item.done","output_index":0,"item":{"id":"m","type":"message","content":[{"type":"output_text","text":"a"}],"phase":"commentary"}}"#,
                    r#"{"type":"response.output_item.done","output_index":1,"item":{"type":"message","content":[{"type":"output_text","text":"b"}],"phase":"final_answer"}}"#,
                    r#"{"type":"response.output_item.done","output_index":2,"item":{"type":"message","content":[{"type":"output_text","text":"c"}],"phase":null}}"#,
                ],
                &[
                    r#"signature 0.0 "{\"id\":\"m\",\"type\":\"message\",\"content\":[],\"phase\":\"commentary\"}""#,
                    "end 0.0",
                    r#"text 0.1 "a""#,
                    "end 0.1",
                    r#"signature 0.2 "{\"type\":\"message\",\"content\":[{\"type\":\"output_text\",\"text\":\"b\"}],\"phase\":\"final_answer\"}""#,
                    "end 0.2",
                    r#"text 0.3 "b""#,
                    "end 0.3",
                    r#"text 0.4 "c""#,
                    "end 0.4",
                ],
            ),
            (
                "a call whose name comes with its end",
                &[
                    r#"{"type":"response.function_call_arguments.delta","output_index":0,"delta":"{}"}"#,
                    r#"{"type":"response.output_item.done","output_index":0,"item":{"type":"function_call","call_id":"c","name":"f","arguments":"{}"}}"#,
                ],
                &[r#"call 0.0 """#, r#"arguments 0.0 "{}""#, r#"call 0.0 "f" (c)"#, "end 0.0"],
            ),
            (
                "the free text of a custom tool",
                &[
                    r#"{"type":"response.output_item.added","output_index":0,"item":{"type":"custom_tool_call","id":"ct","call_id":"c","name":"sql","input":""}}"#,
                    r#"{"type":"response.custom_tool_call_input.delta","item_id":"ct","output_index":0,"delta":"SELECT 1"}"#,
                    r#"{"type":"response.custom_tool_call_input.done","item_id":"ct","output_index":0,"input":"SELECT 1"}"#,
                    r#"{"type":"response.output_item.done","output_index":0,"item":{"type":"custom_tool_call","id":"ct","call_id":"c","name":"sql","input":"SELECT 1"}}"#,
                ],
                &[r#"call 0.0 "sql" (c)"#, r#"arguments 0.0 "SELECT 1""#, "end 0.0"],
            ),
            (
                "text and a refusal only in the item that is done",
                &[
                    r#"{"type":"response.output_item.done","output_index":0,"item":{"type":"message","content":[{"type":"output_text","text":"a"},{"type":"refusal","refusal":"no"},{"type":"odd"},7]}}"#,
                ],
                &[r#"text 0.0 "a""#, r#"refusal 0.1 "no""#, "end 0.0", "end 0.1"],
            ),
            (
                "parts that have other numbers in deltas than in the item",
                &[
                    r#"{"type":"response.output_text.delta","output_index":1,"content_index":1,"delta":"a"}"#,
                    r#"{"type":"response.output_item.done","output_index":1,"item":{"type":"message","content":[{"type":"output_text","text":"a"}]}}"#,
                ],
                &[r#"text 0.0 "a""#, "end 0.0"],
            ),
            (
                "no numbers, as llama.cpp sends them: one open item of a kind is the one",
                &[
                    r#"{"type":"response.output_item.added","item":{"id":"rs","type":"reasoning","summary":[],"content":[],"encrypted_content":""}}"#,
                    r#"{"type":"response.reasoning_text.delta","delta":"hm","item_id":"rs"}"#,
                    r#"{"type":"response.output_item.added","item":{"id":"msg","type":"message","content":[]}}"#,
                    r#"{"type":"response.output_text.delta","item_id":"msg","delta":"a"}"#,
                    r#"{"type":"response.output_item.added","item":{"id":"fc_1","type":"function_call","call_id":"c","name":"f","arguments":""}}"#,
                    r#"{"type":"response.output_item.added","item":{"id":"fc_2","type":"function_call","call_id":"d","name":"g","arguments":""}}"#,
                    r#"{"type":"response.function_call_arguments.delta","delta":"{\"y\":2}","item_id":"fc_2"}"#,
                    r#"{"type":"response.function_call_arguments.delta","delta":"{\"x\":1}","item_id":"fc_1"}"#,
                    r#"{"type":"response.output_item.done","item":{"id":"rs","type":"reasoning"}}"#,
                    r#"{"type":"response.output_item.done","item":{"id":"msg","type":"message","content":[{"type":"output_text","text":"a"}]}}"#,
                    r#"{"type":"response.output_item.done","item":{"id":"fc_1","type":"function_call","call_id":"c","name":"f","arguments":"{\"x\":1}"}}"#,
                ],
                &[
                    r#"thinking 0.0 "hm""#,
                    r#"text 0.1 "a""#,
                    r#"call 0.2 "f" (c)"#,
                    r#"call 0.3 "g" (d)"#,
                    r#"arguments 0.3 "{\"y\":2}""#,
                    r#"arguments 0.2 "{\"x\":1}""#,
                    r#"signature 0.0 "{\"id\":\"rs\",\"type\":\"reasoning\"}""#,
                    "end 0.0",
                    "end 0.1",
                    "end 0.2",
                ],
            ),
            (
                "ids that change with every event",
                &[
                    r#"{"type":"response.output_item.added","output_index":0,"item":{"id":"a","type":"message","content":[]}}"#,
                    r#"{"type":"response.output_text.delta","output_index":0,"content_index":0,"item_id":"b","delta":"x"}"#,
                    r#"{"type":"response.output_text.delta","output_index":0,"content_index":0,"item_id":"c","delta":"y"}"#,
                    r#"{"type":"response.output_item.done","output_index":0,"item":{"id":"d","type":"message","content":[{"type":"output_text","text":"xy"}]}}"#,
                ],
                &[r#"text 0.0 "xy""#, "end 0.0"],
            ),
            (
                "the same number for every item",
                &[
                    r#"{"type":"response.output_item.added","output_index":0,"item":{"id":"a","type":"function_call","call_id":"c","name":"f"}}"#,
                    r#"{"type":"response.function_call_arguments.delta","output_index":0,"delta":"{}"}"#,
                    r#"{"type":"response.output_item.added","output_index":0,"item":{"id":"b","type":"function_call","call_id":"d","name":"g"}}"#,
                    r#"{"type":"response.function_call_arguments.delta","output_index":0,"delta":"[]"}"#,
                ],
                &[r#"call 0.0 "f" (c)"#, r#"arguments 0.0 "{}""#, r#"call 0.1 "g" (d)"#, r#"arguments 0.1 "[]""#],
            ),
            (
                "the beginning told several times",
                &[
                    r#"{"type":"response.created","response":{"id":"r","status":"in_progress"}}"#,
                    r#"{"type":"response.created","response":{"id":"r","status":"in_progress"}}"#,
                    r#"{"type":"response.queued","response":{"id":"r","status":"queued"}}"#,
                    r#"{"type":"response.output_item.added","output_index":0,"item":{"id":"a","type":"function_call","call_id":"c","name":"f"}}"#,
                    r#"{"type":"response.output_item.added","output_index":0,"item":{"id":"a","type":"function_call","call_id":"c","name":"f"}}"#,
                ],
                &[r#"start "" (r)"#, r#"call 0.0 "f" (c)"#],
            ),
            (
                "nothing but the last event",
                &[
                    r#"{"type":"response.completed","response":{"id":"r","model":"m","status":"completed","output":[{"type":"message","content":[{"type":"output_text","text":"a"}]}]}}"#,
                ],
                &[r#"start "m" (r)"#, r#"text 0.0 "a""#, "end 0.0", r#"stop 0 end "completed""#, "done"],
            ),
            (
                "an item that is only ended by the last event",
                &[
                    r#"{"type":"response.output_item.added","output_index":1,"item":{"id":"a","type":"function_call","call_id":"c","name":"f"}}"#,
                    r#"{"type":"response.completed","response":{"status":"completed","output":[{"type":"message","content":[{"type":"output_text","text":"not told"}]},{"id":"a","type":"function_call","call_id":"c","name":"f","arguments":"{}"}]}}"#,
                ],
                &[r#"call 0.0 "f" (c)"#, r#"arguments 0.0 "{}""#, "end 0.0", r#"stop 0 tools "completed""#, "done"],
            ),
            (
                "half a pair and other escapes stay what they are in a signature",
                &[
                    r#"{"type":"response.output_item.done","output_index":0,"item":{"type":"reasoning","summary":[],"encrypted_content":"a\"b\n"}}"#,
                ],
                &[
                    r#"signature 0.0 "{\"type\":\"reasoning\",\"summary\":[],\"encrypted_content\":\"a\\\"b\\n\"}""#,
                    "end 0.0",
                ],
            ),
        ],
    );
}

#[test]
fn tools_of_the_provider_are_kept_unread_and_their_steps_counted() {
    check(
        Dialect::OpenAiResponses,
        &[
            (
                "a search",
                &[
                    r#"{"type":"response.output_item.added","output_index":0,"item":{"id":"ws","type":"web_search_call","status":"in_progress"}}"#,
                    r#"{"type":"response.web_search_call.searching","output_index":0,"item_id":"ws"}"#,
                    r#"{"type":"response.mcp_call_arguments.delta","output_index":0,"delta":"{}"}"#,
                    r#"{"type":"response.image_generation_call.partial_image","output_index":0,"partial_image_b64":"AAAA"}"#,
                    r#"{"type":"response.output_item.done","output_index":0,"item":{"id":"ws","type":"web_search_call","status":"completed"}}"#,
                    r#"{"type":"response.output_item.done","output_index":1,"item":{"type":"compaction","encrypted_content":"q"}}"#,
                ],
                &[
                    "skipped (response.web_search_call.searching)",
                    "skipped (response.mcp_call_arguments.delta)",
                    "skipped (response.image_generation_call.partial_image)",
                    r#"other 0.0 {"id":"ws","type":"web_search_call","status":"completed"} (web_search_call)"#,
                    r#"redacted 0.1 "{\"type\":\"compaction\",\"encrypted_content\":\"q\"}""#,
                ],
            ),
            (
                "events of no known kind",
                &[
                    r#"{"type":"odd"}"#,
                    "event:odder {}",
                    "{}",
                    "[]",
                    "null",
                    r#"{"type":"keepalive","sequence_number":7}"#,
                    r#"{"type":"response.output_item.added","output_index":0}"#,
                    r#"{"type":"response.output_item.done","output_index":0,"item":[]}"#,
                    r#"{"type":"response.output_text.delta","output_index":0}"#,
                    r#"{"type":"response.output_text.annotation.added"}"#,
                ],
                &[
                    "skipped (odd)",
                    "skipped (odder)",
                    "skipped",
                    "skipped",
                    "skipped",
                    "skipped",
                    "skipped",
                    "other 0.0 ",
                ],
            ),
            (
                "the name of the event where the payload has no type",
                &[r#"event:response.output_text.delta {"output_index":0,"delta":"a"}"#],
                &[r#"text 0.0 "a""#],
            ),
            (
                "sound is kept as it came, and what it says is text",
                &[
                    r#"{"type":"response.audio.transcript.delta","delta":"He","sequence_number":1}"#,
                    r#"{"type":"response.audio.delta","delta":"QUJD","sequence_number":2}"#,
                    r#"{"type":"response.audio.transcript.delta","delta":"y","sequence_number":3}"#,
                    r#"{"type":"response.audio.delta","delta":"","sequence_number":4}"#,
                    r#"{"type":"response.audio.done","sequence_number":5}"#,
                    r#"{"type":"response.audio.transcript.done","sequence_number":6}"#,
                ],
                &[r#"text 0.0 "He""#, r#"other 0.0 "QUJD" (response.audio.delta)"#, r#"text 0.0 "y""#],
            ),
            (
                "a delta that is wrapped, as older servers do",
                &[r#"{"type":"response.reasoning.delta","output_index":0,"delta":{"type":"x","text":"hm"}}"#],
                &[r#"thinking 0.0 "hm""#],
            ),
        ],
    );
}

#[test]
fn every_end_of_a_reply_is_told_with_its_reason() {
    check(
        Dialect::OpenAiResponses,
        &[
            (
                "the limit",
                &[
                    r#"{"type":"response.incomplete","response":{"status":"incomplete","incomplete_details":{"reason":"max_output_tokens"}}}"#,
                ],
                &[
                    r#"other 0.0 {"reason":"max_output_tokens"} (incomplete_details)"#,
                    r#"stop 0 length "incomplete""#,
                    "done",
                ],
            ),
            (
                "the filter",
                &[r#"{"type":"response.incomplete","response":{"incomplete_details":{"reason":"content_filter"}}}"#],
                &[
                    r#"other 0.0 {"reason":"content_filter"} (incomplete_details)"#,
                    r#"stop 0 filter "incomplete""#,
                    "done",
                ],
            ),
            (
                "another reason",
                &[r#"{"type":"response.incomplete","response":{"incomplete_details":{}}}"#],
                &[r#"stop 0 other "incomplete""#, "done"],
            ),
            (
                "cancelled",
                &[r#"{"type":"response.cancelled","response":{"status":"cancelled"}}"#],
                &[r#"stop 0 other "cancelled""#, "done"],
            ),
            (
                "failed, with the error told before",
                &[
                    r#"event:error {"type":"error","sequence_number":2,"error":{"type":"insufficient_quota","code":"insufficient_quota","message":"no money"}}"#,
                    r#"{"type":"response.failed","response":{"status":"failed","error":{"code":"insufficient_quota","message":"no money"}}}"#,
                ],
                &[
                    r#"error rate_limit "no money" ({"type":"insufficient_quota","code":"insufficient_quota","message":"no money"})"#,
                    r#"error rate_limit "no money" ({"code":"insufficient_quota","message":"no money"})"#,
                    r#"stop 0 error "failed""#,
                    "done",
                ],
            ),
            (
                "an error that is not wrapped",
                &[
                    r#"{"type":"error","code":"server_error","message":"oops","param":null,"sequence_number":3}"#,
                    r#"{"error":{"message":"from a proxy","code":500}}"#,
                    r#"{"type":"error","error":{"code":"context_length_exceeded","message":"too long"}}"#,
                ],
                &[
                    r#"error server "oops" ({"type":"error","code":"server_error","message":"oops","param":null,"sequence_number":3})"#,
                    r#"error server "from a proxy" ({"message":"from a proxy","code":500})"#,
                    r#"error context_overflow "too long" ({"code":"context_length_exceeded","message":"too long"})"#,
                ],
            ),
            ("no status", &[r#"{"type":"response.done"}"#, "[DONE]"], &[r#"stop 0 end "completed""#, "done"]),
            ("only the mark of others", &["[DONE]"], &["done"]),
        ],
    );
}
