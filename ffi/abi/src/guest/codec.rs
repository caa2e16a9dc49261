//! What the author of a dialect implements.

use crate::failure::Failure;
use crate::guest::Out;
use crate::types::FrameRef;

/// A dialect: describes itself and opens streams. Does no I/O, knows no key and no clock.
pub trait Codec: Send + Sync + 'static {
    /// The state of one conversation with one provider.
    type Stream: CodecStream;

    /// JSON that describes the dialect; see docs/PLUGINS.md.
    fn describe(&self) -> &str;

    /// Opens a stream with JSON options (`provider`, `base_url`, `flags`; all optional, unknown keys are ignored).
    ///
    /// # Errors
    /// When the options cannot be read or name something that the dialect does not have.
    fn open(&self, options: &str) -> Result<Self::Stream, Failure>;
}

/// One conversation: writes its requests and reads its replies, one reply at a time.
pub trait CodecStream: Send + 'static {
    /// Appends the wire form of one canonical message (JSON) to `out`: one element of the array of messages, or several
    /// joined by commas, or nothing.
    ///
    /// # Errors
    /// When the message is not JSON or holds something that the dialect cannot say.
    fn encode_message(&mut self, message: &str, out: &mut String) -> Result<(), Failure>;

    /// Writes all of a request but its messages; `out` comes empty.
    ///
    /// # Errors
    /// As [`CodecStream::encode_message`].
    fn encode_request(&mut self, request: &str, out: &mut Request) -> Result<(), Failure>;

    /// Sees all frames of a call before the first of them is read, through the table only. For a codec that asks elsewhere, and
    /// would rather ask once.
    ///
    /// # Errors
    /// When it cannot read them; none of them is read then.
    fn begin_frames(&mut self, _frames: &[FrameRef<'_>]) -> Result<(), Failure> {
        Ok(())
    }

    /// Reads one frame. A frame that the dialect does not allow is an `EVENT_ERROR` event.
    ///
    /// Slices of events are slices of the frame, unchanged. `'static` text carries `FLAG_SCRATCH`; text that exists
    /// nowhere goes through [`Out::push_copied`].
    fn decode_frame<'f>(&mut self, frame: &FrameRef<'f>, out: &mut Out<'_, 'f>);

    /// The body has ended: comes before [`CodecStream::finish`], as [`CodecStream::begin_frames`] does before frames.
    ///
    /// # Errors
    /// When the end cannot be told.
    fn begin_finish(&mut self) -> Result<(), Failure> {
        Ok(())
    }

    /// The body has ended: gives what is still held back. All slices carry `FLAG_SCRATCH`.
    fn finish<'s>(&'s mut self, out: &mut Out<'_, 's>);

    /// Forgets the reply read so far, before the next one on the same stream.
    fn reset(&mut self);
}

/// A request as a dialect writes it. The body is `body_head`, the messages joined by commas, `body_tail`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// Path below the provider's base URL, with a leading slash.
    pub path: String,
    /// Headers beyond those of the engine: lower-case name, value. Never a key.
    pub headers: Vec<(String, String)>,
    /// Body before the first message.
    pub body_head: String,
    /// Body after the last message.
    pub body_tail: String,
}

impl Request {
    /// Empties all parts and keeps their memory.
    pub fn clear(&mut self) {
        self.path.clear();
        self.headers.clear();
        self.body_head.clear();
        self.body_tail.clear();
    }
}
