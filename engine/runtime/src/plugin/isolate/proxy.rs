//! What the engine sees of a plugin that runs in a process of its own: the tables of a plugin whose functions ask that
//! process.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use thalweg_abi::failure::Failure;
use thalweg_abi::guest::{
    self, Codec, CodecStream, Embed, EmbedStream, Embeddings, Model, Models, Out, Provider, Reply, Request, Tool,
    ToolCall, ToolInfo,
};
use thalweg_abi::table::TOOL_BLOCKING;
use thalweg_abi::types::{E_CANCELLED, FLAG_SCRATCH, FrameRef, StreamEvent};

use crate::plugin::isolate::cell::Cell;
use crate::plugin::isolate::link::{Call, Link, closed, too_long};
use crate::plugin::isolate::message::{Answer, Ask, OwnedEvent, OwnedFrame, Piece, Tell};

/// What a process says of its plugin.
#[derive(Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) struct About {
    pub(crate) codec: Option<String>,
    pub(crate) provider: Option<String>,
    pub(crate) has_models: bool,
    pub(crate) embed: Option<String>,
    pub(crate) tools: Vec<AboutTool>,
}

#[derive(Debug, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) struct AboutTool {
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) parameters: String,
    pub(crate) flags: u32,
}

/// How often a call that waits looks whether it was cancelled.
const TICK: Duration = Duration::from_millis(10);

/// Waits for the next word of a call, and passes a cancel on; a call that says nothing for too long, or does not end soon
/// after it was cancelled, ends the process.
struct Watch<'a> {
    cell: &'a Cell,
    call: Call,
    heard: Instant,
    cancelled: Option<Instant>,
}

impl<'a> Watch<'a> {
    fn begin(cell: &'a Cell, ask: &Ask) -> Result<Self, Failure> {
        let call = cell.link()?.call(ask)?;
        Ok(Self { cell, call, heard: Instant::now(), cancelled: None })
    }

    fn next(&mut self, is_cancelled: impl Fn() -> bool) -> Result<Tell, Failure> {
        loop {
            if let Some(tell) = self.call.next(TICK)? {
                self.heard = Instant::now();
                return Ok(tell);
            }
            let limits = self.cell.isolation();
            if self.cancelled.is_none() && is_cancelled() {
                self.cancelled = Some(Instant::now());
                self.call.say(&Ask::Cancel)?;
            }
            if self.heard.elapsed() > limits.silence_max {
                self.call.link().kill(too_long(limits.silence_max));
            } else if self.cancelled.is_some_and(|when| when.elapsed() > limits.cancel_max) {
                let text = format!("its process did not end within {} ms of a cancel", limits.cancel_max.as_millis());
                self.call.link().kill(Failure::new(E_CANCELLED, text));
            }
        }
    }
}

/// A tool of the process.
#[derive(Debug)]
pub(crate) struct IsolatedTool {
    pub(crate) cell: Arc<Cell>,
    pub(crate) index: u32,
    pub(crate) about: AboutTool,
}

impl Tool for IsolatedTool {
    fn info(&self) -> ToolInfo<'_> {
        let AboutTool { name, description, parameters, flags } = &self.about;
        // Whatever it is there, here a thread waits for it.
        ToolInfo { name, description, parameters, flags: flags | TOOL_BLOCKING }
    }

    fn invoke(&self, call: &mut ToolCall<'_>) -> Result<String, String> {
        let ask = Ask::Invoke { tool: self.index, call_id: call.id.to_owned(), arguments: call.arguments.to_owned() };
        let words = |failure: Failure| failure.to_string();
        let mut watch = Watch::begin(&self.cell, &ask).map_err(words)?;
        loop {
            match watch.next(|| call.sink.is_cancelled()).map_err(words)? {
                Tell::Progress { permille, text } => call.sink.progress(&text, permille),
                Tell::Ended(Ok(Answer::Text(text))) => return Ok(text),
                Tell::Ended(Err(failure)) => return Err(words(failure)),
                _ => return Err(words(unasked(watch.call.link()))),
            }
        }
    }
}

/// What a process says that it was not asked ends it.
fn unasked(link: &Link) -> Failure {
    let failure = closed("its process answered with what was not asked and was ended".to_owned());
    link.kill(failure.clone());
    failure
}

/// The provider of the process.
#[derive(Debug)]
pub(crate) struct IsolatedProvider {
    pub(crate) cell: Arc<Cell>,
    pub(crate) description: String,
}

impl Provider for IsolatedProvider {
    fn describe(&self) -> &str {
        &self.description
    }

    fn reply(&self, request: &str, reply: &mut Reply) -> Result<(), Failure> {
        let mut watch = Watch::begin(&self.cell, &Ask::Start { request: request.to_owned() })?;
        loop {
            match watch.next(|| reply.is_cancelled())? {
                Tell::Events(events) => {
                    for event in &events {
                        let (Piece::Own(text), Piece::Own(aux)) = (&event.text, &event.aux) else {
                            return Err(unasked(watch.call.link()));
                        };
                        // One that nobody listens to is told so at the next look.
                        let _ = reply.push(&[bare(event).with_text(text).with_aux(aux)]);
                    }
                    // The time that its reader took is not the plugin's.
                    watch.heard = Instant::now();
                    watch.call.say(&Ask::More)?;
                }
                Tell::Ended(Ok(_)) => return Ok(()),
                Tell::Ended(Err(failure)) => return Err(failure),
                _ => return Err(unasked(watch.call.link())),
            }
        }
    }
}

/// An event without its texts.
const fn bare(event: &OwnedEvent) -> StreamEvent<'static> {
    StreamEvent::new(event.kind)
        .with_flags(event.flags & !FLAG_SCRATCH)
        .with_block(event.block)
        .with_sub(event.sub)
        .with_num(event.num)
}

/// The codec of the process.
#[derive(Debug)]
pub(crate) struct IsolatedCodec {
    pub(crate) cell: Arc<Cell>,
    pub(crate) description: String,
}

impl Codec for IsolatedCodec {
    type Stream = IsolatedStream;

    fn describe(&self) -> &str {
        &self.description
    }

    fn open(&self, options: &str) -> Result<IsolatedStream, Failure> {
        let (link, id) = open(&self.cell, options)?;
        let (cell, options) = (Arc::clone(&self.cell), options.to_owned());
        Ok(IsolatedStream {
            cell,
            link,
            id,
            options,
            messages: Vec::new(),
            told: VecDeque::new(),
            at: 0,
            rest: Vec::new(),
        })
    }
}

fn open(cell: &Cell, options: &str) -> Result<(Arc<Link>, u64), Failure> {
    let link = cell.link()?;
    let call = link.call(&Ask::Open { options: options.to_owned() })?;
    let id = call.id();
    call.answer(cell.isolation().codec_max)?;
    Ok((link, id))
}

/// A conversation of the process, and what it takes to have it again in another one.
#[derive(Debug)]
pub(crate) struct IsolatedStream {
    cell: Arc<Cell>,
    link: Arc<Link>,
    id: u64,
    options: String,
    /// What was encoded, since a codec may remember it.
    messages: Vec<String>,
    /// Events of the frames of this call that were not handed on.
    told: VecDeque<OwnedEvent>,
    /// The frame of this call that comes next.
    at: u32,
    /// Events that the end of the body gave.
    rest: Vec<OwnedEvent>,
}

impl IsolatedStream {
    fn ask(&self, ask: &Ask) -> Result<Answer, Failure> {
        self.link.call(ask)?.answer(self.cell.isolation().codec_max)
    }

    /// Where the process has ended since the last request: the same conversation in another one.
    fn revive(&mut self) -> Result<(), Failure> {
        if self.link.ended().is_none() {
            return Ok(());
        }
        (self.link, self.id) = open(&self.cell, &self.options)?;
        for message in &self.messages {
            self.ask(&Ask::EncodeMessage { stream: self.id, message: message.clone() })?;
        }
        Ok(())
    }
}

impl CodecStream for IsolatedStream {
    fn encode_message(&mut self, message: &str, out: &mut String) -> Result<(), Failure> {
        self.revive()?;
        match self.ask(&Ask::EncodeMessage { stream: self.id, message: message.to_owned() })? {
            Answer::Text(text) => {
                out.push_str(&text);
                self.messages.push(message.to_owned());
                Ok(())
            }
            _ => Err(unasked(&self.link)),
        }
    }

    fn encode_request(&mut self, request: &str, out: &mut Request) -> Result<(), Failure> {
        self.revive()?;
        match self.ask(&Ask::EncodeRequest { stream: self.id, request: request.to_owned() })? {
            Answer::Request { path, headers, body_head, body_tail } => {
                *out = Request { path, headers, body_head, body_tail };
                Ok(())
            }
            _ => Err(unasked(&self.link)),
        }
    }

    fn begin_frames(&mut self, frames: &[FrameRef<'_>]) -> Result<(), Failure> {
        self.told.clear();
        self.at = 0;
        let ask = Ask::Decode { stream: self.id, frames: frames.iter().map(owned_frame).collect() };
        match self.ask(&ask)? {
            Answer::Events(events) if events.iter().all(|event| lies_within(event, frames)) => {
                self.told.extend(events);
                Ok(())
            }
            _ => Err(unasked(&self.link)),
        }
    }

    fn decode_frame<'f>(&mut self, frame: &FrameRef<'f>, out: &mut Out<'_, 'f>) {
        while let Some(event) = self.told.pop_front_if(|event| event.frame == self.at) {
            let place = |piece: &Piece| match *piece {
                Piece::Data { start, len } => part(frame.data(), start, len),
                Piece::Name { start, len } => part(frame.event(), start, len),
                // What is empty needs no copy, which would keep a template from the event.
                Piece::Own(ref bytes) => bytes.is_empty().then_some(&b""[..]),
            };
            match (&event.text, &event.aux, place(&event.text), place(&event.aux)) {
                (_, _, Some(text), Some(aux)) => out.push(bare(&event).with_text(text).with_aux(aux)),
                (Piece::Own(text), Piece::Own(aux), ..) => out.push_copied(bare(&event), text, aux),
                (Piece::Own(text), _, _, Some(aux)) => out.push_copied(bare(&event), text, aux),
                (_, Piece::Own(aux), Some(text), _) => out.push_copied(bare(&event), text, aux),
                // Looked at when it came.
                _ => {}
            }
        }
        self.at += 1;
    }

    fn begin_finish(&mut self) -> Result<(), Failure> {
        match self.ask(&Ask::Finish { stream: self.id })? {
            Answer::Events(events) => {
                self.rest = events;
                Ok(())
            }
            _ => Err(unasked(&self.link)),
        }
    }

    fn finish<'s>(&'s mut self, out: &mut Out<'_, 's>) {
        for event in &self.rest {
            if let (Piece::Own(text), Piece::Own(aux)) = (&event.text, &event.aux) {
                out.push_copied(bare(event), text, aux);
            }
        }
    }

    fn reset(&mut self) {
        self.told.clear();
        self.rest.clear();
        // One that has ended forgets by itself.
        let _ = self.ask(&Ask::Reset { stream: self.id });
    }
}

impl Drop for IsolatedStream {
    fn drop(&mut self) {
        // Gone with its process, if that has ended.
        let _ = self.link.say(0, &Ask::Close { stream: self.id });
    }
}

fn owned_frame(frame: &FrameRef<'_>) -> OwnedFrame {
    OwnedFrame {
        kind: frame.as_raw().kind,
        status: frame.status(),
        event: frame.event().to_vec(),
        data: frame.data().to_vec(),
    }
}

fn part(whole: &[u8], start: u32, len: u32) -> Option<&[u8]> {
    whole.get(start as usize..)?.get(..len as usize)
}

/// Whether an event is of one of the frames, in which its texts lie.
fn lies_within(event: &OwnedEvent, frames: &[FrameRef<'_>]) -> bool {
    let Some(frame) = frames.get(event.frame as usize) else { return false };
    let fits = |piece: &Piece| match *piece {
        Piece::Data { start, len } => part(frame.data(), start, len).is_some(),
        Piece::Name { start, len } => part(frame.event(), start, len).is_some(),
        Piece::Own(_) => true,
    };
    fits(&event.text) && fits(&event.aux)
}

/// What lists the models of the process.
#[derive(Debug)]
pub(crate) struct IsolatedModels {
    pub(crate) cell: Arc<Cell>,
}

impl Models for IsolatedModels {
    fn list(&self) -> Result<Vec<Model>, Failure> {
        // The list is JSON already; the table asks for that only.
        Err(Failure::unsupported("the models of a plugin in a process of its own are listed as JSON"))
    }

    fn list_json(&self) -> Result<String, Failure> {
        let link = self.cell.link()?;
        match link.call(&Ask::Models)?.answer(self.cell.isolation().silence_max)? {
            Answer::Text(text) => Ok(text),
            _ => Err(unasked(&link)),
        }
    }
}

/// What makes vectors in the process.
#[derive(Debug)]
pub(crate) struct IsolatedEmbed {
    pub(crate) cell: Arc<Cell>,
    pub(crate) description: String,
}

impl Embed for IsolatedEmbed {
    fn describe(&self) -> &str {
        &self.description
    }

    fn open(&self, options: &str) -> Result<Box<dyn EmbedStream>, Failure> {
        let link = self.cell.link()?;
        let call = link.call(&Ask::OpenEmbed { options: options.to_owned() })?;
        let id = call.id();
        call.answer(self.cell.isolation().codec_max)?;
        Ok(Box::new(IsolatedEmbedStream { link, id, patience: self.cell.isolation().codec_max }))
    }
}

/// A stream of vectors; opened for each request anew, so it ends with its process.
#[derive(Debug)]
struct IsolatedEmbedStream {
    link: Arc<Link>,
    id: u64,
    patience: Duration,
}

impl EmbedStream for IsolatedEmbedStream {
    fn encode(&mut self, request: &str, out: &mut Request) -> Result<(), Failure> {
        let ask = Ask::EncodeEmbed { stream: self.id, request: request.to_owned() };
        match self.link.call(&ask)?.answer(self.patience)? {
            Answer::Request { path, headers, body_head, body_tail } => {
                *out = Request { path, headers, body_head, body_tail };
                Ok(())
            }
            _ => Err(unasked(&self.link)),
        }
    }

    fn decode(&mut self, reply: &FrameRef<'_>, out: &mut Embeddings) -> Result<(), Failure> {
        let ask = Ask::DecodeEmbed { stream: self.id, reply: owned_frame(reply) };
        match self.link.call(&ask)?.answer(self.patience)? {
            Answer::Vectors { values, dimensions, input_tokens, model } => {
                *out = Embeddings { values, dimensions, input_tokens, model };
                Ok(())
            }
            _ => Err(unasked(&self.link)),
        }
    }
}

impl Drop for IsolatedEmbedStream {
    fn drop(&mut self) {
        // Gone with its process, if that has ended.
        let _ = self.link.say(0, &Ask::Close { stream: self.id });
    }
}

/// All that a process offers, as the parts of a plugin.
pub(crate) fn parts(cell: &Arc<Cell>, about: About) -> guest::Parts<IsolatedCodec> {
    let codec = about.codec.map(|description| IsolatedCodec { cell: Arc::clone(cell), description });
    let provider = about
        .provider
        .map(|description| Box::new(IsolatedProvider { cell: Arc::clone(cell), description }) as Box<dyn Provider>);
    let tools = (0..)
        .zip(about.tools)
        .map(|(index, about)| Box::new(IsolatedTool { cell: Arc::clone(cell), index, about }) as Box<dyn Tool>);
    let models = about.has_models.then(|| Box::new(IsolatedModels { cell: Arc::clone(cell) }) as Box<dyn Models>);
    let embed = about
        .embed
        .map(|description| Box::new(IsolatedEmbed { cell: Arc::clone(cell), description }) as Box<dyn Embed>);
    // What serves is asked by nothing that runs plugins apart.
    guest::Parts { codec, provider, models, embed, serve: None, tools: tools.collect() }
}
