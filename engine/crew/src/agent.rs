//! Agents: async functions from messages to replies, that call each other.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use thalweg_actor::Failure;

use crate::crew::Crew;
use crate::field::{Field, Frozen};
use crate::item::Item;
use crate::message_promise::MessagePromise;
use crate::node::Followed;
use crate::pieces::{Closed, Reader};
use crate::promise::guarded;
use crate::sequence::{Sequence, SequenceWriter};

type Run = dyn Fn(Interaction) -> Pin<Box<dyn Future<Output = Result<(), Failure>> + Send>> + Send + Sync;

/// An agent: a name, what it does with messages, and its configuration. Cheap to clone.
#[derive(Clone)]
pub struct Agent {
    alias: Arc<str>,
    configuration: Frozen,
    run: Arc<Run>,
    /// What differs from the defaults of the crew.
    starts_soon: Option<bool>,
    errors_as_messages: Option<bool>,
}

impl Agent {
    /// An agent by a name and an async function.
    pub fn new<F>(alias: &str, run: impl Fn(Interaction) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<(), Failure>> + Send + 'static,
    {
        let run =
            Arc::new(move |interaction| -> Pin<Box<dyn Future<Output = _> + Send>> { Box::pin(run(interaction)) });
        Self { alias: alias.into(), configuration: Frozen::new(), run, starts_soon: None, errors_as_messages: None }
    }

    /// Its name.
    #[must_use]
    pub fn alias(&self) -> &str {
        &self.alias
    }

    /// Another agent that does the same with one more value in its configuration, or another one under a name.
    #[must_use]
    pub fn fork(&self, name: impl Into<String>, value: impl Into<Field>) -> Self {
        let mut fork = self.clone();
        fork.configuration.set(name.into(), value.into());
        fork
    }

    /// Another agent that does the same under another name.
    #[must_use]
    pub fn named(&self, alias: &str) -> Self {
        Self { alias: alias.into(), ..self.clone() }
    }

    /// The same agent, which starts when somebody reads its replies, or before, whatever the crew does by default.
    #[must_use]
    pub fn starting(&self, start: Start) -> Self {
        Self { starts_soon: Some(start == Start::Soon), ..self.clone() }
    }

    /// The same agent, which replies with an error message where it fails, or does not, whatever the crew does by default.
    #[must_use]
    pub fn with_errors_as_messages(&self, errors_as_messages: bool) -> Self {
        Self { errors_as_messages: Some(errors_as_messages), ..self.clone() }
    }

    /// Starts it with messages, and gives its replies at once: they come while it runs. What it fails with stands at its
    /// place among them.
    pub fn trigger(&self, crew: &Crew, messages: impl Into<Item>) -> Sequence {
        self.start(crew, None, Sequence::of(crew, messages))
    }

    /// Starts it with messages that are sent one after the other, while its replies may be read.
    #[must_use]
    pub fn initiate_call(&self, crew: &Crew) -> Call {
        let (writer, messages) = Sequence::channel(crew);
        Call { writer: Some(writer), replies: self.start(crew, None, messages) }
    }

    fn start(&self, crew: &Crew, parent: Option<&Trace>, messages: Sequence) -> Sequence {
        let trace = Trace(Arc::new(Link { alias: self.alias.clone(), parent: parent.cloned() }));
        let (writer, replies) = if self.errors_as_messages.unwrap_or_else(|| crew.errors_as_messages()) {
            let trace = crew.traces_in_errors().then(|| trace.clone());
            Sequence::channel_without_errors(crew, move |failure| match &trace {
                Some(trace) => format!("{failure}\n\nAgent trace:\n{trace}"),
                None => failure.to_string(),
            })
        } else {
            Sequence::channel(crew)
        };
        let interaction = Interaction {
            messages: messages.reader(),
            sequence: messages,
            configuration: self.configuration.clone(),
            crew: crew.for_calls(),
            writer: Arc::new(writer),
            trace,
        };
        let followed = crew.keeper().map(|keeper| Followed {
            keeper: keeper.clone(),
            alias: self.alias.clone(),
            configuration: self.configuration.clone(),
            sent: interaction.sequence.watch(),
            replies: replies.watch(),
        });
        let run = self.run.clone();
        let task = async move {
            let writer = interaction.writer.clone();
            let outcome = guarded(|| run(interaction)).await.and_then(|outcome| outcome);
            if let Err(failure) = outcome {
                // Refused only if it was cancelled: then nobody reads it.
                let _ = writer.append(failure);
                // Those whose replies are on their way go on: no reply is lost when an agent fails late.
                writer.stop_unread();
            }
        };
        if self.starts_soon.unwrap_or_else(|| crew.starts_soon()) {
            replies.tasks().add(crew.spawn(task));
            if let Some(followed) = followed {
                crew.spawn(followed.keep());
            }
            return replies;
        }
        let (crew, tasks) = (crew.clone(), replies.tasks().clone());
        replies.starting(move || {
            tasks.add(crew.spawn(task));
            if let Some(followed) = followed {
                crew.spawn(followed.keep());
            }
        })
    }
}

/// When an agent starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// As soon as other tasks can run.
    Soon,
    /// When somebody reads its replies.
    OnRequest,
}

impl fmt::Debug for Agent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Agent({})", self.alias)
    }
}

/// Who called whom.
#[derive(Clone)]
struct Trace(Arc<Link>);

struct Link {
    alias: Arc<str>,
    parent: Option<Trace>,
}

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.alias)?;
        let mut link = &self.0;
        while let Some(parent) = &link.parent {
            write!(f, " <- {}", parent.0.alias)?;
            link = &parent.0;
        }
        Ok(())
    }
}

/// What an agent sees while it runs.
pub struct Interaction {
    /// What it was sent, from the first message on.
    pub messages: Reader<MessagePromise>,
    sequence: Sequence,
    configuration: Frozen,
    crew: Crew,
    writer: Arc<SequenceWriter>,
    trace: Trace,
}

impl Interaction {
    /// Replies, behind what was replied before. Returns at once, whatever it is that will be there later.
    pub fn reply(&self, item: impl Into<Item>) {
        // Refused only if it was cancelled: then nobody reads it.
        let _: Result<(), Closed> = self.writer.append(item);
    }

    /// Replies as soon as it is there, not waiting for what was replied before.
    pub fn reply_out_of_order(&self, item: impl Into<Item>) {
        let _: Result<(), Closed> = self.writer.append_out_of_order(item);
    }

    /// Ends the replies while the agent goes on: what it replies from now on is lost, also what it fails with.
    pub fn finish(&self) {
        self.writer.finish();
    }

    /// Runs a future at once, and keeps the replies open until it is done, also when the agent itself is.
    pub fn keep_open(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.writer.keep_open(task);
    }

    /// What it was sent, to be handed on or read again.
    #[must_use]
    pub fn sent(&self) -> Sequence {
        self.sequence.clone()
    }

    /// The name of this agent.
    #[must_use]
    pub fn alias(&self) -> &str {
        &self.trace.0.alias
    }

    /// All of its configuration.
    #[must_use]
    pub const fn all_configuration(&self) -> &Frozen {
        &self.configuration
    }

    /// The value of its configuration under a name.
    #[must_use]
    pub fn configuration(&self, name: &str) -> Option<&Field> {
        self.configuration.get(name)
    }

    /// The crew, for promises of its own.
    #[must_use]
    pub fn crew(&self) -> &Crew {
        &self.crew
    }

    /// Calls another agent; see [`Agent::trigger`].
    pub fn trigger(&self, agent: &Agent, messages: impl Into<Item>) -> Sequence {
        self.call(agent, Sequence::of(&self.crew, messages))
    }

    /// Calls another agent; see [`Agent::initiate_call`].
    #[must_use]
    pub fn initiate_call(&self, agent: &Agent) -> Call {
        let (writer, messages) = Sequence::channel(&self.crew);
        Call { writer: Some(writer), replies: self.call(agent, messages) }
    }

    fn call(&self, agent: &Agent, messages: Sequence) -> Sequence {
        let replies = agent.start(&self.crew, Some(&self.trace), messages);
        self.writer.takes_along(&replies);
        replies
    }

    /// Who called whom, this agent first: `A <- B <- C`.
    #[must_use]
    pub fn trace(&self) -> String {
        self.trace.to_string()
    }
}

/// A call to an agent that is still being made. It is finished when it is dropped.
pub struct Call {
    writer: Option<SequenceWriter>,
    replies: Sequence,
}

impl Call {
    /// Sends more.
    ///
    /// # Errors
    /// [`Closed`] after [`Call::finish`].
    pub fn send(&self, item: impl Into<Item>) -> Result<(), Closed> {
        self.writer.as_ref().ok_or(Closed)?.append(item)
    }

    /// Sends more as soon as it is there, not waiting for what was sent before.
    ///
    /// # Errors
    /// [`Closed`] after [`Call::finish`].
    pub fn send_out_of_order(&self, item: impl Into<Item>) -> Result<(), Closed> {
        self.writer.as_ref().ok_or(Closed)?.append_out_of_order(item)
    }

    /// No more will be sent.
    pub fn finish(&mut self) {
        self.writer = None;
    }

    /// Whether it was finished.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.writer.is_none()
    }

    /// Finishes the call and gives the replies.
    #[must_use]
    pub fn into_replies(self) -> Sequence {
        self.replies
    }

    /// The replies so far and to come, while more may be sent.
    #[must_use]
    pub fn replies(&self) -> Sequence {
        self.replies.clone()
    }
}
