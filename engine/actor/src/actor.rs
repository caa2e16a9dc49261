//! What one implements.

use std::future::{Future, ready};

use crate::context::Context;
use crate::envelope::{Delivery, Message};
use crate::failure::{Failure, Reason, Terminated};

/// Something with a state of its own that handles one message after the other.
///
/// The methods are written as `async fn`. An error that one of them returns, or a panic, goes to the supervisor.
pub trait Actor: Send + 'static {
    /// What it understands.
    type Message: Message;

    /// Handles a message.
    fn receive(
        &mut self,
        message: Delivery<'_, Self::Message>,
        context: &mut Context<Self::Message>,
    ) -> impl Future<Output = Result<(), Failure>> + Send;

    /// Called before the first message, and again after each restart.
    fn started(&mut self, context: &mut Context<Self::Message>) -> impl Future<Output = Result<(), Failure>> + Send {
        let _ = context;
        ready(Ok(()))
    }

    /// Handles news about other actors. An escalated failure of a child is this actor's own unless it says otherwise.
    fn notice(
        &mut self,
        notice: Notice,
        context: &mut Context<Self::Message>,
    ) -> impl Future<Output = Result<(), Failure>> + Send {
        let _ = context;
        ready(match notice {
            Notice::Terminated(_) => Ok(()),
            Notice::Escalated { failure, .. } => Err(failure),
        })
    }

    /// Called once, after the last message; not when the actor is killed.
    fn stopped(&mut self, reason: &Reason, context: &mut Context<Self::Message>) -> impl Future<Output = ()> + Send {
        let _ = (reason, context);
        ready(())
    }
}

/// News about another actor, delivered ahead of all messages.
#[derive(Clone, Debug)]
pub enum Notice {
    /// An actor that this one watches is no more.
    Terminated(Terminated),
    /// A child failed and its supervisor hands the failure up. The child has stopped.
    Escalated {
        /// Which child.
        child: Terminated,
        /// With what.
        failure: Failure,
    },
}
