//! What of an agent may be changed while it lives. A change holds from the next turn on, also of a run that is going on.

use std::sync::{Arc, PoisonError};

use thalweg_agent::request::{Request, Thinking};
use thalweg_wire::limits::Limits;

use super::Agent;
use super::builder::{AgentBuilder, Other, checked_tools, specs};
use crate::backend::Backend;
use crate::drive::Settings;
use crate::error::Error;
use crate::tool::Tool;

impl Agent {
    /// The tools on offer.
    #[must_use]
    pub fn tools(&self) -> Arc<[Tool]> {
        self.inner.setup.settings().tools
    }

    /// Offers these tools instead, from the next turn on.
    ///
    /// # Errors
    /// [`Error::DuplicateTool`] or [`Error::ToolSchema`]; nothing changes then.
    pub fn set_tools(&self, tools: Vec<Tool>) -> Result<(), Error> {
        let tools = checked_tools(tools, self.inner.setup.validation)?;
        self.change(|settings| {
            Arc::make_mut(&mut settings.request).tools = specs(&tools);
            settings.tools = tools.into();
        });
        Ok(())
    }

    /// What goes into every request beside the conversation: model, system prompt, temperature and so on.
    #[must_use]
    pub fn request(&self) -> Request {
        Request::clone(&self.inner.setup.settings().request)
    }

    /// Changes what goes into requests from the next turn on. Tools are changed by [`Agent::set_tools`] only.
    pub fn configure(&self, change: impl FnOnce(&mut Request)) {
        self.change(|settings| {
            let request = Arc::make_mut(&mut settings.request);
            let tools = request.tools.clone();
            change(request);
            request.tools = tools;
        });
    }

    /// The model's id at its provider.
    #[must_use]
    pub fn model(&self) -> String {
        self.inner.setup.settings().request.model.clone()
    }

    /// Asks another model of the same provider from the next turn on, by its id there. For another provider see
    /// [`Agent::set_provider`].
    pub fn set_model(&self, id: impl Into<String>) {
        self.configure(|request| request.model = id.into());
    }

    /// Asks another provider from the next turn on: the one that `builder` describes, with its model, address, keys, headers, middleware,
    /// [price](AgentBuilder::price) and thinking. The conversation, tools, hooks, queues, budgets, retries and the rest of the request
    /// stay; what the other provider cannot read of the conversation is put in its words, as [`Accepts`](crate::Accepts) has it.
    /// Connections are shared where `builder` names no [client](AgentBuilder::client) of its own.
    ///
    /// # Errors
    /// As [`AgentBuilder::build`]; nothing changes then.
    pub fn set_provider(&self, builder: AgentBuilder) -> Result<(), Error> {
        let now = self.inner.setup.settings();
        let setup = &self.inner.setup;
        let described = builder.into_other(&now.backend, &setup.retry, setup.engine.limits().wire)?;
        let Other { backend, request: other, price } = described;
        self.change(|settings| {
            let request = Arc::make_mut(&mut settings.request);
            request.model = other.model;
            request.extra = other.extra;
            request.thinking = other.thinking;
            settings.backend = Arc::new(backend);
            Arc::make_mut(&mut settings.account).price = price;
        });
        Ok(())
    }

    /// Where its requests go: the provider's name or the base URL.
    #[must_use]
    pub fn endpoint(&self) -> String {
        self.inner.setup.settings().backend.name().to_owned()
    }

    /// What gives its replies, and how much of one is read.
    pub(crate) fn backend(&self) -> (Arc<Backend>, Limits) {
        (self.inner.setup.settings().backend, self.inner.setup.engine.limits().wire)
    }

    /// The system prompt.
    #[must_use]
    pub fn system(&self) -> Option<String> {
        self.inner.setup.settings().request.system.clone()
    }

    /// Sets the system prompt from the next turn on.
    pub fn set_system(&self, system: Option<String>) {
        self.configure(|request| request.system = system);
    }

    /// How much the model is to think.
    #[must_use]
    pub fn thinking(&self) -> Option<Thinking> {
        self.inner.setup.settings().request.thinking.clone()
    }

    /// Sets how much the model is to think from the next turn on.
    pub fn set_thinking(&self, thinking: Option<Thinking>) {
        self.configure(|request| request.thinking = thinking);
    }

    /// The same with all of it, tools that nobody runs among them.
    pub(crate) fn replace_request(&self, request: Arc<Request>) {
        self.change(|settings| settings.request = request);
    }

    fn change(&self, change: impl FnOnce(&mut Settings)) {
        change(&mut self.inner.setup.settings.write().unwrap_or_else(PoisonError::into_inner));
    }
}
