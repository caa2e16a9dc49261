//! JSON read on demand, without allocation: what codecs use on a whole, validated payload.
//!
//! A [`Cursor`] walks a payload of valid UTF-8 once and checks the whole grammar on its way, also of what it skips.
//! What it hands out, a [`Raw`] or a [`Text`], is a slice of the payload that was checked, so reading on inside of it
//! cannot fail. Where a key stands twice, the last one counts, as with serde_json. A `\u` escape of half a surrogate pair
//! is no error, since some providers cut a pair into two deltas.

mod cursor;
mod error;
mod fields;
mod head;
mod names;
mod raw;
mod scan;
mod text;
mod value;

pub use cursor::Cursor;
pub use error::{Error, Reason};
pub use fields::Fields;
pub use head::Head;
pub use names::Names;
pub use raw::{Items, Objects, Raw};
pub use text::Text;

/// Depth of nesting that is never exceeded, whatever the limits say.
pub const NESTING_MAX: u16 = 128;

/// Checks that `payload` is one JSON value and nothing else.
///
/// # Errors
/// Where and why it is not.
pub fn check(payload: &[u8], nesting_max: u16) -> Result<(), Error> {
    value(payload, nesting_max).map(|_| ())
}

/// The one value that `payload` consists of.
///
/// # Errors
/// As [`check`].
pub fn value(payload: &[u8], nesting_max: u16) -> Result<Raw<'_>, Error> {
    let mut cursor = Cursor::new(payload, nesting_max);
    let value = cursor.skip()?;
    cursor.end()?;
    Ok(value)
}

/// The named fields of the object that `payload` consists of, checking all of it in the same pass. `None` when it is
/// JSON but no object.
///
/// # Errors
/// As [`check`].
pub fn object<'a, const N: usize>(
    payload: &'a [u8],
    names: &Names<N>,
    nesting_max: u16,
) -> Result<Option<[Raw<'a>; N]>, Error> {
    let mut cursor = Cursor::new(payload, nesting_max);
    let fields = if cursor.peek() == Some(b'{') {
        Some(cursor.fields(names)?)
    } else {
        cursor.skip()?;
        None
    };
    cursor.end()?;
    Ok(fields)
}
