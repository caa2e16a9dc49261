//! The dialect of completions before chat.

use thalweg_tests::naive::Dialect;

use crate::support::check;

#[test]
fn every_prompt_has_its_choice() {
    check(
        Dialect::OpenAiCompletions,
        &[
            (
                "a reply",
                &[
                    r#"{"id":"cmpl-1","object":"text_completion","created":1,"choices":[{"text":"Once","index":0,"logprobs":null,"finish_reason":null}],"model":"m","usage":null}"#,
                    r#"{"id":"cmpl-1","object":"text_completion","created":2,"choices":[{"text":" upon","index":0,"logprobs":null,"finish_reason":null}],"model":"m"}"#,
                    r#"{"id":"cmpl-1","choices":[{"text":"","index":0,"logprobs":null,"finish_reason":"length"}],"model":"m"}"#,
                    r#"{"id":"cmpl-1","choices":[],"model":"m","usage":{"prompt_tokens":2,"completion_tokens":3,"total_tokens":5}}"#,
                    "[DONE]",
                ],
                &[
                    r#"start "m" (cmpl-1)"#,
                    r#"text 0.0 "Once upon""#,
                    r#"stop 0 length "length""#,
                    r#"usage {"prompt_tokens":2,"completion_tokens":3,"total_tokens":5}"#,
                    "count input 2",
                    "count output 3",
                    "count total 5",
                    "done",
                ],
            ),
            (
                "two choices, in one payload and in turn",
                &[
                    r#"{"choices":[{"text":"a","index":0},{"text":"b","index":1,"finish_reason":"stop"}]}"#,
                    r#"{"choices":[{"text":"c","index":0,"finish_reason":"content_filter"}]}"#,
                    r#"{"choices":[{"text":"d"},7]}"#,
                    r#"{"choices":[{"finish_reason":"odd","index":-1}]}"#,
                ],
                &[
                    r#"text 0.0 "a""#,
                    r#"text 1.0 "b""#,
                    r#"stop 1 end "stop""#,
                    r#"text 0.0 "c""#,
                    r#"stop 0 filter "content_filter""#,
                    r#"text 0.0 "d""#,
                    r#"stop 0 other "odd""#,
                ],
            ),
            (
                "errors and what is not known",
                &[
                    r#"{"error":{"message":"slow down","code":"rate_limit_exceeded"}}"#,
                    r#"event:error {"message":"oops","type":"server_error"}"#,
                    r#"{"object":"odd"}"#,
                    "event:odder {}",
                    "[]",
                ],
                &[
                    r#"error rate_limit "slow down" ({"message":"slow down","code":"rate_limit_exceeded"})"#,
                    r#"error server "oops" ({"message":"oops","type":"server_error"})"#,
                    "skipped (odd)",
                    "skipped (odder)",
                    "skipped",
                ],
            ),
        ],
    );
}
