//! The dialects of both Cohere APIs and their variations.

use thalweg_tests::naive::Dialect;

use crate::support::check;

#[test]
fn content_and_calls_of_the_second_api_are_numbered_as_they_appear() {
    check(
        Dialect::CohereV2,
        &[
            (
                "thinking, text, the end with what was billed and counted",
                &[
                    r#"event:message-start {"id":"r1","type":"message-start","delta":{"message":{"role":"assistant","content":[],"tool_plan":"","tool_calls":[],"citations":[]}}}"#,
                    r#"event:content-start {"type":"content-start","index":0,"delta":{"message":{"content":{"type":"thinking","thinking":""}}}}"#,
                    r#"event:content-delta {"type":"content-delta","index":0,"delta":{"message":{"content":{"thinking":"h\u006d"}}}}"#,
                    r#"event:content-delta {"type":"content-delta","index":0,"delta":{"message":{"content":{"thinking":"!"}}}}"#,
                    r#"event:content-end {"type":"content-end","index":0}"#,
                    r#"event:content-start {"type":"content-start","index":1,"delta":{"message":{"content":{"type":"text","text":""}}}}"#,
                    r#"event:content-delta {"type":"content-delta","index":1,"delta":{"message":{"content":{"text":"Hel"}}}}"#,
                    r#"event:content-delta {"type":"content-delta","index":1,"delta":{"message":{"content":{"text":""}}}}"#,
                    r#"event:content-delta {"type":"content-delta","index":1,"delta":{"message":{"content":{"text":"lo\n"}}}}"#,
                    r#"event:content-end {"type":"content-end","index":1}"#,
                    r#"event:message-end {"type":"message-end","delta":{"finish_reason":"COMPLETE","usage":{"billed_units":{"input_tokens":7,"output_tokens":21},"tokens":{"input_tokens":502,"output_tokens":24,"reasoning_tokens":3},"cached_tokens":448}}}"#,
                    "[DONE]",
                ],
                &[
                    r#"start "" (r1)"#,
                    r#"thinking 0.0 "hm!""#,
                    "end 0.0",
                    r#"text 0.1 "Hello\n""#,
                    "end 0.1",
                    r#"stop 0 end "COMPLETE""#,
                    r#"usage {"billed_units":{"input_tokens":7,"output_tokens":21},"tokens":{"input_tokens":502,"output_tokens":24,"reasoning_tokens":3},"cached_tokens":448}"#,
                    "count input 502",
                    "count output 24",
                    "done",
                ],
            ),
            (
                "a plan, then calls in pieces, one without arguments",
                &[
                    r#"{"type":"message-start","id":"r2"}"#,
                    r#"{"type":"tool-plan-delta","delta":{"message":{"tool_plan":"I\u0020"}}}"#,
                    r#"{"type":"tool-plan-delta","delta":{"message":{"tool_plan":"will \"do\" it."}}}"#,
                    r#"{"type":"tool-call-start","index":0,"delta":{"message":{"tool_calls":{"id":"f_1","type":"function","function":{"name":"f","arguments":""}}}}}"#,
                    r#"{"type":"tool-call-delta","index":0,"delta":{"message":{"tool_calls":{"function":{"arguments":"{\"x\":"}}}}}"#,
                    r#"{"type":"tool-call-delta","index":0,"delta":{"message":{"tool_calls":{"function":{"arguments":"1}"}}}}}"#,
                    r#"{"type":"tool-call-end","index":0}"#,
                    r#"{"type":"tool-call-start","index":1,"delta":{"message":{"tool_calls":[{"id":"g_1","function":{"name":"g","arguments":"{}"}}]}}}"#,
                    r#"{"type":"tool-call-end","index":1}"#,
                    r#"{"type":"tool-call-start","index":2,"delta":{"message":{"tool_calls":{"id":"h_1","function":{"name":"h","arguments":""}}}}}"#,
                    r#"{"type":"tool-call-end","index":2}"#,
                    r#"{"type":"message-end","delta":{"finish_reason":"TOOL_CALL","usage":{"billed_units":{"input_tokens":7}}}}"#,
                ],
                &[
                    r#"start "" (r2)"#,
                    r#"other 0.0 "I\u0020will \"do\" it." (tool_plan)"#,
                    r#"call 0.0 "f" (f_1)"#,
                    r#"arguments 0.0 "{\"x\":1}""#,
                    "end 0.0",
                    r#"call 0.1 "g" (g_1)"#,
                    r#"arguments 0.1 "{}""#,
                    "end 0.1",
                    r#"call 0.2 "h" (h_1)"#,
                    "end 0.2",
                    r#"stop 0 tools "TOOL_CALL""#,
                    r#"usage {"billed_units":{"input_tokens":7}}"#,
                ],
            ),
            (
                "a plan that is all there is, also when the stream is cut off",
                &[r#"{"type":"tool-plan-delta","delta":{"message":{"tool_plan":"I"}}}"#],
                &[r#"other 0.0 "I" (tool_plan)"#],
            ),
            (
                "citations are kept unread",
                &[
                    r#"{"type":"content-start","index":0,"delta":{"message":{"content":{"type":"text","text":"a"}}}}"#,
                    r#"{"type":"citation-start","index":0,"delta":{"message":{"citations":{"start":0,"end":1,"text":"a","sources":[]}}}}"#,
                    r#"{"type":"citation-end","index":0}"#,
                    r#"{"type":"citation-start","index":1,"delta":{"message":{"citations":[]}}}"#,
                    r#"{"type":"debug","prompt":"x"}"#,
                ],
                &[r#"text 0.0 "a""#, r#"other 0.0 {"start":0,"end":1,"text":"a","sources":[]} (citations)"#],
            ),
            (
                "pieces of what never began, and numbers used again",
                &[
                    r#"{"type":"content-delta","index":5,"delta":{"message":{"content":{"text":"a","thinking":"t"}}}}"#,
                    r#"{"type":"content-delta","index":5,"delta":{"message":{"content":{"text":"b"}}}}"#,
                    r#"{"type":"content-start","index":5,"delta":{"message":{"content":{"text":"c"}}}}"#,
                    r#"{"type":"tool-call-delta","index":0,"delta":{"message":{"tool_calls":{"function":{"arguments":"x"}}}}}"#,
                    r#"{"type":"tool-call-delta","index":0,"delta":{"message":{"tool_calls":{"id":"i","function":{"name":"n"}}}}}"#,
                    r#"{"type":"content-end","index":9}"#,
                ],
                &[
                    r#"thinking 0.0 "t""#,
                    r#"text 0.0 "ab""#,
                    "end 0.0",
                    r#"text 0.1 "c""#,
                    r#"call 0.2 """#,
                    r#"arguments 0.2 "x""#,
                    r#"call 0.2 "n" (i)"#,
                ],
            ),
        ],
    );
}

#[test]
fn errors_of_the_second_api_come_with_the_end_or_alone() {
    check(
        Dialect::CohereV2,
        &[
            (
                "a call that the model got wrong",
                &[
                    r#"{"type":"message-end","delta":{"finish_reason":"ERROR","usage":{},"error":"your request resulted in an invalid tool generation.","error_type":"INVALID_TOOL_GENERATION"}}"#,
                ],
                &[
                    r#"error server "your request resulted in an invalid tool generation." ("your request resulted in an invalid tool generation.")"#,
                    r#"stop 0 error "ERROR""#,
                ],
            ),
            (
                "in the words of the API and of gateways",
                &[
                    r#"{"id":"x","message":"too many requests"}"#,
                    r#"{"error":{"message":"m","code":500}}"#,
                    r#"{"type":"odd"}"#,
                    "event:odder {}",
                    "{}",
                    "7",
                ],
                &[
                    r#"error rate_limit "too many requests" ({"id":"x","message":"too many requests"})"#,
                    r#"error server "m" ({"message":"m","code":500})"#,
                    "skipped (odd)",
                    "skipped (odder)",
                    "skipped",
                    "skipped",
                ],
            ),
            (
                "every reason to stop, and the name of the event where the payload has no type",
                &[
                    r#"{"type":"message-end","delta":{"finish_reason":"STOP_SEQUENCE"}}"#,
                    r#"{"type":"message-end","delta":{"finish_reason":"MAX_TOKENS"}}"#,
                    r#"{"type":"message-end","delta":{"finish_reason":"ERROR_TOXIC"}}"#,
                    r#"{"type":"message-end","delta":{"finish_reason":"TIMEOUT"}}"#,
                    r#"event:message-end {"delta":{"finish_reason":"odd"}}"#,
                    r#"{"type":"message-end","delta":{"finish_reason":null}}"#,
                    r#"{"type":"message-end"}"#,
                ],
                &[
                    r#"stop 0 sequence "STOP_SEQUENCE""#,
                    r#"stop 0 length "MAX_TOKENS""#,
                    r#"stop 0 filter "ERROR_TOXIC""#,
                    r#"stop 0 error "TIMEOUT""#,
                    r#"stop 0 other "odd""#,
                ],
            ),
        ],
    );
}

#[test]
fn lines_of_the_first_api_are_told_by_their_event_type() {
    check(
        Dialect::CohereV1,
        &[
            (
                "text, and an end that repeats all of it",
                &[
                    r#"{"is_finished":false,"event_type":"stream-start","generation_id":"g"}"#,
                    r#"{"is_finished":false,"event_type":"text-generation","text":"S\u0026P"}"#,
                    r#"{"is_finished":false,"event_type":"text-generation","text":""}"#,
                    r#"{"is_finished":false,"event_type":"text-generation","text":" 500"}"#,
                    r#"{"is_finished":true,"event_type":"stream-end","response":{"response_id":"r","text":"S\u0026P 500","chat_history":[],"finish_reason":"COMPLETE","meta":{"api_version":{"version":"1"},"billed_units":{"input_tokens":5,"output_tokens":3},"tokens":{"input_tokens":206,"output_tokens":4}}},"finish_reason":"COMPLETE"}"#,
                ],
                &[
                    r#"start "" (g)"#,
                    r#"text 0.0 "S&P 500""#,
                    r#"stop 0 end "COMPLETE""#,
                    r#"usage {"api_version":{"version":"1"},"billed_units":{"input_tokens":5,"output_tokens":3},"tokens":{"input_tokens":206,"output_tokens":4}}"#,
                    "count input 206",
                    "count output 4",
                    "done",
                ],
            ),
            (
                "calls, which come whole after their pieces; searches and citations",
                &[
                    r#"{"event_type":"search-queries-generation","search_queries":[]}"#,
                    r#"{"event_type":"text-generation","text":"I"}"#,
                    r#"{"event_type":"tool-calls-chunk","tool_call_delta":{"index":0,"name":"f"}}"#,
                    r#"{"event_type":"tool-calls-generation","text":"I","tool_calls":[{"name":"f","parameters":{"a": 1}},{"name":"g","parameters":{}},{"name":"h"}]}"#,
                    r#"{"event_type":"citation-generation","citations":[{"start":0}]}"#,
                    r#"{"event_type":"text-generation","text":"J"}"#,
                    r#"{"event_type":"stream-end","finish_reason":"COMPLETE"}"#,
                ],
                &[
                    r#"other 0.0 {"event_type":"search-queries-generation","search_queries":[]} (search-queries-generation)"#,
                    r#"text 0.0 "I""#,
                    r#"call 0.1 "f""#,
                    r#"arguments 0.1 "{\"a\": 1}""#,
                    r#"call 0.2 "g""#,
                    r#"arguments 0.2 "{}""#,
                    r#"call 0.3 "h""#,
                    r#"arguments 0.3 "{}""#,
                    r#"other 0.0 [{"start":0}] (citations)"#,
                    r#"text 0.4 "J""#,
                    r#"stop 0 tools "COMPLETE""#,
                    "done",
                ],
            ),
            (
                "errors and what is unknown",
                &[
                    r#"{"event_type":"stream-end","finish_reason":"ERROR_TOXIC","error":"blocked by our content filter"}"#,
                    r#"{"message":"invalid api key"}"#,
                    r#"{"event_type":"odd"}"#,
                    "{}",
                    "[1]",
                ],
                &[
                    r#"error content_filter "blocked by our content filter" ("blocked by our content filter")"#,
                    r#"stop 0 filter "ERROR_TOXIC""#,
                    "done",
                    r#"error auth "invalid api key" ({"message":"invalid api key"})"#,
                    "skipped (odd)",
                    "skipped",
                    "skipped",
                ],
            ),
        ],
    );
}

/// What has a type is no error body, also when its type is escaped and longer than any name.
#[test]
fn a_type_longer_than_any_name_is_unknown_and_not_missing() {
    let line = format!(r#"{{"event_type":"odd{}","error":"e"}}"#, r"\\".repeat(80));
    let expected = format!("skipped (odd{})", r"\".repeat(80));
    check(Dialect::CohereV1, &[("an odd type", &[line.as_str()], &[expected.as_str()])]);
}
