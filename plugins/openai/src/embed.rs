//! Vectors of texts: `/embeddings`, as nearly every server of this dialect has it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use thalweg_abi::guest::canonical::{self, EmbedRequest};
use thalweg_abi::guest::{Embed, EmbedStream, Embeddings, Failure, Request};
use thalweg_abi::types::{E_PROTOCOL, FRAME_ERROR_BODY, FrameRef};
use thalweg_wire::provider_error::ProviderError;

/// The part of the dialect `openai-chat` that makes vectors.
#[derive(Clone, Copy, Debug, Default)]
pub struct OpenAiEmbed;

/// 2,048 texts is what the provider itself takes at once.
const DESCRIPTION: &str = r#"{"dialect":"openai-chat","auth":{"kind":"bearer"},"texts_max":2048}"#;

impl Embed for OpenAiEmbed {
    fn describe(&self) -> &str {
        DESCRIPTION
    }

    fn open(&self, options: &str) -> Result<Box<dyn EmbedStream>, Failure> {
        // No server writes or reads vectors in a way of its own.
        let _: Map<String, Value> = canonical::options(options)?;
        Ok(Box::new(Stream::default()))
    }
}

/// One request after the other.
#[derive(Debug, Default)]
struct Stream {
    /// Texts of the last request.
    texts: usize,
}

impl EmbedStream for Stream {
    fn encode(&mut self, request: &str, out: &mut Request) -> Result<(), Failure> {
        let EmbedRequest { model, texts, dimensions, extra } = canonical::embed_request(request)?;
        self.texts = texts.len();
        // Not asked for in base64, which some servers refuse; it is read where it comes.
        let mut body = json!({"model": model, "input": texts, "encoding_format": "float"});
        if let Some(dimensions) = dimensions {
            body["dimensions"] = dimensions.into();
        }
        if let Value::Object(body) = &mut body {
            body.extend(extra);
        }
        out.path.push_str("/embeddings");
        out.headers.push(("content-type".into(), "application/json".into()));
        out.body_head.push_str(&body.to_string());
        Ok(())
    }

    fn decode(&mut self, reply: &FrameRef<'_>, out: &mut Embeddings) -> Result<(), Failure> {
        if reply.kind() == FRAME_ERROR_BODY {
            return Err(ProviderError::from_body(reply.data(), reply.status()).failure(reply.status()));
        }
        let Reply { mut data, usage, model } = match serde_json::from_slice(reply.data()) {
            Ok(reply) => reply,
            // Some servers say with the status of a success that they failed.
            Err(_) if says_error(reply.data()) => {
                return Err(ProviderError::from_body(reply.data(), 0).failure(0));
            }
            Err(error) => return Err(wrong(format!("the reply is no list of vectors: {error}"))),
        };
        if data.len() != self.texts {
            return Err(wrong(format!("the reply has {} vectors for {} texts", data.len(), self.texts)));
        }
        if data.iter().any(|item| item.index.is_some()) {
            data.sort_by_key(|item| item.index);
            if data.iter().enumerate().any(|(place, item)| item.index != Some(place)) {
                return Err(wrong("the vectors of the reply are not numbered one by one"));
            }
        }
        for Item { embedding: Vector(numbers), .. } in &data {
            if !numbers.iter().all(|number| number.is_finite()) {
                return Err(wrong("a vector of the reply has a number that is too large"));
            }
            out.push(numbers)?;
        }
        out.input_tokens = usage.and_then(|usage| usage.prompt_tokens.or(usage.total_tokens));
        out.model.push_str(&model.unwrap_or_default());
        Ok(())
    }
}

fn says_error(body: &[u8]) -> bool {
    serde_json::from_slice::<Value>(body).is_ok_and(|body| !body["error"].is_null())
}

fn wrong(message: impl Into<std::borrow::Cow<'static, str>>) -> Failure {
    Failure::new(E_PROTOCOL, message)
}

#[derive(Deserialize)]
struct Reply {
    data: Vec<Item>,
    usage: Option<Usage>,
    model: Option<String>,
}

#[derive(Deserialize)]
struct Item {
    index: Option<usize>,
    embedding: Vector,
}

#[derive(Deserialize)]
struct Usage {
    prompt_tokens: Option<u64>,
    total_tokens: Option<u64>,
}

/// Numbers, as a list or as the base64 of their bytes.
struct Vector(Vec<f32>);

impl<'de> Deserialize<'de> for Vector {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Numbers)
    }
}

struct Numbers;

impl<'de> serde::de::Visitor<'de> for Numbers {
    type Value = Vector;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a list of numbers, or the base64 of their bytes")
    }

    fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut list: A) -> Result<Vector, A::Error> {
        let mut numbers = Vec::new();
        while let Some(number) = list.next_element()? {
            numbers.push(number);
        }
        Ok(Vector(numbers))
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Vector, E> {
        let bytes = STANDARD.decode(text).map_err(E::custom)?;
        let (numbers, rest) = bytes.as_chunks::<4>();
        if !rest.is_empty() {
            return Err(E::custom("the bytes of a vector are not a multiple of four"));
        }
        Ok(Vector(numbers.iter().map(|number| f32::from_le_bytes(*number)).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use thalweg_abi::types::{E_REMOTE, FRAME_WHOLE_BODY};

    fn read(body: &str) -> Result<Embeddings, Failure> {
        let mut out = Embeddings::default();
        let texts = body.matches("\"embedding\"").count();
        Stream { texts }.decode(&FrameRef::new(FRAME_WHOLE_BODY, body.as_bytes()), &mut out)?;
        Ok(out)
    }

    #[test]
    fn request_has_all_texts_and_what_was_asked_for() {
        let mut out = Request::default();
        let request = r#"{"model":"m","texts":["a","é"],"dimensions":3,"extra":{"user":"u"}}"#;
        let mut stream = Stream::default();
        stream.encode(request, &mut out).unwrap();
        assert_eq!(stream.texts, 2);
        let body: Value = serde_json::from_str(&(out.body_head + &out.body_tail)).unwrap();
        assert_eq!(out.path, "/embeddings");
        let expected = json!({"model":"m","input":["a","é"],"encoding_format":"float","dimensions":3,"user":"u"});
        assert_eq!(body, expected);
        assert!(stream.encode("{}", &mut Request::default()).is_err());
    }

    #[test]
    fn vectors_come_in_the_order_of_the_texts_from_lists_and_from_base64() {
        let expected = Embeddings {
            values: vec![1.0, -0.5, 0.25, 2.0],
            dimensions: 2,
            input_tokens: Some(7),
            model: "m-1".into(),
        };
        let lists = r#"{"object":"list","data":[{"index":1,"embedding":[0.25,2]},{"index":0,"embedding":[1,-5e-1]}],
            "model":"m-1","usage":{"prompt_tokens":7,"total_tokens":7}}"#;
        assert_eq!(read(lists), Ok(expected.clone()));
        let code = |numbers: [f32; 2]| STANDARD.encode(numbers.map(f32::to_le_bytes).concat());
        let coded = json!({"data":[{"embedding":code([1.0, -0.5])},{"embedding":code([0.25, 2.0])}],"model":"m-1",
            "usage":{"total_tokens":7}});
        assert_eq!(read(&coded.to_string()), Ok(expected));
        let empty = Embeddings::default();
        assert_eq!(read(r#"{"data":[]}"#), Ok(empty));
    }

    #[test]
    fn replies_that_are_none_are_refused() {
        for body in [
            "",
            "[]",
            "{}",
            r#"{"data":[{"embedding":[]}]}"#,
            r#"{"data":[{"embedding":[1]},{"embedding":[1,2]}]}"#,
            r#"{"data":[{"embedding":[1,null]}]}"#,
            r#"{"data":[{"embedding":[1e300]}]}"#,
            r#"{"data":[{"embedding":"AAA"}]}"#,
            r#"{"data":[{"embedding":"AAAA"}]}"#,
            r#"{"data":[{"index":0,"embedding":[1]},{"index":0,"embedding":[1]}]}"#,
            r#"{"data":[{"index":1,"embedding":[1]}]}"#,
            r#"{"data":[{"index":0,"embedding":[1]},{"embedding":[1]}]}"#,
        ] {
            assert_eq!(read(body).unwrap_err().code, E_PROTOCOL, "{body}");
        }
    }

    #[test]
    fn errors_are_told_in_the_words_of_the_provider() {
        let said = read(r#"{"error":{"message":"no \"such\" model","type":"x"}}"#).unwrap_err();
        assert_eq!((said.code, &*said.message), (E_REMOTE, "no \"such\" model"));
        let body = br#"{"error":{"message":"Rate limit reached. Please try again in 2s."}}"#;
        let two = FrameRef::new(FRAME_WHOLE_BODY, br#"{"data":[{"embedding":[1]},{"embedding":[2]}]}"#);
        let said = Stream { texts: 1 }.decode(&two, &mut Embeddings::default()).unwrap_err();
        assert_eq!(said.message, "the reply has 2 vectors for 1 texts");
        let frame = FrameRef::new(FRAME_ERROR_BODY, body).with_status(429);
        let said = Stream::default().decode(&frame, &mut Embeddings::default()).unwrap_err();
        assert_eq!((said.http_status, said.retryable, said.retry_after_ms), (429, true, Some(2000)));
    }
}
