//! Messages kept in the file of sessions.

use std::path::Path;
use std::sync::{Arc, Mutex};

use thalweg_actor::Failure;
use thalweg_session::{Node, Store};

use crate::crew::Crew;
use crate::message::Message;
use crate::pieces::lock;

/// A file in which messages are kept, each once. Clones are the same file.
///
/// Keeping blocks a thread of the runtime's own for that; reading blocks the caller.
#[derive(Clone, Debug)]
pub struct Archive(Arc<Mutex<Store>>);

impl Archive {
    /// The file of conversations, open.
    #[must_use]
    pub fn new(store: Store) -> Self {
        Self(Arc::new(Mutex::new(store)))
    }

    /// Opens the file of conversations.
    ///
    /// # Errors
    /// When that cannot be done.
    pub fn open(path: &Path) -> Result<Self, thalweg_session::Error> {
        Store::open(path).map(Self::new)
    }

    /// The same crew, which keeps here what its agents say; see [`Crew::keeping`].
    #[must_use]
    pub fn of(&self, crew: Crew) -> Crew {
        let archive = self.clone();
        crew.keeping(move |messages| {
            let archive = archive.clone();
            async move { tokio::task::spawn_blocking(move || archive.keep(&messages).map(drop)).await? }
        })
    }

    /// Stores messages and those within them, and says how many of them were new.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn keep(&self, messages: &[Message]) -> Result<usize, Failure> {
        let all = messages.iter().flat_map(|message| message.sub_messages().into_iter().chain([message.clone()]));
        let nodes: Vec<Node> = all
            .map(|message| Node {
                hash_key: message.hash_key().to_owned(),
                class: message.class().to_owned(),
                json: message.serialized(),
            })
            .collect();
        Ok(lock(&self.0).keep_nodes(&nodes)?)
    }

    /// The message with this hash key, with all within it.
    ///
    /// # Errors
    /// When the file cannot be read, or holds something else.
    pub fn find(&self, hash_key: &str) -> Result<Option<Message>, Failure> {
        let node = lock(&self.0).node(hash_key)?;
        node.map(|node| self.read(&node)).transpose()
    }

    /// The last messages of a class, such as `AgentReplyNode`, the last one first.
    ///
    /// # Errors
    /// As [`Archive::find`].
    pub fn of_class(&self, class: &str, limit: usize) -> Result<Vec<Message>, Failure> {
        let nodes = lock(&self.0).nodes_of_class(class, limit)?;
        nodes.iter().map(|node| self.read(node)).collect()
    }

    fn read(&self, node: &Node) -> Result<Message, Failure> {
        let mut failure = None;
        let message = Message::restore(&node.json, &mut |hash_key| match self.find(hash_key) {
            Ok(message) => message,
            Err(error) => {
                failure = Some(error);
                None
            }
        });
        match (failure, message) {
            (Some(failure), _) => Err(failure),
            (None, Ok(message)) if message.hash_key() == node.hash_key => Ok(message),
            (None, Ok(_)) => Err(Failure::new(format!("message {} is not what was stored", node.hash_key))),
            (None, Err(error)) => Err(error.into()),
        }
    }
}
