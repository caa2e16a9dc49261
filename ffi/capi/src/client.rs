//! A client: replies without an agent.

use std::ffi::{CString, c_char};
use std::sync::Arc;

use serde_json::json;
use thalweg::Client as Inner;
use thalweg::message::Message;
use thalweg_abi::failure::Failure;
use thalweg_abi::types::{E_TIMEOUT, Error};

use crate::agent;
use crate::engine::{Engine, EngineObject, Shared};
use crate::handle::{self, Class};
use crate::json;
use crate::program::{self, Callbacks};
use crate::run::{self, Run, RunOptions};
use crate::{block, callback, guard, text};

/// A model that is asked for one reply at a time.
#[repr(C)]
pub struct Client {
    _opaque: [u8; 0],
}

/// What lies behind a `thw_client`.
pub(crate) struct ClientObject {
    engine: Arc<Shared>,
    client: Inner,
}

impl Class for ClientObject {
    type Handle = Client;
    const NAME: &'static str = "client";
    const TAG: &'static [u8; 8] = b"thwclien";
}

/// Makes a client, with the options and callbacks of `thw_agent_new`; NULL on an error. Tools are offered to the model, and their calls
/// stand in the reply; nothing runs them, and hooks are not asked. Opens no connection. It is the caller's, to be freed with
/// `thw_client_free`. `[any-thread]`
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn thw_client_new(
    engine: *mut Engine,
    options: *const c_char,
    options_len: usize,
    callbacks: *const Callbacks,
    error: *mut Error,
) -> *mut Client {
    let body = || {
        // First, since the contexts are taken over whatever happens.
        // SAFETY: by contract.
        let given = unsafe { program::read(callbacks) }?;
        // SAFETY: by contract.
        let EngineObject(engine) = unsafe { handle::get::<EngineObject>(engine) }?;
        engine.process.check()?;
        // SAFETY: by contract.
        let options = json::read(unsafe { text::text(options, options_len, "options") }?, "options")?;
        let client = agent::describe(engine, options, given)?.build_client()?;
        Ok(handle::new(ClientObject { engine: Arc::clone(engine), client }))
    };
    // SAFETY: by contract.
    unsafe { guard::pointer(error, body) }
}

/// Frees a client. NULL is accepted. `[any-thread]`
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn thw_client_free(client: *mut Client) {
    guard::quiet(|| {
        // SAFETY: by contract.
        if let Some(client) = unsafe { handle::take::<ClientObject>(client) }
            && client.engine.process.is_other()
        {
            std::mem::forget(client);
        }
    });
}

/// Asks for the reply to `messages`, a JSON array as `thw_agent_prompt_json` takes it but with replies and results of tools among them,
/// borrowed for the call; the provider is told to give it at once. Waits up to `timeout_ms` and then gives up, with `THW_E_TIMEOUT`. The
/// reply is JSON, as in a conversation; NULL on an error. NUL-terminated and the caller's, to be freed with `thw_free`. Several may be
/// asked for at once. Not from a callback of `thw_run_on_batch`. `[any-thread]`
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn thw_client_chat(
    client: *mut Client,
    messages: *const c_char,
    messages_len: usize,
    timeout_ms: u32,
    error: *mut Error,
) -> *mut c_char {
    let body = || {
        // SAFETY: by contract.
        let ClientObject { engine, client } = unsafe { handle::get::<ClientObject>(client) }?;
        engine.process.check()?;
        callback::check_may_wait(timeout_ms)?;
        // SAFETY: by contract.
        let messages = json::messages(unsafe { text::text(messages, messages_len, "messages") }?, "messages")?;
        let _inside = engine.handle()?.enter();
        let Some(reply) = block::on(client.chat(messages), timeout_ms) else {
            return Err(Failure::new(E_TIMEOUT, format!("there was no reply within {timeout_ms} ms")).into());
        };
        // JSON escapes every NUL.
        Ok(CString::new(json!(Message::Assistant(reply?)).to_string()).unwrap_or_default().into_raw())
    };
    // SAFETY: by contract.
    unsafe { guard::pointer(error, body) }
}

/// Asks for the reply to `messages`, as `thw_client_chat` takes them, as it comes: a run of one turn, for readers, callbacks and the
/// drain; NULL on an error. Tool calls stand in the reply, and nothing runs them. The messages must end with a question or with
/// results of tools. `options` may be NULL. Several may go on at once. The run goes on by itself, also when the client is freed,
/// and is the caller's, to be freed with `thw_run_free`. `[any-thread]`
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn thw_client_stream(
    client: *mut Client,
    messages: *const c_char,
    messages_len: usize,
    options: *const RunOptions,
    error: *mut Error,
) -> *mut Run {
    let body = || {
        // SAFETY: by contract.
        let ClientObject { engine, client } = unsafe { handle::get::<ClientObject>(client) }?;
        engine.process.check()?;
        // SAFETY: by contract.
        let options = unsafe { run::read_options(options) }?;
        // SAFETY: by contract.
        let messages = json::messages(unsafe { text::text(messages, messages_len, "messages") }?, "messages")?;
        let run = {
            let _inside = engine.handle()?.enter();
            client.run(messages)?
        };
        Ok(run::new(engine, run, &options, None))
    };
    // SAFETY: by contract.
    unsafe { guard::pointer(error, body) }
}
