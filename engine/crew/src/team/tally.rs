//! What all members have used.

use serde_json::{Map, Value, json};
use thalweg::cost::Cost;
use thalweg::usage::{Tokens, Usage};

/// Tokens by member, and money.
#[derive(Debug, Default)]
pub(super) struct Tally {
    tokens: Tokens,
    /// By the path of the member, in the order in which they came to speak.
    members: Vec<(String, Tokens)>,
    cost: Option<Cost>,
    /// What some member cost is not known.
    is_partial: bool,
}

impl Tally {
    /// Adds what one reply of a member used. `false` if it was not counted.
    pub(super) fn add(&mut self, member: &str, usage: &Usage) -> bool {
        let Some(tokens) = usage.tokens() else { return false };
        self.tokens.add(&tokens);
        match self.members.iter_mut().find(|(name, _)| name == member) {
            Some((_, sum)) => sum.add(&tokens),
            None => self.members.push((member.to_owned(), tokens)),
        }
        true
    }

    /// Adds what a run of a member cost.
    pub(super) fn add_cost(&mut self, cost: Option<&Cost>) {
        match cost {
            Some(cost) => self.cost.get_or_insert_default().add(cost),
            None => self.is_partial = true,
        }
    }

    /// The sum, each token counted once.
    pub(super) const fn tokens(&self) -> &Tokens {
        &self.tokens
    }

    /// The sum by member, and what it cost as far as that is known: `cost`, or `cost_at_least` where a part is not.
    pub(super) fn to_json(&self) -> Value {
        let members: Map<String, Value> =
            self.members.iter().map(|(name, tokens)| (name.clone(), json!(tokens))).collect();
        let mut all = json!({ "members": members });
        if let Some(cost) = &self.cost {
            let is_whole = !self.is_partial && !cost.is_partial;
            all[if is_whole { "cost" } else { "cost_at_least" }] = json!(cost.total.dollars());
        }
        all
    }
}
