//! Checks of a dialect.

use std::fmt;
use std::ops::Range;

use serde_json::Value;
use thalweg_abi::decode::{Decode as _, Events, Progress};
use thalweg_abi::host::{Codec, CodecStream, Error, Host};
use thalweg_abi::types::{
    E_PANIC, EVENT_ERROR, FLAG_SCRATCH, FRAME_ERROR_BODY, FRAME_EVENT, FRAME_WHOLE_BODY, FrameRef, StreamEvent,
};

use super::{Reply, Verdicts, deep, huge, leak, marks, samples};

/// Runs all checks of a codec. `recorded` are replies of its own dialect.
pub(super) fn check(codec: &Codec, host: &Host, recorded: &[Reply], verdicts: &mut Verdicts<'_>) {
    let replies: Vec<Reply> = recorded.iter().cloned().chain(samples::forms()).collect();
    verdicts.add("codec describes itself", || describes_itself(codec).into());
    verdicts.add("codec writes a request", || writes_a_request(codec).into());
    verdicts.add("codec refuses what is no request", || refuses_bad_requests(codec).into());
    verdicts.add("codec reads broken frames", || reads_broken_frames(codec).into());
    verdicts.add("codec reads error bodies", || reads_error_bodies(codec).into());
    verdicts.add("codec keeps its slices in range", || keeps_slices_in_range(codec, &replies).into());
    verdicts.add("codec forgets on reset", || forgets_on_reset(codec, &replies).into());
    verdicts.add("codec keeps what it marks as repeatable", || marks::check(codec, &replies));
    verdicts.add("codec leaks nothing", || {
        leak::check(host, || live_and_die(codec, &replies).map_err(|error| format!("a call failed: {error}")))
    });
}

fn open(codec: &Codec) -> Result<CodecStream, String> {
    codec.open("{}").map_err(|error| error.to_string())
}

fn describes_itself(codec: &Codec) -> Result<String, String> {
    let text = codec.describe().map_err(|error| error.to_string())?;
    let json: Value = serde_json::from_str(&text).map_err(|error| format!("describe gives no JSON: {error}"))?;
    let dialect = json["dialect"].as_str().filter(|dialect| !dialect.is_empty()).ok_or("no \"dialect\"")?;
    let framing = json["framing"].as_str().ok_or("no \"framing\"")?;
    Ok(format!("dialect {dialect}, framing {framing}"))
}

const MESSAGE: &str = r#"{"role":"user","content":[{"type":"text","text":"Grüße \"\n\u0001"}]}"#;
const REQUEST: &str = r#"{"model":"m","max_tokens":16,"stream":true}"#;

fn writes_a_request(codec: &Codec) -> Result<String, String> {
    let mut stream = open(codec)?;
    let message = stream.encode_message(MESSAGE).map_err(|error| error.to_string())?.to_owned();
    let request = stream.encode_request(REQUEST).map_err(|error| error.to_string())?;
    let body = format!("{}{message}{}", request.body_head, request.body_tail);
    let json: Value = serde_json::from_str(&body).map_err(|error| format!("the body is no JSON: {error}"))?;
    if !json.is_object() {
        return Err("the body is no JSON object".to_owned());
    }
    if !request.path.starts_with('/') {
        return Err(format!("the path {:?} does not begin with a slash", request.path));
    }
    Ok(format!("{} {}, {} bytes", request.method, request.path, body.len()))
}

/// Whether a call ended as a call may: well, or with an error of its own.
fn ended_in_words<T>(result: Result<T, Error>) -> Result<bool, String> {
    match result {
        Ok(_) => Ok(true),
        Err(Error::Failed { failure, .. }) if failure.code != E_PANIC => Ok(false),
        Err(error) => Err(error.to_string()),
    }
}

fn refuses_bad_requests(codec: &Codec) -> Result<String, String> {
    let mut refused = 0;
    let bad = ["".to_owned(), "{".to_owned(), "null".to_owned(), "[]".to_owned(), deep(), huge()];
    for text in &bad {
        let shown: String = text.chars().take(8).collect();
        let said = |what: &str, error| format!("{what} {shown:?} of {} bytes: {error}", text.len());
        let mut stream = open(codec)?;
        let is_taken = ended_in_words(stream.encode_message(text)).map_err(|error| said("the message", error))?;
        refused += usize::from(!is_taken);
        let mut stream = open(codec)?;
        let is_taken = ended_in_words(stream.encode_request(text)).map_err(|error| said("the request", error))?;
        refused += usize::from(!is_taken);
        ended_in_words(codec.open(text)).map_err(|error| said("the options", error))?;
    }
    if refused == 0 {
        return Err("it takes everything, even `{`, for a message and for a request".to_owned());
    }
    Ok(format!("{refused} of {} refused, none with a panic", bad.len() * 2))
}

/// What a provider should never send, and does.
const BROKEN: [&str; 8] =
    ["", "{", "null", "[]", "42", "\"text\"", "{\"choices\":{},\"type\":[],\"delta\":0}", "[DONE]"];

fn reads_broken_frames(codec: &Codec) -> Result<String, String> {
    let mut stream = open(codec)?;
    for payload in BROKEN {
        let frame = FrameRef::new(FRAME_EVENT, payload.as_bytes());
        decode(&mut stream, &[frame]).map_err(|error| format!("at {payload:?}: {error}"))?;
    }
    for (payload, what) in [(deep(), "depth"), (huge(), "a long string")] {
        let frame = FrameRef::new(FRAME_EVENT, payload.as_bytes());
        decode(&mut stream, &[frame]).map_err(|error| format!("at {what}: {error}"))?;
    }
    finish(&mut stream)?;
    Ok(format!("{} frames", BROKEN.len() + 2))
}

fn reads_error_bodies(codec: &Codec) -> Result<String, String> {
    for body in [r#"{"error":{"message":"no","type":"x"}}"#, "<html>bad gateway</html>", ""] {
        let mut stream = open(codec)?;
        let frame = FrameRef::new(FRAME_ERROR_BODY, body.as_bytes()).with_status(502);
        let events = decode(&mut stream, &[frame])?;
        if events.iter().filter(|event| event.kind == EVENT_ERROR).count() != 1 {
            return Err(format!("the error body {body:?} gave {} events, not one error", events.len()));
        }
    }
    Ok("3 bodies".to_owned())
}

fn frames(reply: &Reply) -> Vec<FrameRef<'_>> {
    reply.iter().map(|(event, data)| FrameRef::new(FRAME_EVENT, data.as_bytes()).with_event(event.as_bytes())).collect()
}

/// Reads replies whole, frame by frame, and each frame cut short at any byte: the engine checks every slice.
fn keeps_slices_in_range(codec: &Codec, replies: &[Reply]) -> Result<String, String> {
    let (mut read, mut events) = (0, 0);
    for reply in replies {
        let frames = frames(reply);
        let mut stream = open(codec)?;
        events += decode(&mut stream, &frames)?.len() + finish(&mut stream)?.len();
        for (event, data) in reply {
            let ends = data.char_indices().map(|(at, _)| at).take(CUTS_MAX);
            for end in ends {
                let frame = FrameRef::new(FRAME_EVENT, &data.as_bytes()[..end]).with_event(event.as_bytes());
                events += decode(&mut stream, &[frame])?.len();
                read += 1;
            }
            let whole = FrameRef::new(FRAME_WHOLE_BODY, data.as_bytes());
            let mut stream = open(codec)?;
            events += decode(&mut stream, &[whole])?.len();
        }
        read += 2 * frames.len();
    }
    Ok(format!("{events} events of {read} frames, whole and cut short"))
}

/// Cuts of one frame, of which a recorded one may have very many bytes.
const CUTS_MAX: usize = 1_000;

fn forgets_on_reset(codec: &Codec, replies: &[Reply]) -> Result<String, String> {
    let mut count = 0;
    let mut stream = open(codec)?;
    for reply in replies {
        let frames = frames(reply);
        let mut read = || -> Result<Vec<Seen>, String> {
            stream.reset();
            let mut events = decode(&mut stream, &frames)?;
            events.extend(finish(&mut stream)?);
            Ok(events)
        };
        let (first, second) = (read()?, read()?);
        if first != second {
            return Err(format!("{} events before a reset, {} other ones after it", first.len(), second.len()));
        }
        // As a stream that was never used before.
        let mut fresh = open(codec)?;
        let mut events = decode(&mut fresh, &frames)?;
        events.extend(finish(&mut fresh)?);
        if events != first {
            return Err("after a reset it reads a reply as a new stream does not".to_owned());
        }
        count += first.len();
    }
    Ok(format!("{count} events, three times"))
}

/// The life of a stream: opened, asked to write, given a reply, closed.
fn live_and_die(codec: &Codec, replies: &[Reply]) -> Result<(), String> {
    let mut stream = open(codec)?;
    ended_in_words(stream.encode_message(MESSAGE))?;
    ended_in_words(stream.encode_request(REQUEST))?;
    for reply in replies.iter().take(2) {
        decode(&mut stream, &frames(reply))?;
        finish(&mut stream)?;
        stream.reset();
    }
    Ok(())
}

/// An event that outlives its frame.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) kind: u32,
    pub(super) flags: u32,
    pub(super) block: u32,
    pub(super) sub: u32,
    pub(super) num: i64,
    pub(super) text: Vec<u8>,
    pub(super) aux: Vec<u8>,
    /// Where the text lies in its frame, if that was asked for and it does.
    pub(super) place: Option<Range<usize>>,
}

impl Seen {
    /// With the place of its text in `data`.
    pub(super) fn of_frame(event: &StreamEvent<'_>, data: &[u8]) -> Self {
        let start = event.text().as_ptr().addr().checked_sub(data.as_ptr().addr());
        let place = start.map(|start| start..start + event.text().len());
        let place = place.filter(|place| place.end <= data.len() && event.flags() & FLAG_SCRATCH == 0);
        Self { place, ..Self::from(event) }
    }
}

impl Seen {
    /// Whether its second text is a part of `bytes`.
    pub(super) fn says(&self, bytes: &[u8]) -> bool {
        !self.aux.is_empty() && bytes.windows(self.aux.len()).any(|part| part == self.aux)
    }
}

impl PartialEq for Seen {
    fn eq(&self, other: &Self) -> bool {
        let all = |event: &Self| (event.kind, event.flags, event.block, event.sub, event.num);
        all(self) == all(other) && self.text == other.text && self.aux == other.aux
    }
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, flags, block, sub, num, text, aux, .. } = self;
        let (text, aux) = (String::from_utf8_lossy(text), String::from_utf8_lossy(aux));
        write!(f, "kind {kind} flags {flags} block {block} sub {sub} num {num} text {text:?} aux {aux:?}")
    }
}

impl From<&StreamEvent<'_>> for Seen {
    fn from(event: &StreamEvent<'_>) -> Self {
        let (text, aux) = (event.text().to_vec(), event.aux().to_vec());
        let flags = event.flags();
        Self {
            kind: event.kind(),
            flags,
            block: event.block(),
            sub: event.sub(),
            num: event.num(),
            text,
            aux,
            place: None,
        }
    }
}

/// Room for events in one call: little, so that a codec has to come back.
const EVENTS_A_CALL: usize = 2;
/// Calls after which a codec that always wants more is given up.
const CALLS_MAX: usize = 10_000;

fn decode(stream: &mut CodecStream, frames: &[FrameRef<'_>]) -> Result<Vec<Seen>, String> {
    let mut copies = Vec::new();
    let mut next = 0;
    for _ in 0..CALLS_MAX {
        let mut buffer = Vec::with_capacity(EVENTS_A_CALL);
        let progress = stream
            .decode(frames, &mut next, &mut Events::new(&mut buffer, EVENTS_A_CALL))
            .map_err(|error| error.to_string())?;
        copies.extend(buffer.iter().map(Seen::from));
        if progress == Progress::Done {
            return Ok(copies);
        }
    }
    Err(format!("decode wants more room for {} frames after {CALLS_MAX} calls", frames.len()))
}

fn finish(stream: &mut CodecStream) -> Result<Vec<Seen>, String> {
    let mut copies = Vec::new();
    for _ in 0..CALLS_MAX {
        let mut buffer = Vec::with_capacity(EVENTS_A_CALL);
        let progress =
            stream.finish(&mut Events::new(&mut buffer, EVENTS_A_CALL)).map_err(|error| error.to_string())?;
        copies.extend(buffer.iter().map(Seen::from));
        if progress == Progress::Done {
            return Ok(copies);
        }
    }
    Err(format!("finish wants more room after {CALLS_MAX} calls"))
}
