//! async-openai.

use async_openai::Client as OpenAi;
use async_openai::config::OpenAIConfig;
use async_openai::types::chat::{
    ChatCompletionRequestUserMessageArgs, CreateChatCompletionRequest, CreateChatCompletionRequestArgs,
};
use futures_util::StreamExt as _;
use thalweg_end_to_end::arguments::Arguments;
use thalweg_end_to_end::client::{Client, KEY, MODEL, PROMPT, Sink};

#[derive(Clone)]
pub(crate) struct ByAsyncOpenAi {
    client: OpenAi<OpenAIConfig>,
}

impl Client for ByAsyncOpenAi {
    fn new(arguments: &Arguments) -> Self {
        let config = OpenAIConfig::new().with_api_base(arguments.url()).with_api_key(KEY);
        let http = reqwest::Client::builder().no_proxy().build().expect("a client");
        Self { client: OpenAi::with_config(config).with_http_client(http) }
    }

    async fn ask<S: Sink>(&self, sink: &mut S) {
        let mut chunks = self.client.chat().create_stream(request()).await.expect("a reply");
        while let Some(chunk) = chunks.next().await {
            for choice in chunk.expect("a chunk").choices {
                if let Some(text) = choice.delta.content {
                    sink.text(text.as_bytes());
                }
            }
        }
    }
}

fn request() -> CreateChatCompletionRequest {
    let prompt = ChatCompletionRequestUserMessageArgs::default().content(PROMPT).build().expect("a message");
    CreateChatCompletionRequestArgs::default().model(MODEL).messages([prompt.into()]).build().expect("a request")
}
