//! Replies without an agent: one request, one reply; tool calls are handed on, not run.

use std::fmt;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use thalweg_agent::assembly::{Assembly, End, Outcome};
use thalweg_agent::failure::{Failure, FailureKind};
use thalweg_agent::message::{AssistantMessage, Message};
use thalweg_agent::request::{Delivery, Request};
use thalweg_log::Options as LogOptions;

use crate::account::Account;
use crate::agent::{Agent, AgentBuilder, Prompt};
use crate::charge::charged;
use crate::engine::Engine;
use crate::error::Error;
use crate::responder::{Ask, Asking, Batch, ReplyEvent, ReplyStream, Responder};
use crate::run::Run;
use crate::structured;

/// A model that is asked for one reply at a time. Clones are the same client.
///
/// ```no_run
/// # async fn example(plugin: thalweg::Module) -> Result<(), thalweg::Error> {
/// use thalweg::Client;
///
/// let client = Client::builder().model("openai/gpt-5-mini").link(plugin).build_client()?;
/// println!("{}", client.chat("Why is the sky blue?").await?.text());
///
/// let mut reply = client.stream("And the sea?").await?;
/// while let Some(piece) = reply.next_text().await? {
///     print!("{piece}");
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Client {
    inner: Arc<Inner>,
}

struct Inner {
    responder: Arc<dyn Responder>,
    request: Arc<Request>,
    /// What is known of prices, for [`Client::run`], like the next two; its budgets are kept by the responder.
    account: Account,
    engine: Engine,
    log: LogOptions,
}

/// What a [`Client`] is asked: a text, a message or several; and a request of its own where it differs from the client's.
#[derive(Clone, Debug, Default)]
pub struct Chat {
    messages: Vec<Message>,
    request: Option<Request>,
}

impl Chat {
    /// Asks for the reply to these messages.
    #[must_use]
    pub fn new(messages: impl Into<Prompt>) -> Self {
        Self { messages: messages.into().messages, request: None }
    }

    /// With this request in the place of the client's; begin with a clone of [`Client::request`].
    #[must_use]
    pub fn request(mut self, request: Request) -> Self {
        self.request = Some(request);
        self
    }
}

impl<T: Into<Prompt>> From<T> for Chat {
    fn from(messages: T) -> Self {
        Self::new(messages)
    }
}

impl Client {
    /// Starts to describe a client, as an agent is described; [`AgentBuilder::build_client`] makes it. Tools are offered
    /// to the model, and their calls are handed on.
    #[must_use]
    pub fn builder() -> AgentBuilder {
        Agent::builder()
    }

    pub(crate) fn new(
        responder: Arc<dyn Responder>,
        request: Request,
        account: Account,
        engine: Engine,
        log: LogOptions,
    ) -> Self {
        let (responder, account) = charged(responder, account);
        Self { inner: Arc::new(Inner { responder, request: Arc::new(request), account, engine, log }) }
    }

    /// What goes into every request but the messages.
    #[must_use]
    pub fn request(&self) -> &Request {
        &self.inner.request
    }

    /// Asks for a whole reply, which the provider is told to give at once.
    ///
    /// # Errors
    /// [`Error::Run`], with the reply as far as it came.
    pub async fn chat(&self, chat: impl Into<Chat>) -> Result<AssistantMessage, Error> {
        self.ask(chat.into(), Delivery::Whole).await?.message().await
    }

    /// Asks for a whole reply that is JSON, and reads it. Say which JSON with [`AgentBuilder::output`]; the reply is checked against
    /// that schema, whatever the provider promises.
    ///
    /// # Errors
    /// [`Error::Run`], also when the reply is not JSON of that form.
    pub async fn chat_as<T: DeserializeOwned>(&self, chat: impl Into<Chat>) -> Result<T, Error> {
        let chat = chat.into();
        let output = chat.request.as_ref().unwrap_or_else(|| self.request()).output.clone();
        structured::read(self.chat(chat).await?, output.as_ref())
    }

    /// Asks for a reply as a stream. It has begun when this returns; drop the stream to stop it.
    ///
    /// # Errors
    /// [`Error::Run`] when nothing of a reply came.
    pub async fn stream(&self, chat: impl Into<Chat>) -> Result<ChatStream, Error> {
        self.ask(chat.into(), Delivery::Stream).await
    }

    /// Asks for a reply as a [`Run`] of one turn, which any number of readers follow; drop them all and it goes on, until
    /// [`Run::abort`]. Tool calls stand in the reply, and nothing runs them. The messages must end with a question or with
    /// results of tools.
    ///
    /// # Errors
    /// As [`Agent::prompt`].
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn run(&self, chat: impl Into<Chat>) -> Result<Run, Error> {
        let Chat { messages, request } = chat.into();
        let Inner { responder, account, engine, log, .. } = &*self.inner;
        let described = Agent::builder().responder(Arc::clone(responder)).account(account.clone());
        let described = described.engine(engine.clone()).log(*log);
        let agent = described.messages(messages).hand_on_calls().build()?;
        agent.replace_request(request.map_or_else(|| Arc::clone(&self.inner.request), Arc::new));
        agent.prompt(Prompt::go_on())
    }

    async fn ask(&self, chat: Chat, delivery: Delivery) -> Result<ChatStream, Error> {
        let request = match chat.request {
            Some(request) => request,
            None => (*self.inner.request).clone(),
        };
        if chat.messages.is_empty() {
            return Err(Error::Prompt(thalweg_agent::machine::Error::NothingToAnswer));
        }
        let ask = Ask::new(request, chat.messages, delivery);
        let reply = self.inner.responder.ask(ask).await;
        let reply = reply.map_err(|failure| Error::Run { failure: Box::new(failure), partial: None })?;
        Ok(ChatStream { reply, assembly: Some(Assembly::new()), message: None, batch: Batch::default() })
    }
}

/// As a responder, with a model of its own: the one that falls in for another.
impl Responder for Client {
    fn name(&self) -> &str {
        self.inner.responder.name()
    }

    fn provider(&self) -> Option<&str> {
        self.inner.responder.provider()
    }

    fn ask(&self, mut ask: Ask) -> Asking<'_> {
        let own = &self.inner.request;
        let request = ask.request_mut();
        request.model.clone_from(&own.model);
        // Fields that another provider has words for are not this one's.
        request.extra.clone_from(&own.extra);
        if own.thinking.is_some() {
            request.thinking.clone_from(&own.thinking);
        }
        if own.max_tokens.is_some() {
            request.max_tokens = own.max_tokens;
        }
        self.inner.responder.ask(ask)
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("responder", &self.inner.responder.name())
            .field("model", &self.inner.request.model)
            .finish_non_exhaustive()
    }
}

/// A reply to a client, while it comes in.
#[derive(Debug)]
pub struct ChatStream {
    reply: ReplyStream,
    /// Until the reply is over.
    assembly: Option<Assembly>,
    /// The reply once it is over.
    message: Option<AssistantMessage>,
    batch: Batch,
}

impl ChatStream {
    /// The next events; `None` once the reply is complete. Cancel-safe.
    ///
    /// # Errors
    /// [`Error::Run`] with the partial reply, when it is not complete.
    pub async fn next(&mut self) -> Result<Option<&Batch>, Error> {
        let Some(assembly) = &mut self.assembly else { return Ok(None) };
        let end = match self.reply.next().await {
            Some(Ok(batch)) => {
                for event in batch.iter() {
                    assembly.handle_event(&event);
                }
                self.batch = batch;
                return Ok(Some(&self.batch));
            }
            None => End::Eof,
            Some(Err(failure)) if failure.kind == FailureKind::Connection => End::Reset(failure.message),
            Some(Err(failure)) => End::Error(failure),
        };
        let outcome = assembly.finish(end);
        let mut message = self.assembly.take().map(Assembly::into_message).unwrap_or_default();
        message.provider = self.reply.provider().map(str::to_owned);
        let message = self.message.insert(message);
        if outcome == Outcome::Complete {
            return Ok(None);
        }
        let failure = message.error.clone();
        let failure = failure.unwrap_or_else(|| Failure::new(FailureKind::Other, "the reply is not complete"));
        Err(Error::Run { failure: Box::new(failure), partial: Some(Box::new(message.clone())) })
    }

    /// The next piece of text; passes over everything else. Cancel-safe.
    ///
    /// # Errors
    /// As [`ChatStream::next`].
    pub async fn next_text(&mut self) -> Result<Option<String>, Error> {
        while let Some(batch) = self.next().await? {
            let text: String = batch.views().filter_map(text_of).collect();
            if !text.is_empty() {
                return Ok(Some(text));
            }
        }
        Ok(None)
    }

    /// The reply as far as it came. Copies it.
    #[must_use]
    pub fn partial(&self) -> AssistantMessage {
        match (&self.assembly, &self.message) {
            (Some(assembly), _) => {
                AssistantMessage { provider: self.reply.provider().map(str::to_owned), ..assembly.message() }
            }
            (None, message) => message.clone().unwrap_or_default(),
        }
    }

    /// Reads to the end and gives the whole reply.
    ///
    /// # Errors
    /// As [`ChatStream::next`].
    pub async fn message(mut self) -> Result<AssistantMessage, Error> {
        while self.next().await?.is_some() {}
        Ok(self.message.unwrap_or_default())
    }
}

fn text_of(event: ReplyEvent<'_>) -> Option<&str> {
    if let ReplyEvent::Text { delta, .. } = event { Some(delta) } else { None }
}
