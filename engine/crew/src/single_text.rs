//! Several messages as one.

use crate::crew::Crew;
use crate::field::{Field, Frozen};
use crate::message_promise::{MessagePromise, Token};
use crate::pieces::Appender;
use crate::sequence::Sequence;

/// How several messages become one text: [`Sequence::single_text`]. Values of later messages count more than those of
/// earlier ones, and `known` counts most.
#[derive(Clone, Debug)]
pub struct SingleText {
    /// Between two messages; a blank line by default.
    pub delimiter: String,
    /// Leaves out line ends at the beginning of each message.
    pub strip_leading_newlines: bool,
    /// Keeps the messages themselves under `original_messages`; so by default.
    pub keep_originals: bool,
    /// The class of the message; `TextMessage` by default.
    pub class: String,
    /// What is known of the message before it is there.
    pub known: Frozen,
}

impl Default for SingleText {
    fn default() -> Self {
        Self {
            delimiter: "\n\n".to_owned(),
            strip_leading_newlines: false,
            keep_originals: true,
            class: "TextMessage".to_owned(),
            known: Frozen::new(),
        }
    }
}

impl SingleText {
    pub(crate) fn of(self, crew: &Crew, messages: Sequence) -> MessagePromise {
        let Self { delimiter, strip_leading_newlines, keep_originals, class, known } = self;
        let crew = crew.clone().on_request();
        MessagePromise::stream_as(&crew, class, known, async move |pieces: Appender<Token>| {
            let (mut found, mut originals) = (Frozen::new(), Vec::new());
            let mut reader = messages.reader();
            let mut is_first = true;
            while let Some(promise) = reader.next().await {
                let promise = promise?;
                if !std::mem::take(&mut is_first) && !delimiter.is_empty() {
                    pieces.append(Token(delimiter.clone()))?;
                }
                let mut strips = strip_leading_newlines;
                let mut tokens = promise.tokens();
                while let Some(token) = tokens.next().await {
                    let Token(mut text) = token?;
                    if strips {
                        text = text.trim_start_matches(['\n', '\r']).to_owned();
                        strips = text.is_empty();
                    }
                    pieces.append(Token(text))?;
                }
                let message = promise.value().await?;
                for (name, value) in message.fields().iter().filter(|(name, _)| !TEXT.contains(name)) {
                    found.set(name.to_owned(), value.clone());
                }
                originals.push(Field::Message(message));
            }
            if keep_originals {
                found.set("original_messages".to_owned(), Field::List(originals));
            }
            Ok(found)
        })
    }
}

/// What is the text of a message, and no value besides.
const TEXT: [&str; 2] = ["content", "content_template"];
