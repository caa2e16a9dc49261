//! What a run costs: puts aside the worst case of each request in the budgets that its agent has, and counts what was used.

use std::sync::Arc;

use thalweg_agent::content::{Source, UserContent};
use thalweg_agent::cost::{Cost, Price};
use thalweg_agent::history::History;
use thalweg_agent::message::{AssistantMessage, Message};
use thalweg_agent::request::Request;

use crate::budget::{self, Budget, Reservation};
use crate::price::Prices;
use crate::responder::Ask;

/// What an agent knows of prices, and the budgets that it keeps to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Account {
    /// The table; without it, the built-in one.
    pub(crate) prices: Option<Arc<Prices>>,
    /// What the agent's own model costs, whatever the table says.
    pub(crate) price: Option<Price>,
    pub(crate) budgets: Vec<Budget>,
}

impl Account {
    /// What `model` costs at `provider`.
    pub(crate) fn price(&self, provider: Option<&str>, model: &str) -> Option<&Price> {
        let table = || self.prices.as_deref().unwrap_or_else(|| Prices::built_in());
        self.price.as_ref().or_else(|| table().find(provider?, model))
    }

    /// What a reply cost: as the provider says, or else by the table; `None` if neither knows, or nothing was counted.
    pub(crate) fn cost(&self, reply: &AssistantMessage, provider: Option<&str>, asked: &str) -> Option<Cost> {
        if self.price.is_none()
            && let Some(said) = Cost::said_by_provider(&reply.usage)
        {
            return Some(said);
        }
        let provider = reply.provider.as_deref().or(provider);
        let answered = reply.model.as_deref().and_then(|model| self.price(provider, model));
        let price = answered.or_else(|| self.price(provider, asked))?;
        Some(price.cost(&reply.usage.tokens()?))
    }

    /// Puts aside what a request can use at most, in all budgets or in none. `said` counts the tokens that its
    /// messages can be, where somebody wants to know.
    pub(crate) fn reserve(
        &self,
        provider: Option<&str>,
        request: &Request,
        envelope: &str,
        said: impl FnOnce() -> u64,
    ) -> Result<Vec<Reservation>, budget::Error> {
        if self.budgets.is_empty() {
            return Ok(Vec::new());
        }
        let name = || provider.map_or_else(|| request.model.clone(), |id| format!("{id}/{}", request.model));
        let price = self.price(provider, &request.model);
        let input = envelope.len() as u64 + said();
        let output = request.max_tokens.map(u64::from);
        let output = output.or_else(|| price.and_then(|price| price.output_tokens_max.or(price.context_tokens)));
        let Some(output) = output else {
            // One that only counts wants to know nothing.
            if self.budgets.iter().any(Budget::is_limited) {
                return Err(budget::Error::NoLimit { model: name() });
            }
            return self.budgets.iter().map(|budget| budget.reserve(0, None)).collect();
        };
        let input = price.and_then(|price| price.context_tokens).map_or(input, |context| input.min(context));
        let money = price.map(|price| price.cost_max(input, output));
        let held = self.budgets.iter().map(|budget| budget.reserve(input.saturating_add(output), money));
        held.collect::<Result<_, _>>().map_err(|error| match error {
            budget::Error::NoPrice { .. } => budget::Error::NoPrice { model: name() },
            other => other,
        })
    }
}

/// What one request has put aside, and what became of it.
#[derive(Debug, Default)]
pub(crate) struct Held(Vec<Reservation>);

impl Held {
    pub(crate) const fn new(reservations: Vec<Reservation>) -> Self {
        Self(reservations)
    }

    /// The request is about to be sent.
    pub(crate) fn sent(&mut self) {
        self.0.iter_mut().for_each(Reservation::sent);
    }

    /// The request was not taken: a refusal costs nothing.
    pub(crate) fn give_back(&mut self) {
        self.0.drain(..).for_each(Reservation::give_back);
    }

    /// Counts what the reply used. Without its counters the worst case stays spent: nobody knows better.
    pub(crate) fn settle(&mut self, reply: &AssistantMessage, cost: Option<&Cost>) {
        let Some(tokens) = reply.usage.tokens() else { return self.0.clear() };
        for reservation in self.0.drain(..) {
            let money = cost.map_or_else(|| reservation.amount().money, |cost| cost.total);
            reservation.settle(tokens.total(), money);
        }
    }
}

/// The cost of a run while it goes on.
#[derive(Clone, Debug, Default)]
pub(crate) struct Bill {
    cost: Option<Cost>,
    is_partial: bool,
}

impl Bill {
    pub(crate) fn add(&mut self, cost: Option<&Cost>) {
        match cost {
            Some(cost) => self.cost.get_or_insert_default().add(cost),
            None => self.is_partial = true,
        }
    }

    /// What the run cost; `None` if nothing is known of it.
    pub(crate) fn total(&self) -> Option<Cost> {
        let cost = self.cost.clone()?;
        Some(Cost { is_partial: cost.is_partial || self.is_partial, ..cost })
    }
}

/// The most tokens that messages can be: no tokenizer makes more tokens than there are bytes. Media that a provider fetches by itself
/// is guessed, generously.
pub(crate) fn tokens_max(history: &History) -> u64 {
    history.entries().iter().map(|entry| entry.json.len() as u64 + MEDIA_TOKENS * fetched_media(&entry.message)).sum()
}

/// The same of messages that are asked.
pub(crate) fn tokens_max_of(ask: &Ask) -> u64 {
    let bytes: u64 = ask.messages_json().iter().map(|json| json.len() as u64).sum();
    bytes + MEDIA_TOKENS * ask.messages().iter().map(fetched_media).sum::<u64>()
}

fn fetched_media(message: &Message) -> u64 {
    let Message::User(message) = message else { return 0 };
    let is_fetched = |content: &&UserContent| match content {
        UserContent::Image { source, .. } | UserContent::Document { source, .. } => {
            matches!(source, Source::Url { .. })
        }
        _ => false,
    };
    message.content.iter().filter(is_fetched).count() as u64
}

/// More than any provider counts for a picture, and as much as a long document.
const MEDIA_TOKENS: u64 = 32_768;

#[cfg(test)]
mod tests {
    use super::*;
    use thalweg_agent::cost::Money;
    use thalweg_agent::message::Usage;

    fn reply(input: u64, output: u64) -> AssistantMessage {
        let usage = Usage { input_tokens: Some(input), output_tokens: Some(output), ..Usage::default() };
        AssistantMessage { model: Some("gpt-4o-2024-08-06".to_owned()), usage, ..AssistantMessage::default() }
    }

    #[test]
    fn a_bill_with_an_unknown_part_says_so_and_one_of_nothing_known_is_none() {
        let account = Account::default();
        let cost = account.cost(&reply(1_000_000, 0), Some("openai"), "gpt-4o");
        assert_eq!(cost.as_ref().map(|cost| cost.total), Some(Money::from_dollars(2.5)));
        assert_eq!(account.cost(&reply(1, 1), Some("nobody"), "gpt-4o"), None);
        assert_eq!(account.cost(&reply(1, 1), None, "gpt-4o"), None);
        let mut bill = Bill::default();
        bill.add(None);
        assert_eq!(bill.total(), None);
        bill.add(cost.as_ref());
        assert_eq!(bill.total().map(|cost| cost.is_partial), Some(true));
    }

    #[test]
    fn a_request_is_put_aside_in_all_budgets_or_in_none() {
        let (large, small) = (Budget::tokens(1_000_000), Budget::tokens(10));
        let account = Account { budgets: vec![large.clone(), small], ..Account::default() };
        let request = Request { model: "gpt-4o".to_owned(), max_tokens: Some(100), ..Request::default() };
        let history = History::new(vec![Message::user("hi")]);
        let error = account
            .reserve(Some("openai"), &request, "{}", || tokens_max(&history))
            .expect_err("the small one has too little");
        assert!(matches!(error, budget::Error::Tokens { left: 10, .. }), "{error}");
        assert_eq!(large.left().tokens, Some(1_000_000));
    }

    #[test]
    fn a_budget_wants_a_bound_and_takes_that_of_the_table() {
        let history = History::new(vec![Message::user("hi")]);
        let budget = Budget::money(Money::from_dollars(1.0));
        let account = Account { budgets: vec![budget.clone()], ..Account::default() };
        let request = |model: &str| Request { model: model.to_owned(), ..Request::default() };
        let held = account
            .reserve(Some("openai"), &request("gpt-4o-mini"), "{}", || tokens_max(&history))
            .expect("affordable");
        // 16,384 tokens at $0.60 a million, and a few bytes.
        assert!(budget.reserved().money > Money::from_dollars(0.0098), "{budget:?}");
        assert!(budget.reserved().money < Money::from_dollars(0.0099), "{budget:?}");
        drop(held);
        let error =
            account.reserve(Some("ollama"), &request("llama3"), "{}", || tokens_max(&history)).expect_err("not known");
        assert_eq!(error, budget::Error::NoLimit { model: "ollama/llama3".to_owned() });
        let request = Request { max_tokens: Some(5), ..request("llama3") };
        let error = account.reserve(Some("ollama"), &request, "{}", || tokens_max(&history)).expect_err("no price");
        assert_eq!(error, budget::Error::NoPrice { model: "ollama/llama3".to_owned() });
    }
}
