//! The fixed part of an entry as it lies in a page.

use crate::entry::Entry;

/// Bytes of text that need no room besides the record.
pub(super) const INLINE_BYTES: usize = 14;
/// In the place of a length: the texts lie in the page.
const IN_PAGE: u8 = u8::MAX;

/// 48 bytes. `tail` is either both texts and their two lengths, or where they lie in the page.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(super) struct Record {
    num: i64,
    time_us: u64,
    kind: u32,
    flags: u32,
    block: u32,
    sub: u32,
    tail: [u8; 16],
}

/// Bytes of a record.
pub(super) const RECORD_BYTES: usize = size_of::<Record>();
const _: () = assert!(RECORD_BYTES == 48, "the table of sizes in the docs says 48");
const _: () = assert!(align_of::<Record>() == 8 || size_of::<usize>() != 8);

/// Where the texts of a record lie.
#[derive(Clone, Copy, Debug)]
pub(super) enum Texts {
    /// In the record: lengths of `text` and of `aux`.
    Inline(usize, usize),
    /// In the page: where `text` begins and how long it is; `aux` lies behind it, so many bytes.
    InPage(usize, usize, usize),
}

impl Record {
    /// The record of an entry whose texts are short.
    #[inline]
    pub(super) fn inline(entry: &Entry<'_>) -> Self {
        let mut tail = [0; 16];
        let end = entry.text.len() + entry.aux.len();
        debug_assert!(end <= INLINE_BYTES, "the tail of the log sends longer texts to the page");
        tail[..entry.text.len()].copy_from_slice(entry.text);
        tail[entry.text.len()..end].copy_from_slice(entry.aux);
        tail[14] = entry.text.len() as u8;
        tail[15] = entry.aux.len() as u8;
        Self::new(entry, tail)
    }

    /// The record of an entry whose texts lie at `offset` of the page; all three numbers fit since a page does.
    pub(super) fn in_page(entry: &Entry<'_>, offset: usize) -> Self {
        let mut tail = [0; 16];
        for (slot, number) in [offset, entry.text.len(), entry.aux.len()].into_iter().enumerate() {
            tail[slot * 4..slot * 4 + 4].copy_from_slice(&(number as u32).to_ne_bytes());
        }
        tail[15] = IN_PAGE;
        Self::new(entry, tail)
    }

    #[inline]
    const fn new(entry: &Entry<'_>, tail: [u8; 16]) -> Self {
        Self {
            num: entry.num,
            time_us: entry.time_us,
            kind: entry.kind,
            flags: entry.flags,
            block: entry.block,
            sub: entry.sub,
            tail,
        }
    }

    #[inline]
    pub(super) fn texts(&self) -> Texts {
        if self.tail[15] != IN_PAGE {
            return Texts::Inline(self.tail[14].into(), self.tail[15].into());
        }
        let number = |slot: usize| {
            let at = slot * 4;
            u32::from_ne_bytes([self.tail[at], self.tail[at + 1], self.tail[at + 2], self.tail[at + 3]]) as usize
        };
        Texts::InPage(number(0), number(1), number(2))
    }

    /// The bytes of inline texts.
    #[inline]
    pub(super) const fn tail(&self) -> &[u8; 16] {
        &self.tail
    }

    /// The entry with the texts that were found for it.
    #[inline]
    pub(super) const fn entry<'a>(&self, seq: u64, text: &'a [u8], aux: &'a [u8]) -> Entry<'a> {
        Entry {
            kind: self.kind,
            flags: self.flags,
            block: self.block,
            sub: self.sub,
            num: self.num,
            time_us: self.time_us,
            seq,
            text,
            aux,
        }
    }
}
