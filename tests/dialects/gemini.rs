//! The dialect of Google's models and its variations.

use thalweg_tests::naive::Dialect;

use crate::support::check;

/// A payload of one candidate with these parts.
fn parts(parts: &str) -> String {
    format!(r#"{{"candidates":[{{"content":{{"parts":[{parts}],"role":"model"}},"index":0}}]}}"#)
}

#[test]
fn a_whole_reply_is_told_part_by_part() {
    check(
        Dialect::Gemini,
        &[
            (
                "thinking, text, a call, and usage of which the first and the last are told",
                &[
                    r#"{"candidates":[{"content":{"parts":[{"text":"hm","thought":true}],"role":"model"},"index":0}],"usageMetadata":{"promptTokenCount":9,"totalTokenCount":12,"thoughtsTokenCount":3},"modelVersion":"gemini","responseId":"r1"}"#,
                    r#"{"candidates":[{"content":{"parts":[{"text":"Hel"}],"role":"model"},"index":0}],"usageMetadata":{"promptTokenCount":9,"candidatesTokenCount":1}}"#,
                    r#"{"candidates":[{"content":{"parts":[{"text":"lo"}],"role":"model"},"index":0}],"usageMetadata":{"promptTokenCount":9,"candidatesTokenCount":2}}"#,
                    r#"{"candidates":[{"content":{"parts":[{"functionCall":{"name":"f","args":{"x": 1}},"thoughtSignature":"sig"}],"role":"model"},"index":0}]}"#,
                    r#"{"candidates":[{"content":{"parts":[{"text":""}],"role":"model"},"finishReason":"STOP","index":0}],"usageMetadata":{"promptTokenCount":9,"candidatesTokenCount":7,"totalTokenCount":19,"thoughtsTokenCount":3,"cachedContentTokenCount":4}}"#,
                ],
                &[
                    r#"start "gemini" (r1)"#,
                    r#"usage {"promptTokenCount":9,"totalTokenCount":12,"thoughtsTokenCount":3}"#,
                    "count input 9",
                    "count total 12",
                    "count reasoning 3",
                    r#"thinking 0.0 "hm""#,
                    r#"text 0.1 "Hello""#,
                    r#"signature 0.2 "sig""#,
                    r#"call 0.3 "f""#,
                    r#"arguments 0.3 "{\"x\": 1}""#,
                    "end 0.3",
                    r#"stop 0 tools "STOP""#,
                    r#"usage {"promptTokenCount":9,"candidatesTokenCount":7,"totalTokenCount":19,"thoughtsTokenCount":3,"cachedContentTokenCount":4}"#,
                    "count input 9",
                    "count output 7",
                    "count total 19",
                    "count reasoning 3",
                    "count cache_read 4",
                ],
            ),
            (
                "a reply that is cut off has the usage of its beginning",
                &[
                    r#"{"candidates":[{"content":{"parts":[{"text":"a"}]}}],"usageMetadata":{"promptTokenCount":9}}"#,
                    r#"{"candidates":[{"content":{"parts":[{"text":"b"}]}}],"usageMetadata":{"promptTokenCount":9,"candidatesTokenCount":1}}"#,
                ],
                &[r#"start """#, r#"usage {"promptTokenCount":9}"#, "count input 9", r#"text 0.0 "ab""#],
            ),
            (
                "usage behind the end, with no parts",
                &[
                    r#"{"candidates":[{"content":{"parts":[{"text":"a"}]},"finishReason":"STOP"}]}"#,
                    r#"{"candidates":[{"content":{"role":"model"}}],"usageMetadata":{"promptTokenCount":1}}"#,
                    r#"{"usageMetadata":{"promptTokenCount":2}}"#,
                ],
                &[
                    r#"start """#,
                    r#"text 0.0 "a""#,
                    r#"stop 0 end "STOP""#,
                    r#"usage {"promptTokenCount":1}"#,
                    "count input 1",
                    r#"usage {"promptTokenCount":2}"#,
                    "count input 2",
                ],
            ),
            (
                "several candidates",
                &[
                    r#"{"candidates":[{"content":{"parts":[{"text":"a"}]}},{"content":{"parts":[{"text":"b"}]},"index":1},7]}"#,
                    r#"{"candidates":[{"content":{"parts":[{"text":"c"}]},"index":1,"finishReason":"MAX_TOKENS"}]}"#,
                ],
                &[r#"start """#, r#"text 0.0 "a""#, r#"text 1.0 "bc""#, r#"stop 1 length "MAX_TOKENS""#],
            ),
            (
                "the wrapper of Code Assist",
                &[
                    r#"{"response":{"candidates":[{"content":{"parts":[{"text":"a"}]},"finishReason":"STOP"}],"modelVersion":"m"},"traceId":"t"}"#,
                ],
                &[r#"start "m""#, r#"text 0.0 "a""#, r#"stop 0 end "STOP""#],
            ),
        ],
    );
}

#[test]
fn signatures_stand_with_parts_of_every_kind() {
    check(
        Dialect::Gemini,
        &[
            (
                "thinking: the same block",
                &[
                    &parts(r#"{"text":"a","thought":true}"#),
                    &parts(r#"{"text":"b","thought":true,"thoughtSignature":"s"}"#),
                    &parts(r#"{"text":"c","thought":true}"#),
                ],
                &[r#"start """#, r#"thinking 0.0 "ab""#, r#"signature 0.0 "s""#, r#"thinking 0.1 "c""#],
            ),
            (
                "text: a block of its own behind it",
                &[&parts(r#"{"text":"a"}"#), &parts(r#"{"text":"","thoughtSignature":"s\/"}"#)],
                &[r#"start """#, r#"text 0.0 "a""#, r#"signature 0.1 "s/""#],
            ),
            (
                "a call: a block of its own before it, also where thinking is open",
                &[
                    &parts(r#"{"text":"a","thought":true}"#),
                    &parts(
                        r#"{"functionCall":{"name":"f"},"thoughtSignature":"s"},{"functionCall":{"name":"g","id":"i","args":{}}}"#,
                    ),
                ],
                &[
                    r#"start """#,
                    r#"thinking 0.0 "a""#,
                    r#"signature 0.1 "s""#,
                    r#"call 0.2 "f""#,
                    r#"arguments 0.2 "{}""#,
                    "end 0.2",
                    r#"call 0.3 "g" (i)"#,
                    r#"arguments 0.3 "{}""#,
                    "end 0.3",
                ],
            ),
        ],
    );
}

#[test]
fn arguments_in_pieces_become_json_text() {
    let call = |call: &str| parts(&format!(r#"{{"functionCall":{call}}}"#));
    let begin = call(r#"{"name":"f","willContinue":true}"#);
    let piece = |piece: &str| call(&format!(r#"{{"partialArgs":[{piece}],"willContinue":true}}"#));
    let end = call("{}");
    let started = [r#"start """#, r#"call 0.0 "f""#];
    check(
        Dialect::Gemini,
        &[
            (
                "strings that go on, numbers, lists",
                &[
                    &begin,
                    &piece(r#"{"jsonPath":"$.city","stringValue":"Bos","willContinue":true}"#),
                    &piece(r#"{"jsonPath":"$.city","stringValue":"to\"n","willContinue":true}"#),
                    &piece(r#"{"jsonPath":"$.city","stringValue":""}"#),
                    &piece(
                        r#"{"jsonPath":"$.list[0].n","numberValue":0.5},{"jsonPath":"$.list[1].n","boolValue":true}"#,
                    ),
                    &end,
                ],
                &[
                    started[0],
                    started[1],
                    r#"arguments 0.0 "{\"city\":\"Bosto\\\"n\",\"list\":[{\"n\":0.5},{\"n\":true}]}""#,
                    "end 0.0",
                ],
            ),
            ("none at all", &[&begin, &end], &[started[0], started[1], r#"arguments 0.0 "{}""#, "end 0.0"]),
            (
                "the mark of the end is missing",
                &[
                    &begin,
                    &piece(r#"{"jsonPath":"$.a","stringValue":"x","willContinue":true}"#),
                    r#"{"candidates":[{"content":{"parts":[{"text":""}]},"finishReason":"STOP"}]}"#,
                ],
                &[started[0], started[1], r#"arguments 0.0 "{\"a\":\"x\"}""#, "end 0.0", r#"stop 0 tools "STOP""#],
            ),
            (
                "another call begins before the end",
                &[&begin, &piece(r#"{"jsonPath":"$.a","numberValue":1}"#), &call(r#"{"name":"g","args":{"b":2}}"#)],
                &[
                    started[0],
                    started[1],
                    r#"arguments 0.0 "{\"a\":1}""#,
                    "end 0.0",
                    r#"call 0.1 "g""#,
                    r#"arguments 0.1 "{\"b\":2}""#,
                    "end 0.1",
                ],
            ),
            (
                "a stream that is cut has its arguments as far as they came",
                &[&begin, &piece(r#"{"jsonPath":"$.a","stringValue":"x","willContinue":true}"#)],
                &[started[0], started[1], r#"arguments 0.0 "{\"a\":\"x""#],
            ),
            (
                "a piece that goes back is skipped and counted",
                &[
                    &begin,
                    &piece(
                        r#"{"jsonPath":"$.a.b","numberValue":1},{"jsonPath":"$.c","numberValue":2},{"jsonPath":"$.a.d","numberValue":3}"#,
                    ),
                    &piece(r#"{"jsonPath":"no path","numberValue":3}"#),
                    &end,
                ],
                &[
                    started[0],
                    started[1],
                    r#"arguments 0.0 "{\"a\":{\"b\":1},\"c\":2""#,
                    "skipped",
                    "skipped",
                    r#"arguments 0.0 "}""#,
                    "end 0.0",
                ],
            ),
            (
                "all of it in one payload",
                &[&call(r#"{"name":"f","partialArgs":[{"jsonPath":"$.a","nullValue":null}]}"#)],
                &[started[0], started[1], r#"arguments 0.0 "{\"a\":null}""#, "end 0.0"],
            ),
        ],
    );
}

#[test]
fn every_end_and_every_error_has_its_kind() {
    let end = |reason: &str| format!(r#"{{"candidates":[{{"finishReason":"{reason}"}}]}}"#);
    check(
        Dialect::Gemini,
        &[
            (
                "every reason to stop",
                &[
                    &end("STOP"),
                    &end("STOP"),
                    &end("SAFETY"),
                    &end("RECITATION"),
                    &end("PROHIBITED_CONTENT"),
                    &end("MAX_TOKENS"),
                    &end("MALFORMED_FUNCTION_CALL"),
                    &end("OTHER"),
                ],
                &[
                    r#"start """#,
                    r#"stop 0 end "STOP""#,
                    r#"stop 0 filter "SAFETY""#,
                    r#"stop 0 filter "RECITATION""#,
                    r#"stop 0 filter "PROHIBITED_CONTENT""#,
                    r#"stop 0 length "MAX_TOKENS""#,
                    r#"stop 0 error "MALFORMED_FUNCTION_CALL""#,
                    r#"stop 0 other "OTHER""#,
                ],
            ),
            (
                "a reason with every payload, and a call behind it",
                &[
                    r#"{"candidates":[{"content":{"parts":[{"text":"a"}]},"finishReason":"STOP"}]}"#,
                    r#"{"candidates":[{"content":{"parts":[{"text":"b"}]},"finishReason":"STOP"}]}"#,
                    r#"{"candidates":[{"content":{"parts":[{"functionCall":{"name":"f"}}]},"finishReason":"STOP"}]}"#,
                ],
                &[
                    r#"start """#,
                    r#"text 0.0 "a""#,
                    r#"stop 0 end "STOP""#,
                    r#"text 0.0 "b""#,
                    r#"call 0.1 "f""#,
                    r#"arguments 0.1 "{}""#,
                    "end 0.1",
                    r#"stop 0 tools "STOP""#,
                ],
            ),
            (
                "a prompt that was blocked",
                &[
                    r#"{"promptFeedback":{"blockReason":"PROHIBITED_CONTENT","safetyRatings":[]},"modelVersion":"m"}"#,
                    r#"{"promptFeedback":{"blockReason":"OTHER","blockReasonMessage":"not \"this\""}}"#,
                    r#"{"promptFeedback":{"safetyRatings":[]}}"#,
                ],
                &[
                    r#"start "m""#,
                    r#"error content_filter "PROHIBITED_CONTENT" ({"blockReason":"PROHIBITED_CONTENT","safetyRatings":[]})"#,
                    r#"error content_filter "not \"this\"" ({"blockReason":"OTHER","blockReasonMessage":"not \"this\""})"#,
                ],
            ),
            (
                "errors in the stream",
                &[
                    r#"{"error":{"code":429,"message":"Resource has been exhausted","status":"RESOURCE_EXHAUSTED"}}"#,
                    r#"[{"error":{"code":503,"message":"overloaded","status":"UNAVAILABLE"}}]"#,
                    r#"event:error {"message":"bad","code":400}"#,
                ],
                &[
                    r#"error rate_limit "Resource has been exhausted" ({"code":429,"message":"Resource has been exhausted","status":"RESOURCE_EXHAUSTED"})"#,
                    r#"error overloaded "overloaded" ({"code":503,"message":"overloaded","status":"UNAVAILABLE"})"#,
                    r#"error invalid_request "bad" ({"message":"bad","code":400})"#,
                ],
            ),
            (
                "what is kept, and what is not known",
                &[
                    &parts(
                        r#"{"inlineData":{"mimeType":"image/png","data":"AA=="}},{"executableCode":{"code":"1"}},{"odd":1},7"#,
                    ),
                    r#"{"candidates":[{"groundingMetadata":{"a":1},"citationMetadata":{"c":[]},"safetyRatings":[],"finishMessage":"why"}]}"#,
                    r#"{"odd":1}"#,
                    "event:odd {}",
                    "[]",
                    "[DONE]",
                ],
                &[
                    r#"start """#,
                    r#"other 0.0 {"mimeType":"image/png","data":"AA=="} (inlineData)"#,
                    r#"other 0.0 {"code":"1"} (executableCode)"#,
                    r#"other 0.0 "why" (finishMessage)"#,
                    r#"other 0.0 {"c":[]} (citationMetadata)"#,
                    r#"other 0.0 {"a":1} (groundingMetadata)"#,
                    "skipped",
                    "skipped (odd)",
                    "skipped",
                    "done",
                ],
            ),
        ],
    );
}
