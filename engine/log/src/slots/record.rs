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
    /// INVARIANT: the lengths of inline texts are at most [`INLINE_BYTES`] together.
    tail: [u8; 16],
}

/// Bytes of a record.
pub(super) const RECORD_BYTES: usize = size_of::<Record>();
const _: () = assert!(RECORD_BYTES == 48, "the table of sizes in the docs says 48");
const _: () = assert!(align_of::<Record>() == 8 || size_of::<usize>() != 8);

/// Up to [`INLINE_BYTES`] bytes as two numbers, the first byte lowest: two loads that may overlap, whatever the length.
#[inline]
fn words(bytes: &[u8]) -> [u64; 2] {
    let len = bytes.len();
    if let (Some(first), Some(last)) = (bytes.first_chunk(), bytes.last_chunk()) {
        // In two steps, since eight bytes leave nothing over and 64 is too far for one.
        let rest = u64::from_le_bytes(*last) >> (8 * (15 - len)) >> 8;
        [u64::from_le_bytes(*first), rest]
    } else if let (Some(first), Some(last)) = (bytes.first_chunk(), bytes.last_chunk()) {
        let last = u64::from(u32::from_le_bytes(*last));
        [u64::from(u32::from_le_bytes(*first)) | last << (8 * (len - 4)), 0]
    } else if let (Some(first), Some(last)) = (bytes.first(), bytes.last()) {
        let middle = len / 2;
        [u64::from(*first) | u64::from(bytes[middle]) << (8 * middle) | u64::from(*last) << (8 * (len - 1)), 0]
    } else {
        [0, 0]
    }
}

/// Two texts, one behind the other.
#[cold]
fn both_words(text: &[u8], aux: &[u8]) -> [u64; 2] {
    let number = |[low, high]: [u64; 2]| u128::from(low) | u128::from(high) << 64;
    let both = number(words(text)) | number(words(aux)) << (8 * text.len());
    [both as u64, (both >> 64) as u64]
}

/// Where the texts of a record lie.
#[derive(Clone, Copy, Debug)]
pub(super) enum Texts {
    /// In the record: lengths of `text` and of `aux`.
    Inline(usize, usize),
    /// In the page: where `text` begins and how long it is; `aux` lies behind it, so many bytes.
    InPage(usize, usize, usize),
}

impl Record {
    /// The record of an entry whose texts are short: together no more than [`INLINE_BYTES`].
    #[inline]
    pub(super) fn inline(entry: &Entry<'_>) -> Self {
        let (text, aux) = (entry.text.len(), entry.aux.len());
        assert!(text + aux <= INLINE_BYTES, "the tail of the log sends longer texts to the page");
        // Numbers instead of copies into an array: the array would be written bytewise and read back in words, for which
        // a processor waits longer than for all the rest of an append.
        let mut texts = if aux == 0 { words(entry.text) } else { both_words(entry.text, entry.aux) };
        texts[1] |= (text as u64) << 48 | (aux as u64) << 56;
        let mut tail = [0; 16];
        tail[..8].copy_from_slice(&texts[0].to_le_bytes());
        tail[8..].copy_from_slice(&texts[1].to_le_bytes());
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

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn short_texts_of_all_lengths_come_back() {
        let bytes: Vec<u8> = (200..=213).collect();
        for text in 0..=INLINE_BYTES {
            for aux in 0..=INLINE_BYTES - text {
                let record =
                    Record::inline(&Entry::new(1).with_text(&bytes[..text]).with_aux(&bytes[text..text + aux]));
                assert!(matches!(record.texts(), Texts::Inline(a, b) if (a, b) == (text, aux)));
                assert_eq!(record.tail()[..text + aux], bytes[..text + aux]);
            }
        }
    }
}
