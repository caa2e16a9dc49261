//! Lines by `memchr`, what one would write for NDJSON: a line across two chunks is put together, others are lent.

use std::borrow::Cow;
use std::str;

use bytes::Bytes;
use memchr::memchr;

use crate::rivals::stack::Framer;

pub(crate) struct Lines {
    carry: Vec<u8>,
}

impl Framer for Lines {
    fn new() -> Self {
        Self { carry: Vec::new() }
    }

    fn feed(&mut self, chunk: &Bytes, mut each: impl FnMut(Cow<'_, str>)) -> bool {
        let mut rest: &[u8] = chunk;
        while let Some(end) = memchr(b'\n', rest) {
            let read = if self.carry.is_empty() {
                give(&rest[..end], &mut each)
            } else {
                self.carry.extend_from_slice(&rest[..end]);
                let read = give(&self.carry, &mut each);
                self.carry.clear();
                read
            };
            if !read {
                return false;
            }
            rest = &rest[end + 1..];
        }
        self.carry.extend_from_slice(rest);
        true
    }

    fn finish(&mut self, mut each: impl FnMut(Cow<'_, str>)) -> bool {
        give(&self.carry, &mut each)
    }
}

fn give(line: &[u8], each: &mut impl FnMut(Cow<'_, str>)) -> bool {
    match str::from_utf8(line.strip_suffix(b"\r").unwrap_or(line)) {
        Ok("") => true,
        Ok(line) => {
            each(line.into());
            true
        }
        Err(_) => false,
    }
}
