//! Messages by their hash keys: each is kept once, and what it refers to is kept before it.

use std::collections::HashMap;
use std::sync::Mutex;

use crate::message::Message;
use crate::pieces::lock;

/// A set of messages.
#[derive(Debug, Default)]
pub struct Library(Mutex<HashMap<String, Message>>);

impl Library {
    /// Takes in a message and those within it. Gives those that are new, children before parents: what is to be
    /// written to a disk, in the order in which it can be.
    pub fn keep(&self, message: &Message) -> Vec<Message> {
        let mut all = message.sub_messages();
        all.push(message.clone());
        // Hashed before the lock is taken.
        let keys: Vec<String> = all.iter().map(|message| message.hash_key().to_owned()).collect();
        let mut kept = lock(&self.0);
        all.into_iter()
            .zip(keys)
            .filter(|(one, key)| kept.insert(key.clone(), one.clone()).is_none())
            .map(|(one, _)| one)
            .collect()
    }

    /// The message with this hash key.
    #[must_use]
    pub fn find(&self, hash_key: &str) -> Option<Message> {
        lock(&self.0).get(hash_key).cloned()
    }

    /// How many.
    #[must_use]
    pub fn len(&self) -> usize {
        lock(&self.0).len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
