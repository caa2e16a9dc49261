//! What is tried on a plugin that makes vectors of texts.

use serde_json::Value;
use thalweg_abi::host::{Embed, Error};
use thalweg_abi::types::{E_PANIC, FRAME_ERROR_BODY, FRAME_WHOLE_BODY, FrameRef};

/// It says which dialect it is of, and writes a request with all texts.
pub(super) fn writes_a_request(embed: &Embed) -> Result<String, String> {
    let text = embed.describe().map_err(|error| error.to_string())?;
    let json: Value = serde_json::from_str(&text).map_err(|error| format!("describe gives no JSON: {error}"))?;
    let dialect = json["dialect"].as_str().filter(|dialect| !dialect.is_empty()).ok_or("no \"dialect\"")?.to_owned();
    let mut stream = embed.open("{}").map_err(|error| error.to_string())?;
    let request = r#"{"model":"m","texts":["first text","second \"text\""]}"#;
    let request = stream.encode(request).map_err(|error| error.to_string())?;
    let body = format!("{}{}", request.body_head, request.body_tail);
    let _: Value = serde_json::from_str(&body).map_err(|error| format!("the body is no JSON: {error}"))?;
    if !request.path.starts_with('/') {
        return Err(format!("the path {:?} does not begin with a slash", request.path));
    }
    for text in ["first text", r#"second \"text\""#] {
        if !body.contains(text) {
            return Err(format!("the text {text:?} is missing in the body"));
        }
    }
    Ok(format!("dialect {dialect}, {} {}, {} bytes", request.method, request.path, body.len()))
}

/// Bodies that are no vectors of one text, each read by a stream of its own.
const BROKEN: [(u32, &str); 7] = [
    (FRAME_WHOLE_BODY, ""),
    (FRAME_WHOLE_BODY, "{"),
    (FRAME_WHOLE_BODY, "null"),
    (FRAME_WHOLE_BODY, "{\"data\":0,\"embeddings\":{}}"),
    (FRAME_WHOLE_BODY, "{\"data\":[{\"embedding\":[\"x\"]}]}"),
    (FRAME_ERROR_BODY, "{\"error\":{\"message\":\"no\"}}"),
    (FRAME_ERROR_BODY, "<html>bad gateway</html>"),
];

/// What is no reply is refused, and not by a panic.
pub(super) fn refuses_broken_replies(embed: &Embed) -> Result<String, String> {
    for (kind, body) in BROKEN {
        let mut stream = embed.open("{}").map_err(|error| error.to_string())?;
        stream.encode(r#"{"model":"m","texts":["x"]}"#).map_err(|error| error.to_string())?;
        match stream.decode(&FrameRef::new(kind, body.as_bytes()), 1) {
            Ok(_) => return Err(format!("it reads vectors out of {body:?}")),
            Err(Error::Failed { failure, .. }) if failure.code != E_PANIC => {}
            Err(error) => return Err(format!("at {body:?}: {error}")),
        }
    }
    Ok(format!("{} bodies", BROKEN.len()))
}
