//! genai.

use futures_util::StreamExt as _;
use genai::adapter::AdapterKind;
use genai::chat::{ChatMessage, ChatRequest, ChatStreamEvent};
use genai::resolver::{AuthData, Endpoint};
use genai::{ModelIden, ServiceTarget};
use thalweg_end_to_end::arguments::Arguments;
use thalweg_end_to_end::client::{Client, KEY, MODEL, PROMPT, Sink};

#[derive(Clone)]
pub(crate) struct ByGenAi {
    client: genai::Client,
    target: ServiceTarget,
}

impl Client for ByGenAi {
    fn new(arguments: &Arguments) -> Self {
        let http = reqwest::Client::builder().no_proxy().build().expect("a client");
        let target = ServiceTarget {
            endpoint: Endpoint::from_owned(format!("{}/", arguments.url())),
            auth: AuthData::from_single(KEY),
            model: ModelIden::new(AdapterKind::OpenAI, MODEL),
        };
        Self { client: genai::Client::builder().with_reqwest(http).build().expect("a client"), target }
    }

    async fn ask<S: Sink>(&self, sink: &mut S) {
        let request = ChatRequest::new(vec![ChatMessage::user(PROMPT)]);
        let reply = self.client.exec_chat_stream(self.target.clone(), request, None).await.expect("a reply");
        let mut events = reply.stream;
        while let Some(event) = events.next().await {
            if let ChatStreamEvent::Chunk(chunk) = event.expect("an event") {
                sink.text(chunk.content.as_bytes());
            }
        }
    }
}
