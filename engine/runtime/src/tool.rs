//! A tool as the engine runs it: written in Rust, or taken from a plugin.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use serde_json::{Value, json};
use thalweg_abi::host::{self, ToolEvent};
use tokio::sync::{mpsc, oneshot};

pub use thalweg_agent::machine::ToolOutput;

use crate::panic::words;
use thalweg_schema::{Schema, SchemaError};

/// What a tool call needs to know.
#[derive(Clone, Debug)]
pub struct ToolContext {
    call_id: String,
    progress: mpsc::UnboundedSender<Progress>,
    cancel: host::CancelToken,
}

/// A word from a running tool.
#[derive(Clone, Debug)]
pub(crate) struct Progress {
    pub(crate) call_id: String,
    pub(crate) text: String,
    pub(crate) permille: Option<u32>,
}

impl ToolContext {
    pub(crate) const fn new(
        call_id: String,
        progress: mpsc::UnboundedSender<Progress>,
        cancel: host::CancelToken,
    ) -> Self {
        Self { call_id, progress, cancel }
    }

    /// Id of the call as the model gave it.
    #[must_use]
    pub fn call_id(&self) -> &str {
        &self.call_id
    }

    /// Whether nobody waits for the answer any more.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.cancel.is_cancelled()
    }

    /// Tells those who watch the run how far the tool is; `permille` where it knows.
    pub fn progress(&self, text: impl Into<String>, permille: Option<u32>) {
        // A run that has ended has nobody to tell.
        let _ = self.progress.send(Progress { call_id: self.call_id.clone(), text: text.into(), permille });
    }
}

/// What a tool gives back: text for the model, or the text of an error for the model.
pub type ToolResult = Result<String, String>;
type ToolFuture = Pin<Box<dyn Future<Output = ToolOutput> + Send>>;
type Handler = dyn Fn(Value, ToolContext) -> ToolFuture + Send + Sync;

/// A tool that an agent offers to its model.
#[derive(Clone)]
pub struct Tool {
    name: Arc<str>,
    description: Arc<str>,
    parameters: Arc<Value>,
    /// Compiled when first asked for, and shared by all clones.
    schema: Arc<OnceLock<Result<Schema, SchemaError>>>,
    timeout: Option<Duration>,
    handler: Arc<Handler>,
}

impl Tool {
    /// A tool written in Rust. `parameters` is the JSON Schema of its arguments; `handler` gets the arguments as a JSON
    /// object and answers with text. A tool that blocks belongs into [`Tool::blocking`].
    pub fn new<F, Fut>(
        name: impl Into<Arc<str>>,
        description: impl Into<Arc<str>>,
        parameters: Value,
        handler: F,
    ) -> Self
    where
        F: Fn(Value, ToolContext) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = ToolResult> + Send + 'static,
    {
        let handler = Arc::new(handler);
        Self::with_output(name, description, parameters, move |arguments, context| {
            let handler = Arc::clone(&handler);
            async move { ToolOutput::from(handler(arguments, context).await) }
        })
    }

    /// As [`Tool::new`], for a tool whose answer is more than a text: images, details for the program, the end of the run.
    pub fn with_output<F, Fut>(
        name: impl Into<Arc<str>>,
        description: impl Into<Arc<str>>,
        parameters: Value,
        handler: F,
    ) -> Self
    where
        F: Fn(Value, ToolContext) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = ToolOutput> + Send + 'static,
    {
        Self {
            name: name.into(),
            description: description.into(),
            parameters: Arc::new(parameters),
            schema: Arc::default(),
            timeout: None,
            handler: Arc::new(move |arguments, context| Box::pin(handler(arguments, context))),
        }
    }

    /// As [`Tool::new`], for a function that is not `async`. It runs on a thread for blocking work, so that it holds up
    /// nothing else. One that is cancelled runs on until it looks at [`ToolContext::is_cancelled`]; nobody waits for it.
    pub fn blocking<F>(
        name: impl Into<Arc<str>>,
        description: impl Into<Arc<str>>,
        parameters: Value,
        handler: F,
    ) -> Self
    where
        F: Fn(Value, ToolContext) -> ToolResult + Send + Sync + 'static,
    {
        let handler = Arc::new(handler);
        Self::new(name, description, parameters, move |arguments, context| {
            let handler = Arc::clone(&handler);
            async move {
                match tokio::task::spawn_blocking(move || handler(arguments, context)).await {
                    Ok(result) => result,
                    Err(error) => Err(match error.try_into_panic() {
                        Ok(panic) => format!("the tool panicked: {}", words(panic.as_ref())),
                        Err(_) => "the tool was stopped with the runtime".to_owned(),
                    }),
                }
            }
        })
    }

    /// The same tool, which is stopped and answered with an error once it takes longer; instead of the agent's
    /// [`tool_timeout`](crate::AgentBuilder::tool_timeout).
    #[must_use]
    pub const fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Name that the model calls it by.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it does.
    #[must_use]
    pub fn description(&self) -> &str {
        &self.description
    }

    /// JSON Schema of its arguments.
    #[must_use]
    pub fn parameters(&self) -> &Value {
        &self.parameters
    }

    /// A tool of a plugin. It is started on a thread for blocking work, so one that blocks holds up nothing else.
    #[must_use]
    pub fn from_plugin(tool: host::Tool) -> Self {
        let parameters = serde_json::from_str(tool.parameters()).unwrap_or_else(|_| json!({"type": "object"}));
        Self::new(tool.name().to_owned(), tool.description().to_owned(), parameters, move |arguments, context| {
            run_plugin_tool(tool.clone(), arguments, context)
        })
    }

    /// The schema of its arguments, compiled.
    ///
    /// # Errors
    /// When the schema is none.
    pub fn schema(&self) -> Result<&Schema, SchemaError> {
        self.schema.get_or_init(|| Schema::new(&self.parameters)).as_ref().map_err(Clone::clone)
    }

    pub(crate) const fn timeout(&self) -> Option<Duration> {
        self.timeout
    }

    pub(crate) fn call(&self, arguments: Value, context: ToolContext) -> ToolFuture {
        (self.handler)(arguments, context)
    }
}

impl fmt::Debug for Tool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tool").field("name", &self.name).finish_non_exhaustive()
    }
}

impl From<host::Tool> for Tool {
    fn from(tool: host::Tool) -> Self {
        Self::from_plugin(tool)
    }
}

pub(crate) async fn run_plugin_tool(tool: host::Tool, arguments: Value, context: ToolContext) -> ToolResult {
    let (answer, answered) = oneshot::channel();
    let mut answer = Some(answer);
    let cancel = context.cancel.clone();
    let receiver = Box::new({
        let context = context.clone();
        move |event| match event {
            ToolEvent::Progress { text, permille } => context.progress(text, permille.map(u32::from)),
            ToolEvent::Finished(result) => {
                if let Some(answer) = answer.take() {
                    // Nobody waits for the answer of a call that was cancelled.
                    let _ = answer.send(result.map_err(|error| match error {
                        // In the tool's own words: the model does not know plugins.
                        host::Error::Failed { failure, .. } => failure.to_string(),
                        error => error.to_string(),
                    }));
                }
            }
            _ => {}
        }
    });
    let started = tokio::task::spawn_blocking(move || {
        drop(tool.invoke(context.call_id(), &arguments.to_string(), receiver, &cancel));
    });
    if started.await.is_err() {
        return Err("the tool could not be started".to_owned());
    }
    answered.await.unwrap_or_else(|_| Err("the tool ended without an answer".to_owned()))
}
