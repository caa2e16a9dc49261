//! What tokens cost. Money is whole picodollars, so that sums and budgets are exact: a dollar per million tokens is a million
//! picodollars a token.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use crate::usage::{Tokens, Usage};

/// An amount of dollars, never negative. The largest is some 18 million dollars, and sums stay there. The serde form is a number
/// of dollars.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Money {
    picodollars: u64,
}

impl Money {
    /// Nothing.
    pub const ZERO: Self = Self { picodollars: 0 };
    /// The largest amount.
    pub const MAX: Self = Self { picodollars: u64::MAX };

    /// An amount in millionths of a millionth of a dollar.
    #[must_use]
    pub const fn from_picodollars(picodollars: u64) -> Self {
        Self { picodollars }
    }

    /// An amount in dollars, to the nearest picodollar; what is below nothing, or no number, is nothing.
    #[must_use]
    pub const fn from_dollars(dollars: f64) -> Self {
        // The cast saturates at both ends and makes 0 of what is no number.
        Self { picodollars: (dollars * PICO).round() as u64 }
    }

    /// Millionths of a millionth of a dollar.
    #[must_use]
    pub const fn picodollars(self) -> u64 {
        self.picodollars
    }

    /// Dollars, rounded to what an `f64` holds.
    #[must_use]
    pub const fn dollars(self) -> f64 {
        self.picodollars as f64 / PICO
    }

    /// The sum, or the largest amount.
    #[must_use]
    pub const fn saturating_add(self, other: Self) -> Self {
        Self { picodollars: self.picodollars.saturating_add(other.picodollars) }
    }

    /// The difference, or nothing.
    #[must_use]
    pub const fn saturating_sub(self, other: Self) -> Self {
        Self { picodollars: self.picodollars.saturating_sub(other.picodollars) }
    }

    /// So many times as much, or the largest amount.
    #[must_use]
    pub const fn times(self, count: u64) -> Self {
        Self { picodollars: self.picodollars.saturating_mul(count) }
    }
}

impl Add for Money {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        self.saturating_add(other)
    }
}

impl AddAssign for Money {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sum for Money {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::ZERO, Add::add)
    }
}

/// Dollars and cents from a cent on; below it as many digits as say something.
impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let dollars = self.dollars();
        match self.picodollars {
            0 => f.write_str("$0"),
            10_000_000_000.. => write!(f, "${dollars:.2}"),
            // A ten-thousandth of a cent.
            1_000_000.. => write!(f, "${dollars:.6}"),
            _ => write!(f, "${dollars:.12}"),
        }
    }
}

impl Serialize for Money {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.dollars())
    }
}

impl<'de> Deserialize<'de> for Money {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self::from_dollars(f64::deserialize(deserializer)?))
    }
}

/// What a token costs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rates {
    /// Of the prompt.
    pub input: Money,
    /// Of the reply.
    pub output: Money,
    /// Of the prompt, read from a cache; as the prompt's others where it is not known.
    pub cache_read: Option<Money>,
    /// Of the prompt, written to a cache; as the prompt's others where it is not known.
    pub cache_write: Option<Money>,
    /// The same, to be kept for an hour.
    pub cache_write_long: Option<Money>,
    /// Of the reply, spent on thinking, where it has a price of its own.
    pub reasoning: Option<Money>,
}

/// What the tokens of one model cost, and how many there may be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Price {
    /// What a token costs.
    pub rates: Rates,
    /// What a token costs in requests with long prompts: `(above, rates)`, by growing `above`.
    pub tiers: Vec<(u64, Rates)>,
    /// Most tokens of prompt and reply together.
    pub context_tokens: Option<u64>,
    /// Most tokens of a reply.
    pub output_tokens_max: Option<u64>,
}

impl Price {
    /// A price that only has two parts, in dollars per million tokens.
    #[must_use]
    pub fn per_million(input: f64, output: f64) -> Self {
        let rates = Rates { input: per_million(input), output: per_million(output), ..Rates::default() };
        Self { rates, ..Self::default() }
    }

    /// What a request with a prompt of `tokens` pays.
    #[must_use]
    pub fn rates_at(&self, tokens: u64) -> &Rates {
        self.tiers.iter().rev().find(|(above, _)| tokens > *above).map_or(&self.rates, |(_, rates)| rates)
    }

    /// What one reply costs.
    #[must_use]
    pub fn cost(&self, tokens: &Tokens) -> Cost {
        let rates = self.rates_at(tokens.prompt());
        let long = tokens.cache_write_long.min(tokens.cache_write);
        let write = rates.cache_write.unwrap_or(rates.input);
        let thought = tokens.reasoning.min(tokens.output);
        let mut cost = Cost {
            input: rates.input.times(tokens.input),
            output: rates.output.times(tokens.output - thought)
                + rates.reasoning.unwrap_or(rates.output).times(thought),
            cache_read: rates.cache_read.unwrap_or(rates.input).times(tokens.cache_read),
            cache_write: write.times(tokens.cache_write - long) + rates.cache_write_long.unwrap_or(write).times(long),
            ..Cost::default()
        };
        cost.total = cost.input + cost.output + cost.cache_read + cost.cache_write;
        cost
    }

    /// The most that a request with so many tokens of prompt and reply can cost, whatever of it is read from or written to a cache.
    #[must_use]
    pub fn cost_max(&self, input: u64, output: u64) -> Money {
        let reached = self.tiers.iter().filter(|(above, _)| input > *above).map(|(_, rates)| rates);
        let all = std::iter::once(&self.rates).chain(reached);
        all.map(|rates| {
            let parts = [rates.cache_read, rates.cache_write, rates.cache_write_long];
            let dearest = parts.into_iter().flatten().fold(rates.input, Ord::max);
            dearest.times(input) + rates.output.max(rates.reasoning.unwrap_or_default()).times(output)
        })
        .max()
        .unwrap_or_default()
    }
}

/// Dollars per million tokens as an amount a token.
#[must_use]
pub fn per_million(dollars: f64) -> Money {
    Money::from_dollars(dollars / 1e6)
}

/// As [`per_million`]; `None` for what is no amount: below nothing, endless, or no number.
#[must_use]
pub fn checked_per_million(dollars: f64) -> Option<Money> {
    (dollars >= 0.0 && dollars.is_finite()).then(|| per_million(dollars))
}

/// What replies cost.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cost {
    /// Tokens of the prompt that no cache had a part in.
    pub input: Money,
    /// Tokens of the reply, thinking among them.
    pub output: Money,
    /// Tokens of the prompt that were read from a cache.
    pub cache_read: Money,
    /// Tokens of the prompt that were written to a cache.
    pub cache_write: Money,
    /// All of it. More than the sum of the parts where the provider names only the whole.
    pub total: Money,
    /// Something is missing: a reply ended before its tokens were counted, or its price is not known.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_partial: bool,
}

impl Cost {
    /// Adds what another reply cost.
    pub fn add(&mut self, other: &Self) {
        self.input += other.input;
        self.output += other.output;
        self.cache_read += other.cache_read;
        self.cache_write += other.cache_write;
        self.total += other.total;
        self.is_partial |= other.is_partial;
    }

    /// What the provider itself says that a reply cost, as OpenRouter does.
    #[must_use]
    pub fn said_by_provider(usage: &Usage) -> Option<Self> {
        let raw = usage.raw.as_ref()?;
        let details = &raw["cost_details"];
        let charged = raw["cost"].as_f64().filter(|cost| *cost >= 0.0)?;
        // With a key of one's own at the vendor, the router charges its fee and the vendor the rest.
        let upstream = details["upstream_inference_cost"].as_f64().filter(|_| raw["is_byok"] == Value::Bool(true));
        let part = |name: &str| Money::from_dollars(details[name].as_f64().unwrap_or(0.0));
        Some(Self {
            input: part("upstream_inference_prompt_cost"),
            output: part("upstream_inference_completions_cost"),
            total: Money::from_dollars(charged + upstream.unwrap_or(0.0)),
            ..Self::default()
        })
    }
}

const PICO: f64 = 1e12;

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn sonnet() -> Price {
        let rates = |input: f64, output: f64| Rates {
            input: per_million(input),
            output: per_million(output),
            cache_read: Some(per_million(input / 10.0)),
            cache_write: Some(per_million(input * 1.25)),
            cache_write_long: Some(per_million(input * 2.0)),
            reasoning: None,
        };
        Price { rates: rates(3.0, 15.0), tiers: vec![(200_000, rates(6.0, 22.5))], ..Price::default() }
    }

    #[test]
    fn each_kind_of_token_has_its_price() {
        let tokens = Tokens {
            input: 1000,
            output: 100,
            cache_read: 5000,
            cache_write: 300,
            cache_write_long: 100,
            reasoning: 40,
        };
        let cost = sonnet().cost(&tokens);
        assert_eq!(cost.input, Money::from_dollars(0.003));
        assert_eq!(cost.output, Money::from_dollars(0.0015));
        assert_eq!(cost.cache_read, Money::from_dollars(0.0015));
        assert_eq!(cost.cache_write, Money::from_dollars(0.00075 + 0.0006));
        assert_eq!(cost.total, Money::from_dollars(0.003 + 0.0015 + 0.0015 + 0.00135));
    }

    #[test]
    fn a_long_prompt_pays_more_for_every_token_and_its_cached_part_counts() {
        let tokens = Tokens { input: 1, cache_read: 200_000, output: 2, ..Tokens::default() };
        let cost = sonnet().cost(&tokens);
        assert_eq!(cost.output, per_million(22.5).times(2));
        let tokens = Tokens { cache_read: 199_999, ..tokens };
        assert_eq!(sonnet().cost(&tokens).output, per_million(15.0).times(2));
    }

    #[test]
    fn a_price_that_is_not_known_is_that_of_the_others() {
        let price = Price::per_million(1.0, 2.0);
        let tokens = Tokens { input: 1, cache_read: 2, cache_write: 3, cache_write_long: 1, ..Tokens::default() };
        assert_eq!(price.cost(&tokens).total, per_million(1.0).times(6));
    }

    #[test]
    fn no_reply_costs_more_than_the_worst_case() {
        let price = sonnet();
        for input in [0, 1, 199_999, 200_000, 200_001, 900_000] {
            for (share_read, share_write, long) in [(0, 0, 0), (100, 0, 0), (0, 100, 0), (0, 100, 100), (30, 30, 10)] {
                let (read, write) = (input * share_read / 100, input * share_write / 100);
                let tokens = Tokens {
                    input: input - read - write,
                    cache_read: read,
                    cache_write: write,
                    cache_write_long: input * long / 100,
                    output: 77,
                    reasoning: 20,
                };
                assert!(price.cost(&tokens).total <= price.cost_max(input, 77), "{tokens:?}");
            }
        }
    }

    #[test]
    fn money_is_exact_and_shows_what_says_something() {
        let tenth = Money::from_dollars(0.1);
        assert_eq!((0..10).map(|_| tenth).sum::<Money>(), Money::from_dollars(1.0));
        for (dollars, text) in
            [(0.0, "$0"), (12.345, "$12.35"), (0.0123, "$0.01"), (0.001_234, "$0.001234"), (-1.0, "$0")]
        {
            assert_eq!(Money::from_dollars(dollars).to_string(), text);
        }
        assert_eq!(Money::from_dollars(f64::NAN), Money::ZERO);
        assert_eq!(Money::MAX + tenth, Money::MAX);
        assert_eq!(serde_json::to_string(&Money::from_dollars(0.25)).unwrap(), "0.25");
    }

    #[test]
    fn what_a_router_says_it_charged_is_taken() {
        let usage = |raw| Usage { raw: Some(raw), ..Usage::default() };
        let details = json!({"upstream_inference_cost": 0.02, "upstream_inference_prompt_cost": 0.015});
        for (raw, total) in [
            (json!({"cost": 0.01}), Some(0.01)),
            (json!({"cost": 0.001, "is_byok": true, "cost_details": details}), Some(0.021)),
            (json!({"cost": 0.02, "is_byok": false, "cost_details": details}), Some(0.02)),
            (json!({"cost": 0}), Some(0.0)),
            (json!({"cost": "much"}), None),
            (json!({"total_tokens": 3}), None),
        ] {
            let said = Cost::said_by_provider(&usage(raw.clone())).map(|cost| cost.total);
            assert_eq!(said, total.map(Money::from_dollars), "{raw}");
        }
        assert_eq!(Cost::said_by_provider(&Usage::default()), None);
    }
}
