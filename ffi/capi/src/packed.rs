//! Events copied out, for languages that dislike borrowed pointers.

use std::ffi::c_void;
use std::ptr;

use thalweg::Entry;
use thalweg_abi::failure::Failure;
use thalweg_abi::types::{E_INVALID, EOF, Error, MORE, OK, PENDING, Status};

use crate::callback;
use crate::handle;
use crate::reader::{Found, Reader, ReaderObject};
use crate::{guard, text};

/// An event in a buffer. Behind it lie `text_len` bytes of text and `aux_len` bytes of aux, then zeros up to a multiple
/// of 8.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Record {
    /// Bytes of the record, texts and zeros included: the next one begins there.
    pub record_len: u32,
    /// As in `thw_event`, here and below.
    pub kind: u32,
    /// See above.
    pub flags: u32,
    /// See above.
    pub block: u32,
    /// See above.
    pub sub: u32,
    /// Bytes of the text.
    pub text_len: u32,
    /// Bytes of the aux text.
    pub aux_len: u32,
    /// Zero.
    pub reserved: u32,
    /// See above.
    pub num: i64,
    /// See above.
    pub seq: u64,
}

/// As `thw_reader_next`, but copies whole events into `buffer`, as many as fit: one `thw_record` after the other.
///
/// `THW_OK`: `*written` bytes were written, at least one record. `THW_MORE`: the next event alone is larger than the
/// buffer; `*written` is the size that it needs, and nothing was read. `THW_PENDING` and `THW_EOF`: as there; nothing was
/// written. `buffer` is the caller's and aligned to 8. `[one-at-a-time]`
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn thw_reader_read(
    reader: *mut Reader,
    timeout_ms: u32,
    buffer: *mut c_void,
    buffer_len: usize,
    written: *mut usize,
    error: *mut Error,
) -> Status {
    let body = || {
        // SAFETY: by contract.
        let mut state = unsafe { handle::get::<ReaderObject>(reader) }?.enter()?;
        let (buffer, written) = (text::out(buffer.cast::<u64>(), "buffer")?, text::out(written, "written")?);
        if isize::try_from(buffer_len).is_err() {
            return Err(Failure::new(E_INVALID, "`buffer_len` is more than any buffer has").into());
        }
        if state.cursor.peek().is_none() {
            callback::check_may_wait(timeout_ms)?;
        }
        match state.wait(timeout_ms) {
            Found::Events => {}
            Found::End => return Ok(EOF),
            Found::Nothing => return Ok(PENDING),
        }
        let mut used = 0;
        while let Some(entry) = state.cursor.peek() {
            let Some(record) = Record::of(&entry) else {
                return Err(Failure::new(E_INVALID, "an event of 4 GiB fits into no record").into());
            };
            let len = record.record_len as usize;
            if len > buffer_len - used {
                break;
            }
            // SAFETY: within the buffer, whose size is by contract.
            let place = unsafe { buffer.cast::<u8>().add(used) };
            // SAFETY: so much room is left; a record begins at a multiple of 8.
            unsafe { record.write(&entry, place) };
            used += len;
            state.cursor.next();
        }
        let status = if used == 0 { MORE } else { OK };
        if used == 0 {
            used =
                state.cursor.peek().and_then(|entry| Record::of(&entry)).map_or(0, |record| record.record_len as usize);
        }
        // SAFETY: it was checked.
        unsafe { written.write(used) };
        Ok(status)
    };
    // SAFETY: by contract.
    unsafe { guard::status(error, body) }
}

impl Record {
    /// The head of an entry's record; `None` when it is longer than a record can be.
    fn of(entry: &Entry<'_>) -> Option<Self> {
        let len = size_of::<Self>()
            .checked_add(entry.text.len())?
            .checked_add(entry.aux.len())?
            .checked_next_multiple_of(8)?;
        Some(Self {
            record_len: u32::try_from(len).ok()?,
            kind: entry.kind,
            flags: entry.flags,
            block: entry.block,
            sub: entry.sub,
            text_len: entry.text.len() as u32,
            aux_len: entry.aux.len() as u32,
            reserved: 0,
            num: entry.num,
            seq: entry.seq,
        })
    }

    /// Writes the record with its texts.
    ///
    /// # Safety
    /// `place` is aligned to 8 and has room for `record_len` bytes; the record is that of `entry`.
    unsafe fn write(&self, entry: &Entry<'_>, place: *mut u8) {
        let text = size_of::<Self>();
        let end = self.record_len as usize;
        // SAFETY: the last word of the record; what of it is text or head is written below.
        unsafe { ptr::write_bytes(place.wrapping_add(end - 8), 0, 8) };
        // SAFETY: aligned, and there is room.
        unsafe { place.cast::<Self>().write(*self) };
        for (bytes, at) in [(entry.text, text), (entry.aux, text + entry.text.len())] {
            // SAFETY: the room of the texts, in memory of the caller.
            unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), place.wrapping_add(at), bytes.len()) };
        }
    }
}
