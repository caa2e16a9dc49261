//! Reads a JSON text that is not complete yet: the longest prefix that has a meaning, with its containers closed.
//!
//! For showing tool arguments while they come in; what is executed is read by [`crate::arguments`] only. A key without its
//! value, a cut literal and a cut escape are left out; a cut string and a cut number are shown as far as they came.

use serde_json::Value;

/// The value of the longest meaningful prefix of `text`; `None` when there is none.
///
/// What follows the first mistake in the text is left out.
#[must_use]
pub fn parse(text: &str) -> Option<Value> {
    if let Ok(value) = serde_json::from_str(text) {
        return Some(value);
    }
    let mut scan = Scan { bytes: text.as_bytes(), at: 0, closers: Vec::new(), complete: 0, open_string: None };
    scan.run();
    let closers: String = scan.closers.iter().rev().map(|&closer| char::from(closer)).collect();
    let with_string = scan.open_string.and_then(|end| close(text.get(..end)?, "\"", &closers));
    with_string.or_else(|| close(text.get(..scan.complete)?, "", &closers))
}

/// What stands next.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Expect {
    Value,
    ValueOrEnd,
    Key,
    KeyOrEnd,
    Colon,
    CommaOrEnd,
}

struct Scan<'a> {
    bytes: &'a [u8],
    at: usize,
    /// What closes the open containers, outermost first. Changes only together with `complete`.
    closers: Vec<u8>,
    /// Up to here the text is valid, once the open containers are closed.
    complete: usize,
    /// Up to here the text is valid, once an open string and the containers are closed.
    open_string: Option<usize>,
}

/// Where a string ends.
enum StringEnd {
    /// Behind its closing quote.
    At(usize),
    /// It is cut; up to here it can be shown.
    Cut(usize),
}

impl Scan<'_> {
    fn run(&mut self) {
        let mut expect = Expect::Value;
        while let Some(next) = self.step(expect) {
            expect = next;
        }
    }

    /// Reads one token. `None` at the end, at a mistake, and behind the outermost value.
    fn step(&mut self, expect: Expect) -> Option<Expect> {
        while matches!(self.bytes.get(self.at), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
        let byte = *self.bytes.get(self.at)?;
        match (expect, byte) {
            (Expect::ValueOrEnd, b']') | (Expect::KeyOrEnd, b'}') => self.close_container(byte),
            (Expect::Value | Expect::ValueOrEnd, _) => self.value(byte),
            (Expect::Key | Expect::KeyOrEnd, b'"') => match self.string_end() {
                StringEnd::At(end) => {
                    self.at = end;
                    Some(Expect::Colon)
                }
                StringEnd::Cut(_) => None,
            },
            (Expect::Colon, b':') => {
                self.at += 1;
                Some(Expect::Value)
            }
            (Expect::CommaOrEnd, b',') => {
                self.at += 1;
                Some(if self.closers.last()? == &b'}' { Expect::Key } else { Expect::Value })
            }
            (Expect::CommaOrEnd, b']' | b'}') => self.close_container(byte),
            _ => None,
        }
    }

    fn value(&mut self, byte: u8) -> Option<Expect> {
        match byte {
            b'{' => Some(self.open_container(b'}', Expect::KeyOrEnd)),
            b'[' => Some(self.open_container(b']', Expect::ValueOrEnd)),
            b'"' => match self.string_end() {
                StringEnd::At(end) => Some(self.completed(end)),
                StringEnd::Cut(end) => {
                    self.open_string = Some(end);
                    None
                }
            },
            _ => {
                let rest = &self.bytes[self.at..];
                let is_scalar = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'+' | b'.');
                let len = rest.iter().position(|b| !is_scalar(b)).unwrap_or(rest.len());
                serde_json::from_slice::<Value>(&rest[..len]).ok()?;
                Some(self.completed(self.at + len))
            }
        }
    }

    fn open_container(&mut self, closer: u8, expect: Expect) -> Expect {
        self.closers.push(closer);
        self.completed(self.at + 1);
        expect
    }

    fn close_container(&mut self, byte: u8) -> Option<Expect> {
        self.closers.pop_if(|closer| *closer == byte)?;
        Some(self.completed(self.at + 1))
    }

    const fn completed(&mut self, end: usize) -> Expect {
        self.at = end;
        self.complete = end;
        Expect::CommaOrEnd
    }

    fn string_end(&self) -> StringEnd {
        let mut at = self.at + 1;
        // A high surrogate is shown only together with its low one.
        let mut high_surrogate = None;
        while let Some(&byte) = self.bytes.get(at) {
            let len = match byte {
                b'"' => return StringEnd::At(at + 1),
                b'\\' if self.bytes.get(at + 1) == Some(&b'u') => 6,
                b'\\' => 2,
                _ => 1,
            };
            let Some(piece) = self.bytes.get(at..at + len) else { break };
            let is_high = len == 6
                && matches!(piece[2], b'd' | b'D')
                && matches!(piece[3], b'8'..=b'9' | b'a' | b'b' | b'A' | b'B');
            high_surrogate = if is_high { Some(at) } else { None };
            at += len;
        }
        StringEnd::Cut(high_surrogate.unwrap_or(at))
    }
}

fn close(prefix: &str, quote: &str, closers: &str) -> Option<Value> {
    serde_json::from_str(&[prefix, quote, closers].concat()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn each_cut_shows_what_is_known() {
        for (text, expected) in [
            ("{", json!({})),
            ("{\"a", json!({})),
            ("{\"a\"", json!({})),
            ("{\"a\":", json!({})),
            ("{\"a\":1", json!({"a":1})),
            ("{\"a\":1.", json!({})),
            ("{\"a\":-", json!({})),
            ("{\"a\":tru", json!({})),
            ("{\"a\":true", json!({"a":true})),
            ("{\"a\":true,", json!({"a":true})),
            ("{\"a\":\"", json!({"a":""})),
            ("{\"a\":\"x\\", json!({"a":"x"})),
            ("{\"a\":\"x\\n", json!({"a":"x\n"})),
            ("{\"a\":\"x\\u00e", json!({"a":"x"})),
            ("{\"a\":\"x\\ud83d", json!({"a":"x"})),
            ("{\"a\":\"x\\ud83d\\ude0", json!({"a":"x"})),
            ("{\"a\":\"x\\ud83d\\ude00", json!({"a":"x😀"})),
            ("{\"a\":[1,[2,{\"b\":\"é", json!({"a":[1,[2,{"b":"é"}]]})),
            (" [1 , ", json!([1])),
            ("\"top", json!("top")),
            ("{\"a\":1}", json!({"a":1})),
            ("{\"a\":1}}", json!({"a":1})),
            ("{\"a\":1 2", json!({"a":1})),
            ("[1}", json!([1])),
            ("{]", json!({})),
        ] {
            assert_eq!(parse(text), Some(expected), "{text}");
        }
        for text in ["", " ", "nul", "-", "x", ":", "}", "]"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn every_cut_of_a_text_can_be_read_and_nothing_is_invented() {
        let text =
            r#"{"a":[1,-2.5e3,"x\"\\\u00e9\ud83d\ude00é"],"b":{"c":null,"d":[true,false,{}]},"":"","e":[[],[""]]}"#;
        let whole: Value = serde_json::from_str(text).unwrap();
        for cut in (1..=text.len()).filter(|&cut| text.is_char_boundary(cut)) {
            let value = parse(&text[..cut]).unwrap_or_else(|| panic!("cut at {cut}"));
            assert!(is_prefix(&value, &whole), "cut at {cut}: {value}");
        }
        assert_eq!(parse(text), Some(whole));
    }

    #[test]
    fn deep_nesting_is_no_value_and_no_overflow() {
        assert_eq!(parse(&"[".repeat(200_000)), None);
    }

    fn is_prefix(part: &Value, whole: &Value) -> bool {
        match (part, whole) {
            (Value::Object(part), Value::Object(whole)) => {
                part.iter().all(|(key, value)| whole.get(key).is_some_and(|whole| is_prefix(value, whole)))
            }
            (Value::Array(part), Value::Array(whole)) => {
                part.len() <= whole.len() && part.iter().zip(whole).all(|(part, whole)| is_prefix(part, whole))
            }
            (Value::String(part), Value::String(whole)) => whole.starts_with(part.as_str()),
            // A cut number is another number.
            (Value::Number(_), Value::Number(_)) => true,
            (part, whole) => part == whole,
        }
    }
}
