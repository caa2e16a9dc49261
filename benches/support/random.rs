//! Numbers and words, the same in every run.

/// SplitMix64: small, and good enough to choose words.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// A sequence that depends on `seed` only.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub const fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`.
    pub const fn below(&mut self, end: usize) -> usize {
        (self.number() % end as u64) as usize
    }

    /// A piece of text as a model streams it: four bytes on average, one in fifty with an escape, as many not ASCII.
    pub const fn word(&mut self) -> &'static str {
        match self.below(100) {
            0 => ESCAPED[self.below(ESCAPED.len())],
            1 => "\n\n",
            2 | 3 => FOREIGN[self.below(FOREIGN.len())],
            _ => PLAIN[self.below(PLAIN.len())],
        }
    }

    /// Up to 16 letters and digits, which hide how long a word is.
    pub fn padding(&mut self) -> String {
        let len = self.below(17);
        self.id(len)
    }

    /// An id of `len` letters and digits.
    pub fn id(&mut self, len: usize) -> String {
        (0..len).map(|_| char::from(ALPHABET[self.below(ALPHABET.len())])).collect()
    }
}

const PLAIN: [&str; 32] = [
    " the", " of", " and", " a", " to", " in", " is", ".", ",", " it", " that", " for", " as", " with", " be", " on",
    "ing", " river", " flow", " bed", " one", " water", " line", " below", " about", " through", " from", " not",
    " stream", "ly", " an", " deep",
];
const ESCAPED: [&str; 4] = ["\"", "\"\n", " \\", "\t"];
const FOREIGN: [&str; 6] = ["é", " für", "水", " –", "😀", " naïve"];
const ALPHABET: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
