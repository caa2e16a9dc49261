//! A list whose elements keep their memory when they are taken away, for what a codec remembers of one reply after the other.

use core::ops::{Deref, DerefMut};

/// What can be used again.
pub trait Recycle: Default {
    /// Back to what the default is; memory that is worth it may stay.
    fn reuse(&mut self);
}

impl Recycle for Vec<u8> {
    fn reuse(&mut self) {
        if self.capacity() <= KEPT_BYTES {
            self.clear();
        } else {
            *self = Self::new();
        }
    }
}

/// A list that allocates nothing once it has had its usual length.
///
/// ```
/// let mut names = thalweg_abi::guest::Recycled::<Vec<u8>>::default();
/// names.push_empty().extend_from_slice(b"first");
/// names.clear();
/// assert!(names.push_empty().is_empty());
/// assert_eq!(names.len(), 1);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Recycled<T> {
    /// Those of the list, and behind them those that are kept for their memory.
    all: Vec<T>,
    len: usize,
}

/// Elements that are kept.
const KEPT: usize = 16;
/// Longest text that is kept.
const KEPT_BYTES: usize = 1 << 10;

impl<T: Recycle> Recycled<T> {
    /// Adds an element that is as the default is, and returns it.
    pub fn push_empty(&mut self) -> &mut T {
        let at = self.len;
        self.len += 1;
        if at == self.all.len() {
            if at == 0 {
                // Most lists have one, and a stream that waits should be small.
                self.all.reserve_exact(1);
            }
            self.all.push(T::default());
        }
        let element = &mut self.all[at];
        element.reuse();
        element
    }

    /// Empties the list.
    pub fn clear(&mut self) {
        self.len = 0;
        self.all.truncate(KEPT);
    }
}

impl<T> Deref for Recycled<T> {
    type Target = [T];

    #[inline]
    fn deref(&self) -> &[T] {
        &self.all[..self.len]
    }
}

impl<T> DerefMut for Recycled<T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.all[..self.len]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_come_back_empty_and_with_their_memory() {
        let mut list = Recycled::<Vec<u8>>::default();
        for round in 0..3 {
            for n in 0..KEPT {
                let element = list.push_empty();
                assert_eq!((element.len(), element.capacity() > 0), (0, round > 0), "round {round}, element {n}");
                element.extend_from_slice(b"text");
            }
            assert_eq!(list.len(), KEPT);
            assert!(list.iter().all(|element| element == b"text"));
            list.clear();
            assert!(list.is_empty());
        }
    }

    #[test]
    fn what_was_unusually_large_is_given_back() {
        let mut list = Recycled::<Vec<u8>>::default();
        for _ in 0..2 * KEPT {
            list.push_empty().resize(KEPT_BYTES + 1, 0);
        }
        list.clear();
        assert_eq!(list.all.len(), KEPT);
        assert_eq!(list.push_empty().capacity(), 0);
    }
}
