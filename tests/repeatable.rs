//! What `REPEATABLE` promises: with any other text the frame gives the same event with that text, and it leaves no trace
//! in the codec; what `FROM_NOW` adds: all that holds from the next frame on; and what `LASTING` adds: it holds whatever comes
//! in between, and for any block.

use std::path::Path;

use serde_json::Value;
use thalweg_abi::decode::{Decode, Events};
use thalweg_abi::guest::{Codec, CodecStream, Direct};
use thalweg_abi::types::{
    FLAG_FROM_NOW, FLAG_LASTING, FLAG_REPEATABLE, FLAG_TEXT_ESCAPED, FRAME_EVENT, FrameRef, StreamEvent,
};
use thalweg_anthropic::AnthropicMessages;
use thalweg_bedrock::Bedrock;
use thalweg_cohere::Cohere;
use thalweg_cohere_v1::CohereV1;
use thalweg_gemini::Gemini;
use thalweg_ollama::Ollama;
use thalweg_openai::OpenAiChat;
use thalweg_openai_completions::OpenAiCompletions;
use thalweg_openai_responses::OpenAiResponses;
use thalweg_tests::corpus;
use thalweg_tests::naive::{Dialect, records};

/// Texts that take the place of the one in a frame, as they stand between quotes.
const TEXTS: [&str; 4] = ["", "Zq", "\\u00e9\\n", "{\\\"a\\\":"];

/// An event without its text: kind, flags, choice, block, number, second text.
type Shape = (u32, u32, u32, u32, i64, Vec<u8>);

fn shape(event: &StreamEvent<'_>) -> Shape {
    let flags = event.flags() & !(FLAG_TEXT_ESCAPED | FLAG_REPEATABLE | FLAG_FROM_NOW | FLAG_LASTING);
    (event.kind(), flags, event.sub(), event.block(), event.num(), event.aux().to_vec())
}

/// What a codec promises of a frame with its last event.
#[derive(Clone, Copy, PartialEq)]
enum Promise {
    None,
    /// The frame has left no trace.
    NoTrace,
    /// Nor does it with another text, which begins at this byte.
    Repeatable(usize),
    /// The frame has changed the codec, and from now on it is repeatable.
    FromNow(usize),
}

/// A frame of which more is promised: whatever comes in between, and for any block.
struct Lasting {
    event: String,
    /// The payload before its text and behind it.
    data: [String; 2],
    shape: Shape,
}

/// The events of one frame, shape and text, what is promised, and whether it lasts.
fn decode<S: CodecStream>(codec: &mut Direct<S>, event: &str, data: &str) -> (Vec<(Shape, Vec<u8>)>, Promise, bool) {
    let frames = [FrameRef::new(FRAME_EVENT, data.as_bytes()).with_event(event.as_bytes())];
    let mut events = Vec::new();
    let mut next = 0;
    // One frame is read with one call, however many events it gives.
    codec.decode(&frames, &mut next, &mut Events::new(&mut events, 64)).expect("the codec is not broken");
    assert_eq!(next, 1);
    // An empty text may stand elsewhere, and other JSON than a string cannot be another text.
    let place = |event: &StreamEvent<'_>| {
        let at = event.text().as_ptr().addr().wrapping_sub(data.as_ptr().addr());
        data.get(..at).is_some_and(|before| before.ends_with('"')).then_some(at)
    };
    let promise = match events.as_slice() {
        [.., event] if event.has(FLAG_REPEATABLE | FLAG_FROM_NOW) => {
            place(event).map_or(Promise::None, Promise::FromNow)
        }
        [event] if event.has(FLAG_REPEATABLE) => place(event).map_or(Promise::NoTrace, Promise::Repeatable),
        _ => Promise::None,
    };
    let is_lasting = events.last().is_some_and(|event| event.has(FLAG_LASTING));
    (events.iter().map(|event| (shape(event), event.text().to_vec())).collect(), promise, is_lasting)
}

/// Reads the frames with one codec as they are, with one that gets other texts in repeatable frames, and with one that
/// never sees those. Gives the numbers of all and of repeatable frames.
fn check<S: CodecStream>(
    name: &str,
    open: impl Fn() -> S,
    numbers: &[String],
    frames: &[(&str, &str)],
) -> (usize, usize) {
    let (mut plain, mut changed, mut spared) = (Direct::new(open()), Direct::new(open()), Direct::new(open()));
    let mut repeatable = 0;
    let mut all_lasting: Vec<Lasting> = Vec::new();
    for (number, (event, data)) in frames.iter().enumerate() {
        let (events, promise, is_lasting) = decode(&mut plain, event, data);
        if matches!(promise, Promise::None | Promise::FromNow(_)) {
            assert_eq!(decode(&mut changed, event, data).0.len(), events.len(), "{name}, frame {number}");
            let same = decode(&mut spared, event, data).0;
            assert_eq!(same, events, "{name}, frame {number}: a repeatable frame left a trace");
        }
        for lasting in &all_lasting {
            check_lasting(&mut changed, lasting, numbers, &|| format!("{name}, behind frame {number}"));
        }
        let (Promise::Repeatable(at) | Promise::FromNow(at)) = promise else { continue };
        repeatable += usize::from(matches!(promise, Promise::Repeatable(_)));
        let Some((expected, text)) = events.last() else { panic!("{name}, frame {number}: no event") };
        for other in TEXTS {
            let whole = [&data[..at], other, &data[at + text.len()..]].concat();
            let got = decode(&mut changed, event, &whole).0;
            let [(shape, text)] = got.as_slice() else { panic!("{name}, frame {number} with {other:?}: {got:?}") };
            assert_eq!((shape, text.as_slice()), (expected, other.as_bytes()), "{name}, frame {number}");
        }
        if is_lasting && !all_lasting.iter().any(|lasting| lasting.shape.0 == expected.0) {
            let data = [&data[..at], &data[at + text.len()..]].map(str::to_owned);
            all_lasting.push(Lasting { event: (*event).to_owned(), data, shape: expected.clone() });
        }
    }
    (frames.len(), repeatable)
}

/// Has a codec read a frame again that it has read long ago, with another text and then for another block.
fn check_lasting<S: CodecStream>(
    codec: &mut Direct<S>,
    Lasting { event, data, shape }: &Lasting,
    numbers: &[String],
    name: &dyn Fn() -> String,
) {
    let whole = data.join("x");
    let (events, ..) = decode(codec, event, &whole);
    assert_eq!(events, [(shape.clone(), b"x".to_vec())], "{}: {whole}", name());
    let places = numbers.iter().map(|key| format!("\"{key}\":{}", shape.3));
    let mut places = places.filter(|place| whole.matches(place.as_str()).count() == 1);
    if let (Some(place), None) = (places.next(), places.next()) {
        let key = &place[..place.len() - shape.3.to_string().len()];
        let whole = whole.replace(&place, &format!("{key}4077"));
        let (events, ..) = decode(codec, event, &whole);
        let shape = (shape.0, shape.1, shape.2, 4077, shape.4, shape.5.clone());
        assert_eq!(events, [(shape, b"x".to_vec())], "{}: {whole}", name());
    }
}

fn check_codec(codec: &impl Codec, name: &str, frames: &[(&str, &str)]) -> (usize, usize) {
    let description: Value = serde_json::from_str(codec.describe()).expect("a description is JSON");
    let keys = description["block_keys"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let numbers: Vec<_> = keys.map(|key| key.rsplit('.').next().unwrap_or(key).to_owned()).collect();
    check(name, || codec.open("").expect("no options are options"), &numbers, frames)
}

/// Checks frames that have no names, and gives the number of repeatable ones.
fn check_own<const N: usize>(codec: &impl Codec, frames: [&str; N]) -> usize {
    check_codec(codec, "own", &frames.map(|data| ("", data))).1
}

#[test]
fn repeatable_frames_of_the_chat_dialect_keep_the_promise() {
    let frames = [
        r#"{"id":"c","model":"m","choices":[{"delta":{"role":"assistant","content":""}}]}"#,
        r#"{"choices":[{"delta":{"reasoning_content":"t","content":null}}]}"#,
        r#"{"choices":[{"delta":{"reasoning_content":"u","content":""}}]}"#,
        r#"{"choices":[{"delta":{"reasoning_content":"","reasoning":"v"}}]}"#,
        r#"{"choices":[{"delta":{"reasoning_content":"w","reasoning":"w"}}]}"#,
        r#"{"choices":[{"delta":{"content":"a"}}]}"#,
        r#"{"choices":[{"delta":{"content":"b"}}]}"#,
        r#"{"choices":[{"delta":{"content":"b","reasoning":""}}]}"#,
        r#"{"choices":[{"delta":{"content":"b"},"finish_reason":"stop"}]}"#,
        r#"{"choices":[{"delta":{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"{"}}]}}]}"#,
        r#"{"choices":[{"delta":{"tool_calls":[{"index":0,"function":{"arguments":"}"}}]}}]}"#,
        r#"{"choices":[{"delta":{"content":"c"}}]}"#,
        r#"{"choices":[{"delta":{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":""}}]}}]}"#,
        r#"{"choices":[{"delta":{"tool_calls":[{"index":0,"function":{"arguments":" "}}]}}]}"#,
        r#"{"choices":[{"delta":{"content":"d"}}]}"#,
        r#"{"choices":[{"delta":{"tool_calls":[{"index":0,"function":{"arguments":" "}},{"index":1,"function":{"arguments":" "}}]}}]}"#,
        r#"{"choices":[{"index":0,"delta":{"content":"e"}},{"index":1,"delta":{"content":"f"}}]}"#,
        r#"{"choices":[{"index":1,"delta":{"content":"g"}}]}"#,
        r#"{"choices":[{"index":1,"delta":{"refusal":"g"}}]}"#,
        r#"{"choices":[{"index":1,"delta":{"refusal":"h"}}]}"#,
    ];
    assert_eq!(check_own(&OpenAiChat, frames), 6);
}

#[test]
fn repeatable_frames_of_the_messages_dialect_keep_the_promise() {
    let frames = [
        r#"{"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":""}}"#,
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"a"}}"#,
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"a"}}"#,
        r#"{"type":"content_block_start","index":1,"content_block":{"type":"text","text":""}}"#,
        r#"{"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":""}}"#,
        r#"{"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"a"}}"#,
        r#"{"type":"content_block_delta","index":7,"delta":{"type":"text_delta","text":"a"}}"#,
        r#"{"type":"content_block_delta","index":7,"delta":{"type":"text_delta","text":"a"}}"#,
        r#"{"type":"content_block_start","index":2,"content_block":{"type":"tool_use","id":"t","name":"f","input":{}}}"#,
        r#"{"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":""}}"#,
        r#"{"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":"{"}}"#,
        r#"{"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":"}"}}"#,
        r#"{"type":"content_block_stop","index":2}"#,
        r#"{"type":"content_block_start","index":3,"content_block":{"type":"server_tool_use","input":{}}}"#,
        r#"{"type":"content_block_delta","index":3,"delta":{"type":"input_json_delta","partial_json":"{}"}}"#,
        r#"{"type":"content_block_stop","index":3}"#,
    ];
    assert_eq!(check_own(&AnthropicMessages, frames), 7);
}

#[test]
fn repeatable_lines_of_ollama_keep_the_promise() {
    let frames = [
        r#"{"model":"m","message":{"role":"assistant","content":""},"done":false}"#,
        r#"{"message":{"content":"","thinking":"a"}}"#,
        r#"{"message":{"content":"","thinking":"b"}}"#,
        r#"{"message":{"content":"x","thinking":"b"}}"#,
        r#"{"message":{"content":"","thinking":""}}"#,
        r#"{"message":{"content":"y","thinking":""}}"#,
        r#"{"message":{"content":"y"},"response":""}"#,
        r#"{"message":{"content":"y"},"response":"z"}"#,
        r#"{"response":"z"}"#,
        r#"{"message":{"content":"y","tool_calls":[{"function":{"name":"f","arguments":{}}}]}}"#,
        r#"{"message":{"content":"y","tool_calls":[]}}"#,
        r#"{"message":{"content":"y","tool_calls":[]}}"#,
        r#"{"message":{"content":"y"},"done":true}"#,
    ];
    assert_eq!(check_own(&Ollama, frames), 5);
}

#[test]
fn repeatable_events_of_cohere_keep_the_promise() {
    let frames = [
        r#"{"type":"content-start","index":0,"delta":{"message":{"content":{"type":"text","text":""}}}}"#,
        r#"{"type":"content-delta","index":0,"delta":{"message":{"content":{"text":"a"}}}}"#,
        r#"{"type":"content-delta","index":0,"delta":{"message":{"content":{"text":"a","thinking":"b"}}}}"#,
        r#"{"type":"content-delta","index":0,"delta":{"message":{"content":{"thinking":"b"}}}}"#,
        r#"{"type":"content-delta","index":7,"delta":{"message":{"content":{"text":"a"}}}}"#,
        r#"{"type":"content-delta","index":7,"delta":{"message":{"content":{"text":""}}}}"#,
        r#"{"type":"tool-plan-delta","delta":{"message":{"tool_plan":"I"}}}"#,
        r#"{"type":"tool-call-start","index":0,"delta":{"message":{"tool_calls":{"id":"i","function":{"name":"f","arguments":"x"}}}}}"#,
        r#"{"type":"tool-call-delta","index":0,"delta":{"message":{"tool_calls":{"function":{"arguments":"x"}}}}}"#,
        r#"{"type":"tool-call-delta","index":0,"delta":{"message":{"tool_calls":{"id":"j","function":{"arguments":"x"}}}}}"#,
        r#"{"type":"tool-call-delta","index":1,"delta":{"message":{"tool_calls":{"function":{"arguments":"x"}}}}}"#,
    ];
    assert_eq!(check_own(&Cohere, frames), 3);
    let frames = [
        r#"{"event_type":"text-generation","text":"a"}"#,
        r#"{"event_type":"text-generation","text":"b"}"#,
        r#"{"event_type":"tool-calls-generation","text":"b","tool_calls":[{"name":"f"}]}"#,
        r#"{"event_type":"text-generation","text":"c"}"#,
        r#"{"event_type":"text-generation","text":"d"}"#,
    ];
    assert_eq!(check_own(&CohereV1, frames), 2);
}

#[test]
fn repeatable_events_of_bedrock_keep_the_promise() {
    let frames = [
        ("contentBlockDelta", r#"{"contentBlockIndex":0,"delta":{"text":"a"}}"#),
        ("contentBlockDelta", r#"{"contentBlockIndex":0,"delta":{"text":"b"}}"#),
        ("contentBlockDelta", r#"{"contentBlockIndex":9,"delta":{"text":"b"}}"#),
        ("contentBlockDelta", r#"{"contentBlockIndex":0,"delta":{"text":""}}"#),
        ("contentBlockDelta", r#"{"contentBlockIndex":0,"delta":{"text":"a","toolUse":{"input":"b"}}}"#),
        ("contentBlockDelta", r#"{"contentBlockIndex":0,"delta":{"toolUse":{"input":"b"}}}"#),
        ("contentBlockDelta", r#"{"contentBlockIndex":0,"delta":{"reasoningContent":{"text":"b"}}}"#),
        ("contentBlockDelta", r#"{"contentBlockIndex":0,"delta":{"reasoningContent":{"signature":"b"}}}"#),
        ("contentBlockDelta", r#"{"contentBlockIndex":0,"delta":{"citation":{"text":"b"}}}"#),
        ("chunk", r#"{"generation":"a","stop_reason":null}"#),
        ("chunk", r#"{"generation":"b","stop_reason":null}"#),
        ("chunk", r#"{"generation":"b","stop_reason":"stop"}"#),
        ("chunk", r#"{"generation":"b","text":""}"#),
    ];
    assert_eq!(check_codec(&Bedrock, "own", &frames).1, 7);
}

#[test]
fn repeatable_frames_of_every_recording_keep_the_promise() {
    let Some(folder) = corpus::folder() else { return };
    check_recordings(&folder, &OpenAiChat);
    check_recordings(&folder, &AnthropicMessages);
    check_recordings(&folder, &OpenAiCompletions);
    check_recordings(&folder, &OpenAiResponses);
    check_recordings(&folder, &Ollama);
    check_recordings(&folder, &Bedrock);
    check_recordings(&folder, &Cohere);
    check_recordings(&folder, &CohereV1);
    check_recordings(&folder, &Gemini);
}

fn check_recordings(folder: &Path, codec: &impl Codec) {
    let description: Value = serde_json::from_str(codec.describe()).expect("a description is JSON");
    let protocol = description["dialect"].as_str().expect("a description names the dialect");
    let framing = Dialect::from_name(protocol).expect("every dialect has a twin").framing();
    let recordings = corpus::recordings(folder, protocol);
    let (mut all, mut repeatable) = (0, 0);
    for recording in &recordings {
        let records = records(framing, &recording.body);
        let frames: Vec<_> = records.iter().map(|(event, data)| (event.as_str(), data.as_str())).collect();
        let (frames, of_them) = check_codec(codec, &recording.name, &frames);
        (all, repeatable) = (all + frames, repeatable + of_them);
    }
    corpus::report(&format!("{} of {protocol}, {repeatable} of {all} frames repeatable", recordings.len()));
    // The deltas of text, thinking and arguments; short replies have few of them.
    assert!(repeatable * 3 > all, "{repeatable} of {all} frames of {protocol} are repeatable");
}
