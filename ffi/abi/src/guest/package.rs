//! What a plugin crate offers, as one type.

use crate::failure::Failure;
use crate::guest::{Codec, CodecStream, Embed, Models, Out, Provider, Request, Serve, Tool, export};
use crate::module::Module;
use crate::table::{ABI_MAJOR, ABI_MINOR, MANIFEST_MAGIC, MANIFEST_PANIC_ABORT, Manifest};
use crate::types::{Event, FrameRef};

/// The content of a plugin. [`plugin!`](crate::plugin) writes the implementation.
pub trait Package: Send + Sync + 'static {
    /// Short or reverse-domain id, at most 63 bytes.
    const ID: &'static str;
    /// Version of the plugin, at most 31 bytes.
    const VERSION: &'static str;
    /// The dialect; [`NoCodec`] where there is none.
    type Codec: Codec;

    /// The dialect, made when the plugin starts.
    fn codec() -> Option<Self::Codec>;

    /// The provider that drives itself, made when the plugin starts.
    #[must_use]
    fn provider() -> Option<Box<dyn Provider>> {
        None
    }

    /// The list of models, made when the plugin starts.
    #[must_use]
    fn models() -> Option<Box<dyn Models>> {
        None
    }

    /// What makes vectors of texts, made when the plugin starts.
    #[must_use]
    fn embed() -> Option<Box<dyn Embed>> {
        None
    }

    /// The dialect from the side of the server, made when the plugin starts.
    #[must_use]
    fn serve() -> Option<Box<dyn Serve>> {
        None
    }

    /// The tools, made when the plugin starts.
    fn tools() -> Vec<Box<dyn Tool>>;
}

/// What a plugin offers that is put together while a program runs.
pub struct Parts<C> {
    /// The dialect.
    pub codec: Option<C>,
    /// The provider that drives itself.
    pub provider: Option<Box<dyn Provider>>,
    /// What lists its models.
    pub models: Option<Box<dyn Models>>,
    /// What makes vectors of texts.
    pub embed: Option<Box<dyn Embed>>,
    /// The dialect from the side of the server.
    pub serve: Option<Box<dyn Serve>>,
    /// The tools.
    pub tools: Vec<Box<dyn Tool>>,
}

impl<C> core::fmt::Debug for Parts<C> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Parts")
            .field("codec", &self.codec.is_some())
            .field("provider", &self.provider.is_some())
            .field("models", &self.models.is_some())
            .field("embed", &self.embed.is_some())
            .field("serve", &self.serve.is_some())
            .field("tools", &self.tools.len())
            .finish()
    }
}

/// The plugin behind a package, for a program that links it in: the same tables as of a shared object.
#[must_use]
pub fn module<P: Package>() -> Module {
    // SAFETY: `export::entry` keeps the rules, and code that is linked in stays.
    unsafe { Module::new(const { manifest(P::ID, P::VERSION) }, export::entry::<P>) }
}

/// The manifest of a plugin that is built with this crate. Used by `export_plugin!`.
///
/// # Panics
/// When a text is too long for its field; in a constant that is an error of the build.
#[must_use]
pub const fn manifest(id: &str, version: &str) -> Manifest {
    assert!(!id.is_empty(), "a plugin needs an id");
    Manifest {
        magic: MANIFEST_MAGIC,
        struct_size: size_of::<Manifest>() as u32,
        abi_major: ABI_MAJOR,
        abi_minor: ABI_MINOR,
        min_host_minor: 0,
        pointer_bits: usize::BITS,
        event_size: size_of::<Event>() as u32,
        flags: if cfg!(panic = "unwind") { 0 } else { MANIFEST_PANIC_ABORT },
        id: padded(id),
        version: padded(version),
        build: padded("rust"),
        cpu: padded(""),
    }
}

const fn padded<const N: usize>(text: &str) -> [u8; N] {
    let text = text.as_bytes();
    assert!(text.len() < N, "a text of the manifest is too long for its field");
    let mut field = [0; N];
    let mut at = 0;
    while at < text.len() {
        field[at] = text[at];
        at += 1;
    }
    field
}

/// The codec of a plugin that has none.
#[derive(Debug)]
pub enum NoCodec {}

impl Codec for NoCodec {
    type Stream = Self;

    fn describe(&self) -> &str {
        match *self {}
    }

    fn open(&self, _: &str) -> Result<Self, Failure> {
        match *self {}
    }
}

impl CodecStream for NoCodec {
    fn encode_message(&mut self, _: &str, _: &mut String) -> Result<(), Failure> {
        match *self {}
    }

    fn encode_request(&mut self, _: &str, _: &mut Request) -> Result<(), Failure> {
        match *self {}
    }

    fn decode_frame<'f>(&mut self, _: &FrameRef<'f>, _: &mut Out<'_, 'f>) {
        match *self {}
    }

    fn finish<'s>(&'s mut self, _: &mut Out<'_, 's>) {
        match *self {}
    }

    fn reset(&mut self) {
        match *self {}
    }
}
