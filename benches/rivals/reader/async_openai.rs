//! The types of `async-openai`, which it reads with `serde_json`. They own every string and know every field.

use std::borrow::Cow;

use ::async_openai::types::chat::CreateChatCompletionStreamResponse;
use ::async_openai::types::responses::ResponseStreamEvent;

use crate::rivals::answer::Answer;
use crate::rivals::stack::Reader;

/// Chunks of chat completions.
pub(crate) struct Chat;

impl Reader for Chat {
    fn new() -> Self {
        Self
    }

    fn read<A: Answer>(&mut self, payload: Cow<'_, str>, answer: &mut A) {
        // Its client looks for the mark in the same way.
        if payload == "[DONE]" {
            return;
        }
        let Ok(chunk) = ::serde_json::from_str::<CreateChatCompletionStreamResponse>(&payload) else {
            return answer.failure();
        };
        for choice in &chunk.choices {
            if let Some(text) = &choice.delta.content {
                answer.text(text.as_bytes());
            }
            for call in choice.delta.tool_calls.iter().flatten() {
                if let Some(arguments) = call.function.as_ref().and_then(|function| function.arguments.as_ref()) {
                    answer.arguments(arguments.as_bytes());
                }
            }
            if choice.finish_reason.is_some() {
                answer.stop();
            }
        }
        if let Some(usage) = &chunk.usage {
            answer.output_tokens(i64::from(usage.completion_tokens));
        }
    }
}

/// Events of responses.
pub(crate) struct Responses;

impl Reader for Responses {
    fn new() -> Self {
        Self
    }

    fn read<A: Answer>(&mut self, payload: Cow<'_, str>, answer: &mut A) {
        match ::serde_json::from_str::<ResponseStreamEvent>(&payload) {
            Ok(ResponseStreamEvent::ResponseOutputTextDelta(event)) => answer.text(event.delta.as_bytes()),
            Ok(ResponseStreamEvent::ResponseFunctionCallArgumentsDelta(event)) => {
                answer.arguments(event.delta.as_bytes());
            }
            Ok(ResponseStreamEvent::ResponseCustomToolCallInputDelta(event)) => {
                answer.arguments(event.delta.as_bytes());
            }
            Ok(ResponseStreamEvent::ResponseCompleted(event)) => {
                answer.stop();
                if let Some(usage) = &event.response.usage {
                    answer.output_tokens(i64::from(usage.output_tokens));
                }
            }
            Ok(_) => {}
            Err(_) => answer.failure(),
        }
    }
}
