//! Whether an agent works, and an end to it.

use std::ptr;

use thalweg_abi::types::{OK, Status};

use crate::agent::{Agent, AgentObject};
use crate::{guard, handle};

/// 1 while a run of the agent goes on, else 0. `[any-thread]`
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn thw_agent_is_running(agent: *mut Agent) -> i32 {
    let mut is_running = false;
    let body = || {
        // SAFETY: by contract.
        let AgentObject { engine, agent, .. } = unsafe { handle::get::<AgentObject>(agent) }?;
        engine.process.check()?;
        is_running = agent.is_running();
        Ok(OK)
    };
    // SAFETY: NULL is allowed.
    unsafe { guard::status(ptr::null_mut(), body) };
    i32::from(is_running)
}

/// Stops the run that goes on, as `thw_run_abort` does; nothing happens if there is none. `[any-thread]`
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn thw_agent_abort(agent: *mut Agent) -> Status {
    let body = || {
        // SAFETY: by contract.
        let AgentObject { engine, agent, .. } = unsafe { handle::get::<AgentObject>(agent) }?;
        engine.process.check()?;
        agent.abort();
        Ok(OK)
    };
    // SAFETY: NULL is allowed.
    unsafe { guard::status(ptr::null_mut(), body) }
}
