//! Each table cut at every byte: a function that is needed and missing is a clear error, one that is not is done without,
//! and half an address is never called.

use core::ffi::{CStr, c_char, c_void};
use core::ptr;
use std::alloc::{Layout, alloc};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, mpsc};

use thalweg_abi::failure::Failure;
use thalweg_abi::guest::{
    self, ClientRequest, Codec, CodecStream, EmbedStream, Embeddings, Model, Out, Request, ServeStream, ToolCall,
    ToolInfo,
};
use thalweg_abi::host::{self, CancelToken, Error, Host, Misbehaviour, Plugin, ToolEvent, services};
use thalweg_abi::layout::STRUCTS;
use thalweg_abi::module::Module;
use thalweg_abi::table::{self, HostServices};
use thalweg_abi::types::{self, E_PANIC, E_VERSION, EVENT_TEXT, FRAME_WHOLE_BODY, FrameRef, OK, Status, StreamEvent};

/// Offers one of each.
#[derive(Default)]
pub struct Whole;

impl Codec for Whole {
    type Stream = Self;

    fn describe(&self) -> &str {
        "{}"
    }

    fn open(&self, _: &str) -> Result<Self, Failure> {
        Ok(Self)
    }
}

impl CodecStream for Whole {
    fn encode_message(&mut self, message: &str, out: &mut String) -> Result<(), Failure> {
        out.push_str(message);
        Ok(())
    }

    fn encode_request(&mut self, _: &str, _: &mut Request) -> Result<(), Failure> {
        Ok(())
    }

    fn decode_frame<'f>(&mut self, frame: &FrameRef<'f>, out: &mut Out<'_, 'f>) {
        out.push(StreamEvent::new(EVENT_TEXT).with_text(frame.data()));
    }

    fn finish<'s>(&'s mut self, _: &mut Out<'_, 's>) {}

    fn reset(&mut self) {}
}

impl guest::Provider for Whole {
    fn describe(&self) -> &str {
        "{}"
    }

    fn reply(&self, request: &str, reply: &mut guest::Reply) -> Result<(), Failure> {
        Ok(reply.text(0, request)?)
    }
}

impl guest::Tool for Whole {
    fn info(&self) -> ToolInfo<'_> {
        ToolInfo::new("whole", "Uses all services.", r#"{"type":"object"}"#)
    }

    fn invoke(&self, call: &mut ToolCall<'_>) -> Result<String, String> {
        let guard = call.sink.on_cancel(|| ());
        drop(guard);
        call.sink.log(1, "a line");
        call.sink.progress("half", Some(500));
        Ok(format!("cancelled: {}", call.sink.is_cancelled()))
    }
}

impl guest::Models for Whole {
    fn list(&self) -> Result<Vec<Model>, Failure> {
        Ok(vec![Model::new("whole")])
    }
}

impl guest::Embed for Whole {
    fn describe(&self) -> &str {
        "{}"
    }

    fn open(&self, _: &str) -> Result<Box<dyn EmbedStream>, Failure> {
        Ok(Box::new(Self))
    }
}

impl EmbedStream for Whole {
    fn encode(&mut self, request: &str, out: &mut Request) -> Result<(), Failure> {
        assert_ne!(request, "panic", "asked to");
        out.body_head.push_str(request);
        Ok(())
    }

    fn decode(&mut self, reply: &FrameRef<'_>, out: &mut Embeddings) -> Result<(), Failure> {
        for length in reply.data().split(|byte| *byte == b' ').map(<[u8]>::len) {
            out.push(&[length as f32, 0.5])?;
        }
        out.input_tokens = Some(9);
        out.model.push_str("whole-1");
        Ok(())
    }
}

impl guest::Serve for Whole {
    fn describe(&self) -> &str {
        "{}"
    }

    fn open(&self, _: &str) -> Result<Box<dyn ServeStream>, Failure> {
        Ok(Box::new(Self))
    }
}

impl ServeStream for Whole {
    fn parse(&mut self, request: &ClientRequest<'_>, canonical: &mut String) -> Result<(), Failure> {
        assert_ne!(request.body, "panic", "asked to");
        let ClientRequest { method, path, headers, body } = request;
        canonical.push_str(&format!("{method} {path} {headers:?} {body}"));
        Ok(())
    }

    fn encode(&mut self, event: &StreamEvent<'_>, piece: &mut String) {
        piece.push_str(core::str::from_utf8(event.text()).unwrap());
        piece.push(';');
    }

    fn finish(&mut self, piece: &mut String) {
        piece.push_str("end");
    }
}

thalweg_abi::plugin! {
    id: "test.whole",
    version: "1.0.0",
    codec: Whole,
    provider: Whole,
    models: Whole,
    embed: Whole,
    serve: Whole,
    tools: [Whole],
}

/// What is cut: the tests run one after the other.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
/// Bytes of the table of services that the plugin gets.
static SERVICES_SIZE: AtomicU32 = AtomicU32::new(0);
/// Bytes of the plugin's own tables, by their place in [`CUT`].
static SIZES: [AtomicU32; CUT.len()] = [const { AtomicU32::new(u32::MAX) }; CUT.len()];
/// The tables that are cut.
const CUT: [(&CStr, &str); 7] = [
    (c"", "thw_plugin"),
    (c"thw.codec/1", "thw_codec"),
    (c"thw.provider/1", "thw_provider"),
    (c"thw.tool/1", "thw_tool"),
    (c"thw.models/1", "thw_models"),
    (c"thw.embed/1", "thw_embed"),
    (c"thw.serve/1", "thw_serve"),
];

/// What is never freed, as a table must not be, so that tools which look for leaks still find it.
static KEPT: Mutex<Vec<usize>> = Mutex::new(Vec::new());

fn keep<T>(pointer: *const T) {
    KEPT.lock().unwrap().push(pointer.expose_provenance());
}

/// A copy of a table that states `size` bytes and has no more: what reads on is seen by the tools that look for it.
fn cut(whole: *const c_void, size: u32) -> *const c_void {
    // SAFETY: a table starts with its size.
    let stated = unsafe { whole.cast::<u32>().read() };
    let size = size.min(stated);
    let bytes = Layout::from_size_align(size.max(4) as usize, 8).unwrap();
    // SAFETY: the layout is not empty; kept for the process, as a table must be.
    let copy = unsafe { alloc(bytes) };
    // SAFETY: both have as many bytes.
    unsafe { ptr::copy_nonoverlapping(whole.cast::<u8>(), copy, size as usize) };
    // SAFETY: there is room for four bytes.
    unsafe { copy.cast::<u32>().write(size) };
    keep(copy);
    copy.cast()
}

unsafe extern "C" fn entry(
    host: *const table::Host,
    services: *const HostServices,
    host_minor: u32,
    plugin: *mut table::Plugin,
    error: *mut types::Error,
) -> Status {
    let services = cut(services.cast(), SERVICES_SIZE.load(Ordering::Relaxed)).cast();
    // SAFETY: as the engine calls it, but for the size of the services.
    let status = unsafe { (module().entry())(host, services, host_minor, plugin, error) };
    if status == OK {
        // SAFETY: the engine's, filled by the call.
        let plugin = unsafe { &mut *plugin };
        keep(plugin.context);
        let get_interface = plugin.get_interface.replace(get_cut).unwrap();
        *INNER.lock().unwrap() = Some(get_interface);
        plugin.struct_size = plugin.struct_size.min(SIZES[0].load(Ordering::Relaxed));
    }
    status
}

type GetInterface = unsafe extern "C" fn(*mut c_void, *const c_char) -> *const c_void;
static INNER: Mutex<Option<GetInterface>> = Mutex::new(None);

unsafe extern "C" fn get_cut(context: *mut c_void, id: *const c_char) -> *const c_void {
    let inner = INNER.lock().unwrap().unwrap();
    // SAFETY: as the engine calls it.
    let whole = unsafe { inner(context, id) };
    // SAFETY: NUL-terminated, by contract.
    let id = unsafe { CStr::from_ptr(id) };
    match CUT.iter().position(|(name, _)| *name == id) {
        Some(place) if !whole.is_null() => cut(whole, SIZES[place].load(Ordering::Relaxed)),
        _ => whole,
    }
}

fn start() -> Result<Plugin, Error> {
    // SAFETY: what it hands out keeps the rules, and its code stays.
    let module = unsafe { Module::new(*module().manifest(), entry) };
    Plugin::start(&module, Host::silent())
}

/// The members behind the head of a table, with the place where each ends.
fn members(table: &str) -> impl Iterator<Item = (&'static str, usize)> {
    let table = STRUCTS.iter().find(|known| known.name == table).unwrap();
    table.members.iter().skip(2).map(|member| (member.name, member.offset + member.size))
}

fn client_request(body_head: &str) -> host::Request<'_> {
    host::Request { method: "POST", path: "/x", headers: vec![("a", "b")], body_head, body_tail: ", all" }
}

/// All parts of a plugin do their work.
fn use_it(plugin: &Plugin) -> Vec<ToolEvent> {
    let mut stream = plugin.codec().unwrap().open("{}").unwrap();
    assert_eq!(stream.encode_message("x").unwrap(), "x");
    let (mut reply, start) = plugin.provider().unwrap().reply(&CancelToken::new());
    start.run("said");
    let mut next = core::pin::pin!(reply.next());
    let mut context = core::task::Context::from_waker(core::task::Waker::noop());
    let core::task::Poll::Ready(batch) = next.as_mut().poll(&mut context) else { panic!("it was pushed") };
    assert_eq!(batch.unwrap().unwrap().iter().next().unwrap().text(), b"said");
    assert_eq!(plugin.models().unwrap().list().unwrap(), r#"[{"id":"whole"}]"#);
    let mut vectors = plugin.embed().unwrap().open("{}").unwrap();
    assert_eq!(vectors.encode("x").unwrap().body_head, "x");
    let read = vectors.decode(&FrameRef::new(FRAME_WHOLE_BODY, b"one three"), 2).unwrap();
    assert_eq!((read.values, read.dimensions, read.input_tokens), (&[3.0, 0.5, 5.0, 0.5][..], 2, Some(9)));
    assert_eq!(read.model, "whole-1");
    let mut served = plugin.serve().unwrap().open("{}").unwrap();
    let canonical = served.parse(&client_request("body")).unwrap();
    assert_eq!(canonical, r#"POST /x [("a", "b")] body, all"#);
    let text = StreamEvent::new(EVENT_TEXT);
    assert_eq!(served.encode(&[text.with_text(b"one"), text]).unwrap(), "one;;");
    assert_eq!(served.encode(&[]).unwrap(), "");
    assert_eq!(served.finish().unwrap(), "end");
    let (sender, told) = mpsc::channel();
    let receiver = Box::new(move |event| sender.send(event).unwrap());
    let running = plugin.tools()[0].invoke("call_1", "{}", receiver, &CancelToken::new());
    let told: Vec<_> = told.iter().collect();
    assert!(running.is_finished());
    told
}

#[test]
fn a_table_of_a_plugin_that_is_cut_lacks_the_first_function_that_is_gone() {
    let _one = ONE_AT_A_TIME.lock().unwrap();
    SERVICES_SIZE.store(u32::MAX, Ordering::Relaxed);
    for (place, (_, name)) in CUT.into_iter().enumerate() {
        let ends: Vec<_> = members(name).collect();
        let whole = ends.last().unwrap().1;
        for size in 0..=whole {
            SIZES[place].store(size as u32, Ordering::Relaxed);
            let expected = match ends.iter().find(|(_, end)| *end > size) {
                _ if size < 8 => {
                    let what = Misbehaviour::BadTable { table: name };
                    Some(Error::Misbehaved { plugin: "test.whole".into(), what })
                }
                // A plugin needs neither a context nor an end; this one needs its context, so it is not used.
                Some(_) if name == "thw_plugin" => {
                    Some(Error::Missing { plugin: "test.whole".into(), table: name, function: "get_interface" })
                }
                Some((function, _)) => Some(Error::Missing { plugin: "test.whole".into(), table: name, function }),
                None => None,
            };
            assert_eq!(start().err(), expected, "{name} of {size} bytes");
        }
        SIZES[place].store(u32::MAX, Ordering::Relaxed);
    }
    use_it(&start().unwrap());
}

#[test]
fn a_plugin_of_the_sdk_runs_on_an_engine_with_fewer_services_or_says_that_it_is_too_old() {
    let _one = ONE_AT_A_TIME.lock().unwrap();
    let ends: Vec<_> = members("thw_host_services").collect();
    let needed = ends.iter().find(|(name, _)| *name == "sink_finish").unwrap().1;
    let whole = ends.last().unwrap().1;
    assert_eq!(whole, services().struct_size as usize);
    for size in 0..=whole {
        SERVICES_SIZE.store(size as u32, Ordering::Relaxed);
        match start() {
            Ok(plugin) => {
                assert!(size >= needed, "{size} bytes");
                let told = use_it(&plugin);
                let progress = ToolEvent::Progress { text: "half".into(), permille: Some(500) };
                assert_eq!(told, [progress, ToolEvent::Finished(Ok("cancelled: false".into()))], "{size} bytes");
            }
            Err(Error::Start { failure, .. }) if size >= 8 => {
                assert!(size < needed, "{size} bytes");
                assert_eq!(failure.code, E_VERSION);
                assert_eq!(failure.message, "the engine is too old: it has no sink_push or no sink_finish");
            }
            Err(error) => {
                assert!(size < 8, "{size} bytes: {error}");
                assert_eq!(error.to_string(), "plugin `test.whole` did not start: no table of services");
            }
        }
    }
}

#[test]
fn a_panic_ends_a_stream_and_vectors_must_be_as_many_as_texts() {
    let plugin = Plugin::start(&module(), Host::silent()).unwrap();
    let mut vectors = plugin.embed().unwrap().open("{}").unwrap();
    match vectors.encode("panic").unwrap_err() {
        Error::Failed { failure, .. } => assert_eq!(failure.code, E_PANIC),
        other => panic!("{other}"),
    }
    assert!(matches!(vectors.encode("x"), Err(Error::Broken { .. })));
    let mut served = plugin.serve().unwrap().open("{}").unwrap();
    let panicking = host::Request { body_tail: "", ..client_request("panic") };
    match served.parse(&panicking).unwrap_err() {
        Error::Failed { failure, .. } => assert_eq!(failure.code, E_PANIC),
        other => panic!("{other}"),
    }
    assert!(matches!(served.finish(), Err(Error::Broken { .. })));
    let mut vectors = plugin.embed().unwrap().open("{}").unwrap();
    let error = vectors.decode(&FrameRef::new(FRAME_WHOLE_BODY, b"one"), 2).unwrap_err();
    let what = Misbehaviour::WrongCount { what: "vectors", count: 1, expected: 2 };
    assert_eq!(error, Error::Misbehaved { plugin: "test.whole".into(), what });
    assert!(matches!(vectors.encode("x"), Err(Error::Broken { .. })));
}
