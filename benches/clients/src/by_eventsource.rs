//! reqwest, eventsource-stream and serde_json: what most programs in Rust do.

use std::borrow::Cow;
use std::sync::Arc;

use eventsource_stream::Eventsource as _;
use futures_util::StreamExt as _;
use serde::Deserialize;
use thalweg_end_to_end::arguments::Arguments;
use thalweg_end_to_end::client::{Client, KEY, MODEL, PROMPT, Sink};

#[derive(Clone)]
pub(crate) struct ByEventSource {
    client: reqwest::Client,
    url: Arc<str>,
}

impl Client for ByEventSource {
    fn new(arguments: &Arguments) -> Self {
        let client = reqwest::Client::builder().no_proxy().build().expect("a client");
        Self { client, url: format!("{}/chat/completions", arguments.url()).into() }
    }

    async fn ask<S: Sink>(&self, sink: &mut S) {
        let body =
            format!(r#"{{"model":"{MODEL}","stream":true,"messages":[{{"role":"user","content":"{PROMPT}"}}]}}"#);
        let request = self.client.post(&*self.url).header("content-type", "application/json").bearer_auth(KEY);
        let reply = request.body(body).send().await.expect("a reply").error_for_status().expect("a good one");
        let mut events = reply.bytes_stream().eventsource();
        while let Some(event) = events.next().await {
            let data = event.expect("an event").data;
            if data == "[DONE]" {
                continue;
            }
            let chunk: Chunk<'_> = serde_json::from_str(&data).expect("JSON of a chunk");
            for choice in chunk.choices {
                if let Some(text) = choice.delta.content {
                    sink.text(text.as_bytes());
                }
            }
        }
    }
}

#[derive(Deserialize)]
struct Chunk<'a> {
    #[serde(borrow)]
    choices: Vec<Choice<'a>>,
}

#[derive(Deserialize)]
struct Choice<'a> {
    #[serde(borrow)]
    delta: Delta<'a>,
}

#[derive(Deserialize)]
struct Delta<'a> {
    #[serde(borrow)]
    content: Option<Cow<'a, str>>,
}
