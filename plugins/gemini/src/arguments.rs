//! Arguments that come in pieces, each with the path of its value: written as JSON text that only ever grows.
//!
//! The model writes its arguments from left to right, so a piece adds to the value written last, or begins one behind it. A piece
//! that would have to go back is refused.

use thalweg_wire::json::{Names, Raw};

use crate::path::{Step, read_path};

/// Arguments as far as they are written.
#[derive(Debug, Default)]
pub(crate) struct Arguments {
    /// The path of the value written last; empty before the first one.
    last: Vec<Step>,
    /// The same as it stood in the payload.
    last_path: Vec<u8>,
    /// The keys that were written in each object that is still open, the outermost first; empty for arrays.
    keys: Vec<Vec<Vec<u8>>>,
    /// Whether the value written last is a string that goes on.
    is_open: bool,
    has_begun: bool,
    /// What was written last.
    added: Vec<u8>,
    steps: Vec<Step>,
}

/// A piece of arguments.
pub(crate) struct Piece<'a> {
    path: Raw<'a>,
    /// The JSON of the value; absent where a piece only ends a string.
    value: Raw<'a>,
    is_null: bool,
    will_continue: bool,
}

/// The piece would have to go back, is about no value, or is too much.
pub(crate) struct Refused;

/// Keys that one object may have, and places that an index may leave out.
const MEMBERS_MAX: usize = 4096;

static PIECE: Names<6> =
    Names::new(["jsonPath", "stringValue", "numberValue", "boolValue", "nullValue", "willContinue"]);

impl<'a> Piece<'a> {
    /// None if it is no object.
    pub(crate) fn read(piece: Raw<'a>) -> Option<Self> {
        let [path, string, number, boolean, null, will_continue] = piece.fields(&PIECE)?;
        let value = [string, number, boolean].into_iter().find(|value| !value.is_none()).unwrap_or_default();
        Some(Self { path, value, is_null: !null.is_absent(), will_continue: will_continue.is_truthy() })
    }

    fn string(&self) -> Option<&'a [u8]> {
        self.value.text().map(|text| text.raw())
    }

    /// The JSON of what is no string.
    fn scalar(&self) -> Option<&'a [u8]> {
        if self.value.is_absent() { self.is_null.then_some(b"null") } else { Some(self.value.bytes()) }
    }
}

impl Arguments {
    /// What a piece adds that goes on with the open string and leaves it open: a slice of the payload.
    pub(crate) fn continues<'a>(&self, piece: &Piece<'a>) -> Option<&'a [u8]> {
        let is_same = self.is_open && piece.will_continue && piece.path.bytes() == self.last_path;
        if is_same { piece.string() } else { None }
    }

    /// Writes a piece.
    pub(crate) fn add(&mut self, piece: &Piece<'_>) -> Result<(), Refused> {
        self.added.clear();
        if !read_path(piece.path, &mut self.steps) {
            return Err(Refused);
        }
        if self.is_open && self.steps == self.last {
            let text = if piece.scalar().is_none() { Some(&b""[..]) } else { piece.string() };
            self.added.extend_from_slice(text.ok_or(Refused)?);
            self.leave_open(piece.will_continue);
            return Ok(());
        }
        let scalar = piece.scalar().ok_or(Refused)?;
        let common = self.last.iter().zip(&self.steps).take_while(|(last, step)| last == step).count();
        self.check(common)?;
        self.go_to(common);
        match piece.string() {
            Some(text) => {
                self.added.push(b'"');
                self.added.extend_from_slice(text);
                self.leave_open(piece.will_continue);
            }
            None => self.added.extend_from_slice(scalar),
        }
        std::mem::swap(&mut self.last, &mut self.steps);
        self.last_path.clear();
        self.last_path.extend_from_slice(piece.path.bytes());
        Ok(())
    }

    /// Ends the open string, and everything else.
    pub(crate) fn close(&mut self) {
        self.added.clear();
        if !self.has_begun {
            self.added.extend_from_slice(b"{}");
        }
        self.leave(0);
        self.has_begun = true;
    }

    /// What the last call has written.
    pub(crate) fn added(&self) -> &[u8] {
        &self.added
    }

    fn leave_open(&mut self, will_continue: bool) {
        self.is_open = will_continue;
        if !will_continue {
            self.added.push(b'"');
        }
    }

    /// Whether the value at `self.steps` can be written behind the last one, with which it shares `common` steps.
    fn check(&self, common: usize) -> Result<(), Refused> {
        let is_allowed = match (self.last.get(common), self.steps.get(common)) {
            // The first value of all: arguments are an object.
            (None, Some(Step::Key(_))) => self.last.is_empty(),
            (Some(Step::Key(_)), Some(Step::Key(key))) => {
                self.keys.get(common).is_some_and(|keys| keys.len() < MEMBERS_MAX && !keys.contains(key))
            }
            (Some(Step::Index(last)), Some(Step::Index(index))) => index > last && index - last <= MEMBERS_MAX,
            _ => false,
        };
        let is_near = |step: &Step| matches!(step, Step::Key(_) | Step::Index(..=MEMBERS_MAX));
        if is_allowed && self.steps[common + 1..].iter().all(is_near) { Ok(()) } else { Err(Refused) }
    }

    /// Writes all that stands before the value at `self.steps`.
    fn go_to(&mut self, common: usize) {
        if self.has_begun {
            self.leave(common + 1);
            let from = if let Some(Step::Index(last)) = self.last.get(common) { last + 1 } else { 0 };
            self.added.push(b',');
            self.enter(common, from);
        } else {
            self.has_begun = true;
            self.added.push(b'{');
            self.keys.push(Vec::new());
            self.enter(common, 0);
        }
        for depth in common + 1..self.steps.len() {
            self.added.push(if matches!(self.steps[depth], Step::Key(_)) { b'{' } else { b'[' });
            self.keys.push(Vec::new());
            self.enter(depth, 0);
        }
    }

    /// Writes the key of a member, or the elements that were left out before an index.
    fn enter(&mut self, depth: usize, from: usize) {
        match &self.steps[depth] {
            Step::Key(key) => {
                let name = String::from_utf8_lossy(key);
                self.added.extend_from_slice(serde_json::Value::from(name).to_string().as_bytes());
                self.added.push(b':');
                self.keys[depth].push(key.clone());
            }
            Step::Index(index) => {
                for _ in from..*index {
                    self.added.extend_from_slice(b"null,");
                }
            }
        }
    }

    /// Ends the open string, and the objects and arrays below `depth`.
    fn leave(&mut self, depth: usize) {
        if std::mem::take(&mut self.is_open) {
            self.added.push(b'"');
        }
        while self.keys.len() > depth {
            let step = self.last.get(self.keys.len() - 1);
            self.added.push(if matches!(step, Some(Step::Index(_))) { b']' } else { b'}' });
            self.keys.pop();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use thalweg_wire::json::value;

    /// What the pieces are written as, in order; a refused one is `!`.
    fn written(pieces: &[&str]) -> Vec<String> {
        let mut arguments = Arguments::default();
        let mut written = Vec::new();
        for json in pieces {
            let piece = Piece::read(value(json.as_bytes(), 128).unwrap()).unwrap();
            written.push(match arguments.continues(&piece) {
                Some(text) => String::from_utf8_lossy(text).into_owned(),
                None if arguments.add(&piece).is_ok() => String::from_utf8_lossy(arguments.added()).into_owned(),
                None => "!".to_owned(),
            });
        }
        arguments.close();
        written.push(String::from_utf8_lossy(arguments.added()).into_owned());
        written
    }

    #[test]
    fn pieces_become_text_that_only_grows() {
        let cases: &[(&[&str], &[&str])] = &[
            (&[], &["{}"]),
            (
                &[
                    r#"{"jsonPath":"$.city","stringValue":"Bos","willContinue":true}"#,
                    r#"{"jsonPath":"$.city","stringValue":"to\"n","willContinue":true}"#,
                    r#"{"jsonPath":"$.city","stringValue":""}"#,
                    r#"{"jsonPath":"$.days","numberValue":3}"#,
                    r#"{"jsonPath":"$.wind","boolValue":false}"#,
                    r#"{"jsonPath":"$.rain","nullValue":"NULL_VALUE"}"#,
                ],
                &[r#"{"city":"Bos"#, r#"to\"n"#, "\"", r#","days":3"#, r#","wind":false"#, r#","rain":null"#, "}"],
            ),
            (
                &[
                    r#"{"jsonPath":"$.a.list[0].name","stringValue":"x"}"#,
                    r#"{"jsonPath":"$.a.list[0].size","numberValue":0.5}"#,
                    r#"{"jsonPath":"$.a.list[2]['na me']","stringValue":"y","willContinue":true}"#,
                    r#"{"jsonPath":"$.a.grid[1][0]","numberValue":7}"#,
                    r#"{"jsonPath":"$.b","stringValue":"z"}"#,
                ],
                &[
                    r#"{"a":{"list":[{"name":"x""#,
                    r#","size":0.5"#,
                    r#"},null,{"na me":"y"#,
                    r#""}],"grid":[null,[7"#,
                    r#"]]},"b":"z""#,
                    "}",
                ],
            ),
            (
                &[
                    r#"{"jsonPath":"$.a.b","stringValue":"x"}"#,
                    r#"{"jsonPath":"$.a.b","stringValue":"again"}"#,
                    r#"{"jsonPath":"$.a","stringValue":"above"}"#,
                    r#"{"jsonPath":"$.a.b.c","stringValue":"below"}"#,
                    r#"{"jsonPath":"$.a[0]","stringValue":"no array"}"#,
                    r#"{"jsonPath":"$[0]","stringValue":"no array"}"#,
                    r#"{"jsonPath":"$","stringValue":"no path"}"#,
                    r#"{"jsonPath":7,"stringValue":"no path"}"#,
                    r#"{"jsonPath":"$.c"}"#,
                    r#"{"jsonPath":"$.d[5000]","numberValue":1}"#,
                    r#"{"jsonPath":"$.c[1]","numberValue":1}"#,
                    r#"{"jsonPath":"$.c[0]","numberValue":1}"#,
                    r#"{"jsonPath":"$.a.d","stringValue":"back"}"#,
                ],
                &[r#"{"a":{"b":"x""#, "!", "!", "!", "!", "!", "!", "!", "!", "!", r#"},"c":[null,1"#, "!", "!", "]}"],
            ),
            (
                &[
                    r#"{"jsonPath":"$.a","stringValue":"x","willContinue":true}"#,
                    r#"{"jsonPath":"$.a","numberValue":1}"#,
                    r#"{"jsonPath":"$.a"}"#,
                ],
                &[r#"{"a":"x"#, "!", "\"", "}"],
            ),
        ];
        for (pieces, expected) in cases {
            assert_eq!(written(pieces), *expected, "{pieces:?}");
        }
    }
}
