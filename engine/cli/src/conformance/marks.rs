//! Tries to falsify `THW_FLAG_REPEATABLE`: asks the codec for frames that the engine would read by itself, and compares.
//!
//! Behind every marked frame come the same frame with other texts in the marked string, and with other values of the
//! volatile keys, and for another block where the mark lasts; each must give the event that a template gives: the marked one
//! with the other text, of the other block. A second stream
//! gets none of these frames, nor the marked ones; it must read all others as the first, or a marked frame left a trace.

use std::ops::Range;

use serde_json::Value;
use thalweg_abi::decode::{Decode as _, Events, Progress};
use thalweg_abi::host::{Codec, CodecStream};
use thalweg_abi::types::{FLAG_FROM_NOW, FLAG_LASTING, FLAG_REPEATABLE, FLAG_TEXT_ESCAPED, FRAME_EVENT, FrameRef};
use thalweg_wire::json::{self, NESTING_MAX, Raw};

use super::codec::Seen;
use super::{Outcome, Reply};

/// Texts that take the place of the marked one, as they stand between quotes.
const TEXTS: [&str; 12] = [
    "",
    " ",
    "Zq",
    "0",
    "null",
    "[DONE]",
    "stop",
    "<think>",
    "\\u00e9\\n",
    "{\\\"a\\\":",
    "\\ud83d",
    "ein längerer Text, wie er in einem Stück kommen kann, mit Zeichen wie 😀 und mehr als 64 Bytes",
];

/// Values that take the place of those of volatile keys.
const NUMBERS: [&str; 3] = ["0", "-7.5e3", "99999999999"];

/// A promise that holds: the frame, where its text lies, and the event that it gave.
struct Promise<'a> {
    frame: &'a (String, String),
    text: Range<usize>,
    expected: Seen,
}

/// What was tried.
#[derive(Default)]
struct Count {
    marked: usize,
    asked: usize,
}

pub(super) fn check(codec: &Codec, replies: &[Reply]) -> Outcome {
    let keys = match Keys::of(codec) {
        Ok(keys) => keys,
        Err(error) => return Outcome::Failed(error),
    };
    let mut count = Count::default();
    let mut frames = 0;
    for reply in replies {
        frames += reply.len();
        if let Err(lie) = read(codec, reply, &keys, &mut count) {
            return Outcome::Failed(lie);
        }
    }
    match count.marked {
        0 => Outcome::Skipped(format!("none of {frames} frames was marked; --reply FILE tries a recorded reply")),
        marked => Outcome::Kept(format!("{marked} marked frames, asked again in {} other forms", count.asked)),
    }
}

/// Paths of what may be another in a marked frame.
struct Keys {
    volatile: Vec<String>,
    block: Vec<String>,
}

impl Keys {
    fn of(codec: &Codec) -> Result<Self, String> {
        let text = codec.describe().map_err(|error| error.to_string())?;
        let json: Value = serde_json::from_str(&text).map_err(|error| format!("describe gives no JSON: {error}"))?;
        let paths = |name: &str| {
            let paths = json[name].as_array().map(Vec::as_slice).unwrap_or_default();
            paths.iter().filter_map(|path| path.as_str().map(str::to_owned)).collect()
        };
        Ok(Self { volatile: paths("volatile_keys"), block: paths("block_keys") })
    }
}

/// Reads one reply, and all that its marks promise.
fn read(codec: &Codec, reply: &Reply, keys: &Keys, count: &mut Count) -> Result<(), String> {
    let open = || codec.open("{}").map_err(|error| error.to_string());
    // All frames and the changed ones; and only those that are not marked.
    let (mut asked, mut spared) = (open()?, open()?);
    let mut promises: Vec<Promise<'_>> = Vec::new();
    for frame in reply {
        let events = decode(&mut asked, frame)?;
        let last = events.last();
        let is_from_now = last.is_some_and(|event| event.flags & BOTH == BOTH);
        let is_marked =
            last.is_some_and(|event| event.flags & FLAG_REPEATABLE != 0) && (is_from_now || events.len() == 1);
        if !is_marked || is_from_now {
            promises.retain(|promise| promise.expected.flags & FLAG_LASTING != 0);
            let other = decode(&mut spared, frame)?;
            if other != events {
                return Err(format!(
                    "a frame before {} was marked and left a trace: without it the codec reads {} instead of {}",
                    shown(frame),
                    in_words(&other),
                    in_words(&events)
                ));
            }
        }
        let Some((event, text)) = last.filter(|_| is_marked).and_then(|event| Some((event, place(frame, event)?)))
        else {
            continue;
        };
        count.marked += 1;
        promises.push(Promise { frame, text, expected: event.clone() });
        // The newest in all forms; those before it hold still.
        let (newest, before) = promises.split_last().ok_or("no promise")?;
        for form in forms(newest, &keys.volatile).into_iter().chain(other_block(newest, &keys.block)) {
            ask(&mut asked, newest, &form, count)?;
        }
        for promise in before {
            ask(&mut asked, promise, &Form::of(promise, "Zq"), count)?;
        }
    }
    Ok(())
}

const BOTH: u32 = FLAG_REPEATABLE | FLAG_FROM_NOW;
const MARKS: u32 = BOTH | FLAG_LASTING;

/// A frame with other content in its holes.
struct Form {
    data: String,
    text: String,
    block: u32,
}

impl Form {
    fn of(promise: &Promise<'_>, text: &str) -> Self {
        let data = &promise.frame.1;
        let (before, behind) = (&data[..promise.text.start], &data[promise.text.end..]);
        Self { data: [before, text, behind].concat(), text: text.to_owned(), block: promise.expected.block }
    }
}

/// Every other text; every other value of each volatile key; and all of them at once.
fn forms(promise: &Promise<'_>, volatile: &[String]) -> Vec<Form> {
    let mut forms: Vec<Form> = TEXTS.iter().map(|text| Form::of(promise, text)).collect();
    let data = &promise.frame.1;
    let said = &data[promise.text.clone()];
    let mut places = places(data, volatile);
    // The marked text is no other hole, and what is or may be the event's second text is none.
    places.retain(|place| place.end <= promise.text.start || place.start >= promise.text.end);
    places.retain(|place| !promise.expected.says(&data.as_bytes()[place.clone()]));
    places.truncate(HOLES_MAX);
    for round in 0..NUMBERS.len() {
        let fill = |place: &Range<usize>| match data.as_bytes()[place.start] {
            b'"' => ["\"\"", "\"Zq\"", "\"other, and longer than what was there\""][round],
            _ => NUMBERS[round],
        };
        for place in &places {
            forms.push(Form {
                data: [&data[..place.start], fill(place), &data[place.end..]].concat(),
                text: said.to_owned(),
                block: promise.expected.block,
            });
        }
        if places.len() > 1 {
            let mut all = String::new();
            let mut at = 0;
            for place in &places {
                all.push_str(&data[at..place.start]);
                all.push_str(fill(place));
                at = place.end;
            }
            all.push_str(&data[at..]);
            forms.push(Form { data: all, text: said.to_owned(), block: promise.expected.block });
        }
    }
    forms
}

/// The frame for another block, if its mark lasts and the number of its block stands in it, once.
fn other_block(promise: &Promise<'_>, keys: &[String]) -> Option<Form> {
    const BLOCK: u32 = 4077;
    let (data, event) = (&promise.frame.1, &promise.expected);
    let places = places(data, keys);
    let [place] = places.as_slice() else { return None };
    let is_it = event.flags & FLAG_LASTING != 0 && data[place.clone()] == event.block.to_string();
    is_it.then(|| Form {
        data: format!("{}{BLOCK}{}", &data[..place.start], &data[place.end..]),
        text: data[promise.text.clone()].to_owned(),
        block: BLOCK,
    })
}

/// The strings and numbers at any of the paths, in their order.
fn places(data: &str, paths: &[String]) -> Vec<Range<usize>> {
    let mut places = Vec::new();
    for path in paths {
        let names: Vec<&str> = path.split('.').collect();
        if let Ok(whole) = json::value(data.as_bytes(), NESTING_MAX) {
            find(whole, &names, data, &mut places);
        }
    }
    places.sort_by_key(|place: &Range<usize>| place.start);
    places.dedup();
    places
}

/// Holes of a template besides its text.
const HOLES_MAX: usize = 6;

/// The strings and numbers at a path, as they stand with their quotes; a list stands for each of its elements.
fn find(value: Raw<'_>, names: &[&str], data: &str, places: &mut Vec<Range<usize>>) {
    if value.is_array() {
        for item in value.items() {
            find(item, names, data, places);
        }
        return;
    }
    if value.is_object() {
        let walked = value.cursor().members(|cursor, key| {
            let member = cursor.skip()?;
            match names {
                [] => find(member, &[], data, places),
                [name, rest @ ..] if key.is(name.as_bytes()) => find(member, rest, data, places),
                _ => {}
            }
            Ok(())
        });
        // What is no JSON has no places.
        let _ = walked;
        return;
    }
    let bytes = value.bytes();
    if names.is_empty() && matches!(bytes.first(), Some(b'"' | b'-' | b'0'..=b'9')) {
        let start = bytes.as_ptr().addr() - data.as_ptr().addr();
        places.push(start..start + bytes.len());
    }
}

/// Has the codec read a form, and compares with what a template gives.
fn ask(stream: &mut CodecStream, promise: &Promise<'_>, form: &Form, count: &mut Count) -> Result<(), String> {
    count.asked += 1;
    let frame = (promise.frame.0.clone(), form.data.clone());
    let escaped = if form.text.contains('\\') { FLAG_TEXT_ESCAPED } else { 0 };
    let flags = promise.expected.flags & !(FLAG_TEXT_ESCAPED | MARKS) | escaped;
    let text = form.text.clone().into_bytes();
    let expected = Seen { flags, block: form.block, text, ..promise.expected.clone() };
    let mut given = decode(stream, &frame)?;
    for event in &mut given {
        event.flags &= !MARKS;
    }
    if given.as_slice() == std::slice::from_ref(&expected) {
        return Ok(());
    }
    Err(format!(
        "it marks {} and reads {} as {}; by the mark it is {}",
        shown(promise.frame),
        shown(&frame),
        in_words(&given),
        in_words(std::slice::from_ref(&expected))
    ))
}

/// Where the text of an event lies between quotes in its frame. Other JSON than a string, and a text that stands nowhere,
/// are never read by a template.
fn place(frame: &(String, String), event: &Seen) -> Option<Range<usize>> {
    let place = event.place.clone()?;
    let data = frame.1.as_bytes();
    let is_string = place.start > 0 && data[place.start - 1] == b'"' && data.get(place.end) == Some(&b'"');
    is_string.then_some(place)
}

/// The events of one frame.
fn decode(stream: &mut CodecStream, frame: &(String, String)) -> Result<Vec<Seen>, String> {
    let data = frame.1.as_bytes();
    let frames = [FrameRef::new(FRAME_EVENT, data).with_event(frame.0.as_bytes())];
    let mut buffer = Vec::new();
    let mut next = 0;
    let progress = stream
        .decode(&frames, &mut next, &mut Events::new(&mut buffer, EVENTS_A_FRAME))
        .map_err(|error| error.to_string())?;
    if progress == Progress::More {
        return Err(format!("one frame gives more than {EVENTS_A_FRAME} events"));
    }
    Ok(buffer.iter().map(|event| Seen::of_frame(event, data)).collect())
}

/// More than any frame gives.
const EVENTS_A_FRAME: usize = 1_024;

fn shown(frame: &(String, String)) -> String {
    let short: String = frame.1.chars().take(SHOWN_MAX).collect();
    if short.len() < frame.1.len() { format!("{short}…") } else { short }
}

/// Characters of a frame that are shown.
const SHOWN_MAX: usize = 200;

fn in_words(events: &[Seen]) -> String {
    match events {
        [] => "no event".to_owned(),
        [event] => event.to_string(),
        [first, ..] => format!("{} events, the first {first}", events.len()),
    }
}
