//! Raw memory of one segment: records from the front, texts from the back.

use crate::slots::record::{RECORD_BYTES, Record};
use crate::sync::Tracks;
use core::cell::UnsafeCell;
use core::mem::MaybeUninit;
use core::{ptr, slice};

/// Most bytes of a page: offsets are 32 bits wide.
pub(super) const PAGE_BYTES_MAX: usize = (u32::MAX as usize) & !(WORD - 1);
const WORD: usize = size_of::<u64>();

/// The memory. Words of eight bytes, because that is the alignment of a record.
#[derive(Debug)]
pub(super) struct Page {
    words: Box<[UnsafeCell<MaybeUninit<u64>>]>,
    tracks: Tracks,
}

// SAFETY: bytes are written by one thread only (fact 1), before they are published and never after (fact 2); readers
// touch what is published (fact 3). So no byte is ever read while it is written.
unsafe impl Sync for Page {}

impl Page {
    /// A page of `bytes` (rounded up to whole words), not initialised.
    pub(super) fn new(bytes: usize) -> Self {
        let words = (0..bytes.div_ceil(WORD)).map(|_| UnsafeCell::new(MaybeUninit::uninit())).collect();
        Self { words, tracks: Tracks::new(bytes / RECORD_BYTES) }
    }

    /// Forgets what was written, when nobody else can look any more.
    pub(super) fn restart(&mut self) {
        self.tracks = Tracks::new(self.bytes() / RECORD_BYTES);
    }

    /// Bytes of the page.
    pub(super) fn bytes(&self) -> usize {
        self.words.len() * WORD
    }

    #[inline]
    fn start(&self) -> *mut u8 {
        self.words.as_ptr().cast_mut().cast()
    }

    /// Writes a record at `offset`, a multiple of its size.
    ///
    /// # Safety
    /// By the writer only, never where a record was published; the record must end before the first text.
    #[inline]
    pub(super) unsafe fn write_record(&self, offset: usize, record: Record) {
        debug_assert!(offset.is_multiple_of(RECORD_BYTES) && offset + RECORD_BYTES <= self.bytes());
        self.tracks.write(offset / RECORD_BYTES);
        // SAFETY: the caller keeps the record inside of the page.
        let slot = unsafe { self.start().add(offset) };
        // SAFETY: aligned, since pages are words and a record is six; nobody reads it before it is published.
        unsafe { slot.cast::<Record>().write(record) };
    }

    /// Writes `bytes` at `offset`.
    ///
    /// # Safety
    /// By the writer only; the range must lie inside of the page, behind all records and before all texts written yet.
    pub(super) unsafe fn write_bytes(&self, offset: usize, bytes: &[u8]) {
        debug_assert!(offset + bytes.len() <= self.bytes());
        // SAFETY: the caller keeps the range inside of the page.
        let slot = unsafe { self.start().add(offset) };
        // SAFETY: as above; `bytes` cannot overlap, since nobody else may have a slice of memory not yet written.
        unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), slot, bytes.len()) };
    }

    /// Record `index`.
    ///
    /// # Safety
    /// The record must be published, and this thread must have seen that with Acquire.
    #[inline]
    pub(super) unsafe fn record(&self, index: usize) -> &Record {
        debug_assert!((index + 1) * RECORD_BYTES <= self.bytes());
        self.tracks.read(index);
        // SAFETY: a published record lies inside of the page.
        let slot = unsafe { self.start().add(index * RECORD_BYTES) };
        // SAFETY: initialised before it was published, aligned, and never written again.
        unsafe { &*slot.cast::<Record>() }
    }

    /// `len` bytes at `offset`.
    ///
    /// # Safety
    /// The range must be that of a text of a record for which [`Page::record`] was allowed.
    #[inline]
    pub(super) unsafe fn bytes_at(&self, offset: usize, len: usize) -> &[u8] {
        debug_assert!(offset + len <= self.bytes());
        // SAFETY: a text that was published lies inside of the page.
        let slot = unsafe { self.start().add(offset) };
        // SAFETY: initialised before its record was published, and never written again.
        unsafe { slice::from_raw_parts(slot, len) }
    }
}
