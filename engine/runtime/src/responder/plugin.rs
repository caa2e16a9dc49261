//! A provider of a plugin, or of a table of C functions.

use std::pin::pin;
use std::task::{Context, Poll};

use thalweg_abi::host;
use thalweg_agent::failure::Failure;

use super::ask::Ask;
use super::batch::Batch;
use super::stream::{ReplyEvents, ReplyStream};
use super::{Asking, Responder};
use crate::reply::{failure_of_plugin, start_provider};

/// A provider of a plugin.
pub(crate) struct PluginResponder {
    pub(crate) id: String,
    pub(crate) provider: host::Provider,
}

impl Responder for PluginResponder {
    fn name(&self) -> &str {
        &self.id
    }

    fn ask(&self, ask: Ask) -> Asking<'_> {
        Box::pin(async move {
            let reply = start_provider(&self.provider, &ask);
            Ok(ReplyStream::new(Some(self.id.clone()), Pushed(reply)))
        })
    }
}

struct Pushed(host::Reply);

impl ReplyEvents for Pushed {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Batch, Failure>>> {
        pin!(self.0.next()).poll(cx).map(|next| match next {
            Ok(Some(pushed)) => {
                let mut batch = Batch::default();
                batch.extend(pushed.iter());
                Some(Ok(batch))
            }
            Ok(None) => None,
            Err(error) => Some(Err(failure_of_plugin(&error))),
        })
    }
}
