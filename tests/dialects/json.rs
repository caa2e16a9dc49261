//! What JSON itself allows, and what it does not: the two dialects that are mostly spoken, key by key; `every` has all of them.

use thalweg_tests::naive::Dialect;

use crate::support::{check, is_malformed};

const BOTH: [Dialect; 2] = [Dialect::OpenAiChat, Dialect::Anthropic];

#[test]
fn order_spaces_and_escapes_change_nothing() {
    let openai = &[r#"start "m" (i)"#, r#"text 0.0 "x""#, r#"stop 0 end "stop""#];
    check(
        Dialect::OpenAiChat,
        &[
            (
                "reversed",
                &[r#"{"choices":[{"finish_reason":"stop","delta":{"content":"x"},"index":0}],"model":"m","id":"i"}"#],
                openai,
            ),
            (
                "spaced",
                &[
                    " {\t\"id\" : \"i\" ,\n \"model\":\"m\", \"choices\" : [ { \"index\" : 0 , \"delta\" : { \"content\" : \"x\" } , \"finish_reason\" : \"stop\" } ] } ",
                ],
                openai,
            ),
            (
                "escapes in keys and words",
                &[
                    r#"{"\u0069d":"i","mod\u0065l":"\u006d","\u0063hoices":[{"inde\u0078":0,"d\u0065lta":{"c\u006fntent":"\u0078"},"finish\u005freason":"\u0073top"}]}"#,
                ],
                openai,
            ),
            (
                "equal keys: the last one counts",
                &[
                    r#"{"id":"no","choices":[{"delta":{"content":"no"}},{"index":1,"delta":{"content":"no"}}],"id":"i","model":"m","choices":[{"delta":{"content":"no"},"finish_reason":null,"finish_reason":"stop","delta":{"content":"no","content":"x"}}]}"#,
                ],
                openai,
            ),
            (
                "equal keys: what the last one does not have is not there",
                &[
                    r#"{"choices":[{"delta":{"content":"no"}}],"choices":[]}"#,
                    r#"{"choices":[{"delta":{"content":"no"},"delta":{"role":"assistant"}}]}"#,
                ],
                &[r#"start """#],
            ),
        ],
    );
    let anthropic = &[r#"text 0.1 "x""#];
    check(
        Dialect::Anthropic,
        &[
            (
                "reversed",
                &[r#"{"delta":{"text":"x","type":"text_delta"},"index":1,"type":"content_block_delta"}"#],
                anthropic,
            ),
            (
                "spaced",
                &[
                    " {\t\"type\" : \"content_block_delta\" ,\n \"index\" : 1 , \"delta\" : { \"type\" : \"text_delta\" , \"text\" : \"x\" } } ",
                ],
                anthropic,
            ),
            (
                "escapes in keys and words",
                &[
                    r#"{"typ\u0065":"content\u005fblock_delta","ind\u0065x":1,"d\u0065lta":{"typ\u0065":"text\u005fdelta","t\u0065xt":"\u0078"}}"#,
                ],
                anthropic,
            ),
            (
                "equal keys: the last one counts",
                &[
                    r#"{"type":"ping","index":5,"index":1,"delta":{"type":"text_delta","text":"no"},"type":"content_block_delta","delta":{"text":"no","type":"text_delta","text":"x"}}"#,
                ],
                anthropic,
            ),
        ],
    );
}

#[test]
fn numbers_of_every_form_are_indices() {
    for (number, sub) in [
        ("0", 0),
        ("3", 3),
        ("3.0", 3),
        ("30e-1", 3),
        ("0.3E1", 3),
        ("3.9", 3),
        ("-1", 0),
        ("1e300", 0),
        ("null", 0),
        ("\"3\"", 0),
    ] {
        let payload = format!(r#"{{"choices":[{{"index":{number},"delta":{{"content":"x"}}}}]}}"#);
        check(Dialect::OpenAiChat, &[(number, &[&payload], &[r#"start """#, &format!(r#"text {sub}.0 "x""#)])]);
        let payload =
            format!(r#"{{"type":"content_block_delta","index":{number},"delta":{{"type":"text_delta","text":"x"}}}}"#);
        check(Dialect::Anthropic, &[(number, &[&payload], &[&format!(r#"text 0.{sub} "x""#)])]);
    }
}

#[test]
fn what_is_no_json_is_an_error_and_gives_nothing_else() {
    let payloads = [
        r#"{"choices":[{"index":0,"delta":{"content":"x"},"finish_reason":"stop"}],"usage":{"prompt_tokens":[1,-2.5e+3,true,null]}}"#,
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"a\u00e9\n"},"n":[0,{"a":false}]}"#,
    ];
    for dialect in BOTH {
        for payload in payloads {
            assert!(!is_malformed(dialect, payload));
            for len in 1..payload.len() {
                assert!(is_malformed(dialect, &payload[..len]), "cut at {len}");
            }
            for broken in [
                payload.replace("\"x\"", "x").replace("\"text\"", "text"),
                payload.replace(':', "="),
                payload.replace(",\"", ",,\""),
                payload.replace("]", ",]"),
                payload.replace("}", ",}"),
                payload.replace("\"index\":0", "\"index\":01"),
                payload.replace("\"index\":0", "\"index\":.5"),
                payload.replace("\"index\":0", "\"index\":-"),
                payload.replace("\"index\":0", "\"index\":1."),
                payload.replace("\"index\":0", "\"index\":1e"),
                payload.replace("\"index\":0", "\"index\":+1"),
                payload.replace("\"index\":0", "\"index\":NaN"),
                payload.replace("\"index\":0", "\"index\":nul"),
                payload.replace("\"index\":0", "\"in\tdex\":0"),
                payload.replace("\"index\":0", "\"in\\dex\":0"),
                payload.replace("\"index\":0", "\"in\\u12g4dex\":0"),
                payload.replace("\"index\":0", "index:0"),
                payload.replace("\"index\":0", "\"index\" 0"),
                payload.replace("\"index\":0", "\"index\":"),
                payload.replace("\"index\":0", "'index':0"),
                payload.replace("\"index\":0", "\"index\":0 \u{a0}"),
                format!("{payload}}}"),
                format!("{payload} 1"),
                format!("{payload}{payload}"),
                format!("x{payload}"),
                format!("\u{feff}{payload}"),
            ] {
                assert!(is_malformed(dialect, &broken), "{broken}");
            }
        }
        for payload in ["x", "nul", "\"", "\"\\x\"", "[1,]", "{", "}", "[DONE", "undefined", "-", "01"] {
            assert!(is_malformed(dialect, payload), "{payload}");
        }
    }
}
