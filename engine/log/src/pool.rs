//! Segments that are used again, and the limit on the bytes of many logs together.

use crate::failure::AppendError;
use crate::log::Log;
use crate::options::Options;
use crate::slots::{self, Segment};
use crate::sync::{Arc, AtomicUsize, Mutex, lock};
use crate::writer::Writer;
use core::sync::atomic::Ordering::Relaxed;

/// Where logs get their segments from and give them back to. Clones are the same pool.
///
/// ```
/// use thalweg_log::{Entry, Options, Pool, PoolOptions};
///
/// let pool = Pool::new(PoolOptions::default());
/// let (mut writer, log) = pool.channel(Options::default());
/// writer.append(&Entry::new(1).with_text(b"hello"))?;
/// assert_eq!(pool.bytes_used(), 512);
/// drop((writer, log));
/// assert_eq!((pool.bytes_used(), pool.bytes_kept()), (0, 512));
/// # Ok::<(), thalweg_log::AppendError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Pool(Arc<Inner>);

/// Limits of a [`Pool`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolOptions {
    /// Most bytes of segments that its logs use together; [`AppendError::PoolFull`] beyond it. Default: no limit.
    pub bytes_max: usize,
    /// Most bytes of segments that are kept for the next log. Default 4 MiB.
    pub kept_bytes_max: usize,
}

impl Default for PoolOptions {
    fn default() -> Self {
        Self { bytes_max: usize::MAX, kept_bytes_max: 4 << 20 }
    }
}

#[derive(Debug)]
struct Inner {
    options: PoolOptions,
    /// Bytes of segments in use.
    used: AtomicUsize,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    /// Segments of 512 bytes, of twice as many, and so on. INVARIANT: nobody else holds one of them.
    sizes: [Vec<Arc<Segment>>; SIZES],
    bytes: usize,
}

/// 512 B to 64 KiB, which is how segments grow by default; others are not kept.
const SIZES: usize = 8;
const SMALLEST_LOG2: u32 = 9;

impl Pool {
    /// An empty pool.
    #[must_use]
    pub fn new(options: PoolOptions) -> Self {
        Self(Arc::new(Inner { options, used: AtomicUsize::new(0), kept: Mutex::new(Kept::default()) }))
    }

    /// A new log, as [`channel`](crate::channel) makes it, with segments of this pool.
    #[must_use]
    pub fn channel(&self, options: Options) -> (Writer, Log) {
        let (tail, start) = slots::open(options, Some(self.clone()));
        (Writer::new(tail), Log::new(start))
    }

    /// Bytes of segments in use.
    #[must_use]
    pub fn bytes_used(&self) -> usize {
        self.0.used.load(Relaxed)
    }

    /// Bytes of segments that wait for the next log.
    #[must_use]
    pub fn bytes_kept(&self) -> usize {
        lock(&self.0.kept).bytes
    }

    /// A segment with room for `bytes`, used before or new. Beyond the limit only if it `must` be.
    pub(crate) fn take(&self, first: u64, bytes: usize, must: bool) -> Result<Arc<Segment>, AppendError> {
        let used = self.0.used.fetch_add(bytes, Relaxed);
        let bytes_max = self.0.options.bytes_max;
        if !must && used.saturating_add(bytes) > bytes_max {
            self.forget(bytes);
            return Err(AppendError::PoolFull { needed: bytes, bytes: used, bytes_max });
        }
        let kept = size_of_bytes(bytes).and_then(|size| {
            let mut kept = lock(&self.0.kept);
            let segment = kept.sizes[size].pop()?;
            kept.bytes -= bytes;
            Some(segment)
        });
        let mut segment = kept.unwrap_or_else(|| Arc::new(Segment::new(first, bytes)));
        // Always there: nobody else holds a segment that was given back, or is new.
        if let Some(unique) = Arc::get_mut(&mut segment) {
            unique.reuse(first, self.clone());
        }
        Ok(segment)
    }

    /// Takes back a segment that nobody else holds.
    pub(crate) fn give(&self, segment: Arc<Segment>) {
        let bytes = segment.bytes();
        self.forget(bytes);
        let Some(size) = size_of_bytes(bytes) else { return };
        let mut kept = lock(&self.0.kept);
        if kept.bytes + bytes <= self.0.options.kept_bytes_max {
            kept.bytes += bytes;
            kept.sizes[size].push(segment);
        }
    }

    /// A segment is used no more.
    pub(crate) fn forget(&self, bytes: usize) {
        self.0.used.fetch_sub(bytes, Relaxed);
    }
}

/// Which of the sizes that is.
fn size_of_bytes(bytes: usize) -> Option<usize> {
    let size = bytes.is_power_of_two().then(|| bytes.trailing_zeros())?.checked_sub(SMALLEST_LOG2)? as usize;
    (size < SIZES).then_some(size)
}
