//! Budgets of tokens and of money. A request reserves the most that it can use before it is sent and gives back the rest
//! afterwards, so that runs which go on at once never use more than there is.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use thalweg_agent::cost::Money;

/// So many tokens, so much money, or both. Clones are the same budget: hand one to all agents that share it.
///
/// ```
/// use thalweg::budget::Budget;
/// use thalweg::cost::Money;
///
/// let budget = Budget::money(Money::from_dollars(2.0)).and_tokens(500_000);
/// let held = budget.reserve(400_000, Some(Money::from_dollars(1.5)))?;
/// // What another run may do meanwhile: not more than what nobody has reserved.
/// assert!(budget.reserve(200_000, Some(Money::from_dollars(0.1))).is_err());
/// held.settle(1_000, Money::from_dollars(0.004));
/// assert_eq!(budget.left().tokens, Some(499_000));
/// # Ok::<(), thalweg::budget::Error>(())
/// ```
#[derive(Clone)]
pub struct Budget {
    shared: Arc<Shared>,
}

struct Shared {
    limit: Left,
    used: Mutex<Used>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Used {
    spent: Amount,
    held: Amount,
}

/// Tokens and money.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amount {
    /// Tokens of prompts and replies.
    pub tokens: u64,
    /// What they cost, as far as that is known.
    pub money: Money,
}

/// What is left of a budget; `None` for what it does not limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Left {
    /// Tokens.
    pub tokens: Option<u64>,
    /// Money.
    pub money: Option<Money>,
}

/// Why a request was not sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// It might use more tokens than are left.
    #[error(
        "the request may use {wanted} tokens and the budget has {left} left; give it fewer max_tokens, or a larger budget"
    )]
    Tokens {
        /// The most that it can use.
        wanted: u64,
        /// What nobody has used or reserved.
        left: u64,
    },
    /// It might cost more than is left.
    #[error(
        "the request may cost {wanted} and the budget has {left} left; give it fewer max_tokens, or a larger budget"
    )]
    Money {
        /// The most that it can cost.
        wanted: Money,
        /// What nobody has spent or reserved.
        left: Money,
    },
    /// The budget is of money, and what the model costs is not known.
    #[error("the budget is of money and the price of {model} is not known; set one with `prices` or `price`")]
    NoPrice {
        /// The model, with its provider if that is known.
        model: String,
    },
    /// Nothing limits how long a reply is.
    #[error("a budget wants to know how long a reply can be, and that is not known of {model}; set max_tokens")]
    NoLimit {
        /// The model, with its provider if that is known.
        model: String,
    },
}

impl Budget {
    /// So many tokens, of prompts and replies together.
    #[must_use]
    pub fn tokens(tokens: u64) -> Self {
        Self::of(Left { tokens: Some(tokens), money: None })
    }

    /// So much money.
    #[must_use]
    pub fn money(money: Money) -> Self {
        Self::of(Left { tokens: None, money: Some(money) })
    }

    /// No limit: it only counts what was used.
    #[must_use]
    pub fn unlimited() -> Self {
        Self::of(Left::default())
    }

    /// A new budget of the same money that is one of tokens, too.
    #[must_use]
    pub fn and_tokens(self, tokens: u64) -> Self {
        Self::of(Left { tokens: Some(tokens), ..self.shared.limit })
    }

    /// A new budget of the same tokens that is one of money, too.
    #[must_use]
    pub fn and_money(self, money: Money) -> Self {
        Self::of(Left { money: Some(money), ..self.shared.limit })
    }

    fn of(limit: Left) -> Self {
        Self { shared: Arc::new(Shared { limit, used: Mutex::default() }) }
    }

    /// Whether it limits money.
    #[must_use]
    pub fn limits_money(&self) -> bool {
        self.shared.limit.money.is_some()
    }

    /// Whether it limits anything.
    #[must_use]
    pub fn is_limited(&self) -> bool {
        self.shared.limit != Left::default()
    }

    /// Puts aside what a request may use at most; `money` is none where the price is not known.
    ///
    /// # Errors
    /// When less is left, or the budget is of money and the price is not known.
    pub fn reserve(&self, tokens: u64, money: Option<Money>) -> Result<Reservation, Error> {
        let limit = self.shared.limit;
        if limit.money.is_some() && money.is_none() {
            return Err(Error::NoPrice { model: "the model".to_owned() });
        }
        let wanted = Amount { tokens, money: money.unwrap_or_default() };
        let mut used = self.used();
        let left = limit.minus(&used);
        if let Some(left) = left.tokens.filter(|left| wanted.tokens > *left) {
            return Err(Error::Tokens { wanted: wanted.tokens, left });
        }
        if let Some(left) = left.money.filter(|left| wanted.money > *left) {
            return Err(Error::Money { wanted: wanted.money, left });
        }
        used.held = used.held.plus(wanted);
        drop(used);
        Ok(Reservation { budget: self.clone(), held: wanted, on_drop: OnDrop::GiveBack })
    }

    /// What was used. What is reserved at the moment is not among it.
    #[must_use]
    pub fn spent(&self) -> Amount {
        self.used().spent
    }

    /// What is reserved at the moment.
    #[must_use]
    pub fn reserved(&self) -> Amount {
        self.used().held
    }

    /// What nobody has used or reserved.
    #[must_use]
    pub fn left(&self) -> Left {
        self.shared.limit.minus(&self.used())
    }

    fn used(&self) -> std::sync::MutexGuard<'_, Used> {
        self.shared.used.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Budget").field("limit", &self.shared.limit).field("used", &*self.used()).finish()
    }
}

impl Left {
    fn minus(self, used: &Used) -> Self {
        let gone = used.spent.plus(used.held);
        Self {
            tokens: self.tokens.map(|tokens| tokens.saturating_sub(gone.tokens)),
            money: self.money.map(|money| money.saturating_sub(gone.money)),
        }
    }
}

impl Amount {
    const fn plus(self, other: Self) -> Self {
        Self { tokens: self.tokens.saturating_add(other.tokens), money: self.money.saturating_add(other.money) }
    }

    const fn minus(self, other: Self) -> Self {
        Self { tokens: self.tokens.saturating_sub(other.tokens), money: self.money.saturating_sub(other.money) }
    }
}

/// What was put aside for a request. Dropped, it goes back; once the request was sent, it counts as used unless it is settled.
#[derive(Debug)]
#[must_use = "what is put aside goes back at once when this is dropped"]
pub struct Reservation {
    budget: Budget,
    held: Amount,
    on_drop: OnDrop,
}

#[derive(Clone, Copy, Debug)]
enum OnDrop {
    GiveBack,
    Spend(Amount),
}

impl Reservation {
    /// What was put aside.
    #[must_use]
    pub const fn amount(&self) -> Amount {
        self.held
    }

    /// The request is on its way: from now on nobody knows that it used less until [`Reservation::settle`] says so.
    pub const fn sent(&mut self) {
        self.on_drop = OnDrop::Spend(self.held);
    }

    /// The request has used this; the rest goes back.
    pub fn settle(mut self, tokens: u64, money: Money) {
        self.on_drop = OnDrop::Spend(Amount { tokens, money });
    }

    /// The request has used nothing: it did not reach the provider, or was refused.
    pub fn give_back(mut self) {
        self.on_drop = OnDrop::GiveBack;
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        let mut used = self.budget.used();
        used.held = used.held.minus(self.held);
        if let OnDrop::Spend(spent) = self.on_drop {
            used.spent = used.spent.plus(spent);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU64, Ordering};

    #[test]
    fn threads_that_ask_at_once_never_use_more_than_there_is() {
        let budget = Budget::tokens(100_000).and_money(Money::from_picodollars(1_000_000));
        let (granted, refused, used) = (AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0));
        std::thread::scope(|scope| {
            for thread in 0..16_u64 {
                let (budget, granted, refused, used) = (budget.clone(), &granted, &refused, &used);
                scope.spawn(move || {
                    let mut state = thread * 7919 + 1;
                    for _ in 0..2000 {
                        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                        let (most, kind) = ((state >> 33) % 3000, state >> 60);
                        let Ok(mut held) = budget.reserve(most, Some(Money::from_picodollars(most * 10))) else {
                            refused.fetch_add(1, Ordering::Relaxed);
                            continue;
                        };
                        granted.fetch_add(1, Ordering::Relaxed);
                        let (spent, reserved) = (budget.spent(), budget.reserved());
                        assert!(spent.tokens + reserved.tokens <= 100_000, "{spent:?} {reserved:?}");
                        let actual = most / 40;
                        match kind % 4 {
                            0 => drop(held),
                            1 => {
                                held.sent();
                                std::thread::yield_now();
                                held.give_back();
                            }
                            _ => {
                                held.sent();
                                std::thread::yield_now();
                                held.settle(actual, Money::from_picodollars(actual * 10));
                                used.fetch_add(actual, Ordering::Relaxed);
                            }
                        }
                        assert!(budget.spent().tokens <= 100_000 && budget.spent().money.picodollars() <= 1_000_000);
                    }
                });
            }
        });
        assert_eq!(budget.reserved(), Amount::default());
        assert_eq!(budget.spent().tokens, used.load(Ordering::Relaxed));
        assert!(
            granted.load(Ordering::Relaxed) > 100 && refused.load(Ordering::Relaxed) > 100,
            "both must have happened"
        );
    }

    #[test]
    fn a_request_that_was_sent_and_never_heard_of_counts_as_its_worst_case() {
        let budget = Budget::tokens(100);
        let mut held = budget.reserve(60, None).expect("there is enough");
        held.sent();
        drop(held);
        assert_eq!(budget.spent().tokens, 60);
        assert_eq!(budget.reserve(41, None).err(), Some(Error::Tokens { wanted: 41, left: 40 }));
        drop(budget.reserve(40, None).expect("just enough"));
        assert_eq!(budget.left().tokens, Some(40));
    }

    #[test]
    fn a_budget_of_money_wants_a_price_and_one_without_limit_only_counts() {
        let budget = Budget::money(Money::from_dollars(1.0));
        assert!(matches!(budget.reserve(1, None), Err(Error::NoPrice { .. })));
        let wanted = Money::from_dollars(1.5);
        assert_eq!(
            budget.reserve(1, Some(wanted)).err(),
            Some(Error::Money { wanted, left: Money::from_dollars(1.0) })
        );
        let counter = Budget::unlimited();
        counter.reserve(u64::MAX, None).expect("no limit").settle(7, Money::ZERO);
        assert_eq!((counter.spent().tokens, counter.left()), (7, Left::default()));
    }
}
