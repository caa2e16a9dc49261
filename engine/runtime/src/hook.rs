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
use thalweg_agent::machine::{Decision, ToolOutput};
use thalweg_agent::message::{Message, ToolCall, UserContent};
use tokio::sync::mpsc;

use crate::panic::caught;
use crate::tool::{ToolContext, run_plugin_tool};

/// Where a hook is asked. Its answer is JSON; `null` always says: go on as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HookPoint {
    /// Before a tool runs, with arguments that its schema allows. Gets `{tool_call_id, tool_name, args}`. Answers
    /// `{"args": {...}}` to run it with other arguments, `{"block": true, "reason": s}` to tell the model the reason instead,
    /// `{"result": s, "is_error": b}` to answer in its place (a text or an array of content), or `{"wait": true}` to leave it
    /// to a person, who may also be asked later and in another process: see [`Agent::answer`](crate::Agent::answer).
    /// `"terminate": true` beside any of them but `wait` ends the run once the calls of the reply are answered.
    BeforeToolCall,
    /// After a tool ran, failed, or was blocked. Gets `{tool_call_id, tool_name, args, text, content, is_error}`. Answers
    /// `{"text": s, "content": [...], "is_error": b, "details": v, "terminate": b}`, all optional, to tell the model something
    /// else; `terminate` ends the run.
    AfterToolCall,
    /// After a turn that another one would follow. Gets `{turn, messages}`, what the run has added to the conversation; the
    /// last of them are the reply and its results. Answers `{"stop": true}` to end the run. One that fails ends it, too.
    AfterTurn,
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
            Self::AfterTurn => "after_turn",
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
    /// A hook written in Rust. An error or a panic ends the run; of a tool call it is told to the model, and the run goes on.
    /// The future is dropped when the run is aborted.
    pub fn new<F, Fut>(point: HookPoint, handler: F) -> Self
    where
        F: Fn(Value) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Value, String>> + Send + 'static,
    {
        Self { point, handler: Arc::new(move |input| Box::pin(handler(input))) }
    }

    /// Where it is asked.
    #[must_use]
    pub const fn point(&self) -> HookPoint {
        self.point
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

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Before {
    args: Option<Value>,
    block: bool,
    reason: Option<String>,
    result: Option<Said>,
    is_error: Option<bool>,
    terminate: bool,
    wait: bool,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct After {
    text: Option<String>,
    content: Option<Vec<UserContent>>,
    is_error: Option<bool>,
    details: Option<Value>,
    terminate: bool,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Turn {
    stop: bool,
}

/// What a hook says in the place of a tool.
#[derive(Deserialize)]
#[serde(untagged)]
enum Said {
    Text(String),
    Content(Vec<UserContent>),
}

/// What became of a tool call.
#[derive(Debug)]
pub(crate) enum Called {
    Answered(ToolOutput),
    /// A person has to say whether it may run.
    Waits,
}

/// What the hooks before a call say.
enum Verdict {
    Run,
    Answer(ToolOutput),
    Wait,
}

impl Hooks {
    fn at(&self, point: HookPoint) -> impl Iterator<Item = &Hook> {
        self.0.iter().filter(move |hook| hook.point == point)
    }

    pub(crate) fn has(&self, point: HookPoint) -> bool {
        self.at(point).next().is_some()
    }

    /// Runs a tool, which is `run`, with what stands before and after it. A call that a person has approved is not asked
    /// about before.
    pub(crate) async fn call<F, Fut>(&self, call: &ToolCall, mut args: Value, is_approved: bool, run: F) -> Called
    where
        F: FnOnce(Value) -> Fut,
        Fut: Future<Output = ToolOutput>,
    {
        if self.0.is_empty() {
            return Called::Answered(run(args).await);
        }
        let mut terminate = false;
        let verdict = match is_approved {
            true => Ok(Verdict::Run),
            false => self.before(call, &mut args, &mut terminate).await,
        };
        let mut output = match verdict {
            Ok(Verdict::Run) => run(args.clone()).await,
            Ok(Verdict::Answer(output)) => output,
            Ok(Verdict::Wait) => return Called::Waits,
            Err(why) => ToolOutput::error(why),
        };
        output.terminate |= terminate;
        Called::Answered(self.after(call, &args, output).await)
    }

    async fn before(&self, call: &ToolCall, args: &mut Value, terminate: &mut bool) -> Result<Verdict, String> {
        for hook in self.at(HookPoint::BeforeToolCall) {
            let input = json!({"tool_call_id": call.id, "tool_name": call.name, "args": args});
            let Some(answer) = ask::<Before>(hook, input).await? else { continue };
            *terminate |= answer.terminate;
            if answer.wait {
                return Ok(Verdict::Wait);
            }
            if let Some(said) = answer.result {
                let output = match said {
                    Said::Text(text) => ToolOutput::text(text),
                    Said::Content(content) => ToolOutput::parts(content),
                };
                return Ok(Verdict::Answer(ToolOutput { is_error: answer.is_error.unwrap_or(false), ..output }));
            }
            if answer.block {
                return Err(answer.reason.unwrap_or_else(|| "the call was blocked".to_owned()));
            }
            *args = answer.args.unwrap_or_else(|| args.take());
        }
        Ok(Verdict::Run)
    }

    async fn after(&self, call: &ToolCall, args: &Value, mut output: ToolOutput) -> ToolOutput {
        for hook in self.at(HookPoint::AfterToolCall) {
            let input = json!({"tool_call_id": call.id, "tool_name": call.name, "args": args,
                "text": output.joined_text(), "content": output.content, "is_error": output.is_error});
            match ask::<After>(hook, input).await {
                Ok(None) => {}
                Ok(Some(answer)) => {
                    if let Some(content) = answer.content {
                        output.content = content;
                    }
                    if let Some(text) = answer.text {
                        output.content = ToolOutput::text(text).content;
                    }
                    output.is_error = answer.is_error.unwrap_or(output.is_error);
                    output.details = answer.details.or(output.details);
                    output.terminate |= answer.terminate;
                }
                // What the tool ended stays ended.
                Err(why) => return ToolOutput { terminate: output.terminate, ..ToolOutput::error(why) },
            }
        }
        output
    }

    /// Whether the run goes on after a turn.
    pub(crate) async fn after_turn(&self, turn: u32, messages: &[Value]) -> Result<Decision, String> {
        for hook in self.at(HookPoint::AfterTurn) {
            let input = json!({"turn": turn, "messages": messages});
            if ask::<Turn>(hook, input).await?.is_some_and(|answer| answer.stop) {
                return Ok(Decision::Stop);
            }
        }
        Ok(Decision::GoOn)
    }

    /// The messages to send in the place of the conversation; `None` for the conversation itself.
    pub(crate) async fn context(&self, history: &History) -> Result<Option<History>, String> {
        let hooks: Vec<_> = self.at(HookPoint::TransformContext).chain(self.at(HookPoint::ConvertMessages)).collect();
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
    let answer = caught(async { (hook.handler)(input).await }).await;
    let answer = answer.map_err(|panic| format!("the hook {name} panicked: {panic}"))?;
    let answer = answer.map_err(|why| format!("the hook {name} failed: {why}"))?;
    serde_json::from_value(answer)
        .map_err(|error| format!("the hook {name} answered something else than it may: {error}"))
}
