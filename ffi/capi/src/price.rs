//! What a model costs, as an option.

use serde::Deserialize;
use thalweg::cost::{Money, Price as Inner, Rates, checked_per_million};
use thalweg_abi::failure::Failure;

use crate::fault::Fault;

/// Dollars per million tokens.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Price {
    input: f64,
    output: f64,
    cache_read: Option<f64>,
    cache_write: Option<f64>,
    cache_write_long: Option<f64>,
    reasoning: Option<f64>,
    context_tokens: Option<u64>,
    output_tokens_max: Option<u64>,
}

impl Price {
    /// The same as the engine reckons with.
    pub(crate) fn read(&self) -> Result<Inner, Fault> {
        let part = |dollars: Option<f64>| dollars.map(amount).transpose();
        let rates = Rates {
            input: amount(self.input)?,
            output: amount(self.output)?,
            cache_read: part(self.cache_read)?,
            cache_write: part(self.cache_write)?,
            cache_write_long: part(self.cache_write_long)?,
            reasoning: part(self.reasoning)?,
        };
        let (context_tokens, output_tokens_max) = (self.context_tokens, self.output_tokens_max);
        Ok(Inner { rates, context_tokens, output_tokens_max, ..Inner::default() })
    }
}

fn amount(dollars: f64) -> Result<Money, Fault> {
    let wrong = || Failure::invalid(format!("`price` has an amount of {dollars}; give dollars per million tokens"));
    Ok(checked_per_million(dollars).ok_or_else(wrong)?)
}
