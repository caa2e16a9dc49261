//! Vectors of texts over HTTP: requests as the provider wants them, signed, and replies in order.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::mpsc::{self, Receiver};
use std::thread;

use serde_json::{Value, json};
use thalweg::failure::FailureKind;
use thalweg::http::Retry;
use thalweg::plugin::{Loader, Registry};
use thalweg::{Embedder, EmbedderBuilder, Error};

/// A request as it came.
struct Seen {
    head: String,
    body: Value,
}

/// Answers one request after the other with what `answer` gives: status line and body.
fn serve(answer: impl Fn(usize, &Value) -> (&'static str, String) + Send + 'static) -> (String, Receiver<Seen>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    let (told, seen) = mpsc::channel();
    thread::spawn(move || {
        for (number, socket) in listener.incoming().enumerate() {
            let mut socket = BufReader::new(socket.unwrap());
            let (mut head, mut length) = (String::new(), 0);
            loop {
                let mut line = String::new();
                socket.read_line(&mut line).unwrap();
                if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
                    length = value.trim().parse().unwrap();
                }
                if line.trim().is_empty() {
                    break;
                }
                head.push_str(&line);
            }
            let mut body = vec![0; length];
            socket.read_exact(&mut body).unwrap();
            let body = serde_json::from_slice(&body).unwrap();
            let (status, reply) = answer(number, &body);
            let more = if status.starts_with("503") { "retry-after-ms: 1\r\n" } else { "" };
            let length = reply.len();
            let reply =
                format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\n{more}connection: close\r\n\r\n{reply}");
            // Told first: whoever has the answer finds the request.
            if told.send(Seen { head, body }).is_err() {
                return;
            }
            socket.get_mut().write_all(reply.as_bytes()).unwrap();
        }
    });
    (url, seen)
}

fn embedder(url: &str) -> EmbedderBuilder {
    Embedder::builder().model("m").base_url(url).api_key("sk-test").link(thalweg_openai::module())
}

/// Vectors that say how long each text is, last text first.
fn lengths(body: &Value) -> String {
    let texts = body["input"].as_array().unwrap();
    let vector =
        |(index, text): (usize, &Value)| json!({"index": index, "embedding": [text.as_str().unwrap().len(), -1.5]});
    let data: Vec<Value> = texts.iter().enumerate().map(vector).rev().collect();
    json!({"data": data, "model": "m-1", "usage": {"prompt_tokens": texts.len()}}).to_string()
}

fn failure(error: Error) -> (FailureKind, String) {
    match error {
        Error::Run { failure, .. } => (failure.kind, failure.message),
        other => panic!("expected a failed request, got {other}"),
    }
}

#[tokio::test]
async fn vectors_come_in_the_order_of_the_texts_and_the_request_is_signed() {
    let (url, seen) = serve(|_, body| ("200 OK", lengths(body)));
    let vectors = embedder(&url).dimensions(2).build().unwrap().embed(&["a", "four", "naïve"]).await.unwrap();
    assert_eq!(vectors.iter().collect::<Vec<_>>(), [[1.0, -1.5], [4.0, -1.5], [6.0, -1.5]]);
    assert_eq!((vectors.input_tokens, vectors.model.as_str()), (Some(3), "m-1"));
    let Seen { head, body } = seen.recv().unwrap();
    assert!(head.starts_with("POST /v1/embeddings HTTP/1.1"), "{head}");
    assert!(head.to_lowercase().contains("authorization: bearer sk-test"), "{head}");
    let expected = json!({"model": "m", "input": ["a", "four", "naïve"], "encoding_format": "float", "dimensions": 2});
    assert_eq!(body, expected);
}

#[tokio::test]
async fn the_plugin_from_its_file_does_the_same_and_no_text_is_no_request() {
    let (url, seen) = serve(|_, body| ("200 OK", lengths(body)));
    let mut registry = Registry::new();
    registry.add(Loader::new().load_named("openai").unwrap()).unwrap();
    let embedder = Embedder::builder().model("m").base_url(&url).api_key("sk-test").plugins(&registry).build().unwrap();
    assert_eq!(embedder.embed(&["ab"]).await.unwrap().values, [2.0, -1.5]);
    let none: [&str; 0] = [];
    assert_eq!(embedder.embed(&none).await.unwrap().iter().len(), 0);
    assert_eq!(seen.try_iter().count(), 1);
}

#[tokio::test]
async fn more_texts_than_the_provider_takes_go_in_several_requests() {
    let (url, seen) = serve(|_, body| ("200 OK", lengths(body)));
    let texts: Vec<String> = (0..5000).map(|length| "x".repeat(length % 7)).collect();
    let vectors = embedder(&url).build().unwrap().embed(&texts).await.unwrap();
    assert_eq!(vectors.iter().len(), 5000);
    assert!(vectors.iter().zip(&texts).all(|(vector, text)| vector[0] == text.len() as f32));
    assert_eq!(vectors.input_tokens, Some(5000));
    let sizes: Vec<usize> = seen.try_iter().map(|seen| seen.body["input"].as_array().unwrap().len()).collect();
    assert_eq!(sizes, [2048, 2048, 904]);
}

#[tokio::test]
async fn what_the_provider_says_is_told_and_what_may_pass_is_asked_again() {
    let (url, seen) = serve(|number, body| match number {
        0 => ("503 Service Unavailable", "busy".into()),
        1 => ("200 OK", lengths(body)),
        2 => ("401 Unauthorized", r#"{"error":{"message":"no such key"}}"#.into()),
        3 => ("200 OK", r#"{"error":{"message":"asleep"}}"#.into()),
        4 => ("200 OK", r#"{"data":[{"embedding":[1]},{"embedding":[2]}]}"#.into()),
        _ => ("200 OK", "<html>".into()),
    });
    let again = embedder(&url).build().unwrap();
    assert_eq!(again.embed(&["x"]).await.unwrap().values, [1.0, -1.5]);
    assert_eq!(seen.try_iter().count(), 2);
    let once = embedder(&url).retry(Retry::never()).build().unwrap();
    let (kind, message) = failure(once.embed(&["x"]).await.unwrap_err());
    assert_eq!(kind, FailureKind::Auth);
    assert!(message.starts_with("HTTP 401 from ") && message.ends_with(": no such key"), "{message}");
    let (kind, message) = failure(once.embed(&["x"]).await.unwrap_err());
    assert_eq!(kind, FailureKind::Other);
    assert!(message.ends_with(": asleep"), "{message}");
    let (kind, message) = failure(once.embed(&["x"]).await.unwrap_err());
    assert_eq!(kind, FailureKind::Malformed);
    assert!(message.contains("2 vectors for 1 texts"), "{message}");
    let (kind, message) = failure(once.embed(&["x"]).await.unwrap_err());
    assert_eq!(kind, FailureKind::Malformed);
    assert!(message.contains("no list of vectors"), "{message}");
}

#[tokio::test]
async fn a_dialect_without_vectors_says_so() {
    let error = Embedder::builder().model("anthropic/claude").api_key("k").link(thalweg_openai::module()).build();
    let message = error.unwrap_err().to_string();
    assert!(message.contains(r#"no plugin makes vectors in dialect "anthropic""#), "{message}");
    assert!(message.contains("there is openai-chat"), "{message}");
}
