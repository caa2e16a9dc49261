//! The engine from socket to text: its HTTP client, its framing and decoding, the codec linked in.

use std::sync::{Arc, Mutex, PoisonError};

use thalweg::http::{self, Proxy, Request};
use thalweg_abi::guest::{Codec as _, Direct};
use thalweg_abi::types::{EVENT_ERROR, EVENT_TEXT};
use thalweg_end_to_end::arguments::Arguments;
use thalweg_end_to_end::client::{Client, KEY, Sink};
use thalweg_openai::OpenAiChat;
use thalweg_wire::limits::Limits;
use thalweg_wire::pipeline::Framing;
use thalweg_wire::pipeline::Pipeline;

use super::request_body;

/// The engine without its agent.
#[derive(Clone)]
pub(super) struct Thalweg {
    url: Arc<str>,
    client: http::Client,
    idle: Arc<Mutex<Vec<Decoder>>>,
}

type Decoder = Pipeline<Direct<thalweg_openai::Stream>>;

impl Client for Thalweg {
    fn new(arguments: &Arguments) -> Self {
        let url = format!("{}/chat/completions", arguments.url()).into();
        Self { url, client: http_client(arguments), idle: Arc::default() }
    }

    async fn ask<S: Sink>(&self, sink: &mut S) {
        let request = Request::post(&self.url)
            .and_then(|request| request.header("content-type", "application/json"))
            .and_then(|request| request.header("authorization", &format!("Bearer {KEY}")))
            .expect("a request")
            .body([request_body()]);
        let mut reply = self.client.send(request).await.expect("a reply");
        assert!(reply.is_success(), "{}", reply.status);
        let free = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut decoder = free.unwrap_or_else(decoder);
        while let Some(chunk) = reply.body.chunk().await.expect("a whole body") {
            decoder
                .feed(&chunk, &mut |events| {
                    for event in events {
                        match event.kind() {
                            EVENT_TEXT => sink.text(event.text()),
                            EVENT_ERROR => panic!("{}", String::from_utf8_lossy(event.text())),
                            _ => {}
                        }
                    }
                })
                .expect("a reply that can be read");
        }
        decoder.finish(&mut |_| {}).expect("a reply that can be read");
        assert_eq!(decoder.counters().dropped_at_eof, 0, "the body ends within an event");
        decoder.reset();
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(decoder);
    }
}

fn decoder() -> Decoder {
    let stream = OpenAiChat.open("{}").expect("no options are always allowed");
    Pipeline::new(Direct::new(stream), Framing::Sse, Limits::default()).with_description(OpenAiChat.describe())
}

/// The client of the engine as it is, but for the certificate of the server.
pub(super) fn http_client(arguments: &Arguments) -> http::Client {
    let ca_files = arguments.certificate().into_iter().collect();
    let options = http::Options { ca_files, proxy: Proxy::Off, ..http::Options::default() };
    http::Client::new(options).expect("a client")
}
