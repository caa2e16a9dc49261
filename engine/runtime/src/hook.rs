//! Hooks: functions of the program that a run asks before it goes on. JSON in, JSON out, so that a hook of another language has
//! the same shape.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use thalweg_abi::host::{self, CancelToken};
use thalweg_agent::history::History;
use thalweg_agent::message::{Message, ToolCall};
use tokio::sync::mpsc;

use crate::tool::{Tool, ToolContext, ToolResult, run_plugin_tool};

/// Where a hook is asked. Its answer is JSON; `null` always says: go on as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HookPoint {
    /// Before a tool runs. Gets `{tool_call_id, tool_name, args}`. Answers `{"args": {...}}` to run it with other arguments, or
    /// `{"block": true, "reason": s}` to tell the model the reason instead.
    BeforeToolCall,
    /// After a tool ran, or was blocked. Gets `{tool_call_id, tool_name, args, text, is_error}`. Answers `{"text": s, "is_error": b}`, both
    /// optional, to tell the model something else.
    AfterToolCall,
    /// Before each request. Gets `{"messages": [...]}`, the whole conversation. Answers the array of messages to send in its place; the
    /// conversation stays as it is.
    TransformContext,
    /// The same, behind all of [`HookPoint::TransformContext`]: the last word on what is sent.
    ConvertMessages,
}

impl HookPoint {
    const fn name(self) -> &'static str {
        match self {
            Self::BeforeToolCall => "before_tool_call",
            Self::AfterToolCall => "after_tool_call",
            Self::TransformContext => "transform_context",
            Self::ConvertMessages => "convert_messages",
        }
    }
}

type HookFuture = Pin<Box<dyn Future<Output = Result<Value, String>> + Send>>;
type Handler = dyn Fn(Value) -> HookFuture + Send + Sync;

/// A function that a run asks at one point. Several at a point are asked in their order, each with what the one before made of it.
#[derive(Clone)]
pub struct Hook {
    point: HookPoint,
    handler: Arc<Handler>,
}

impl Hook {
    /// A hook written in Rust. An error ends the run, of a tool call it is told to the model; the future is dropped when the run is aborted.
    pub fn new<F, Fut>(point: HookPoint, handler: F) -> Self
    where
        F: Fn(Value) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Value, String>> + Send + 'static,
    {
        Self { point, handler: Arc::new(move |input| Box::pin(handler(input))) }
    }

    /// A hook that is called as a tool: with the input as its arguments; its answer is JSON, or empty for `null`.
    #[must_use]
    pub fn from_plugin(point: HookPoint, tool: host::Tool) -> Self {
        Self::new(point, move |input| {
            let tool = tool.clone();
            async move {
                let guard = CancelOnDrop(CancelToken::new());
                // A hook has nobody to tell how far it is.
                let context = ToolContext::new(String::new(), mpsc::unbounded_channel().0, guard.0.clone());
                let answer = run_plugin_tool(tool, input, context).await?;
                if answer.trim().is_empty() {
                    return Ok(Value::Null);
                }
                serde_json::from_str(&answer).map_err(|error| format!("the answer is not JSON: {error}"))
            }
        })
    }
}

impl fmt::Debug for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hook").field("point", &self.point).finish_non_exhaustive()
    }
}

/// Nobody waits for the answer any more.
struct CancelOnDrop(CancelToken);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

/// The hooks of an agent.
#[derive(Clone, Debug, Default)]
pub(crate) struct Hooks(pub(crate) Vec<Hook>);

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
#[derive(Default)]
struct Before {
    args: Option<Value>,
    block: bool,
    reason: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct After {
    text: Option<String>,
    is_error: Option<bool>,
}

impl Hooks {
    fn at(&self, point: HookPoint) -> Vec<&Hook> {
        self.0.iter().filter(|hook| hook.point == point).collect()
    }

    /// Runs a tool with what stands before and after it.
    pub(crate) async fn call(&self, tool: &Tool, call: &ToolCall, args: Value, context: ToolContext) -> ToolResult {
        if self.0.is_empty() {
            return tool.call(args, context).await;
        }
        let (args, result) = match self.before(call, args).await {
            Ok(args) => (args.clone(), tool.call(args, context).await),
            Err((args, reason)) => (args, Err(reason)),
        };
        self.after(call, args, result).await
    }

    /// The arguments to run a tool with; or those and what the model is told instead.
    async fn before(&self, call: &ToolCall, mut args: Value) -> Result<Value, (Value, String)> {
        for hook in self.at(HookPoint::BeforeToolCall) {
            let input = json!({"tool_call_id": call.id, "tool_name": call.name, "args": args});
            match ask::<Before>(hook, input).await {
                Ok(None) => {}
                Ok(Some(Before { block: true, reason, .. })) => {
                    return Err((args, reason.unwrap_or_else(|| "the call was blocked".to_owned())));
                }
                Ok(Some(answer)) => args = answer.args.unwrap_or(args),
                Err(why) => return Err((args, why)),
            }
        }
        Ok(args)
    }

    async fn after(&self, call: &ToolCall, args: Value, mut result: ToolResult) -> ToolResult {
        for hook in self.at(HookPoint::AfterToolCall) {
            let (text, is_error) = match &result {
                Ok(text) => (text, false),
                Err(text) => (text, true),
            };
            let input = json!({"tool_call_id": call.id, "tool_name": call.name, "args": args, "text": text, "is_error": is_error});
            if let Some(answer) = ask::<After>(hook, input).await? {
                let text = answer.text.unwrap_or_else(|| text.clone());
                result = if answer.is_error.unwrap_or(is_error) { Err(text) } else { Ok(text) };
            }
        }
        result
    }

    /// The messages to send in the place of the conversation; `None` for the conversation itself.
    pub(crate) async fn context(&self, history: &History) -> Result<Option<History>, String> {
        let mut hooks = self.at(HookPoint::TransformContext);
        hooks.extend(self.at(HookPoint::ConvertMessages));
        if hooks.is_empty() {
            return Ok(None);
        }
        let parsed = history.entries().iter().map(|entry| serde_json::from_str(&entry.json));
        let mut messages = Value::Array(parsed.collect::<Result<_, _>>().map_err(|error| error.to_string())?);
        for hook in hooks {
            if let Some(answer) = ask::<Vec<Value>>(hook, json!({ "messages": messages })).await? {
                messages = Value::Array(answer);
            }
        }
        let messages: Vec<Message> = serde_json::from_value(messages)
            .map_err(|error| format!("the messages that the hooks made are not those of a conversation: {error}"))?;
        Ok(Some(History::new(messages)))
    }
}

/// What a hook answers; `None` for `null`.
async fn ask<T: DeserializeOwned>(hook: &Hook, input: Value) -> Result<Option<T>, String> {
    let name = hook.point.name();
    let answer = (hook.handler)(input).await.map_err(|why| format!("the hook {name} failed: {why}"))?;
    serde_json::from_value(answer)
        .map_err(|error| format!("the hook {name} answered something else than it may: {error}"))
}
