//! What is said to an agent while it works.

use std::ffi::c_char;

use thalweg::Agent as Inner;
use thalweg_abi::types::{Error, OK, Status};

use crate::agent::{Agent, AgentObject};
use crate::fault::Fault;
use crate::{guard, handle, json, text};

/// As `thw_agent_steer`, with a JSON array of user messages, as `thw_agent_prompt_json` takes them: so with images and
/// documents. `[any-thread]`
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn thw_agent_steer_json(
    agent: *mut Agent,
    messages: *const c_char,
    messages_len: usize,
    error: *mut Error,
) -> Status {
    // SAFETY: by contract.
    unsafe {
        say(agent, (messages, messages_len, "messages"), error, |agent, text| {
            Ok(agent.steer(json::messages(text, "messages")?)?)
        })
    }
}

/// As `thw_agent_follow_up`, with messages as `thw_agent_steer_json` takes them. `[any-thread]`
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn thw_agent_follow_up_json(
    agent: *mut Agent,
    messages: *const c_char,
    messages_len: usize,
    error: *mut Error,
) -> Status {
    // SAFETY: by contract.
    unsafe {
        say(agent, (messages, messages_len, "messages"), error, |agent, text| {
            Ok(agent.follow_up(json::messages(text, "messages")?)?)
        })
    }
}

/// # Safety
/// All pointers are NULL or as the header says.
unsafe fn say(
    agent: *mut Agent,
    (text, text_len, name): (*const c_char, usize, &str),
    error: *mut Error,
    say: impl FnOnce(&Inner, &str) -> Result<(), Fault>,
) -> Status {
    let body = || {
        // SAFETY: promised by the caller.
        let AgentObject { engine, agent, .. } = unsafe { handle::get::<AgentObject>(agent) }?;
        engine.process.check()?;
        // SAFETY: promised by the caller.
        say(agent, unsafe { text::text(text, text_len, name) }?)?;
        Ok(OK)
    };
    // SAFETY: promised by the caller.
    unsafe { guard::status(error, body) }
}
