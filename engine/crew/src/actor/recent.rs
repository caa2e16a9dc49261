//! A memory in the process: the last exchanges.

use std::collections::VecDeque;

use thalweg::message::{Message, UserContent};

use super::memory::{Memory, MemoryFuture, Recalled, window};

/// Remembers the last messages, 64 unless set; whole exchanges are forgotten, the oldest first.
#[derive(Clone, Debug)]
pub struct Recent {
    messages: VecDeque<Message>,
    most: usize,
}

impl Default for Recent {
    fn default() -> Self {
        Self::new(64)
    }
}

impl Recent {
    /// Remembers `most` messages, as far as that can be kept: see [`window`].
    #[must_use]
    pub const fn new(most: usize) -> Self {
        Self { messages: VecDeque::new(), most }
    }
}

impl Memory for Recent {
    fn append<'a>(&'a mut self, messages: &'a [Message]) -> MemoryFuture<'a, ()> {
        self.messages.extend(messages.iter().cloned());
        let kept = window(self.messages.make_contiguous(), self.most).len();
        self.messages.drain(..self.messages.len() - kept);
        Box::pin(std::future::ready(Ok(())))
    }

    fn recent(&mut self, most: Option<usize>) -> MemoryFuture<'_, Vec<Message>> {
        let all = self.messages.make_contiguous();
        let recent = most.map_or(&*all, |most| window(all, most)).to_vec();
        Box::pin(std::future::ready(Ok(recent)))
    }

    /// By the words that both have: so many of the query's are in the message.
    fn search<'a>(&'a mut self, query: &'a str, most: usize) -> MemoryFuture<'a, Vec<Recalled>> {
        let wanted = words(query);
        let fits = |message: &Message| {
            let said = words(&text_of(message));
            wanted.iter().filter(|word| said.contains(word)).count() as f32 / wanted.len().max(1) as f32
        };
        let scored = self.messages.iter().map(|message| Recalled { score: fits(message), message: message.clone() });
        let mut found: Vec<Recalled> = scored.filter(|found| found.score > 0.0).collect();
        // Stable, so that of two that fit alike the older one is first.
        found.sort_by(|one, other| other.score.total_cmp(&one.score));
        found.truncate(most);
        Box::pin(std::future::ready(Ok(found)))
    }
}

fn words(text: &str) -> Vec<String> {
    let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_lowercase).collect()
}

/// What a message says, in words.
fn text_of(message: &Message) -> String {
    let parts = |content: &[UserContent]| content.iter().filter_map(UserContent::as_text).collect::<Vec<_>>().join(" ");
    match message {
        Message::User(user) => parts(&user.content),
        Message::Assistant(reply) => reply.text(),
        Message::Tool(tool) => tool.content.iter().map(|result| parts(&result.content)).collect::<Vec<_>>().join(" "),
        Message::Custom(_) => String::new(),
    }
}
