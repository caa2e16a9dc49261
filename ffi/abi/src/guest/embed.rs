//! What the author of a dialect implements that makes vectors of texts.

use crate::failure::Failure;
use crate::guest::Request;
use crate::types::FrameRef;

/// The part of a dialect that makes vectors of texts. Does no I/O and knows no key.
pub trait Embed: Send + Sync + 'static {
    /// JSON: `{"dialect":s,"auth":{…},"texts_max":n}`; see docs/PLUGINS.md.
    fn describe(&self) -> &str;

    /// Opens a stream with the JSON options of a codec.
    ///
    /// # Errors
    /// When the options cannot be read or name something that the dialect does not have.
    fn open(&self, options: &str) -> Result<Box<dyn EmbedStream>, Failure>;
}

/// One request after the other, and their replies.
pub trait EmbedStream: Send + 'static {
    /// Writes a request: `{"model":s,"texts":[s],"dimensions"?:n,"extra"?:{}}`; `out` comes empty.
    ///
    /// # Errors
    /// When the request is not JSON or asks for something that the dialect cannot say.
    fn encode(&mut self, request: &str, out: &mut Request) -> Result<(), Failure>;

    /// Reads the reply: a whole body, or the body of an error; `out` comes empty.
    ///
    /// # Errors
    /// What the provider said in an error, with `E_REMOTE`; or that the body is not what the dialect promises.
    fn decode(&mut self, reply: &FrameRef<'_>, out: &mut Embeddings) -> Result<(), Failure>;
}

/// The vectors of one reply.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Embeddings {
    /// One vector after the other, in the order of the texts.
    pub values: Vec<f32>,
    /// Numbers of one vector.
    pub dimensions: u32,
    /// Tokens that were read, where the provider says.
    pub input_tokens: Option<u64>,
    /// The model that the provider names.
    pub model: String,
}

impl Embeddings {
    /// Empties all parts and keeps their memory.
    pub fn clear(&mut self) {
        self.values.clear();
        self.model.clear();
        (self.dimensions, self.input_tokens) = (0, None);
    }

    /// Appends the vector of the next text.
    ///
    /// # Errors
    /// When it is empty, or not as long as those before it.
    pub fn push(&mut self, vector: &[f32]) -> Result<(), Failure> {
        let long = u32::try_from(vector.len()).unwrap_or(u32::MAX);
        if long == 0 || (self.dimensions != 0 && self.dimensions != long) {
            let message = format!("a vector has {} numbers where the others have {}", vector.len(), self.dimensions);
            return Err(Failure::new(crate::types::E_PROTOCOL, message));
        }
        self.dimensions = long;
        self.values.extend_from_slice(vector);
        Ok(())
    }
}
