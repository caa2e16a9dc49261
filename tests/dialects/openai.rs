//! The chat completions dialect and its variations.

use thalweg_tests::naive::Dialect;

use crate::support::check;

#[test]
fn content_comes_in_every_form_that_servers_have_for_it() {
    check(
        Dialect::OpenAiChat,
        &[
            (
                "the plain form, with nulls everywhere",
                &[
                    r#"{"id":"c1","object":"chat.completion.chunk","created":1,"model":"m","system_fingerprint":null,"choices":[{"index":0,"delta":{"role":"assistant","content":"","refusal":null},"logprobs":null,"finish_reason":null}],"usage":null,"error":null}"#,
                    r#"{"id":"c1","model":"m","choices":[{"index":0,"delta":{"content":"Hel","tool_calls":null,"function_call":null,"reasoning_content":null},"finish_reason":null}]}"#,
                    r#"{"id":"c1","model":"m","choices":[{"index":0,"delta":{"content":"lo"},"finish_reason":null}]}"#,
                    r#"{"id":"c1","model":"m","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#,
                    r#"{"id":"c1","model":"m","choices":[],"usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}}"#,
                    "[DONE]",
                ],
                &[
                    r#"start "m" (c1)"#,
                    r#"text 0.0 "Hello""#,
                    r#"stop 0 end "stop""#,
                    r#"usage {"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}"#,
                    "count input 3",
                    "count output 2",
                    "count total 5",
                    "done",
                ],
            ),
            (
                "a list of parts",
                &[
                    r#"{"choices":[{"delta":{"content":["a",{"type":"text","text":"b"},{"text":"c"},{"type":"thinking","thinking":[{"type":"text","text":"t1"},{"type":"x","text":"no"},{"type":"text","text":"t2"}]},{"type":"thinking","thinking":"t3"},{"type":"reference","ids":[1]},7,null]}}]}"#,
                ],
                &[
                    r#"start """#,
                    r#"text 0.0 "abc""#,
                    r#"thinking 0.1 "t1t2t3""#,
                    r#"other 0.0 {"type":"reference","ids":[1]} (reference)"#,
                ],
            ),
            (
                "an object",
                &[r#"{"choices":[{"delta":{"content":{"text":"x"}}}]}"#],
                &[r#"start """#, r#"text 0.0 "x""#],
            ),
            (
                "a message instead of a delta",
                &[r#"{"choices":[{"message":{"role":"assistant","content":"x"},"finish_reason":"stop"}]}"#],
                &[r#"start """#, r#"text 0.0 "x""#, r#"stop 0 end "stop""#],
            ),
            (
                "a delta that is null beside a message",
                &[r#"{"choices":[{"delta":null,"message":{"content":"x"}}]}"#],
                &[r#"start """#, r#"text 0.0 "x""#],
            ),
            ("the text of old", &[r#"{"choices":[{"text":"x","index":0}]}"#], &[r#"start """#, r#"text 0.0 "x""#]),
            (
                "refusal",
                &[r#"{"choices":[{"delta":{"refusal":"I "}}]}"#, r#"{"choices":[{"delta":{"refusal":"won't"}}]}"#],
                &[r#"start """#, r#"refusal 0.0 "I won't""#],
            ),
            (
                "what is no content is no content",
                &[
                    r#"{"choices":[{"delta":{"content":7,"refusal":{},"reasoning":[],"tool_calls":"x","function_call":"y"}},8,null]}"#,
                    r#"{"choices":[{"delta":"x"}]}"#,
                ],
                &[r#"start """#],
            ),
            (
                "text is continued, and begins anew behind other content",
                &[
                    r#"{"choices":[{"delta":{"content":"a"}}]}"#,
                    r#"{"choices":[{"delta":{"reasoning":"b"}}]}"#,
                    r#"{"choices":[{"delta":{"content":"c"}}]}"#,
                    r#"{"choices":[{"delta":{"tool_calls":[{"index":0,"id":"i","function":{"name":"f","arguments":"{}"}}]}}]}"#,
                    r#"{"choices":[{"delta":{"content":"d"}}]}"#,
                ],
                &[
                    r#"start """#,
                    r#"text 0.0 "a""#,
                    r#"thinking 0.1 "b" (reasoning)"#,
                    r#"text 0.2 "c""#,
                    r#"call 0.3 "f" (i)"#,
                    r#"arguments 0.3 "{}""#,
                    r#"text 0.4 "d""#,
                ],
            ),
            (
                "who answers is said once, as soon as it is known",
                &[
                    r#"{"id":"","model":"","choices":[],"prompt_filter_results":[]}"#,
                    r#"{"id":"c2","model":"","choices":[]}"#,
                    r#"{"id":"c3","model":"m3","choices":[{"delta":{"content":"x"}}]}"#,
                ],
                &[r#"start "" (c2)"#, r#"text 0.0 "x""#],
            ),
        ],
    );
}

#[test]
fn thinking_is_read_under_each_of_its_names() {
    check(
        Dialect::OpenAiChat,
        &[
            (
                "each name",
                &[
                    r#"{"choices":[{"delta":{"reasoning_content":"a"}}]}"#,
                    r#"{"choices":[{"delta":{"reasoning":"b"}}]}"#,
                    r#"{"choices":[{"delta":{"reasoning_text":"c","content":null}}]}"#,
                ],
                &[
                    r#"start """#,
                    r#"thinking 0.0 "a" (reasoning_content)"#,
                    r#"thinking 0.0 "b" (reasoning)"#,
                    r#"thinking 0.0 "c" (reasoning_text)"#,
                ],
            ),
            (
                "the first that says something counts, whatever the order",
                &[r#"{"choices":[{"delta":{"reasoning_text":"no","reasoning":"yes","reasoning_content":""}}]}"#],
                &[r#"start """#, r#"thinking 0.0 "yes" (reasoning)"#],
            ),
            (
                "before the text of the same delta",
                &[r#"{"choices":[{"delta":{"content":"x","reasoning_content":"t"}}]}"#],
                &[r#"start """#, r#"thinking 0.0 "t" (reasoning_content)"#, r#"text 0.1 "x""#],
            ),
            (
                "details are what signs thinking if they hold more than the text",
                &[
                    r#"{"choices":[{"delta":{"reasoning":"t","reasoning_details":[{"type":"reasoning.text","text":"t","signature":null}]}}]}"#,
                    r#"{"choices":[{"delta":{"reasoning_details":[{"type":"reasoning.encrypted","data":"zz"}]}}]}"#,
                ],
                &[
                    r#"start """#,
                    r#"thinking 0.0 "t" (reasoning)"#,
                    r#"signature 0.0 "[{\"type\":\"reasoning.encrypted\",\"data\":\"zz\"}]""#,
                ],
            ),
            (
                "what signs thinking stands with it, each time, or alone; what follows is a block of its own",
                &[
                    r#"{"choices":[{"delta":{"reasoning":"a","reasoning_details":[{"type":"reasoning.text","text":"a","signature":""}]}}]}"#,
                    r#"{"choices":[{"delta":{"reasoning_details":[{"type":"reasoning.text","signature":"s"}]}}]}"#,
                    r#"{"choices":[{"delta":{"reasoning_details":[{"type":"reasoning.encrypted","data":"d"}]}}]}"#,
                    r#"{"choices":[{"delta":{"reasoning":"b"}}]}"#,
                    r#"{"choices":[{"delta":{"content":"c"}}]}"#,
                    r#"{"choices":[{"delta":{"tool_calls":[{"index":0,"id":"t","function":{"name":"f","arguments":"{}"}}],"reasoning_details":[{"type":"reasoning.encrypted","data":"e","id":"t"}]}}]}"#,
                ],
                &[
                    r#"start """#,
                    r#"thinking 0.0 "a" (reasoning)"#,
                    r#"signature 0.0 "[{\"type\":\"reasoning.text\",\"signature\":\"s\"}][{\"type\":\"reasoning.encrypted\",\"data\":\"d\"}]""#,
                    r#"thinking 0.1 "b" (reasoning)"#,
                    r#"text 0.2 "c""#,
                    r#"call 0.3 "f" (t)"#,
                    r#"arguments 0.3 "{}""#,
                    r#"signature 0.4 "[{\"type\":\"reasoning.encrypted\",\"data\":\"e\",\"id\":\"t\"}]""#,
                ],
            ),
        ],
    );
}

#[test]
fn tool_calls_are_told_apart_by_index_and_id() {
    check(
        Dialect::OpenAiChat,
        &[
            (
                "parallel calls interleaved, by index",
                &[
                    r#"{"choices":[{"delta":{"tool_calls":[{"index":0,"id":"a","type":"function","function":{"name":"f","arguments":""}}]}}]}"#,
                    r#"{"choices":[{"delta":{"tool_calls":[{"index":1,"id":"b","type":"function","function":{"name":"g","arguments":"{\"y\""}}]}}]}"#,
                    r#"{"choices":[{"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{\"x\":"}},{"index":1,"function":{"arguments":":2}"}}]}}]}"#,
                    r#"{"choices":[{"delta":{"tool_calls":[{"index":0,"function":{"arguments":"1}"}}]},"finish_reason":"tool_calls"}]}"#,
                ],
                &[
                    r#"start """#,
                    r#"call 0.0 "f" (a)"#,
                    r#"call 0.1 "g" (b)"#,
                    r#"arguments 0.1 "{\"y\"""#,
                    r#"arguments 0.0 "{\"x\":""#,
                    r#"arguments 0.1 ":2}""#,
                    r#"arguments 0.0 "1}""#,
                    r#"stop 0 tools "tool_calls""#,
                ],
            ),
            (
                "the same index with another id is another call",
                &[
                    r#"{"choices":[{"delta":{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"{}"}}]}}]}"#,
                    r#"{"choices":[{"delta":{"tool_calls":[{"index":0,"id":"b","function":{"name":"g","arguments":"["}}]}}]}"#,
                    r#"{"choices":[{"delta":{"tool_calls":[{"index":0,"function":{"arguments":"]"}}]}}]}"#,
                    r#"{"choices":[{"delta":{"tool_calls":[{"index":0,"id":"a","function":{"arguments":" "}}]}}]}"#,
                ],
                &[
                    r#"start """#,
                    r#"call 0.0 "f" (a)"#,
                    r#"arguments 0.0 "{}""#,
                    r#"call 0.1 "g" (b)"#,
                    r#"arguments 0.1 "[]""#,
                    r#"arguments 0.0 " ""#,
                ],
            ),
            (
                "without an index by id, else the last one",
                &[
                    r#"{"choices":[{"delta":{"tool_calls":[{"id":"a","function":{"name":"f","arguments":"1"}}]}}]}"#,
                    r#"{"choices":[{"delta":{"tool_calls":[{"id":"b","function":{"name":"g","arguments":"2"}}]}}]}"#,
                    r#"{"choices":[{"delta":{"tool_calls":[{"index":null,"id":"","function":{"arguments":"3"}}]}}]}"#,
                    r#"{"choices":[{"delta":{"tool_calls":[{"id":"a","function":{"arguments":"4"}}]}}]}"#,
                ],
                &[
                    r#"start """#,
                    r#"call 0.0 "f" (a)"#,
                    r#"arguments 0.0 "1""#,
                    r#"call 0.1 "g" (b)"#,
                    r#"arguments 0.1 "23""#,
                    r#"arguments 0.0 "4""#,
                ],
            ),
            (
                "a repeated name is no further piece of it, another one is",
                &[
                    r#"{"choices":[{"delta":{"tool_calls":[{"index":0,"id":"a","function":{"name":"get_","arguments":""}}]}}]}"#,
                    r#"{"choices":[{"delta":{"tool_calls":[{"index":0,"id":"a","function":{"name":"get_","arguments":"{"}}]}}]}"#,
                    r#"{"choices":[{"delta":{"tool_calls":[{"index":0,"function":{"name":"weather","arguments":"}"}}]}}]}"#,
                ],
                &[
                    r#"start """#,
                    r#"call 0.0 "get_" (a)"#,
                    r#"arguments 0.0 "{""#,
                    r#"call 0.0 "get_weather" (a)"#,
                    r#"arguments 0.0 "}""#,
                ],
            ),
            (
                "id and name may come later",
                &[
                    r#"{"choices":[{"delta":{"tool_calls":[{"index":2,"function":{"arguments":"{"}}]}}]}"#,
                    r#"{"choices":[{"delta":{"tool_calls":[{"index":2,"id":"a"}]}}]}"#,
                    r#"{"choices":[{"delta":{"tool_calls":[{"index":2,"function":{"name":"f","arguments":"}"}}]}}]}"#,
                ],
                &[
                    r#"start """#,
                    r#"call 0.0 """#,
                    r#"arguments 0.0 "{""#,
                    r#"call 0.0 "" (a)"#,
                    r#"call 0.0 "f" (a)"#,
                    r#"arguments 0.0 "}""#,
                ],
            ),
            (
                "arguments before index and id",
                &[
                    r#"{"choices":[{"delta":{"tool_calls":[{"function":{"arguments":"{}","name":"f"},"id":"a","index":0}]},"index":0}]}"#,
                ],
                &[r#"start """#, r#"call 0.0 "f" (a)"#, r#"arguments 0.0 "{}""#],
            ),
            (
                "arguments as an object",
                &[
                    r#"{"choices":[{"delta":{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":{"x":[1]}}}]}}]}"#,
                ],
                &[r#"start """#, r#"call 0.0 "f" (a)"#, r#"arguments 0.0 "{\"x\":[1]}""#],
            ),
            (
                "the function call of old",
                &[
                    r#"{"choices":[{"delta":{"function_call":{"name":"f","arguments":""}}}]}"#,
                    r#"{"choices":[{"delta":{"function_call":{"name":"g","arguments":"{}"}},"finish_reason":"function_call"}]}"#,
                ],
                &[r#"start """#, r#"call 0.0 "f""#, r#"arguments 0.0 "{}""#, r#"stop 0 tools "function_call""#],
            ),
            (
                "nulls and what is no call",
                &[
                    r#"{"choices":[{"delta":{"tool_calls":[null,7,{"index":0,"id":null,"function":null},{"index":0,"function":{"name":null,"arguments":null}}]}}]}"#,
                ],
                &[r#"start """#, r#"call 0.0 """#],
            ),
            (
                "an escaped id is the same id",
                &[
                    r#"{"choices":[{"delta":{"tool_calls":[{"index":0,"id":"a/b","function":{"name":"f","arguments":"1"}}]}}]}"#,
                    r#"{"choices":[{"delta":{"tool_calls":[{"index":0,"id":"a\/b","function":{"name":"\u0066","arguments":"2"}}]}}]}"#,
                ],
                &[r#"start """#, r#"call 0.0 "f" (a/b)"#, r#"arguments 0.0 "12""#],
            ),
        ],
    );
}

#[test]
fn choices_stops_and_usage_have_their_variations() {
    check(
        Dialect::OpenAiChat,
        &[
            (
                "several choices, in one payload and in several",
                &[
                    r#"{"choices":[{"index":1,"delta":{"content":"b"}},{"index":0,"delta":{"content":"a"}}]}"#,
                    r#"{"choices":[{"index":1,"delta":{"content":"c"},"finish_reason":"length"},{"delta":{},"finish_reason":"eos"}]}"#,
                ],
                &[
                    r#"start """#,
                    r#"text 1.0 "b""#,
                    r#"text 0.0 "a""#,
                    r#"text 1.0 "c""#,
                    r#"stop 1 length "length""#,
                    r#"stop 0 end "eos""#,
                ],
            ),
            (
                "reasons that mean the same, none, and unknown ones",
                &[
                    r#"{"choices":[{"delta":{},"finish_reason":""}]}"#,
                    r#"{"choices":[{"delta":{},"finish_reason":"content_filter"}]}"#,
                    r#"{"choices":[{"finish_reason":"error"}]}"#,
                    r#"{"choices":[{"finish_reason":"odd\n"}]}"#,
                    r#"{"choices":[{"finish_reason":7}]}"#,
                ],
                &[
                    r#"start """#,
                    r#"stop 0 filter "content_filter""#,
                    r#"stop 0 error "error""#,
                    r#"stop 0 other "odd\n""#,
                ],
            ),
            (
                "usage with all its details",
                &[
                    r#"{"choices":[],"usage":{"completion_tokens_details":{"reasoning_tokens":4},"prompt_tokens_details":{"cached_tokens":2,"cache_write_tokens":1},"total_tokens":15.0,"completion_tokens":5,"prompt_tokens":1e1}}"#,
                ],
                &[
                    r#"usage {"completion_tokens_details":{"reasoning_tokens":4},"prompt_tokens_details":{"cached_tokens":2,"cache_write_tokens":1},"total_tokens":15.0,"completion_tokens":5,"prompt_tokens":1e1}"#,
                    "count input 10",
                    "count output 5",
                    "count total 15",
                    "count reasoning 4",
                    "count cache_read 2",
                    "count cache_write 1",
                ],
            ),
            (
                "usage of Groq, and inside of a choice if there is no other",
                &[
                    r#"{"choices":[{"delta":{},"usage":{"prompt_tokens":1}}]}"#,
                    r#"{"choices":[{"delta":{},"usage":{"prompt_tokens":2}}]}"#,
                    r#"{"choices":[{"delta":{},"usage":{"prompt_tokens":3}}],"x_groq":{"id":"r","usage":{"prompt_tokens":4,"completion_tokens":null}}}"#,
                    r#"{"choices":[],"usage":{},"x_groq":null}"#,
                    r#"{"choices":[],"usage":"x"}"#,
                ],
                &[
                    r#"start """#,
                    r#"usage {"prompt_tokens":1}"#,
                    "count input 1",
                    r#"usage {"prompt_tokens":4,"completion_tokens":null}"#,
                    "count input 4",
                ],
            ),
            (
                "content that is kept unread; citations once, though they come with each payload",
                &[
                    r#"{"citations":["u"],"choices":[{"delta":{"content":"a","annotations":[{"type":"url"}],"images":[],"audio":null}}]}"#,
                    r#"{"citations":["u"],"choices":[{"delta":{"content":"b","audio":{"data":"zz"},"images":[1]}}]}"#,
                ],
                &[
                    r#"start """#,
                    r#"other 0.0 ["u"] (citations)"#,
                    r#"text 0.0 "a""#,
                    r#"other 0.0 [{"type":"url"}] (annotations)"#,
                    r#"text 0.0 "b""#,
                    r#"other 0.0 [1] (images)"#,
                    r#"other 0.0 {"data":"zz"} (audio)"#,
                ],
            ),
            (
                "what is said aloud is text as well",
                &[
                    r#"{"choices":[{"delta":{"content":null,"audio":{"id":"a","transcript":"Hel"}}}]}"#,
                    r#"{"choices":[{"delta":{"audio":{"transcript":"lo"}}}]}"#,
                    r#"{"choices":[{"delta":{"audio":{"data":"zz","expires_at":1}}}]}"#,
                ],
                &[
                    r#"start """#,
                    r#"text 0.0 "Hel""#,
                    r#"other 0.0 {"id":"a","transcript":"Hel"} (audio)"#,
                    r#"text 0.0 "lo""#,
                    r#"other 0.0 {"transcript":"lo"} (audio)"#,
                    r#"other 0.0 {"data":"zz","expires_at":1} (audio)"#,
                ],
            ),
            (
                "what is unknown is skipped and counted",
                &[
                    r#"{"type":"ping"}"#,
                    r#"{"object":"heartbeat","id":"x"}"#,
                    "event:odd {}",
                    "[]",
                    "7",
                    r#"{"choices":null}"#,
                    r#"{"choices":[]}"#,
                    " [DONE] ",
                ],
                &["skipped (ping)", "skipped (heartbeat)", "skipped (odd)", "skipped", "skipped", "done"],
            ),
        ],
    );
}

#[test]
fn errors_inside_a_stream_are_told_with_their_kind() {
    let message = |text: &str| format!(r#"{{"error":{{"message":"{text}"}}}}"#);
    let context = message("This model's maximum context length is 8 tokens");
    let auth = r#"{"error":{"message":"no","type":"invalid_request_error","code":"invalid_api_key"}}"#;
    check(
        Dialect::OpenAiChat,
        &[
            (
                "an error object, and the stream goes on",
                &[
                    r#"{"error":{"message":"Rate limit reached","type":"requests","code":"rate_limit_exceeded"}}"#,
                    r#"{"choices":[{"delta":{"content":"x"}}]}"#,
                ],
                &[
                    r#"error rate_limit "Rate limit reached" ({"message":"Rate limit reached","type":"requests","code":"rate_limit_exceeded"})"#,
                    r#"start """#,
                    r#"text 0.0 "x""#,
                ],
            ),
            (
                "an error beside a choice",
                &[
                    r#"{"id":"g","error":{"code":502,"message":"upstream"},"choices":[{"delta":{"content":""},"finish_reason":"error"}]}"#,
                ],
                &[
                    r#"error server "upstream" ({"code":502,"message":"upstream"})"#,
                    r#"start "" (g)"#,
                    r#"stop 0 error "error""#,
                ],
            ),
            ("only a text", &[r#"{"error":"over\nloaded"}"#], &[r#"error other "over\nloaded" ("over\nloaded")"#]),
            (
                "by the name of the event",
                &[r#"event:error {"message":"Overloaded","type":"overloaded_error"}"#],
                &[r#"error overloaded "Overloaded" ({"message":"Overloaded","type":"overloaded_error"})"#],
            ),
            (
                "by its object",
                &[r#"{"object":"error","message":"bad","type":"BadRequestError","code":400}"#],
                &[
                    r#"error invalid_request "bad" ({"object":"error","message":"bad","type":"BadRequestError","code":400})"#,
                ],
            ),
            (
                "context overflow",
                &[&context],
                &[
                    r#"error context_overflow "This model's maximum context length is 8 tokens" ({"message":"This model's maximum context length is 8 tokens"})"#,
                ],
            ),
            (
                "auth",
                &[auth],
                &[r#"error auth "no" ({"message":"no","type":"invalid_request_error","code":"invalid_api_key"})"#],
            ),
            (
                "content filter",
                &[r#"{"error":{"message":"m","code":"content_filter"}}"#],
                &[r#"error content_filter "m" ({"message":"m","code":"content_filter"})"#],
            ),
            ("an error that says nothing", &[r#"{"error":true}"#], &[r#"error other "" (true)"#]),
            (
                "no error",
                &[r#"{"error":{},"choices":[]}"#, r#"{"error":"","choices":[]}"#, r#"{"error":0,"usage":null}"#],
                &[],
            ),
        ],
    );
}
