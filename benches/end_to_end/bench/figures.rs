//! What was measured.

use std::collections::BTreeMap;

use super::case::Case;
use super::clients::Client;

/// All figures: of each case, of each client, of each round.
#[derive(Clone, Debug, Default)]
pub(crate) struct Figures(BTreeMap<(String, &'static str), BTreeMap<String, Vec<f64>>>);

impl Figures {
    /// Adds those of one round.
    pub(crate) fn add(&mut self, case: &Case, client: &Client, round: BTreeMap<String, f64>) {
        self.add_to(&case.id, client.name, round);
    }

    /// The same for what is no case.
    pub(crate) fn add_to(&mut self, id: &str, client: &'static str, round: BTreeMap<String, f64>) {
        for (name, value) in round {
            self.0.entry((id.to_owned(), client)).or_default().entry(name).or_default().push(value);
        }
    }

    /// The best round: the least cost, the highest rate.
    pub(crate) fn best(&self, id: &str, client: &str, name: &str) -> Option<f64> {
        let values = self.values(id, client, name)?.iter().copied();
        if HIGHER_IS_BETTER.contains(&name) { values.max_by(f64::total_cmp) } else { values.min_by(f64::total_cmp) }
    }

    /// The round in the middle.
    pub(crate) fn median(&self, id: &str, client: &str, name: &str) -> Option<f64> {
        let mut sorted = self.values(id, client, name)?.to_vec();
        sorted.sort_by(f64::total_cmp);
        sorted.get(sorted.len() / 2).copied()
    }

    /// How many times as much as another's.
    pub(crate) fn times(&self, id: &str, name: &str, client: &str, other: &str) -> Option<f64> {
        Some(self.best(id, client, name)? / self.best(id, other, name)?)
    }

    fn values(&self, id: &str, client: &str, name: &str) -> Option<&[f64]> {
        let (_, figures) = self.0.iter().find(|((case, of), _)| case == id && *of == client)?;
        figures.get(name).map(Vec::as_slice)
    }
}

const HIGHER_IS_BETTER: [&str; 3] = ["rate", "least", "least_a_second"];
