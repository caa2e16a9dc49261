//! What of a message is searched.

use thalweg_agent::message::{ContentBlock, Message, UserContent};

/// All that a reader of the conversation would see as text: what was said, thought, asked of tools and answered by them.
pub(crate) fn searchable(message: &Message) -> String {
    let mut text = String::new();
    let mut add = |piece: &str| {
        if !text.is_empty() {
            text.push('\n');
        }
        text.push_str(piece);
    };
    match message {
        Message::User(message) => message.content.iter().filter_map(UserContent::as_text).for_each(add),
        Message::Assistant(message) => {
            for block in &message.content {
                match block {
                    ContentBlock::Text { text }
                    | ContentBlock::Refusal { text }
                    | ContentBlock::Thinking { text, .. } => {
                        add(text);
                    }
                    ContentBlock::ToolCall(call) => {
                        add(&call.name);
                        add(&call.arguments);
                    }
                    ContentBlock::RedactedThinking { .. } => {}
                }
            }
        }
        Message::Tool(message) => {
            for result in &message.content {
                result.content.iter().filter_map(UserContent::as_text).for_each(&mut add);
            }
        }
        // What the program keeps for itself is no text of the conversation.
        Message::Custom(_) => {}
    }
    text
}
