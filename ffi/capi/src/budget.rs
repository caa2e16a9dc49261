//! Budgets, shared by the agents of an engine that name the same one.

use std::collections::BTreeMap;
use std::ffi::{CString, c_char};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Deserialize;
use serde_json::{Value, json};
use thalweg::Budget;
use thalweg::cost::Money;
use thalweg_abi::failure::Failure;
use thalweg_abi::types::{Error, OK, Status};

use crate::engine::{Engine, EngineObject};
use crate::fault::Fault;
use crate::{guard, handle, text};

/// What an agent is to keep to.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wanted {
    name: String,
    tokens: Option<u64>,
    dollars: Option<f64>,
}

/// The budgets of an engine.
#[derive(Default)]
pub(crate) struct Budgets(Mutex<BTreeMap<String, Named>>);

struct Named {
    tokens: Option<u64>,
    money: Option<Money>,
    budget: Budget,
}

impl Wanted {
    fn money(&self) -> Result<Option<Money>, Fault> {
        match self.dollars {
            Some(dollars) if dollars < 0.0 => {
                Err(Failure::invalid(format!("the budget {:?} has {dollars} dollars", self.name)).into())
            }
            dollars => Ok(dollars.map(Money::from_dollars)),
        }
    }
}

impl Named {
    fn new(tokens: Option<u64>, money: Option<Money>) -> Self {
        let budget = match (tokens, money) {
            (None, None) => Budget::unlimited(),
            (Some(tokens), None) => Budget::tokens(tokens),
            (None, Some(money)) => Budget::money(money),
            (Some(tokens), Some(money)) => Budget::money(money).and_tokens(tokens),
        };
        Self { tokens, money, budget }
    }

    fn json(&self) -> Value {
        let (spent, reserved, left) = (self.budget.spent(), self.budget.reserved(), self.budget.left());
        json!({
            "tokens": {"limit": self.tokens, "spent": spent.tokens, "reserved": reserved.tokens, "left": left.tokens},
            "dollars": {"limit": self.money, "spent": spent.money, "reserved": reserved.money, "left": left.money},
        })
    }
}

impl Budgets {
    /// The budget of that name, made with these limits if there is none.
    pub(crate) fn find(&self, wanted: &Wanted) -> Result<Budget, Fault> {
        let money = wanted.money()?;
        let mut all = self.lock();
        let known = all.entry(wanted.name.clone()).or_insert_with(|| Named::new(wanted.tokens, money));
        let differs =
            wanted.tokens.is_some() && wanted.tokens != known.tokens || money.is_some() && money != known.money;
        if differs {
            let message = format!(
                "there is a budget {:?} with other limits; forget it first, or name it without limits",
                wanted.name
            );
            return Err(Failure::invalid(message).into());
        }
        Ok(known.budget.clone())
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Named>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The budgets of an engine as JSON, by name: `{"team": {"tokens": {"limit": n, "spent": n, "reserved": n, "left": n},
/// "dollars": {...}}}`; what is not limited has `null` as `limit` and `left`. They are made by the option `budgets` of
/// `thw_agent_new`. What a request may use at most is reserved before it is sent; the rest goes back behind its reply, so that
/// runs which go on at once never use more than there is. NULL on an error. NUL-terminated and the caller's, to be freed with
/// `thw_free`. `[any-thread]`
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn thw_engine_budgets(engine: *mut Engine, error: *mut Error) -> *mut c_char {
    let body = || {
        // SAFETY: by contract.
        let EngineObject(shared) = unsafe { handle::get::<EngineObject>(engine) }?;
        shared.process.check()?;
        let all = shared.budgets.lock();
        let json: BTreeMap<&str, Value> = all.iter().map(|(name, named)| (name.as_str(), named.json())).collect();
        // JSON escapes every NUL.
        Ok(CString::new(json!(json).to_string()).unwrap_or_default().into_raw())
    };
    // SAFETY: by contract.
    unsafe { guard::pointer(error, body) }
}

/// Forgets a budget by its name, borrowed for the call: agents that have it keep to it, and the next one that names it begins
/// anew. `THW_OK` also if there was none. `[any-thread]`
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn thw_engine_forget_budget(
    engine: *mut Engine,
    name: *const c_char,
    name_len: usize,
    error: *mut Error,
) -> Status {
    let body = || {
        // SAFETY: by contract.
        let EngineObject(shared) = unsafe { handle::get::<EngineObject>(engine) }?;
        shared.process.check()?;
        // SAFETY: by contract.
        shared.budgets.lock().remove(unsafe { text::text(name, name_len, "name") }?);
        Ok(OK)
    };
    // SAFETY: by contract.
    unsafe { guard::status(error, body) }
}
