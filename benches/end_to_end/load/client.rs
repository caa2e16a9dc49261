//! What a client is here.

use std::future::Future;

use crate::arguments::Arguments;

/// Takes what a client hands on.
pub trait Sink: Send + 'static {
    /// A piece of the reply's text, as one delta brought it: UTF-8.
    fn text(&mut self, piece: &[u8]);

    /// So many bytes of the body, from a client that reads no text.
    fn bytes(&mut self, len: usize);
}

/// One way to ask the server.
pub trait Client: Clone + Send + Sync + 'static {
    /// Whether it reads text; the others only count the bytes of the body.
    const READS_TEXT: bool = true;

    /// Makes it ready to ask the server of `url`.
    fn new(arguments: &Arguments) -> Self;

    /// Asks once and reads the reply to its end.
    fn ask<S: Sink>(&self, sink: &mut S) -> impl Future<Output = ()> + Send;

    /// Runs a prompt that the server answers with `turns` calls of the tool `add_one`, a call in each reply, then with a
    /// text. The tool calls [`turns::mark`](crate::turns::mark).
    fn run_turns(&self, turns: usize) -> impl Future<Output = ()> + Send {
        async move { panic!("it runs no tools, asked for {turns} turns") }
    }
}

/// What every client asks.
pub const PROMPT: &str = "Tell me of the river.";
/// The model that it names.
pub const MODEL: &str = "gpt-4o-mini";
/// The key that it sends.
pub const KEY: &str = "none";
/// The tool of the runs with tools.
pub const TOOL: &str = "add_one";
/// What the tool says of itself.
pub const TOOL_DESCRIPTION: &str = "The next number.";
/// Schema of its arguments.
pub const TOOL_PARAMETERS: &str =
    r#"{"type":"object","properties":{"n":{"type":"integer","description":"A number."}},"required":["n"]}"#;
