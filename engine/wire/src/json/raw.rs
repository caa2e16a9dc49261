//! A value of a payload, checked, as the slice that it is.

use super::{Cursor, NESTING_MAX, Names, Text};

/// One checked value, or none. Copying it copies no content.
#[derive(Clone, Copy, Debug, Default)]
pub struct Raw<'a> {
    bytes: &'a [u8],
    /// Whether a backslash stands in it, if it is a string.
    is_escaped: bool,
}

impl<'a> Raw<'a> {
    /// No value.
    pub const ABSENT: Self = Self { bytes: &[], is_escaped: false };

    /// A value that is no string.
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, is_escaped: false }
    }

    /// A string with its quotes.
    pub(super) const fn new_text(bytes: &'a [u8], is_escaped: bool) -> Self {
        Self { bytes, is_escaped }
    }

    /// The value as it stands in the payload; empty when there is none.
    #[must_use]
    pub const fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Whether there is no value.
    #[must_use]
    pub const fn is_absent(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Whether there is no value, or `null`.
    #[must_use]
    pub fn is_none(&self) -> bool {
        matches!(self.bytes.first(), None | Some(b'n'))
    }

    /// Whether it is an object.
    #[must_use]
    pub fn is_object(&self) -> bool {
        self.bytes.first() == Some(&b'{')
    }

    /// Whether it is an array.
    #[must_use]
    pub fn is_array(&self) -> bool {
        self.bytes.first() == Some(&b'[')
    }

    /// Whether it says something: not absent, `null`, `false`, a zero, or an empty string, array or object.
    #[must_use]
    pub fn is_truthy(&self) -> bool {
        match self.bytes.first() {
            None | Some(b'n' | b'f') => false,
            Some(b't') => true,
            Some(b'"') => self.bytes.len() > 2,
            Some(b'{' | b'[') => !self.bytes[1..self.bytes.len() - 1].iter().all(u8::is_ascii_whitespace),
            Some(_) => {
                let mantissa = self.bytes.iter().take_while(|byte| !matches!(byte, b'e' | b'E'));
                mantissa.into_iter().any(|byte| matches!(byte, b'1'..=b'9'))
            }
        }
    }

    /// The content, if it is a string.
    #[inline]
    #[must_use]
    pub fn text(&self) -> Option<Text<'a>> {
        match self.bytes {
            [b'"', content @ .., _] => Some(Text::new(content, self.is_escaped)),
            _ => None,
        }
    }

    /// The content, if it is a string that is not empty.
    #[inline]
    #[must_use]
    pub fn non_empty_text(&self) -> Option<Text<'a>> {
        if self.bytes.len() > 2 { self.text() } else { None }
    }

    /// The number, if it is one; a fraction is cut off, and what no `i64` holds becomes the nearest one.
    #[inline]
    #[must_use]
    pub fn int(&self) -> Option<i64> {
        match self.bytes {
            // Most numbers of a stream are indices.
            [digit @ b'0'..=b'9'] => Some((digit - b'0').into()),
            _ => self.long_int(),
        }
    }

    fn long_int(&self) -> Option<i64> {
        if !matches!(self.bytes.first(), Some(b'-' | b'0'..=b'9')) {
            return None;
        }
        let text = std::str::from_utf8(self.bytes).ok()?;
        text.parse().ok().or_else(|| text.parse::<f64>().ok().map(|number| number as i64))
    }

    /// A cursor at the beginning of the value.
    #[must_use]
    pub const fn cursor(&self) -> Cursor<'a> {
        // What was checked is no deeper than this.
        Cursor::new(self.bytes, NESTING_MAX)
    }

    /// The named fields, if it is an object.
    #[must_use]
    pub fn fields<const N: usize>(&self, names: &Names<N>) -> Option<[Self; N]> {
        if self.is_object() { self.cursor().fields(names).ok() } else { None }
    }

    /// The named fields of each element that is an object, if it is an array; else none.
    #[inline]
    #[must_use]
    pub fn objects<'n, const N: usize>(&self, names: &'n Names<N>) -> Objects<'a, 'n, N> {
        let mut cursor = self.cursor();
        let has_next = self.is_array() && cursor.open_array().unwrap_or(false);
        Objects { cursor, names, has_next }
    }

    /// The elements, if it is an array; else none.
    #[must_use]
    pub fn items(&self) -> Items<'a> {
        let mut cursor = self.cursor();
        let has_next = self.is_array() && cursor.open_array().unwrap_or(false);
        Items { cursor, has_next }
    }
}

/// The named fields of the objects in an array. Made by [`Raw::objects`].
#[derive(Clone, Debug)]
pub struct Objects<'a, 'n, const N: usize> {
    cursor: Cursor<'a>,
    names: &'n Names<N>,
    has_next: bool,
}

impl<'a, const N: usize> Iterator for Objects<'a, '_, N> {
    type Item = [Raw<'a>; N];

    #[inline]
    fn next(&mut self) -> Option<[Raw<'a>; N]> {
        while self.has_next {
            let fields = if self.cursor.peek() == Some(b'{') {
                Some(self.cursor.fields(self.names).ok()?)
            } else {
                self.cursor.skip().ok()?;
                None
            };
            self.has_next = self.cursor.more_elements().unwrap_or(false);
            if fields.is_some() {
                return fields;
            }
        }
        None
    }
}

/// The elements of an array. Made by [`Raw::items`].
#[derive(Clone, Debug)]
pub struct Items<'a> {
    cursor: Cursor<'a>,
    has_next: bool,
}

impl<'a> Iterator for Items<'a> {
    type Item = Raw<'a>;

    fn next(&mut self) -> Option<Raw<'a>> {
        if !self.has_next {
            return None;
        }
        let item = self.cursor.skip().ok()?;
        self.has_next = self.cursor.more_elements().unwrap_or(false);
        Some(item)
    }
}

#[cfg(test)]
mod tests {
    use crate::json::{Names, value};

    #[test]
    fn numbers_of_every_form_are_read() {
        for (json, expected) in [
            ("0", Some(0)),
            ("-0", Some(0)),
            ("17", Some(17)),
            ("-5", Some(-5)),
            ("12.0", Some(12)),
            ("12.9", Some(12)),
            ("-1.5e1", Some(-15)),
            ("1E3", Some(1000)),
            ("9223372036854775807", Some(i64::MAX)),
            ("9223372036854775808", Some(i64::MAX)),
            ("-1e400", Some(i64::MIN)),
            ("1e-400", Some(0)),
            ("\"1\"", None),
            ("null", None),
            ("[1]", None),
            ("true", None),
        ] {
            assert_eq!(value(json.as_bytes(), 8).unwrap().int(), expected, "{json}");
        }
    }

    #[test]
    fn truth_is_that_of_the_scripts_that_servers_are_written_in() {
        for json in ["null", "false", "0", "-0.0", "0e5", "\"\"", "[]", "{ }", "[\n]"] {
            assert!(!value(json.as_bytes(), 8).unwrap().is_truthy(), "{json}");
        }
        for json in ["true", "1", "0.1", "\" \"", "[0]", "{\"a\":0}"] {
            assert!(value(json.as_bytes(), 8).unwrap().is_truthy(), "{json}");
        }
    }

    #[test]
    fn the_last_of_two_equal_keys_counts() {
        let json = br#"{"a":1,"b":2,"a":3,"\u0061":[4]}"#;
        let [a, b, c] = value(json, 8).unwrap().fields(&Names::new(["a", "b", "c"])).unwrap();
        assert_eq!((a.bytes(), b.int(), c.is_absent()), (&b"[4]"[..], Some(2), true));
    }

    #[test]
    fn only_the_objects_of_an_array_give_fields() {
        let json = br#"[ {"a":1}, 2, [{"a":3}], {"b":{"a":4}} ,{ "a" : 5 }]"#;
        let names = Names::new(["a"]);
        let found: Vec<_> = value(json, 8).unwrap().objects(&names).map(|[a]| a.int()).collect();
        assert_eq!(found, [Some(1), None, Some(5)]);
        assert_eq!(value(b"{}", 8).unwrap().objects(&names).count(), 0);
    }

    #[test]
    fn elements_are_handed_out_in_order() {
        let items = |json: &'static str| {
            value(json.as_bytes(), 8).unwrap().items().map(|item| item.bytes()).collect::<Vec<_>>()
        };
        assert_eq!(
            items(r#" [ 1 , "a,]" , [2,[3]] ,{"x":[ ]}, null ] "#),
            [&b"1"[..], b"\"a,]\"", b"[2,[3]]", b"{\"x\":[ ]}", b"null"]
        );
        assert!(items("[]").is_empty());
        assert!(items(r#"{"a":1}"#).is_empty());
        assert!(items("7").is_empty());
    }
}
