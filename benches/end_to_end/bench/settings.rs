//! How much is measured.

use thalweg_benches::is_measuring;

use super::case::{Case, Work};

/// What the command line asks for.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// Otherwise only the answers are checked, with few deltas.
    pub(crate) measures: bool,
    /// All cases with more rounds, the curves too, and the clients of other languages.
    pub(crate) is_whole: bool,
    /// Nothing is built or installed for it: only the clients in this program.
    pub(crate) is_own: bool,
    /// Parts of the cases' names; none chooses all.
    filters: Vec<String>,
}

impl Settings {
    pub(crate) fn of_this_run() -> Self {
        let arguments = std::env::args().skip(1);
        let (words, filters): (Vec<String>, Vec<String>) = arguments
            .filter(|argument| !argument.starts_with('-'))
            .partition(|argument| WORDS.contains(&argument.as_str()));
        let has = |word| words.iter().any(|other| other == word);
        Self { measures: is_measuring(), is_whole: has(WHOLE), is_own: has(OWN), filters }
    }

    pub(crate) fn is_chosen(&self, id: &str) -> bool {
        self.filters.is_empty() || self.filters.iter().any(|filter| id.contains(filter.as_str()))
    }

    /// How often each client does a case.
    pub(crate) fn rounds(&self, case: &Case) -> usize {
        match (self.measures, self.is_whole, &case.work) {
            (false, ..) => 1,
            (true, false, Work::Paced { .. }) => 1,
            (true, false, _) => 3,
            (true, true, Work::Paced { .. }) => 2,
            (true, true, _) if case.is_point => 3,
            (true, true, _) => 5,
        }
    }

    /// The command that was given.
    pub(crate) fn command(&self) -> String {
        let words =
            [(self.is_whole, WHOLE), (self.is_own, OWN)].into_iter().filter(|(is, _)| *is).map(|(_, word)| word);
        let mut command = "cargo bench --bench end_to_end".to_owned();
        for (place, word) in words.chain(self.filters.iter().map(String::as_str)).enumerate() {
            command.push_str(if place == 0 { " -- " } else { " " });
            command.push_str(word);
        }
        command
    }
}

const WHOLE: &str = "whole";
const OWN: &str = "own";
const WORDS: [&str; 2] = [WHOLE, OWN];
