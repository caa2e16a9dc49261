//! The other end: a process that loads one plugin and does what its engine asks.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufReader};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process;
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use thalweg_abi::decode::{Decode, Events, Progress};
use thalweg_abi::failure::Failure;
use thalweg_abi::host::{self, CancelToken, CodecStream, Host, ToolEvent};
use thalweg_abi::types::{E_INVALID, FrameRef, StreamEvent};

use crate::plugin::Loader;
use crate::plugin::isolate::message::{Answer, Ask, OwnedEvent, OwnedFrame, Piece, Tell, receive, send};
use crate::plugin::isolate::proxy::{About, AboutTool};

/// Serves the engine at the other end of stdin until it is gone. The body of a program that
/// [`Isolation`](crate::plugin::Isolation) starts; it does nothing else, and does not return while there is an engine.
///
/// # Errors
/// When stdin is no connection to an engine.
pub fn serve_isolated() -> io::Result<()> {
    let stream = UnixStream::from(rustix::stdio::stdin().try_clone_to_owned()?);
    // What the plugin reads and prints goes nowhere, least of all into the connection.
    rustix::stdio::dup2_stdin(File::open("/dev/null")?)?;
    #[cfg(target_os = "linux")]
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))?;
    let teller = Teller { stream: Arc::new(Mutex::new(stream.try_clone()?)) };
    let mut from = BufReader::new(stream);
    let Some((id, Ask::Begin { path, sha256, memory_bytes })) = receive(&mut from)? else {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "an engine begins with the plugin"));
    };
    let logger = teller.clone();
    let host = Host::leak(LEVEL_MAX, move |line| {
        let (target, message) = (line.target.to_owned(), line.message.to_owned());
        logger.tell(0, &Tell::Log { level: line.level, target, message });
    });
    limit_memory(memory_bytes)?;
    let loader = Loader::new().with_host(host).allow_pinned(&path, sha256);
    let served = match loader.load(Path::new(&path)) {
        Ok(loaded) => Served::new(teller, loaded.plugin().clone()),
        Err(error) => {
            teller.end(id, Err(Failure::invalid(error.to_string())));
            return Ok(());
        }
    };
    served.begin(id);
    served.serve(&mut from)
}

/// Bounds what the process may take beyond what it has.
fn limit_memory(bytes: u64) -> io::Result<()> {
    let zero = Rlimit { current: Some(0), maximum: Some(0) };
    // A crash of a plugin is expected here and leaves no file behind.
    setrlimit(Resource::Core, zero)?;
    let Some(taken) = address_space() else { return Ok(()) };
    let most = getrlimit(Resource::As).maximum;
    let limit = taken.saturating_add(bytes).min(most.unwrap_or(u64::MAX));
    setrlimit(Resource::As, Rlimit { current: Some(limit), maximum: Some(limit) })?;
    Ok(())
}

/// The address space that is taken, where the system tells.
fn address_space() -> Option<u64> {
    let statm = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = statm.split(' ').next()?.parse().ok()?;
    Some(pages * rustix::param::page_size() as u64)
}

/// Says things to the engine, from any thread.
#[derive(Clone)]
struct Teller {
    stream: Arc<Mutex<UnixStream>>,
}

impl Teller {
    fn tell(&self, id: u64, tell: &Tell) {
        // An engine that is gone ends this process, as soon as that is read.
        let _ = send(&mut *lock(&self.stream), id, tell);
    }

    fn end(&self, id: u64, result: Result<Answer, Failure>) {
        self.tell(id, &Tell::Ended(result));
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What can be said about a call that goes on.
#[derive(Clone)]
struct Running {
    cancel: CancelToken,
    room: Sender<()>,
}

/// The plugin and its calls.
struct Served {
    teller: Teller,
    plugin: host::Plugin,
    tools: Vec<host::Tool>,
    running: Arc<Mutex<HashMap<u64, Running>>>,
    streams: Mutex<HashMap<u64, Sender<(u64, Ask)>>>,
}

impl Served {
    fn new(teller: Teller, plugin: host::Plugin) -> Self {
        let tools = plugin.tools();
        Self { teller, plugin, tools, running: Arc::default(), streams: Mutex::default() }
    }

    /// Says what the plugin offers.
    fn begin(&self, id: u64) {
        let about = || -> Result<About, host::Error> {
            Ok(About {
                codec: self.plugin.codec().map(|codec| codec.describe()).transpose()?,
                provider: self.plugin.provider().map(|provider| provider.description().to_owned()),
                has_models: self.plugin.models().is_some(),
                embed: self.plugin.embed().map(|embed| embed.describe()).transpose()?,
                tools: self.tools.iter().map(about_tool).collect(),
            })
        };
        let about = about()
            .map_err(Failure::from)
            .and_then(|about| serde_json::to_string(&about).map_err(|error| Failure::invalid(error.to_string())));
        self.teller.end(id, about.map(Answer::Text));
    }

    fn serve(&self, from: &mut BufReader<UnixStream>) -> io::Result<()> {
        while let Some((id, ask)) = receive(from)? {
            match ask {
                Ask::Begin { .. } => return Err(io::ErrorKind::InvalidData.into()),
                Ask::Invoke { tool, call_id, arguments } => self.invoke(id, tool, call_id, arguments),
                Ask::Start { request } => self.start(id, request),
                Ask::Cancel => {
                    let running = lock(&self.running).get(&id).cloned();
                    // On a thread of its own: a callback of the plugin may hang.
                    if let Some(running) = running {
                        thread::spawn(move || running.cancel.cancel());
                    }
                }
                Ask::More => {
                    if let Some(running) = lock(&self.running).get(&id) {
                        // A reply that has ended needs no room.
                        let _ = running.room.send(());
                    }
                }
                Ask::Open { options } => self.open(id, options),
                Ask::OpenEmbed { options } => self.open_embed(id, options),
                Ask::Models => self.list_models(id),
                Ask::EncodeMessage { stream, .. }
                | Ask::EncodeRequest { stream, .. }
                | Ask::Decode { stream, .. }
                | Ask::Finish { stream }
                | Ask::Reset { stream }
                | Ask::EncodeEmbed { stream, .. }
                | Ask::DecodeEmbed { stream, .. } => {
                    let known = lock(&self.streams).get(&stream).is_some_and(|to| to.send((id, ask)).is_ok());
                    if !known {
                        self.teller.end(id, Err(Failure::invalid("there is no such stream")));
                    }
                }
                Ask::Close { stream } => {
                    lock(&self.streams).remove(&stream);
                }
            }
        }
        // The engine is gone. Whatever the plugin is doing, nobody wants it.
        process::exit(0)
    }

    /// Enters a call; also gives what tells of room for its events.
    fn enter(&self, id: u64) -> (CancelToken, Receiver<()>) {
        let (room, more) = mpsc::channel();
        let cancel = CancelToken::new();
        lock(&self.running).insert(id, Running { cancel: cancel.clone(), room });
        (cancel, more)
    }

    fn invoke(&self, id: u64, tool: u32, call_id: String, arguments: String) {
        let Some(tool) = self.tools.get(tool as usize).cloned() else {
            return self.teller.end(id, Err(Failure::invalid("there is no such tool")));
        };
        let (cancel, _) = self.enter(id);
        let (teller, running) = (self.teller.clone(), Arc::clone(&self.running));
        let receiver = move |event| match event {
            ToolEvent::Progress { text, permille } => teller.tell(id, &Tell::Progress { permille, text }),
            ToolEvent::Finished(result) => {
                lock(&running).remove(&id);
                teller.end(id, result.map(Answer::Text).map_err(plain));
            }
            _ => {}
        };
        thread::spawn(move || tool.invoke(&call_id, &arguments, Box::new(receiver), &cancel));
    }

    fn start(&self, id: u64, request: String) {
        let Some(provider) = self.plugin.provider() else {
            return self.teller.end(id, Err(Failure::unsupported("the plugin has no provider")));
        };
        let (cancel, more) = self.enter(id);
        let (reply, start) = provider.reply(&cancel);
        thread::spawn(move || start.run(&request));
        let (teller, running) = (self.teller.clone(), Arc::clone(&self.running));
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().build();
            let ended = match runtime {
                Ok(runtime) => runtime.block_on(read_reply(id, reply, &teller, &more)),
                Err(error) => Err(Failure::invalid(error.to_string())),
            };
            lock(&running).remove(&id);
            teller.end(id, ended.map(|()| Answer::Nothing));
        });
    }

    fn list_models(&self, id: u64) {
        let (teller, models) = (self.teller.clone(), self.plugin.models());
        // On a thread of its own, since it may take its time.
        thread::spawn(move || {
            let list = match models {
                Some(models) => models.list().map_err(plain),
                None => Err(Failure::unsupported("the plugin lists no models")),
            };
            teller.end(id, list.map(Answer::Text));
        });
    }

    fn open_embed(&self, id: u64, options: String) {
        let Some(embed) = self.plugin.embed() else {
            return self.teller.end(id, Err(Failure::unsupported("the plugin makes no vectors")));
        };
        let (asks, asked) = mpsc::channel();
        lock(&self.streams).insert(id, asks);
        let teller = self.teller.clone();
        thread::spawn(move || match embed.open(&options) {
            Ok(stream) => {
                teller.end(id, Ok(Answer::Nothing));
                serve_embed(stream, &asked, &teller);
            }
            Err(error) => teller.end(id, Err(plain(error))),
        });
    }

    fn open(&self, id: u64, options: String) {
        let Some(codec) = self.plugin.codec() else {
            return self.teller.end(id, Err(Failure::unsupported("the plugin has no codec")));
        };
        let (asks, asked) = mpsc::channel();
        lock(&self.streams).insert(id, asks);
        let teller = self.teller.clone();
        // One thread a stream: one that hangs leaves the others alone.
        thread::spawn(move || match codec.open(&options) {
            Ok(stream) => {
                teller.end(id, Ok(Answer::Nothing));
                serve_stream(stream, &asked, &teller);
            }
            Err(error) => teller.end(id, Err(plain(error))),
        });
    }
}

fn about_tool(tool: &host::Tool) -> AboutTool {
    let text = str::to_owned;
    AboutTool {
        name: text(tool.name()),
        description: text(tool.description()),
        parameters: text(tool.parameters()),
        flags: tool.flags(),
    }
}

/// What the plugin says, without its name: the engine says that again.
fn plain(error: host::Error) -> Failure {
    match error {
        host::Error::Failed { failure, .. } => failure,
        error => error.into(),
    }
}

/// Hands batch after batch over, the next one when there is room for it.
async fn read_reply(id: u64, mut reply: host::Reply, teller: &Teller, more: &Receiver<()>) -> Result<(), Failure> {
    while let Some(batch) = reply.next().await.map_err(plain)? {
        let events = batch.iter().map(|event| owned(&event, 0, &[], &[])).collect();
        teller.tell(id, &Tell::Events(events));
        // This thread has nothing else to do.
        more.recv().map_err(|_| Failure::invalid("nobody asks for more"))?;
    }
    Ok(())
}

fn serve_stream(mut stream: CodecStream, asked: &Receiver<(u64, Ask)>, teller: &Teller) {
    for (id, ask) in asked {
        let result = match ask {
            Ask::EncodeMessage { message, .. } => {
                stream.encode_message(&message).map(|text| Answer::Text(text.to_owned())).map_err(plain)
            }
            Ask::EncodeRequest { request, .. } => encode_request(&mut stream, &request).map_err(plain),
            Ask::Decode { frames, .. } => decode(&mut stream, &frames).map(Answer::Events),
            Ask::Finish { .. } => finish(&mut stream).map(Answer::Events),
            Ask::Reset { .. } => {
                stream.reset();
                Ok(Answer::Nothing)
            }
            _ => Err(Failure::invalid("no question for a stream")),
        };
        teller.end(id, result);
    }
}

fn encode_request(stream: &mut CodecStream, request: &str) -> Result<Answer, host::Error> {
    stream.encode_request(request).map(|request| owned_request(&request))
}

fn owned_request(request: &host::Request<'_>) -> Answer {
    let text = str::to_owned;
    Answer::Request {
        path: text(request.path),
        headers: request.headers.iter().map(|(name, value)| (text(name), text(value))).collect(),
        body_head: text(request.body_head),
        body_tail: text(request.body_tail),
    }
}

fn serve_embed(mut stream: host::EmbedStream, asked: &Receiver<(u64, Ask)>, teller: &Teller) {
    // Of the request that was written last; its reply has as many vectors.
    let mut texts = 0;
    for (id, ask) in asked {
        let result = match ask {
            Ask::EncodeEmbed { request, .. } => {
                let json: serde_json::Value = serde_json::from_str(&request).unwrap_or_default();
                texts = json["texts"].as_array().map_or(0, Vec::len);
                stream.encode(&request).map(|request| owned_request(&request)).map_err(plain)
            }
            Ask::DecodeEmbed { reply, .. } => {
                let frame = FrameRef::new(reply.kind, &reply.data).with_event(&reply.event).with_status(reply.status);
                let vectors = stream.decode(&frame, texts).map(|vectors| Answer::Vectors {
                    values: vectors.values.to_vec(),
                    dimensions: u32::try_from(vectors.dimensions).unwrap_or(u32::MAX),
                    input_tokens: vectors.input_tokens,
                    model: vectors.model.to_owned(),
                });
                vectors.map_err(plain)
            }
            _ => Err(Failure::invalid("no question for a stream of vectors")),
        };
        teller.end(id, result);
    }
}

fn decode(stream: &mut CodecStream, frames: &[OwnedFrame]) -> Result<Vec<OwnedEvent>, Failure> {
    let mut events = Vec::new();
    // One at a time, which costs little in here, so that the frame of each event is known.
    for (number, frame) in (0..).zip(frames) {
        let whole = [FrameRef::new(frame.kind, &frame.data).with_event(&frame.event).with_status(frame.status)];
        let mut next = 0;
        loop {
            let mut buffer = Vec::with_capacity(EVENTS_A_CALL);
            let progress = stream.decode_events(&whole, &mut next, &mut Events::new(&mut buffer, EVENTS_A_CALL));
            let progress = progress.map_err(plain)?;
            events.extend(buffer.iter().map(|event| owned(event, number, &frame.data, &frame.event)));
            if progress == Progress::Done {
                break;
            }
        }
    }
    Ok(events)
}

fn finish(stream: &mut CodecStream) -> Result<Vec<OwnedEvent>, Failure> {
    let mut events = Vec::new();
    loop {
        let mut buffer = Vec::with_capacity(EVENTS_A_CALL);
        let progress = stream.finish_events(&mut Events::new(&mut buffer, EVENTS_A_CALL)).map_err(plain)?;
        events.extend(buffer.iter().map(|event| owned(event, 0, &[], &[])));
        if progress == Progress::Done {
            return Ok(events);
        }
        if events.len() > EVENTS_MAX {
            return Err(Failure::new(E_INVALID, format!("the end of a reply gave more than {EVENTS_MAX} events")));
        }
    }
}

fn owned(event: &StreamEvent<'_>, frame: u32, data: &[u8], name: &[u8]) -> OwnedEvent {
    let piece = |text: &[u8]| {
        if let Some((start, len)) = place_in(data, text) {
            Piece::Data { start, len }
        } else if let Some((start, len)) = place_in(name, text) {
            Piece::Name { start, len }
        } else {
            Piece::Own(text.to_vec())
        }
    };
    OwnedEvent {
        frame,
        kind: event.kind(),
        flags: event.flags(),
        block: event.block(),
        sub: event.sub(),
        num: event.num(),
        text: piece(event.text()),
        aux: piece(event.aux()),
    }
}

/// Where `part` lies in `whole`, if it does. An empty one has a place, too: a template goes by it.
fn place_in(whole: &[u8], part: &[u8]) -> Option<(u32, u32)> {
    // The place of no bytes may be anywhere.
    let start = part.as_ptr().addr().checked_sub(whole.as_ptr().addr()).filter(|_| !whole.is_empty())?;
    (start + part.len() <= whole.len()).then_some((u32::try_from(start).ok()?, u32::try_from(part.len()).ok()?))
}

/// Room for events in one call.
const EVENTS_A_CALL: usize = 256;
/// No reply holds back more.
const EVENTS_MAX: usize = 1 << 20;
/// The engine decides what it shows.
const LEVEL_MAX: i32 = 5;
