//! One member, chosen by a key of the question.

use std::fmt;
use std::sync::Arc;

use super::Answering;
use super::member::Member;
use super::question::Question;
use super::voice::Voice;

type KeyFunction = dyn Fn(&Question) -> String + Send + Sync;

/// What a router goes by. Questions with the same key go to the same member; one without a key goes to the first.
#[derive(Clone)]
pub struct Key(Arc<KeyFunction>);

impl Key {
    /// A key that a function makes of the question.
    pub fn new(key: impl Fn(&Question) -> String + Send + Sync + 'static) -> Self {
        Self(Arc::new(key))
    }

    /// The text of the question.
    #[must_use]
    pub fn question() -> Self {
        Self::new(Question::text)
    }

    /// The first thing that the user has said, so that a conversation stays with its member.
    #[must_use]
    pub fn conversation() -> Self {
        Self::new(Question::first_text)
    }

    /// The name of the conversation, as [`AgentBuilder::session`](thalweg::AgentBuilder::session) gave it.
    #[must_use]
    pub fn session() -> Self {
        Self::new(|question| question.session().unwrap_or_default().to_owned())
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key").finish_non_exhaustive()
    }
}

pub(super) fn answer(members: &[Member], key: &Key, question: Question, voice: Voice) -> Answering {
    let member = &members[place(&(key.0)(&question), members.len())];
    member.answer(question, voice.pass_to(member.name()))
}

/// Which of `members` a key belongs to.
fn place(key: &str, members: usize) -> usize {
    if key.is_empty() { 0 } else { (hash(key.as_bytes()) % members as u64) as usize }
}

/// FNV-1a: the same on every machine and in every version, so that a member keeps its questions.
fn hash(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_the_published_one() {
        for (text, expected) in
            [("", 0xcbf2_9ce4_8422_2325), ("a", 0xaf63_dc4c_8601_ec8c), ("foobar", 0x8594_4171_f739_67e8)]
        {
            assert_eq!(hash(text.as_bytes()), expected, "{text:?}");
        }
    }

    #[test]
    fn a_key_always_has_the_same_place_and_none_has_the_first() {
        assert_eq!(place("", 7), 0);
        for members in 1..9 {
            let used: std::collections::BTreeSet<_> =
                (0..200).map(|n| place(&format!("question {n}"), members)).collect();
            assert_eq!(used.len(), members, "each of {members} has some");
            assert_eq!(place("question 3", members), place("question 3", members));
        }
    }
}
