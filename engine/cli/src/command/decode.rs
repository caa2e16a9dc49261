//! `thalweg decode`: what a recorded reply says, as one JSON object.

use std::fs::File;
use std::io::{self, Read, Write as _};
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::PathBuf;

use serde_json::Value;
use thalweg_abi::host::Codec;
use thalweg_abi::types::StreamEvent;
use thalweg_wire::limits::Limits;
use thalweg_wire::pipeline::{Framing, Pipeline};

use crate::facts::Facts;
use crate::failure::Failure;
use crate::plugins;

/// Decode a recorded reply and print what it says as one JSON object
///
/// FILE holds the body of one HTTP reply as it came over the wire. The answer has `text`, `thinking`, `refusal`,
/// `tool_calls`, `finish_reason`, `usage` (the provider's own), `usage_norm` (the same counters for every dialect),
/// `errors` and `events`; and `choices` when there are several. An error inside the stream is part of the answer, not a
/// failure of the command.
#[derive(clap::Args)]
pub(crate) struct Decode {
    /// The dialect of the reply: openai-chat, openai-responses, anthropic, ollama, …
    #[arg(long, short, value_name = "DIALECT")]
    dialect: String,
    /// Feed the decoder with pieces of so many bytes; the answer does not depend on it
    #[arg(long, value_name = "BYTES", default_value = "65536")]
    chunk: NonZeroUsize,
    /// For the authors of codecs: have the codec read one in N of the frames that the engine reads by itself, and fail if it
    /// reads one otherwise than it has promised
    #[arg(long, value_name = "N", env = "THALWEG_CHECK_TEMPLATES")]
    check_templates: Option<NonZeroU32>,
    /// The file, or `-` for stdin
    file: PathBuf,
}

impl Decode {
    pub(crate) fn execute(self) -> Result<(), Failure> {
        let name = self.file.display();
        let unreadable = |error: io::Error| Failure::usage(format_args!("cannot read {name}: {error}"));
        let mut input: Box<dyn Read> = if self.file.as_os_str() == "-" {
            Box::new(io::stdin().lock())
        } else {
            Box::new(File::open(&self.file).map_err(unreadable)?)
        };
        let codec = plugins::codec(&self.dialect)?;
        let stream = codec.open("{}").map_err(Failure::run)?;
        let pipeline = Pipeline::new(stream, framing(&codec)?, Limits::default());
        let mut pipeline = pipeline.with_description(&codec.describe().map_err(Failure::run)?);
        if let Some(every) = self.check_templates {
            pipeline = pipeline.with_template_check(every);
        }
        let mut facts = Facts::default();
        let mut chunk = vec![0; self.chunk.get().min(CHUNK_BYTES_MAX)];
        let outcome = loop {
            let read = fill(&mut input, &mut chunk).map_err(unreadable)?;
            let mut sink = |events: &[StreamEvent<'_>]| events.iter().for_each(|event| facts.handle_event(event));
            if read == 0 {
                break pipeline.finish(&mut sink);
            }
            if let Err(error) = pipeline.feed(&chunk[..read], &mut sink) {
                break Err(error);
            }
        };
        thalweg::check_marks(&pipeline).map_err(Failure::run)?;
        if let Err(error) = outcome {
            facts.handle_failure(&error.to_string());
        }
        let mut out = io::stdout().lock();
        serde_json::to_writer_pretty(&mut out, &facts.into_json()).map_err(io::Error::from)?;
        writeln!(out)?;
        Ok(out.flush()?)
    }
}

/// How the dialect's bodies are cut.
pub(crate) fn framing(codec: &Codec) -> Result<Framing, Failure> {
    let description: Value = serde_json::from_str(codec.describe().map_err(Failure::run)?.as_ref())
        .map_err(|error| Failure::run(format_args!("the codec's description cannot be read: {error}")))?;
    let name = description["framing"].as_str().unwrap_or_default();
    Framing::from_name(name)
        .ok_or_else(|| Failure::run(format_args!("the codec asks for the unknown framing `{name}`")))
}

/// Reads until the chunk is full or the input ends, so that pieces have the size that was asked for.
fn fill(input: &mut dyn Read, chunk: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < chunk.len() {
        match input.read(&mut chunk[filled..]) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// No larger piece is worth its memory.
const CHUNK_BYTES_MAX: usize = 16 << 20;
