//! The graph of messages: who was called with what, and what it replied.

use std::sync::Arc;

use crate::field::{Field, Frozen};
use crate::keeper::Keeper;
use crate::message::Message;
use crate::message_promise::MessagePromise;
use crate::pieces::Reader;

/// A call that is followed, so that it is kept.
pub(crate) struct Followed {
    pub(crate) keeper: Arc<Keeper>,
    pub(crate) alias: Arc<str>,
    pub(crate) configuration: Frozen,
    pub(crate) sent: Reader<MessagePromise>,
    pub(crate) replies: Reader<MessagePromise>,
}

impl Followed {
    /// Keeps each reply once it is there, what was sent, and behind them the call and the reply as messages of their own,
    /// if neither failed: `AgentCallNode` with `messages`, `agent` and its configuration, and `AgentReplyNode` with
    /// `replies`, `agent` and `agent_call`.
    pub(crate) async fn keep(self) {
        let replies = keep_all(&self.keeper, self.replies).await;
        let Some(sent) = keep_all(&self.keeper, self.sent).await else { return };
        let agent = Frozen::new().with("alias", &*self.alias);
        let call = Frozen::new().with("messages", sent).with("agent", agent.clone());
        let call = Message::new("AgentCallNode", call).with_all(&self.configuration);
        self.keeper.keep_behind(std::slice::from_ref(&call)).await;
        let Some(replies) = replies else { return };
        let reply = Frozen::new().with("replies", replies).with("agent", agent).with("agent_call", call);
        self.keeper.keep_behind(&[Message::new("AgentReplyNode", reply)]).await;
    }
}

/// Keeps what comes, and gives all of it if nothing failed.
async fn keep_all(keeper: &Keeper, mut reader: Reader<MessagePromise>) -> Option<Vec<Field>> {
    let mut all = Some(Vec::new());
    while let Some(promise) = reader.next().await {
        let message = match promise {
            Ok(promise) => promise.value().await,
            Err(failure) => Err(failure),
        };
        match message {
            Ok(message) => {
                keeper.keep_behind(std::slice::from_ref(&message)).await;
                if let Some(all) = &mut all {
                    all.push(message.into());
                }
            }
            Err(_) => all = None,
        }
    }
    all
}
