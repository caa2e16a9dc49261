//! A codec that is driven through its C table gives what it gives when driven directly, at every size of the array.

use thalweg_abi::decode::{Decode, Events, Progress, recycle_events};
use thalweg_abi::failure::Failure;
use thalweg_abi::guest::{Codec, CodecStream, Direct, Out, Request};
use thalweg_abi::host::{self, Error, Host, Plugin};
use thalweg_abi::types::{
    E_INVALID, E_PANIC, EVENT_DONE, EVENT_SKIPPED, EVENT_STOP, EVENT_TEXT, FLAG_SCRATCH, FRAME_EVENT, FrameRef,
    StreamEvent,
};

/// Words of a frame become text events; `!` in a frame panics.
#[derive(Default)]
pub struct Words;

/// A stream of [`Words`].
pub struct WordStream {
    frames: usize,
    last: String,
}

impl Codec for Words {
    type Stream = WordStream;

    fn describe(&self) -> &str {
        r#"{"dialect":"words","framing":"sse"}"#
    }

    fn open(&self, options: &str) -> Result<WordStream, Failure> {
        if options.is_empty() {
            return Err(Failure::invalid("options are a JSON object; `{}` will do"));
        }
        Ok(WordStream { frames: 0, last: String::new() })
    }
}

impl CodecStream for WordStream {
    fn encode_message(&mut self, message: &str, out: &mut String) -> Result<(), Failure> {
        if message == "panic" {
            panic!("asked to");
        }
        out.push('<');
        out.push_str(message);
        out.push('>');
        Ok(())
    }

    fn encode_request(&mut self, request: &str, out: &mut Request) -> Result<(), Failure> {
        assert_eq!(*out, Request::default(), "the request comes empty");
        out.path.push_str("/words");
        out.headers.push(("x-version".into(), "1".into()));
        out.body_head.push_str(request);
        out.body_tail.push(']');
        Ok(())
    }

    fn decode_frame<'f>(&mut self, frame: &FrameRef<'f>, out: &mut Out<'_, 'f>) {
        assert!(!frame.data().contains(&b'!'), "no shouting");
        self.frames += 1;
        for (index, word) in frame.data().split(|byte| *byte == b' ').enumerate() {
            out.push(StreamEvent::new(EVENT_TEXT).with_text(word).with_aux(frame.event()).with_block(index as u32));
        }
        let made = format!("frame {}", self.frames);
        out.push_copied(StreamEvent::new(EVENT_SKIPPED), b"", made.as_bytes());
        self.last = made;
    }

    fn finish<'s>(&'s mut self, out: &mut Out<'_, 's>) {
        out.push(StreamEvent::new(EVENT_STOP).with_text(self.last.as_bytes()).with_flags(FLAG_SCRATCH));
        out.push(StreamEvent::new(EVENT_DONE));
    }

    fn reset(&mut self) {
        self.frames = 0;
        self.last.clear();
    }
}

thalweg_abi::plugin! { id: "test.words", version: "1.2.3", codec: Words }

fn open() -> host::CodecStream {
    let plugin = Plugin::from_guest::<Package>(Host::silent()).unwrap();
    plugin.codec().unwrap().open("{}").unwrap()
}

/// All events of the frames and of the end, in calls with room for `capacity` events.
fn drive(codec: &mut impl Decode, frames: &[FrameRef<'_>], capacity: usize) -> Vec<String> {
    let mut told = Vec::new();
    let (mut next, mut buffer) = (0, Vec::new());
    loop {
        let mut events = recycle_events(buffer);
        let progress = codec.decode(frames, &mut next, &mut Events::new(&mut events, capacity)).unwrap();
        told.extend(events.iter().map(|event| format!("{event:?}")));
        buffer = recycle_events(events);
        if progress == Progress::Done {
            break;
        }
    }
    loop {
        let mut events = recycle_events(buffer);
        let progress = codec.finish(&mut Events::new(&mut events, capacity)).unwrap();
        told.extend(events.iter().map(|event| format!("{event:?}")));
        buffer = recycle_events(events);
        if progress == Progress::Done {
            return told;
        }
    }
}

#[test]
fn table_gives_the_events_of_the_linked_codec_at_every_capacity() {
    let frames = [
        FrameRef::new(FRAME_EVENT, b"one two three").with_event(b"first"),
        FrameRef::new(FRAME_EVENT, "vier fünf".as_bytes()),
        FrameRef::new(FRAME_EVENT, b""),
        FrameRef::new(FRAME_EVENT, b"a b c d e f g"),
    ];
    let expected = drive(&mut Direct::new(Words.open("{}").unwrap()), &frames, 1024);
    assert_eq!(expected.len(), 3 + 2 + 1 + 7 + 4 + 2);
    let mut loaded = open();
    for capacity in 1..=24 {
        assert_eq!(drive(&mut loaded, &frames, capacity), expected, "room for {capacity} events");
        loaded.reset();
        let mut direct = Direct::new(Words.open("{}").unwrap());
        assert_eq!(drive(&mut direct, &frames, capacity), expected, "linked in, room for {capacity} events");
    }
}

#[test]
fn messages_and_requests_come_back_as_the_codec_wrote_them() {
    let mut stream = open();
    assert_eq!(stream.encode_message("hé").unwrap(), "<hé>");
    assert_eq!(stream.encode_message("").unwrap(), "<>");
    for _ in 0..2 {
        let request = stream.encode_request("[").unwrap();
        assert_eq!((request.method, request.path), ("POST", "/words"));
        assert_eq!(request.headers, [("x-version", "1")]);
        assert_eq!((request.body_head, request.body_tail), ("[", "]"));
    }
}

#[test]
fn description_and_manifest_name_the_plugin() {
    let plugin = Plugin::from_guest::<Package>(Host::silent()).unwrap();
    assert_eq!((plugin.id(), plugin.manifest().version()), ("test.words", "1.2.3"));
    assert_eq!(plugin.codec().unwrap().describe().unwrap(), r#"{"dialect":"words","framing":"sse"}"#);
    assert!(plugin.tools().is_empty());
}

#[test]
fn refused_options_are_an_error_that_names_the_plugin() {
    let plugin = Plugin::from_guest::<Package>(Host::silent()).unwrap();
    let error = plugin.codec().unwrap().open("").unwrap_err();
    assert!(matches!(&error, Error::Failed { failure, .. } if failure.code == E_INVALID));
    assert_eq!(error.to_string(), "plugin `test.words`: options are a JSON object; `{}` will do");
}

#[test]
fn panic_in_decode_is_an_error_and_ends_the_stream() {
    let mut stream = open();
    let frames = [FrameRef::new(FRAME_EVENT, b"fine"), FrameRef::new(FRAME_EVENT, b"loud!")];
    {
        let (mut next, mut events) = (0, Vec::new());
        let error = stream.decode_events(&frames, &mut next, &mut Events::new(&mut events, 8)).unwrap_err();
        assert!(matches!(&error, Error::Failed { failure, .. } if failure.code == E_PANIC), "{error:?}");
        assert_eq!(error.to_string(), "plugin `test.words`: the plugin panicked: no shouting");
        assert_eq!((next, events.len()), (0, 0), "outputs are written on success only");
    }
    assert!(stream.is_broken());
    assert!(matches!(stream.encode_message("x"), Err(Error::Broken { .. })));
    stream.reset();
    let mut events = Vec::new();
    assert!(matches!(stream.finish_events(&mut Events::new(&mut events, 8)), Err(Error::Broken { .. })));
}

#[test]
fn panic_in_encode_leaves_other_streams_alone() {
    let plugin = Plugin::from_guest::<Package>(Host::silent()).unwrap();
    let codec = plugin.codec().unwrap();
    let (mut broken, mut fine) = (codec.open("{}").unwrap(), codec.open("{}").unwrap());
    assert!(broken.encode_message("panic").unwrap_err().to_string().contains("asked to"));
    assert_eq!(fine.encode_message("x").unwrap(), "<x>");
}

#[test]
fn stream_may_move_to_another_thread_and_outlive_the_plugin() {
    let mut stream = open();
    let told = std::thread::spawn(move || drive(&mut stream, &[FrameRef::new(FRAME_EVENT, b"a b")], 64)).join();
    assert_eq!(told.unwrap().len(), 5);
}
