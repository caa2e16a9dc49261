//! The inner loop of JSON: the way to the end of a string, eight bytes at a time.

/// Index of the first byte at or after `from` that a string does not hold as it is: a quote, a backslash or a control
/// byte. The length of `data` when there is none.
#[inline]
pub(super) fn find_special(data: &[u8], from: usize) -> usize {
    let mut at = from;
    while let Some(block) = data.get(at..).and_then(|rest| rest.first_chunk::<8>()) {
        let found = special_bits(u64::from_le_bytes(*block));
        if found != 0 {
            return at + (found.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    while let Some(&byte) = data.get(at) {
        if byte == b'"' || byte == b'\\' || byte < 0x20 {
            return at;
        }
        at += 1;
    }
    at
}

/// The high bit of every special byte of a word, and perhaps of bytes above a special one: a borrow runs upwards only, so
/// the lowest bit is always right.
#[inline]
const fn special_bits(word: u64) -> u64 {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    const HIGH: u64 = ONES << 7;
    let quote = word ^ (ONES * b'"' as u64);
    let backslash = word ^ (ONES * b'\\' as u64);
    (quote.wrapping_sub(ONES) & !quote
        | backslash.wrapping_sub(ONES) & !backslash
        | word.wrapping_sub(ONES * 0x20) & !word)
        & HIGH
}

#[cfg(test)]
mod tests {
    use super::*;

    fn naive(data: &[u8], from: usize) -> usize {
        (from..data.len()).find(|&at| matches!(data[at], b'"' | b'\\' | 0..=0x1f)).unwrap_or(data.len())
    }

    #[test]
    fn every_byte_at_every_place_is_judged_as_by_the_naive_search() {
        for byte in 0..=255 {
            for len in 1..20 {
                for place in 0..len {
                    for filler in [b'a', 0x20, 0x21, 0x7f, 0x80, 0xff] {
                        let mut data = vec![filler; len];
                        data[place] = byte;
                        for from in 0..=len {
                            assert_eq!(find_special(&data, from), naive(&data, from), "{data:?} from {from}");
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn a_second_special_byte_does_not_hide_the_first() {
        let bytes = [b'"', b'#', b'\\', b']', 0x1f, 0x20, 0, 1, 0x80, b'a'];
        for first in bytes {
            for second in bytes {
                for third in bytes {
                    let data = [first, second, third, b'a', b'a', b'a', b'a', b'"'];
                    assert_eq!(find_special(&data, 0), naive(&data, 0), "{data:?}");
                }
            }
        }
    }
}
