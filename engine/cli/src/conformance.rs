//! What `thalweg plugin check` tries on a started plugin: a few calls with good and bad input, each with a verdict.

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use serde_json::Value;
use thalweg_abi::decode::{Decode as _, Events, Progress};
use thalweg_abi::host::{CancelToken, Codec, CodecStream, Error, Plugin, Provider, Reply, Tool, ToolEvent};
use thalweg_abi::table::TOOL_READ_ONLY;
use thalweg_abi::types::{E_PANIC, EVENT_ERROR, FRAME_ERROR_BODY, FRAME_EVENT, FrameRef, StreamEvent};

/// One check and how it went.
#[derive(Debug)]
pub(crate) struct Verdict {
    /// What must hold.
    pub(crate) name: String,
    /// What came out, or why it failed.
    pub(crate) outcome: Result<String, String>,
}

/// Runs all checks that fit what the plugin offers.
pub(crate) fn check(plugin: &Plugin) -> Vec<Verdict> {
    let mut verdicts = Vec::new();
    let mut add = |name: String, outcome| verdicts.push(Verdict { name, outcome });
    let (codec, provider, tools) = (plugin.codec(), plugin.provider(), plugin.tools());
    if codec.is_none() && provider.is_none() && tools.is_empty() {
        let none = "neither thw.codec/1 nor thw.provider/1 nor thw.tool/1";
        add("it offers something".to_owned(), Err(none.to_owned()));
    }
    if let Some(codec) = &codec {
        add("codec describes itself".to_owned(), describes_itself(codec));
        add("codec writes a request".to_owned(), writes_a_request(codec));
        add("codec reads broken frames".to_owned(), reads_broken_frames(codec));
        add("codec reads error bodies".to_owned(), reads_error_bodies(codec));
        add("codec forgets on reset".to_owned(), forgets_on_reset(codec));
    }
    if let Some(provider) = &provider {
        add("provider describes itself".to_owned(), describes_provider(provider));
        add("provider ends each reply".to_owned(), ends_each_reply(provider));
        add("provider ends when cancelled".to_owned(), ends_when_cancelled(provider));
    }
    for (index, tool) in tools.iter().enumerate() {
        let name = tool.name();
        add(format!("tool {name} describes itself"), describes_tool(tool, &tools[..index]));
        add(format!("tool {name} answers"), answers(tool));
    }
    verdicts
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

fn writes_a_request(codec: &Codec) -> Result<String, String> {
    let mut stream = open(codec)?;
    let message = r#"{"role":"user","content":[{"type":"text","text":"Grüße \"\n\u0001"}]}"#;
    let message = stream.encode_message(message).map_err(|error| error.to_string())?.to_owned();
    let request = r#"{"model":"m","max_tokens":16,"stream":true}"#;
    let request = stream.encode_request(request).map_err(|error| error.to_string())?;
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

fn describes_provider(provider: &Provider) -> Result<String, String> {
    let json: Value =
        serde_json::from_str(provider.description()).map_err(|error| format!("describe gives no JSON: {error}"))?;
    let id = json["provider"].as_str().filter(|id| !id.is_empty() && !id.contains('/')).ok_or("no \"provider\"")?;
    let models = json["models"].as_array().map_or(0, Vec::len);
    Ok(format!("provider {id}, {models} models"))
}

/// A request for a reply, and things that are none.
const REQUESTS: [&str; 4] = [
    r#"{"model":"","stream":true,"messages":[{"role":"user","content":[{"type":"text","text":"Grüße \"\n\u0001"}]}]}"#,
    r#"{"messages":[]}"#,
    "{",
    "",
];

/// Starts a reply and reads it to its end, both on threads of their own: number of events, and whether it ended well.
fn read_reply(provider: &Provider, request: &'static str, cancel: &CancelToken) -> Result<(usize, bool), String> {
    let (reply, start) = provider.reply(cancel);
    thread::spawn(move || start.run(request));
    // The command itself may run on a runtime, which waits for nothing else.
    thread::spawn(move || read_to_end(reply)).join().unwrap_or_else(|_| Err("reading it panicked".to_owned()))
}

fn read_to_end(mut reply: Reply) -> Result<(usize, bool), String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .map_err(|error| format!("no runtime: {error}"))?;
    runtime.block_on(async {
        let mut events = 0;
        loop {
            match tokio::time::timeout(PATIENCE, reply.next()).await {
                Err(_) => return Err(format!("no event and no end within {} s", PATIENCE.as_secs())),
                Ok(Ok(Some(batch))) => events += batch.iter().count(),
                Ok(Ok(None)) => return Ok((events, true)),
                Ok(Err(Error::Failed { failure, .. })) if failure.code != E_PANIC => return Ok((events, false)),
                Ok(Err(error)) => return Err(error.to_string()),
            }
        }
    })
}

fn ends_each_reply(provider: &Provider) -> Result<String, String> {
    let mut ended = Vec::new();
    for request in REQUESTS {
        ended.push(read_reply(provider, request, &CancelToken::new())?);
    }
    if ended[2].1 || ended[3].1 {
        return Err("it answers a request that is no JSON".to_owned());
    }
    let well = if ended[0].1 { "well" } else { "with an error" };
    Ok(format!("{} events, ended {well}; {} other requests ended", ended[0].0, REQUESTS.len() - 1))
}

fn ends_when_cancelled(provider: &Provider) -> Result<String, String> {
    let cancel = CancelToken::new();
    cancel.cancel();
    let (events, _) = read_reply(provider, REQUESTS[0], &cancel)?;
    Ok(format!("cancelled before it began: {events} events"))
}

/// What a provider should never send, and does.
const BROKEN: [&str; 8] =
    ["", "{", "null", "[]", "42", "\"text\"", "{\"choices\":{},\"type\":[],\"delta\":0}", "[DONE]"];

fn reads_broken_frames(codec: &Codec) -> Result<String, String> {
    let mut stream = open(codec)?;
    for payload in BROKEN {
        let frame = FrameRef::new(FRAME_EVENT, payload.as_bytes());
        decode(&mut stream, frame).map_err(|error| format!("at {payload:?}: {error}"))?;
    }
    let deep = "[".repeat(100_000);
    decode(&mut stream, FrameRef::new(FRAME_EVENT, deep.as_bytes())).map_err(|error| format!("at depth: {error}"))?;
    finish(&mut stream)?;
    Ok(format!("{} frames", BROKEN.len() + 1))
}

fn reads_error_bodies(codec: &Codec) -> Result<String, String> {
    for body in [r#"{"error":{"message":"no","type":"x"}}"#, "<html>bad gateway</html>", ""] {
        let mut stream = open(codec)?;
        let frame = FrameRef::new(FRAME_ERROR_BODY, body.as_bytes()).with_status(502);
        let events = decode(&mut stream, frame)?;
        if events.iter().filter(|event| event.kind == EVENT_ERROR).count() != 1 {
            return Err(format!("the error body {body:?} gave {} events, not one error", events.len()));
        }
    }
    Ok("3 bodies".to_owned())
}

fn forgets_on_reset(codec: &Codec) -> Result<String, String> {
    let read = |stream: &mut CodecStream| -> Result<Vec<Seen>, String> {
        let mut events = Vec::new();
        for payload in BROKEN {
            events.extend(decode(stream, FrameRef::new(FRAME_EVENT, payload.as_bytes()))?);
        }
        events.extend(finish(stream)?);
        Ok(events)
    };
    let mut stream = open(codec)?;
    let first = read(&mut stream)?;
    stream.reset();
    let second = read(&mut stream)?;
    if first != second {
        return Err(format!("{} events before a reset, {} other ones after it", first.len(), second.len()));
    }
    Ok(format!("{} events, twice", first.len()))
}

/// An event that outlives its frame.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Seen {
    kind: u32,
    block: u32,
    sub: u32,
    num: i64,
    text: Vec<u8>,
    aux: Vec<u8>,
}

impl From<&StreamEvent<'_>> for Seen {
    fn from(event: &StreamEvent<'_>) -> Self {
        let (text, aux) = (event.text().to_vec(), event.aux().to_vec());
        Self { kind: event.kind(), block: event.block(), sub: event.sub(), num: event.num(), text, aux }
    }
}

/// Room for events in one call: little, so that a codec has to come back.
const EVENTS_A_CALL: usize = 2;
/// Calls after which a codec that always wants more is given up.
const CALLS_MAX: usize = 10_000;

fn decode(stream: &mut CodecStream, frame: FrameRef<'_>) -> Result<Vec<Seen>, String> {
    let mut copies = Vec::new();
    let mut next = 0;
    for _ in 0..CALLS_MAX {
        let mut buffer = Vec::with_capacity(EVENTS_A_CALL);
        let progress = stream
            .decode(&[frame], &mut next, &mut Events::new(&mut buffer, EVENTS_A_CALL))
            .map_err(|error| error.to_string())?;
        copies.extend(buffer.iter().map(Seen::from));
        if progress == Progress::Done {
            return Ok(copies);
        }
    }
    Err(format!("decode wants more room for one frame after {CALLS_MAX} calls"))
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

fn describes_tool(tool: &Tool, others: &[Tool]) -> Result<String, String> {
    let name = tool.name();
    if others.iter().any(|other| other.name() == name) {
        return Err("another tool of this plugin has the same name".to_owned());
    }
    if tool.description().trim().is_empty() {
        return Err("no description: a model would not know when to call it".to_owned());
    }
    let schema: Value =
        serde_json::from_str(tool.parameters()).map_err(|error| format!("the parameters are no JSON: {error}"))?;
    if schema["type"] != "object" {
        return Err("the schema of the parameters is not that of an object (\"type\":\"object\")".to_owned());
    }
    let count = schema["properties"].as_object().map_or(0, serde_json::Map::len);
    Ok(format!("{count} parameters"))
}

/// How long a tool may take to answer, or to give up when it is told to.
const PATIENCE: Duration = Duration::from_secs(5);

/// Calls a tool without arguments: an answer and an error are both fine, silence and a panic are not. A tool that may
/// change something is not called.
fn answers(tool: &Tool) -> Result<String, String> {
    if tool.flags() & TOOL_READ_ONLY == 0 {
        return Ok("not called: it does not say that it changes nothing".to_owned());
    }
    let (told, events) = mpsc::channel();
    let cancel = CancelToken::new();
    let (called, token) = (tool.clone(), cancel.clone());
    // On a thread of its own, since a tool may block for ever.
    thread::spawn(move || {
        let receiver = Box::new(move |event| {
            // Nobody listens any more once the verdict is given.
            let _ = told.send(event);
        });
        called.invoke("check", "{}", receiver, &token);
    });
    loop {
        match events.recv_timeout(PATIENCE) {
            Ok(ToolEvent::Finished(Ok(_))) => return Ok("an answer to a call without arguments".to_owned()),
            Ok(ToolEvent::Finished(Err(Error::Failed { failure, .. }))) if failure.code != E_PANIC => {
                return Ok("a call without arguments is refused".to_owned());
            }
            Ok(ToolEvent::Finished(Err(error))) => return Err(error.to_string()),
            Ok(_) => {}
            Err(_) => {
                cancel.cancel();
                return Err(format!("no answer to a call without arguments within {} s", PATIENCE.as_secs()));
            }
        }
    }
}
