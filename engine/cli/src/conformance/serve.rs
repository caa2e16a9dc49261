//! What is tried on a plugin that serves a dialect.

use serde_json::Value;
use thalweg_abi::host::{Error, Request, Serve};
use thalweg_abi::types::{
    E_PANIC, EVENT_BLOCK_END, EVENT_MESSAGE_START, EVENT_STOP, EVENT_TEXT, EVENT_TOOL_ARGUMENTS, EVENT_TOOL_BEGIN,
    STOP_END, StreamEvent,
};

/// Bodies that are no requests.
const BROKEN: [&str; 6] = ["", "{", "null", "[]", "{\"messages\":0,\"model\":[]}", "\u{0}"];

/// What is no request is refused with a word for the client, and not by a panic.
pub(super) fn refuses_broken_requests(serve: &Serve) -> Result<String, String> {
    let text = serve.describe().map_err(|error| error.to_string())?;
    let json: Value = serde_json::from_str(&text).map_err(|error| format!("describe gives no JSON: {error}"))?;
    let dialect = json["dialect"].as_str().filter(|dialect| !dialect.is_empty()).ok_or("no \"dialect\"")?;
    for body in BROKEN {
        let mut stream = serve.open("{}").map_err(|error| error.to_string())?;
        let request = Request { method: "POST", path: "/", headers: Vec::new(), body_head: body, body_tail: "" };
        match stream.parse(&request) {
            Ok(_) => return Err(format!("it reads a request out of {body:?}")),
            Err(Error::Failed { failure, .. }) if failure.code == E_PANIC => return Err(failure.to_string()),
            Err(Error::Failed { failure, .. }) if failure.message.is_empty() => {
                return Err(format!("it refuses {body:?} without a word"));
            }
            Err(Error::Failed { .. }) => {}
            Err(error) => return Err(format!("at {body:?}: {error}")),
        }
    }
    Ok(format!("dialect {dialect}, {} bodies", BROKEN.len()))
}

/// A reply is written whatever the order of its events is.
pub(super) fn writes_a_reply(serve: &Serve) -> Result<String, String> {
    let text = |kind, block, text: &'static str| StreamEvent::new(kind).with_block(block).with_text(text.as_bytes());
    let events = [
        text(EVENT_MESSAGE_START, 0, "m"),
        text(EVENT_TEXT, 0, "Grüße \"\n\u{1}"),
        text(EVENT_TOOL_BEGIN, 1, "tool"),
        text(EVENT_TOOL_ARGUMENTS, 1, "{}"),
        StreamEvent::new(EVENT_BLOCK_END).with_block(1),
        StreamEvent::new(EVENT_STOP).with_num(STOP_END),
    ];
    let mut written = 0;
    for turn in 0..events.len() {
        let mut stream = serve.open("{}").map_err(|error| error.to_string())?;
        let mut shuffled = events;
        shuffled.rotate_left(turn);
        for event in shuffled {
            written += stream.encode(&[event]).map_err(|error| error.to_string())?.len();
        }
        written += stream.finish().map_err(|error| error.to_string())?.len();
    }
    if written == 0 { Err("it writes nothing".to_owned()) } else { Ok(format!("{written} bytes")) }
}
