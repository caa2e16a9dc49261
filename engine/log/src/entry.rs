//! One step of a run as the log keeps it and as readers see it.

/// Kind of the entry that stands in the place of entries which a window has dropped before this reader came to them: `num`
/// is how many, `seq` the number of the last one. Made for the reader that fell behind; no writer appends it.
pub const LAGGED: u32 = u32::MAX;

/// An entry. The log gives meaning to `seq` and to the kind [`LAGGED`] only; what the rest says is between the writer and
/// the readers.
///
/// For readers both slices live as long as the cursor stands still. For [`Writer::append`](crate::Writer::append) they
/// may come from anywhere, since they are copied once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Entry<'a> {
    /// What happened.
    pub kind: u32,
    /// Details of `kind`.
    pub flags: u32,
    /// Index of the content block.
    pub block: u32,
    /// Index of the choice, or of the run below this one.
    pub sub: u32,
    /// A number whose meaning depends on `kind`.
    pub num: i64,
    /// When it happened, in microseconds of the writer's clock.
    pub time_us: u64,
    /// Position in the log, counted from 0. Given by the log; ignored when appending.
    pub seq: u64,
    /// The text.
    pub text: &'a [u8],
    /// The second text.
    pub aux: &'a [u8],
}

impl<'a> Entry<'a> {
    /// An entry of `kind` with nothing in it.
    #[must_use]
    pub const fn new(kind: u32) -> Self {
        Self { kind, flags: 0, block: 0, sub: 0, num: 0, time_us: 0, seq: 0, text: &[], aux: &[] }
    }

    /// The same entry with `text`.
    #[must_use]
    pub const fn with_text(mut self, text: &'a [u8]) -> Self {
        self.text = text;
        self
    }

    /// The same entry with `aux`.
    #[must_use]
    pub const fn with_aux(mut self, aux: &'a [u8]) -> Self {
        self.aux = aux;
        self
    }

    /// The same entry with a number.
    #[must_use]
    pub const fn with_num(mut self, num: i64) -> Self {
        self.num = num;
        self
    }
}
