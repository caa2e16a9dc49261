//! Ollama's own dialect and its variations.

use thalweg_tests::naive::Dialect;

use crate::support::check;

#[test]
fn chat_and_generate_tell_the_same_story() {
    check(
        Dialect::Ollama,
        &[
            (
                "chat: thinking, text, the end with its counters",
                &[
                    r#"{"model":"qwen3:4b","created_at":"2026-08-06T06:29:40.054952Z","message":{"role":"assistant","content":"","thinking":"h\u006d"},"done":false}"#,
                    r#"{"model":"qwen3:4b","created_at":"2026-08-06T06:29:40.05496Z","message":{"role":"assistant","content":"","thinking":"!"},"done":false}"#,
                    r#"{"model":"qwen3:4b","created_at":"2026-08-06T06:29:40.357322Z","message":{"role":"assistant","content":"Hel"},"done":false}"#,
                    r#"{"model":"qwen3:4b","created_at":"2026-08-06T06:29:40.4Z","message":{"role":"assistant","content":"lo\n\"x\""},"done":false}"#,
                    r#"{"model":"qwen3:4b","created_at":"2026-08-06T06:29:49.1Z","message":{"role":"assistant","content":""},"done":true,"done_reason":"stop","total_duration":17403128000,"load_duration":5216616625,"prompt_eval_count":236,"prompt_eval_duration":3062244833,"eval_count":619,"eval_duration":8338254547}"#,
                ],
                &[
                    r#"start "qwen3:4b""#,
                    r#"thinking 0.0 "hm!""#,
                    r#"text 0.1 "Hello\n\"x\"""#,
                    r#"usage {"prompt_eval_count":236,"eval_count":619,"total_duration":17403128000,"load_duration":5216616625,"prompt_eval_duration":3062244833,"eval_duration":8338254547}"#,
                    "count input 236",
                    "count output 619",
                    r#"stop 0 end "stop""#,
                    "done",
                ],
            ),
            (
                "generate: text and thinking on top, a context at the end",
                &[
                    r#"{"model":"llama3","created_at":"x","response":"","thinking":"hm","done":false}"#,
                    r#"{"model":"llama3","created_at":"x","response":"A","done":false}"#,
                    r#"{"model":"llama3","created_at":"x","response":" joke","done":false}"#,
                    r#"{"model":"llama3","created_at":"x","response":"","done":true,"done_reason":"length","context":[1,2,[3]],"eval_count":71}"#,
                ],
                &[
                    r#"start "llama3""#,
                    r#"thinking 0.0 "hm""#,
                    r#"text 0.1 "A joke""#,
                    r#"usage {"eval_count":71}"#,
                    "count output 71",
                    r#"stop 0 length "length""#,
                    "done",
                ],
            ),
            (
                "older servers give no reason, newer ones others",
                &[
                    r#"{"message":{"content":"a"},"done":false}"#,
                    r#"{"done":true}"#,
                    r#"{"done":true,"done_reason":"load"}"#,
                ],
                &[
                    r#"start """#,
                    r#"text 0.0 "a""#,
                    "usage {}",
                    r#"stop 0 end """#,
                    "done",
                    "usage {}",
                    r#"stop 0 other "load""#,
                    "done",
                ],
            ),
            (
                "a whole reply: all in one line",
                &[
                    r#"{"model":"m","message":{"role":"assistant","content":"t","thinking":"h","tool_calls":[{"function":{"name":"f","arguments":{"a":[1]}}}]},"done":true,"done_reason":"stop","prompt_eval_count":1,"eval_count":2}"#,
                ],
                &[
                    r#"start "m""#,
                    r#"thinking 0.0 "h""#,
                    r#"text 0.1 "t""#,
                    r#"call 0.2 "f""#,
                    r#"arguments 0.2 "{\"a\":[1]}""#,
                    r#"usage {"prompt_eval_count":1,"eval_count":2}"#,
                    "count input 1",
                    "count output 2",
                    r#"stop 0 tools "stop""#,
                    "done",
                ],
            ),
        ],
    );
}

#[test]
fn tool_calls_come_whole_with_arguments_of_any_form() {
    check(
        Dialect::Ollama,
        &[
            (
                "several in a line and in lines of their own, between text",
                &[
                    r#"{"model":"m","message":{"content":"a"}}"#,
                    r#"{"model":"m","message":{"content":"","tool_calls":[{"id":"c1","function":{"index":0,"name":"f","arguments":{"x": 1, "y":"\u00e9"}}},{"id":"c2","function":{"name":"f","arguments":{}}}]}}"#,
                    r#"{"model":"m","message":{"content":"b"}}"#,
                    r#"{"model":"m","message":{"content":"c","tool_calls":[{"function":{"name":"g\n","arguments":"{\"z\":2}"}}]}}"#,
                    r#"{"message":{"tool_calls":[{"function":{"name":"h"}},{"function":{"name":"h","arguments":null}},{},7]}}"#,
                    r#"{"done":true,"done_reason":"stop"}"#,
                ],
                &[
                    r#"start "m""#,
                    r#"text 0.0 "a""#,
                    r#"call 0.1 "f" (c1)"#,
                    r#"arguments 0.1 "{\"x\": 1, \"y\":\"\\u00e9\"}""#,
                    r#"call 0.2 "f" (c2)"#,
                    r#"arguments 0.2 "{}""#,
                    r#"text 0.3 "bc""#,
                    "call 0.4 \"g\\n\"",
                    r#"arguments 0.4 "{\"z\":2}""#,
                    r#"call 0.5 "h""#,
                    r#"arguments 0.5 "{}""#,
                    r#"call 0.6 "h""#,
                    r#"arguments 0.6 "{}""#,
                    r#"call 0.7 """#,
                    r#"arguments 0.7 "{}""#,
                    "usage {}",
                    r#"stop 0 tools "stop""#,
                    "done",
                ],
            ),
            (
                "no list is no call, and pictures are kept unread",
                &[
                    r#"{"model":"m","message":{"content":"a","tool_calls":null,"images":["AA=="]}}"#,
                    r#"{"message":{"tool_calls":{"function":{}},"images":[]}}"#,
                    r#"{"message":null}"#,
                    r#"{"message":{"content":["x"],"thinking":7}}"#,
                ],
                &[r#"start "m""#, r#"text 0.0 "a""#, r#"other 0.0 ["AA=="] (images)"#],
            ),
        ],
    );
}

#[test]
fn errors_inside_of_the_stream_are_told_and_the_rest_is_read() {
    check(
        Dialect::Ollama,
        &[
            (
                "an error in the middle",
                &[
                    r#"{"model":"m","message":{"content":"a"}}"#,
                    r#"{"error":"an error was encountered while running the model: \"cuda\" timed out"}"#,
                ],
                &[
                    r#"start "m""#,
                    r#"text 0.0 "a""#,
                    r#"error server "an error was encountered while running the model: \"cuda\" timed out" ("an error was encountered while running the model: \"cuda\" timed out")"#,
                ],
            ),
            (
                "errors of gateways in front of it",
                &[
                    r#"{"error":{"message":"slow down","code":429}}"#,
                    r#"{"error":null,"message":{"content":"a"}}"#,
                    r#"{"error":""}"#,
                ],
                &[
                    r#"error rate_limit "slow down" ({"message":"slow down","code":429})"#,
                    r#"start """#,
                    r#"text 0.0 "a""#,
                    r#"error other "" ({"error":""})"#,
                ],
            ),
            (
                "lines of another kind are skipped and counted",
                &[r#"{"status":"pulling manifest"}"#, "[]", "7", "{}", "{]"],
                &[
                    "skipped",
                    "skipped",
                    "skipped",
                    "skipped",
                    r#"error malformed "an event of the provider is not JSON: it has an unexpected byte at byte 1""#,
                ],
            ),
        ],
    );
}
