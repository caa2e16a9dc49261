//! A team in the place of a model.

use std::sync::Arc;

use serde_json::Value;
use thalweg::{AgentBuilder, HookPoint, Responder};
use thalweg_abi::failure::Failure;
use thalweg_crew::team::Description;

use crate::agent;
use crate::engine::Shared;
use crate::fault::Fault;
use crate::program::Given;

/// The team of a description. Its members have what the program gave for tools, keys, records and providers; the rest is of the agent that
/// asks the team.
pub(crate) fn responder(engine: &Shared, team: Value, given: &Given) -> Result<Arc<dyn Responder>, Fault> {
    let invalid = |error: &dyn std::fmt::Display| Failure::invalid(error.to_string());
    let description = Description::from_value(team).map_err(|error| invalid(&error))?;
    let of_tools = [HookPoint::BeforeToolCall, HookPoint::AfterToolCall];
    let team = description.build(|leaf| {
        let options = serde_json::from_value(Value::Object(leaf.options)).map_err(|error| error.to_string())?;
        let given = Given {
            tools: given.tools.clone(),
            hooks: given.hooks.iter().filter(|hook| of_tools.contains(&hook.point())).cloned().collect(),
            keys: given.keys.clone(),
            compacting: given.compacting.clone(),
            observers: given.observers.clone(),
            providers: given.providers.clone(),
        };
        let builder = agent::describe(engine, options, given).map_err(|fault| fault.message())?;
        leaf.budgets.into_iter().fold(builder, AgentBuilder::budget).build().map_err(|error| error.to_string())
    });
    Ok(team.map_err(|error| invalid(&error))?.responder())
}
