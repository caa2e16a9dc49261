//! What of an agent may be looked at and changed while it lives.

use std::ffi::{CString, c_char};
use std::ptr;

use serde_json::{Map, Value, json};
use thalweg::Agent as Inner;
use thalweg::request::FIELDS;
use thalweg_abi::failure::Failure;
use thalweg_abi::types::{Error, OK, PENDING, Status};

use crate::agent::{self, Agent, AgentObject};
use crate::fault::Fault;
use crate::program::{self, Callbacks, Given};
use crate::{block, callback, guard, handle, json, text};

/// Waits up to `timeout_ms` until no run of the agent goes on. `THW_OK`: none does. `THW_PENDING`: one goes on. Not from a callback of
/// `thw_run_on_batch`. `[any-thread]`
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn thw_agent_wait(agent: *mut Agent, timeout_ms: u32, error: *mut Error) -> Status {
    let body = || {
        // SAFETY: by contract.
        let object = unsafe { handle::get::<AgentObject>(agent) }?;
        object.engine.process.check()?;
        let written = object.kept().and_then(|kept| kept.written());
        if object.agent.is_running() || written.is_some() {
            callback::check_may_wait(timeout_ms)?;
        }
        let idle = async {
            object.agent.wait_for_idle().await;
            if let Some(mut written) = written {
                written.wait().await;
            }
        };
        Ok(block::on(idle, timeout_ms).map_or(PENDING, |()| OK))
    };
    // SAFETY: by contract.
    unsafe { guard::status(error, body) }
}

/// Forgets the conversation and all that waits; what the agent was made with stays. `THW_E_STATE` during a run. `[any-thread]`
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn thw_agent_reset(agent: *mut Agent, error: *mut Error) -> Status {
    let body = || {
        // SAFETY: by contract.
        let object = unsafe { handle::get::<AgentObject>(agent) }?;
        object.engine.process.check()?;
        object.agent.reset()?;
        object.rebase()?;
        Ok(OK)
    };
    // SAFETY: by contract.
    unsafe { guard::status(error, body) }
}

/// What goes into each request beside the conversation, as JSON with keys of `thw_agent_new`; NULL on an error. To be freed with
/// `thw_free`. `[any-thread]`
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn thw_agent_settings(agent: *mut Agent, error: *mut Error) -> *mut c_char {
    // SAFETY: by contract.
    unsafe { tell(agent, error, |agent| Ok(json!(agent.request()).to_string())) }
}

/// Changes some of it from the next turn on, also of a run that goes on: `settings` is a JSON object, borrowed for the call, with the
/// keys that change; `null` takes one away. `model` is the id at the provider, which stays, see `thw_agent_set_provider`. Tools are changed by `thw_agent_set_tools`.
/// `[any-thread]`
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn thw_agent_configure(
    agent: *mut Agent,
    settings: *const c_char,
    settings_len: usize,
    error: *mut Error,
) -> Status {
    let body = || {
        // SAFETY: by contract.
        let AgentObject { engine, agent, .. } = unsafe { handle::get::<AgentObject>(agent) }?;
        engine.process.check()?;
        // SAFETY: by contract.
        let text = unsafe { text::text(settings, settings_len, "settings") }?;
        let mut all = json!(agent.request());
        for (key, value) in json::read::<Map<String, Value>>(text, "settings")? {
            if key != "model" && !FIELDS.contains(&key.as_str()) {
                let message = format!("`settings` has the key {key:?}; known are model, {}", FIELDS.join(", "));
                return Err(Failure::invalid(message).into());
            }
            all[key] = value;
        }
        let request = serde_json::from_value(all).map_err(|error| Failure::invalid(format!("`settings`: {error}")))?;
        agent.configure(|now| *now = request);
        Ok(OK)
    };
    // SAFETY: by contract.
    unsafe { guard::status(error, body) }
}

/// Asks another provider from the next turn on, also of a run that goes on. `options` are those of `thw_agent_new` that speak of it,
/// borrowed for the call: `model`, `provider`, `base_url`, `dialect`, `api_key`, `headers`, `thinking`, `extra`, `price`,
/// `stream_proxy`, and `middleware` with what else stands there. What is absent is not kept of the one before. `callbacks` may be NULL,
/// or have providers, `THW_HOOK_API_KEY`, `THW_HOOK_COMPACT` and `THW_HOOK_OBSERVE`. The conversation, the tools, the other hooks and
/// all other options stay; what the other provider cannot read of the conversation is put in its words. On an error nothing
/// changes. `[any-thread]`
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn thw_agent_set_provider(
    agent: *mut Agent,
    options: *const c_char,
    options_len: usize,
    callbacks: *const Callbacks,
    error: *mut Error,
) -> Status {
    let body = || {
        // First, since the contexts are taken over whatever happens.
        // SAFETY: by contract.
        let given = unsafe { program::read(callbacks) }?;
        // SAFETY: by contract.
        let AgentObject { engine, agent, .. } = unsafe { handle::get::<AgentObject>(agent) }?;
        engine.process.check()?;
        // SAFETY: by contract.
        let options = unsafe { text::text(options, options_len, "options") }?;
        agent.set_provider(agent::describe_provider(engine, options, given)?)?;
        Ok(OK)
    };
    // SAFETY: by contract.
    unsafe { guard::status(error, body) }
}

/// Offers the tools of `callbacks` in the place of all others, from the next turn on, also of a run that goes on. Its hooks and
/// providers must be none. `[any-thread]`
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn thw_agent_set_tools(
    agent: *mut Agent,
    callbacks: *const Callbacks,
    error: *mut Error,
) -> Status {
    let body = || {
        // First, since the contexts are taken over whatever happens.
        // SAFETY: by contract.
        let given = unsafe { program::read(callbacks) }?;
        // SAFETY: by contract.
        let AgentObject { engine, agent, .. } = unsafe { handle::get::<AgentObject>(agent) }?;
        engine.process.check()?;
        let Given { tools, hooks, keys, compacting, observers, providers } = given;
        let is_only_tools = hooks.is_empty() && keys.is_none() && compacting.is_none() && observers.is_empty();
        if !(is_only_tools && providers.is_empty()) {
            return Err(Failure::invalid("hooks and providers are given to `thw_agent_new` only").into());
        }
        agent.set_tools(tools)?;
        Ok(OK)
    };
    // SAFETY: by contract.
    unsafe { guard::status(error, body) }
}

/// What was said by `thw_agent_steer` and `thw_agent_follow_up` and has not come in, as JSON `{"steering": [...], "follow_ups": [...]}`;
/// NULL on an error. To be freed with `thw_free`. `[any-thread]`
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn thw_agent_queued(agent: *mut Agent, error: *mut Error) -> *mut c_char {
    let told = |agent: &Inner| {
        let (steering, follow_ups) = agent.queued();
        Ok(json!({"steering": steering, "follow_ups": follow_ups}).to_string())
    };
    // SAFETY: by contract.
    unsafe { tell(agent, error, told) }
}

/// Forgets what was said by `thw_agent_steer` if `steering` is not 0, and by `thw_agent_follow_up` if `follow_ups` is not.
/// `[any-thread]`
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn thw_agent_clear_queued(agent: *mut Agent, steering: i32, follow_ups: i32) -> Status {
    let body = || {
        // SAFETY: by contract.
        let AgentObject { engine, agent, .. } = unsafe { handle::get::<AgentObject>(agent) }?;
        engine.process.check()?;
        if steering != 0 {
            agent.clear_steering();
        }
        if follow_ups != 0 {
            agent.clear_follow_ups();
        }
        Ok(OK)
    };
    // SAFETY: NULL is allowed.
    unsafe { guard::status(ptr::null_mut(), body) }
}

/// A text that `told` of an agent, the caller's from then on.
///
/// # Safety
/// All pointers are NULL or as the header says.
pub(crate) unsafe fn tell(
    agent: *mut Agent,
    error: *mut Error,
    told: impl FnOnce(&Inner) -> Result<String, Fault>,
) -> *mut c_char {
    let body = || {
        // SAFETY: promised by the caller.
        let AgentObject { engine, agent, .. } = unsafe { handle::get::<AgentObject>(agent) }?;
        engine.process.check()?;
        // JSON escapes every NUL.
        Ok(CString::new(told(agent)?).unwrap_or_default().into_raw())
    };
    // SAFETY: promised by the caller.
    unsafe { guard::pointer(error, body) }
}
