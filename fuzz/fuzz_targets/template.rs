//! The template fast path: with it and without it a reply gives the same events, which are those of the naive twin, for every
//! dialect and however the reply was changed. The input is a program: which dialect, which frames one behind the other, what is changed in
//! them, and where the body is cut; so that most frames differ from the one before in little, as those of real replies do.
#![no_main]

use libfuzzer_sys::fuzz_target;
use thalweg_tests::naive::Dialect;
use thalweg_tests::naive_event_stream::{event, to_base64};

mod dialect;

/// Frames of a dialect; `@` stands for a text, `#` for a number.
type Frames = &'static [&'static str];

const CHAT: Frames = &[
    r#"{"id":"c","model":"m","choices":[{"index":0,"delta":{"content":"@"}}]}"#,
    r#"{"id":"c#","created":#,"choices":[{"index":0,"delta":{"content":"@"},"finish_reason":null}],"obfuscation":"@"}"#,
    r#"{"id":"c","choices":[{"index":#,"delta":{"content":"","reasoning":"@","reasoning_details":[{"type":"reasoning.text","text":"@"}]}}]}"#,
    r#"{"choices":[{"index":0,"text":"@","delta":{"token_id":#,"content":"@"}}],"usage":null}"#,
    r#"{"choices":[{"index":0,"message":{"content":"@"},"delta":{"content":"@"}}]}"#,
    r#"{"choices":[{"index":0,"message":{"content":"@"}}]}"#,
    r#"{"choices":[{"index":0,"text":"@"}]}"#,
    r#"{"choices":[{"delta":{"tool_calls":[{"index":#,"id":"a","function":{"name":"f","arguments":"@"}}]}}]}"#,
    r#"{"choices":[{"delta":{"tool_calls":[{"index":#,"function":{"arguments":"@"}}]}}]}"#,
    r#"{"choices":[{"delta":{},"finish_reason":"stop"}]}"#,
    "[DONE]",
];
const COMPLETIONS: Frames = &[
    r#"{"id":"c","created":#,"choices":[{"text":"@","index":0,"logprobs":null}],"model":"m"}"#,
    r#"{"created":#,"choices":[{"text":"@","index":#}],"system_fingerprint":"@"}"#,
    r#"{"choices":[{"text":"@","index":0,"finish_reason":"stop"}]}"#,
];
const RESPONSES: Frames = &[
    r#"{"type":"response.output_item.added","output_index":#,"item":{"type":"message","id":"m"}}"#,
    r#"{"type":"response.output_text.delta","sequence_number":#,"item_id":"@","output_index":#,"content_index":0,"delta":"@"}"#,
    r#"{"type":"response.output_text.delta","output_index":0,"content_index":0,"delta":"@","logprobs":[{"token":"@","logprob":#}],"obfuscation":"@"}"#,
    r#"{"type":"response.reasoning_summary_text.delta","output_index":0,"summary_index":0,"delta":"@"}"#,
    r#"{"type":"response.output_text.annotation.added","output_index":0,"content_index":0,"annotation":{"type":"@"}}"#,
    r#"{"type":"response.function_call_arguments.delta","output_index":#,"delta":"@"}"#,
    r#"{"type":"response.output_item.done","output_index":#,"item":{"type":"message","id":"m","content":[]}}"#,
];
const ANTHROPIC: Frames = &[
    r#"{"type":"content_block_start","index":#,"content_block":{"type":"text","text":""}}"#,
    r#"{"type":"content_block_delta","index":#,"delta":{"type":"text_delta","text":"@"}}"#,
    r#"{"type":"content_block_delta","index":#,"delta":{"type":"text_delta","text":"@"}  }"#,
    r#"{"index":#,"type":"content_block_delta","delta":{"text":"@","type":"text_delta"},"index":#}"#,
    r#"{"type":"content_block_delta","delta":{"type":"text_delta","text":"@"}}"#,
    r#"{"type":"content_block_delta","index":#,"ind\u0065x":#,"delta":{"type":"text_delta","text":"@"}}"#,
    r#"{"type":"content_block_start","index":#,"content_block":{"type":"thinking","thinking":"@"}}"#,
    r#"{"type":"content_block_delta","index":#,"delta":{"type":"thinking_delta","thinking":"@"}}"#,
    r#"{"type":"content_block_start","index":#,"content_block":{"type":"tool_use","id":"t","name":"n","input":{}}}"#,
    r#"{"type":"content_block_delta","index":#,"delta":{"type":"input_json_delta","partial_json":"@"}}"#,
    r#"{"type":"content_block_delta","index":#,"delta":{"type":"citations_delta","citation":{"cited_text":"@"}}}"#,
    r#"{"type":"content_block_stop","index":#}"#,
    r#"{"type": "ping"}"#,
    r#"{"type":"message_stop"}"#,
];
const OLLAMA: Frames = &[
    r#"{"model":"m","created_at":"@","message":{"role":"assistant","content":"@"},"done":false}"#,
    r#"{"model":"m","created_at":"@","message":{"role":"assistant","content":"","thinking":"@"},"done":false}"#,
    r#"{"model":"m","message":{"content":"@"},"done":true,"done_reason":"stop"}"#,
];
const GEMINI: Frames = &[
    r#"{"candidates":[{"content":{"parts":[{"text":"@"}]},"index":#}],"usageMetadata":{"totalTokenCount":#},"modelVersion":"@"}"#,
    r#"{"candidates":[{"content":{"parts":[{"text":"@","thought":true}]}}],"usageMetadata":{"a":[{"b":"@","c":#}]}}"#,
    r#"{"candidates":[{"content":{"parts":[{"text":"@","thoughtSignature":"@"}]}}]}"#,
    r#"{"candidates":[{"content":{"parts":[{"text":"@"}]},"finishReason":"STOP"}],"usageMetadata":{"totalTokenCount":#}}"#,
];
const COHERE: Frames = &[
    r#"{"type":"content-delta","index":#,"delta":{"message":{"content":{"text":"@"}}}}"#,
    r#"{"type":"content-delta","index":#,"delta":{"message":{"content":{"thinking":"@"}}}}"#,
    r#"{"type":"content-end","index":#}"#,
    r#"{"type":"tool-call-delta","index":#,"delta":{"message":{"tool_calls":{"function":{"arguments":"@"}}}}}"#,
];
const COHERE_V1: Frames = &[
    r#"{"is_finished":false,"event_type":"text-generation","text":"@"}"#,
    r#"{"event_type":"tool-calls-generation","tool_calls":[{"name":"@"}]}"#,
];
const CONVERSE: Frames = &[
    r#"{"contentBlockIndex":#,"delta":{"text":"@"},"p":"@"}"#,
    r#"{"contentBlockIndex":#,"delta":{"toolUse":{"input":"@"}},"p":"@"}"#,
    r#"{"contentBlockIndex":#,"delta":{"reasoningContent":{"text":"@"}}}"#,
    r#"{"contentBlockIndex":#,"delta":{"text":"@"},"contentBlockIndex":#}"#,
    r#"{"contentBlockIndex":#,"delta":{"text":"@"},"contentBlockDelta":{"contentBlockIndex":#},"index":#}"#,
    r#"{"delta":{"text":"@"},"contentBlock\u0049ndex":#}"#,
    r#"{"contentBlockIndex":#,"delta":{"text":"@","toolUse":{"input":"@"}}}"#,
];
const INVOKE: Frames = &[
    r#"{"generation":"@","generation_token_count":#,"stop_reason":null}"#,
    r#"{"contentBlockDelta":{"delta":{"text":"@"},"contentBlockIndex":#}}"#,
    r#"{"contentBlockIndex":#,"contentBlockDelta":{"delta":{"text":"@"}}}"#,
    r#"{"contentBlockDelta":{"contentBlockIndex":#},"contentBlockDelta":{"delta":{"text":"@"},"contentBlockIndex":#}}"#,
    r#"{"contentBlockStop":{"contentBlockIndex":#}}"#,
    r#"{"type":"content_block_delta","index":#,"delta":{"type":"text_delta","text":"@"}}"#,
];

/// What stands for `@` and `#`: what JSON allows there, and what it does not.
const TEXTS: [&str; 16] = [
    "",
    "a",
    "Hello",
    "\u{e9}",
    "\\n",
    "\\\"",
    "\\u00e9",
    "\\ud83d\\ude00",
    "\\x",
    "\"",
    "\",\"content\":\"b",
    "\t",
    "\r",
    "\n",
    "a text that is longer than a block of bytes, \u{20ac}",
    "\"}]}\n\ndata: {}\n\n",
];
const NUMBERS: [&str; 16] =
    ["0", "1", "2", "3", "0", "1", "7", "10", "99", "-1", "0.5", "1e0", "01", "null", "\"1\"", "4294967296"];

/// The next bytes of the input, zeros when there are no more.
struct Program<'i>(&'i [u8]);

impl Program<'_> {
    fn next(&mut self) -> usize {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        usize::from(*first)
    }

    /// Frames, mostly of the kind of the one before, and with values as they come mostly.
    fn payloads(&mut self, frames: Frames) -> Vec<String> {
        let (mut payloads, mut kind) = (Vec::new(), 0);
        while !self.0.is_empty() && payloads.len() < 40 {
            let what = self.next();
            if what >= 128 {
                kind = what % frames.len();
            }
            let mut payload = String::new();
            for part in frames[kind].split_inclusive(['@', '#']) {
                let (literal, choice) = match part.as_bytes().last() {
                    Some(b'@') => (&part[..part.len() - 1], TEXTS[self.next() % TEXTS.len()]),
                    Some(b'#') => (&part[..part.len() - 1], NUMBERS[self.next() % NUMBERS.len()]),
                    _ => (part, ""),
                };
                payload += literal;
                payload += choice;
            }
            // Now and then a byte is put somewhere.
            if what % 16 == 15 {
                let at = self.next() * payload.len() / 256;
                if payload.is_char_boundary(at) {
                    payload.insert(at, char::from(self.next() as u8 & 0x7f));
                }
            }
            payloads.push(payload);
        }
        payloads
    }
}

fuzz_target!(|input: &[u8]| {
    let mut program = Program(input);
    let which = program.next();
    // The first bytes of what the dialects check are the cuts.
    let mut whole = vec![3, program.next() as u8, program.next() as u8, program.next() as u8];
    let ends = ["\n\n", "\n\n", "\n\n", "\r\n\r\n", "\n\n: comment\n\n"];
    let mut sse = |program: &mut Program<'_>, frames| {
        let end = ends[program.next() % ends.len()];
        for payload in program.payloads(frames) {
            whole.extend_from_slice(format!("data: {payload}{end}").as_bytes());
        }
        std::mem::take(&mut whole)
    };
    match which % 9 {
        0 => dialect::check(Dialect::OpenAiChat, &sse(&mut program, CHAT), &thalweg_openai::OpenAiChat),
        1 => dialect::check(
            Dialect::OpenAiCompletions,
            &sse(&mut program, COMPLETIONS),
            &thalweg_openai_completions::OpenAiCompletions,
        ),
        2 => dialect::check(
            Dialect::OpenAiResponses,
            &sse(&mut program, RESPONSES),
            &thalweg_openai_responses::OpenAiResponses,
        ),
        3 => dialect::check(Dialect::Anthropic, &sse(&mut program, ANTHROPIC), &thalweg_anthropic::AnthropicMessages),
        4 => dialect::check(Dialect::Gemini, &sse(&mut program, GEMINI), &thalweg_gemini::Gemini),
        5 => dialect::check(Dialect::CohereV2, &sse(&mut program, COHERE), &thalweg_cohere::Cohere),
        6 | 7 => {
            let is_ollama = which % 9 == 6;
            for payload in program.payloads(if is_ollama { OLLAMA } else { COHERE_V1 }) {
                whole.extend_from_slice(format!("{payload}\n").as_bytes());
            }
            if is_ollama {
                dialect::check(Dialect::Ollama, &whole, &thalweg_ollama::Ollama);
            } else {
                dialect::check(Dialect::CohereV1, &whole, &thalweg_cohere_v1::CohereV1);
            }
        }
        _ => {
            let is_wrapped = program.next() % 2 == 0;
            for payload in program.payloads(if is_wrapped { INVOKE } else { CONVERSE }) {
                let wrapped = || format!("{{\"bytes\":\"{}\"}}", to_base64(payload.as_bytes()));
                whole.extend(if is_wrapped {
                    event("chunk", &wrapped())
                } else {
                    event("contentBlockDelta", &payload)
                });
            }
            dialect::check(Dialect::Bedrock, &whole, &thalweg_bedrock::Bedrock);
        }
    }
});
