//! An event that owns its texts: what the state machine hands to the log.

use std::borrow::Cow;
use std::sync::Arc;

use thalweg_abi::types::StreamEvent;

/// An engine event on its way into the log. Read it with [`OwnedEvent::as_event`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnedEvent {
    /// One of [`crate::kind`].
    pub kind: u32,
    /// As the kind says.
    pub block: u32,
    /// As the kind says.
    pub num: i64,
    /// When it happened, on the clock of the caller.
    pub time_us: u64,
    /// As the kind says.
    pub text: Arc<String>,
    /// As the kind says.
    pub aux: Cow<'static, str>,
}

impl OwnedEvent {
    /// An event without texts.
    #[must_use]
    pub fn new(kind: u32, time_us: u64) -> Self {
        Self { kind, block: 0, num: 0, time_us, text: Arc::default(), aux: Cow::Borrowed("") }
    }

    /// The same event with its texts. `text` is shared, since the JSON of a message stands in the history too.
    #[must_use]
    pub fn with_texts(mut self, text: impl Into<Arc<String>>, aux: impl Into<Cow<'static, str>>) -> Self {
        self.text = text.into();
        self.aux = aux.into();
        self
    }

    /// The same event of block `block` with number `num`.
    #[must_use]
    pub const fn with_place(mut self, block: u32, num: i64) -> Self {
        self.block = block;
        self.num = num;
        self
    }

    /// The form of the log and of the C side.
    #[must_use]
    pub fn as_event(&self) -> StreamEvent<'_> {
        StreamEvent::new(self.kind)
            .with_block(self.block)
            .with_num(self.num)
            .with_text(self.text.as_bytes())
            .with_aux(self.aux.as_bytes())
    }
}
