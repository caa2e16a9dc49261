//! Every kernel on every level that this processor has, against what a plain loop says.

use super::plan::{Frames, One, Plan, Usual, Value};
use super::{BLOCK, Level, Scalar, Vector, Work, string_stop};

/// All levels of this processor.
pub(super) fn levels() -> Vec<Level> {
    let mut levels = vec![Level::Scalar(Scalar), Level::detect()];
    #[cfg(target_arch = "x86_64")]
    levels.push(Level::Sse2(super::Sse2));
    levels
}

struct FindStop<'a>(&'a [u8], usize);

impl Work for FindStop<'_> {
    type Output = usize;

    #[inline(always)]
    fn run<V: Vector>(self, vector: V) -> usize {
        string_stop(vector, self.0, self.1)
    }
}

/// The answers of every kernel for two blocks.
#[derive(Debug, PartialEq, Eq)]
struct Answers {
    equal: u32,
    quotes: u32,
    stops: u32,
    plain_stops: u32,
    high: u32,
    unusual: u32,
    are_usual: [bool; 4],
    non_digits: u32,
    differs: bool,
    is_any_set: bool,
    is_any_common: bool,
    is_zero_set: bool,
}

struct Ask<'a>(&'a [u8; BLOCK], &'a [u8; BLOCK]);

impl Work for Ask<'_> {
    type Output = Answers;

    #[inline(always)]
    fn run<V: Vector>(self, vector: V) -> Answers {
        let (one, other) = (vector.load(self.0), vector.load(self.1));
        Answers {
            equal: vector.equal(one, other),
            quotes: vector.is_byte(one, b'"'),
            stops: vector.string_stops(one),
            plain_stops: vector.plain_stops(one),
            high: vector.high_bits(one),
            unusual: vector.unusual(one),
            are_usual: std::array::from_fn(|at| {
                let mut blocks = [vector.load(&[b'x'; BLOCK]); 4];
                blocks[at] = one;
                vector.are_usual(blocks)
            }),
            non_digits: vector.non_digits(one),
            differs: !vector.is_zero(vector.xor(one, other)),
            is_any_set: !vector.is_zero(vector.or(one, other)),
            is_any_common: !vector.is_zero(vector.and(one, other)),
            is_zero_set: !vector.is_zero(vector.zero()),
        }
    }
}

fn expected(one: &[u8; BLOCK], other: &[u8; BLOCK]) -> Answers {
    let mask = |is_set: &dyn Fn(usize) -> bool| (0..BLOCK).filter(|&n| is_set(n)).fold(0, |mask, n| mask | 1 << n);
    Answers {
        equal: mask(&|n| one[n] == other[n]),
        quotes: mask(&|n| one[n] == b'"'),
        stops: mask(&|n| matches!(one[n], b'"' | b'\\' | 0..=0x1f)),
        plain_stops: mask(&|n| !one[n].is_ascii() || matches!(one[n], b'"' | b'\\' | 0..=0x1f)),
        high: mask(&|n| !one[n].is_ascii()),
        unusual: mask(&|n| one[n].is_ascii_control() && one[n] != 0x7f || !one[n].is_ascii()),
        non_digits: mask(&|n| !one[n].is_ascii_digit()),
        are_usual: [one.iter().all(|byte| (0x20..0x80).contains(byte)); 4],
        differs: one != other,
        is_any_set: one.iter().chain(other).any(|&byte| byte != 0),
        is_any_common: one.iter().zip(other).any(|(one, other)| one & other != 0),
        is_zero_set: false,
    }
}

#[test]
fn every_byte_at_every_place_is_seen_as_what_it_is() {
    for level in levels() {
        for background in [b'a', b'5', 0, 0xff] {
            for byte in 0..=u8::MAX {
                for place in 0..BLOCK {
                    let other = [background; BLOCK];
                    let mut one = other;
                    one[place] = byte;
                    let got = level.run(Ask(&one, &other));
                    assert_eq!(got, expected(&one, &other), "{level:?}: {byte} at {place} among {background}");
                }
            }
        }
    }
}

#[test]
fn the_first_stop_of_a_string_is_found_wherever_it_stands() {
    for level in levels() {
        for length in 0..3 * BLOCK {
            assert_eq!(level.run(FindStop(&vec![b'x'; length], 0)), length, "{level:?}");
            for place in 0..length {
                for stop in [b'"', b'\\', 0, b'\n', 0x1f] {
                    let mut bytes = vec![0xe4; length];
                    bytes[place] = stop;
                    bytes[length - 1] = if place + 1 == length { stop } else { b'"' };
                    for from in [0, place / 2, place] {
                        let found = level.run(FindStop(&bytes, from));
                        assert_eq!(found, place, "{level:?}: {length} bytes from {from}");
                    }
                }
            }
        }
    }
}

/// Frames of one shape: literals of some lengths, and values between them.
struct Shape {
    plan: Plan,
    literals: Vec<Vec<u8>>,
    values: Vec<Value>,
}

impl Shape {
    fn new(lengths: &[usize], values: &[Value]) -> Self {
        // A literal behind a string begins with its quote, and one behind a number ends it.
        let literal = |(number, &length): (usize, &usize)| {
            let first = match number.checked_sub(1).map(|before| values[before]) {
                Some(Value::Text | Value::String) => b"\"",
                Some(Value::Number) => b",",
                _ => b"x",
            };
            let rest = (1..length).map(|n| b'a' + (n % 26) as u8);
            first.iter().copied().chain(rest).take(length).collect()
        };
        let literals: Vec<Vec<u8>> = lengths.iter().enumerate().map(literal).collect();
        let mut plan = Plan::new();
        plan.begin(lengths.iter().sum());
        for (literal, &value) in literals.iter().zip(values.iter().chain([&Value::End])) {
            let start = plan.literals().len();
            plan.push_bytes(literal);
            plan.push_step(start, value);
        }
        Self { plan, literals, values: values.to_vec() }
    }

    /// A frame whose values have that length.
    fn frame(&self, length: usize) -> (Vec<u8>, Vec<u8>) {
        let (mut frame, mut text) = (Vec::new(), Vec::new());
        for (number, literal) in self.literals.iter().enumerate() {
            frame.extend_from_slice(literal);
            let value = match self.values.get(number) {
                None => continue,
                Some(Value::Number) => b'7',
                Some(Value::Blanks) => b' ',
                Some(_) => b't',
            };
            let value = vec![value; length];
            if self.values[number] == Value::Text {
                text.clone_from(&value);
            }
            frame.extend(value);
        }
        (frame, text)
    }
}

fn read(level: Level, plan: &Plan, input: &[u8], at: usize) -> (usize, Vec<Vec<u8>>) {
    let mut batch = Vec::new();
    let mut end = at;
    loop {
        let usual = level.run(Usual { plan, input, at: end, batch: &mut batch, room: 9 });
        let frames = Frames { plan, input, at: usual, batch: &mut batch, room: 9, any: |_, _, _| None };
        let (next, has_escapes) = level.run(frames);
        assert!(!has_escapes);
        if next == end {
            break;
        }
        end = next;
    }
    let one = level.run(One { plan, input, at, any: |_, _, _| None });
    let first = batch.first().map(|event| event.text().to_vec());
    assert_eq!(one.map(|(text, ..)| input[text].to_vec()), first, "{level:?}");
    (end, batch.iter().map(|event| event.text().to_vec()).collect())
}

#[test]
fn frames_of_a_plan_are_read_and_others_are_not_wherever_they_differ() {
    use Value::{Blanks, Number, String, Text};
    let shapes: [(&[usize], &[Value]); 7] = [
        (&[40, 5], &[Text]),
        (&[33, 33], &[Text]),
        (&[300, 70], &[Text]),
        (&[64, 12, 9], &[Number, Text]),
        (&[35, 17, 31, 6], &[Text, String, Blanks]),
        (&[32, 1, 96, 2, 3], &[String, Text, Number, String]),
        (&[10, 40, 4], &[String, Text]),
    ];
    for (lengths, values) in shapes {
        let shape = Shape::new(lengths, values);
        let is_short = lengths[0] < BLOCK;
        for level in levels() {
            for length in 1..40 {
                let is_long =
                    (length >= BLOCK && values.contains(&Blanks)) || (length > BLOCK && values.contains(&Number));
                let (frame, text) = shape.frame(length);
                for before in [0, 3, 50] {
                    // What is before the first byte is not looked at.
                    let mut input = vec![b'-'; before];
                    input.extend_from_slice(&frame);
                    input.extend_from_slice(&frame);
                    let expected = if is_long || (is_short && before < BLOCK) {
                        (before, Vec::new())
                    } else {
                        (input.len(), vec![text.clone(), text.clone()])
                    };
                    assert_eq!(read(level, &shape.plan, &input, before), expected, "{level:?}: {lengths:?}, {length}");
                    if is_long || is_short {
                        continue;
                    }
                    for cut in before..input.len() {
                        let count = (cut - before) / frame.len();
                        let (end, texts) = read(level, &shape.plan, &input[..cut], before);
                        assert_eq!(
                            (end, texts.len()),
                            (before + count * frame.len(), count),
                            "{level:?}: cut at {cut}"
                        );
                    }
                }
            }
            let (frame, _) = shape.frame(4);
            for place in 0..frame.len() {
                for other in [b'\n', 0xc3, b'\\', b'!'] {
                    let mut changed = frame.clone();
                    changed[place] = other;
                    let is_text = |byte: u8| byte == b't' && other == b'!';
                    let input = [&[b'-'; BLOCK], changed.as_slice(), b"behind"].concat();
                    let mut at = 0;
                    let mut is_value = false;
                    for (literal, value) in shape.literals.iter().zip(&shape.values) {
                        at += literal.len();
                        is_value |= matches!(value, Text | String) && (at..at + 4).contains(&place);
                        at += 4;
                    }
                    let fits = is_value && is_text(frame[place]);
                    let (end, _) = read(level, &shape.plan, &input, BLOCK);
                    let expected = if fits { BLOCK + frame.len() } else { BLOCK };
                    assert_eq!(end, expected, "{level:?}: {lengths:?}, {other} at {place}");
                }
            }
        }
    }
}

#[test]
fn a_plan_that_is_not_whole_reads_nothing() {
    let mut plan = Plan::new();
    let input = [b'x'; 200];
    assert_eq!(read(Level::detect(), &plan, &input, 0).0, 0, "nothing is in it");
    plan.begin(100);
    plan.push_bytes(&[b'x'; 40]);
    plan.push_step(BLOCK, Value::Text);
    assert_eq!(read(Level::detect(), &plan, &input, 0).0, 0, "its end is missing");
    for _ in 0..9 {
        let start = plan.literals().len();
        plan.push_bytes(b"\"x");
        plan.push_step(start, Value::String);
    }
    let start = plan.literals().len();
    plan.push_step(start, Value::End);
    assert_eq!(read(Level::detect(), &plan, &input, 0).0, 0, "it has more steps than fit");
    plan.begin(40);
    plan.push_bytes(&[b'x'; 40]);
    plan.push_step(0, Value::End);
    assert_eq!(read(Level::detect(), &plan, &input, 0).0, 0, "a literal begins before all literals");
}
