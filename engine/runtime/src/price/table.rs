//! The table: vendors, their models, and which names mean them.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::OnceLock;

use serde::Deserialize;
use thalweg_agent::cost::{Price, Rates, checked_per_million};

use super::error::Error;
use super::lookup;

/// What models cost, in a table that can be added to.
#[derive(Clone, Debug, Default)]
pub struct Prices {
    date: String,
    routers: Vec<String>,
    vendors: BTreeMap<String, String>,
    models: BTreeMap<String, BTreeMap<String, Price>>,
}

impl Prices {
    /// The table that comes with the engine; [`Prices::date`] says of when it is.
    #[must_use]
    pub fn built_in() -> &'static Self {
        static TABLE: OnceLock<Prices> = OnceLock::new();
        if let Some(table) = TABLE.get() {
            return table;
        }
        // Not read under the lock: a child that is forked off meanwhile would wait for a thread that it does not have. A test reads
        // it: no other text is ever read here.
        let table = Self::from_toml(BUILT_IN).unwrap_or_default();
        TABLE.get_or_init(|| table)
    }

    /// A table of this form: `date`, `[models.<vendor>]` with a line a model, and if wanted `routers` and `[vendors]`, as those of the
    /// built-in one.
    ///
    /// # Errors
    /// When it is of another form, or a price is below nothing.
    pub fn from_toml(text: &str) -> Result<Self, Error> {
        Self::of(toml::from_str(text).map_err(|error| Error::Form { reason: error.to_string() })?)
    }

    /// The same as JSON, with the keys of the form for TOML.
    ///
    /// # Errors
    /// As [`Prices::from_toml`].
    pub fn from_json(text: &str) -> Result<Self, Error> {
        Self::of(serde_json::from_str(text).map_err(|error| Error::Form { reason: error.to_string() })?)
    }

    /// The table in a file: JSON if its name ends with `.json`, else TOML.
    ///
    /// # Errors
    /// As [`Prices::from_toml`], and when the file cannot be read.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref();
        let unreadable = |reason: String| Error::File { path: path.display().to_string(), reason };
        let text = fs::read_to_string(path).map_err(|error| unreadable(error.to_string()))?;
        let is_json = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("json"));
        let table = if is_json { Self::from_json(&text) } else { Self::from_toml(&text) };
        table.map_err(|error| match error {
            Error::Form { reason } => unreadable(reason),
            other => other,
        })
    }

    fn of(file: File) -> Result<Self, Error> {
        let mut table = Self { date: file.date, routers: file.routers, vendors: file.vendors, models: BTreeMap::new() };
        for (vendor, rows) in file.models {
            for (model, row) in rows {
                let price = row.price().map_err(|dollars| Error::Amount {
                    vendor: vendor.clone(),
                    model: model.clone(),
                    dollars: dollars.to_string(),
                })?;
                table.set(&vendor, &model, price);
            }
        }
        Ok(table)
    }

    /// Sets the price of a model, over what was there.
    pub fn set(&mut self, provider: &str, model: &str, price: Price) {
        let vendor = self.vendor(provider).to_owned();
        self.models.entry(vendor).or_default().insert(model.to_owned(), price);
    }

    /// The built-in table with `own` over it.
    #[must_use]
    pub fn with_built_in(own: Self) -> Self {
        let mut table = Self::built_in().clone();
        table.merge(own);
        table
    }

    /// Takes all of another table over what is here.
    pub fn merge(&mut self, newer: Self) {
        self.vendors.extend(newer.vendors);
        self.routers.extend(newer.routers);
        for (vendor, models) in newer.models {
            self.models.entry(vendor).or_default().extend(models);
        }
        if !newer.date.is_empty() {
            self.date = newer.date;
        }
    }

    /// The day of the prices, as `2026-11-01`.
    #[must_use]
    pub fn date(&self) -> &str {
        &self.date
    }

    /// How many prices there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.models.values().map(BTreeMap::len).sum()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What `model` costs at `provider`; `None` if that is not known. Both are names as they are used in requests and as
    /// they come back with replies: `gpt-4o-2024-08-06` finds `gpt-4o`, `openrouter` and `openai/gpt-4o` find it too, and a row for the
    /// very name goes before.
    #[must_use]
    pub fn find(&self, provider: &str, model: &str) -> Option<&Price> {
        if let Some(price) = self.models.get(self.vendor(provider)).and_then(|rows| rows.get(model)) {
            return Some(price);
        }
        let (vendor, model) = match self.routers.iter().any(|router| router == provider) {
            true => model.split_once('/')?,
            false => (provider, model),
        };
        let vendor = self.vendor(vendor);
        let rows = self.models.get(vendor)?;
        lookup::names(vendor, model).find_map(|name| rows.get(name.as_ref()))
    }

    /// The same of `provider/model`.
    #[must_use]
    pub fn find_name(&self, name: &str) -> Option<&Price> {
        let (provider, model) = name.split_once('/')?;
        self.find(provider, model)
    }

    fn vendor<'n>(&'n self, name: &'n str) -> &'n str {
        self.vendors.get(name).map_or(name, String::as_str)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    date: String,
    #[serde(default)]
    routers: Vec<String>,
    #[serde(default)]
    vendors: BTreeMap<String, String>,
    #[serde(default)]
    models: BTreeMap<String, BTreeMap<String, Row>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    input: f64,
    output: f64,
    cache_read: Option<f64>,
    cache_write: Option<f64>,
    cache_write_long: Option<f64>,
    reasoning: Option<f64>,
    context: Option<u64>,
    max_output: Option<u64>,
    #[serde(default)]
    tiers: Vec<Tier>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Tier {
    above: u64,
    input: Option<f64>,
    output: Option<f64>,
    cache_read: Option<f64>,
    cache_write: Option<f64>,
    cache_write_long: Option<f64>,
    reasoning: Option<f64>,
}

impl Row {
    /// The price; or the amount that is none.
    fn price(&self) -> Result<Price, f64> {
        let amount = |dollars: f64| checked_per_million(dollars).ok_or(dollars);
        let rate = |dollars: Option<f64>| dollars.map(amount).transpose();
        let rates = Rates {
            input: amount(self.input)?,
            output: amount(self.output)?,
            cache_read: rate(self.cache_read)?,
            cache_write: rate(self.cache_write)?,
            cache_write_long: rate(self.cache_write_long)?,
            reasoning: rate(self.reasoning)?,
        };
        let mut tiers = Vec::with_capacity(self.tiers.len());
        for tier in &self.tiers {
            let of_tier = Rates {
                input: rate(tier.input)?.unwrap_or(rates.input),
                output: rate(tier.output)?.unwrap_or(rates.output),
                cache_read: rate(tier.cache_read)?.or(rates.cache_read),
                cache_write: rate(tier.cache_write)?.or(rates.cache_write),
                cache_write_long: rate(tier.cache_write_long)?.or(rates.cache_write_long),
                reasoning: rate(tier.reasoning)?.or(rates.reasoning),
            };
            tiers.push((tier.above, of_tier));
        }
        tiers.sort_by_key(|(above, _)| *above);
        Ok(Price { rates, tiers, context_tokens: self.context, output_tokens_max: self.max_output })
    }
}

const BUILT_IN: &str = include_str!("prices.toml");

#[cfg(test)]
mod tests {
    use super::*;
    use thalweg_agent::cost::per_million;

    #[test]
    fn the_built_in_table_can_be_read_and_has_a_date() {
        let table = Prices::from_toml(BUILT_IN).expect("the table is well formed");
        assert!(table.len() > 300, "{}", table.len());
        assert_eq!(table.date().len(), "2026-11-01".len());
        for (vendor, rows) in &table.models {
            for (model, price) in rows {
                assert!(price.rates.input <= per_million(1000.0), "{vendor}/{model}");
                assert!(price.context_tokens.is_none_or(|tokens| tokens >= 512), "{vendor}/{model}");
            }
        }
        for vendor in table.vendors.values() {
            assert!(table.models.contains_key(vendor), "{vendor} has no models");
        }
    }

    #[test]
    fn names_as_providers_and_routers_write_them_find_the_price() {
        let table = Prices::built_in();
        for (provider, model, input) in [
            ("openai", "gpt-4o", Some(2.5)),
            ("openai", "gpt-4o-2024-08-06", Some(2.5)),
            // A row of its own goes before that without the date.
            ("openai", "gpt-4o-2024-05-13", Some(5.0)),
            ("openai", "gpt-4o-mini-2024-07-18", Some(0.15)),
            ("openrouter", "openai/gpt-4o", Some(2.5)),
            ("openrouter", "anthropic/claude-sonnet-4.5", Some(3.0)),
            ("openrouter", "google/gemini-2.5-pro", Some(1.25)),
            ("vercel", "anthropic/claude-haiku-4.5", Some(1.0)),
            ("anthropic", "claude-sonnet-4-5-20250929", Some(3.0)),
            ("anthropic", "claude-sonnet-4-20250514", Some(3.0)),
            ("anthropic", "claude-3-5-haiku-20241022", Some(0.8)),
            ("claude", "claude-opus-4-5", Some(5.0)),
            ("gemini", "models/gemini-2.5-pro", Some(1.25)),
            ("vertex", "publishers/google/models/gemini-2.5-pro", Some(1.25)),
            ("bedrock", "global.anthropic.claude-sonnet-4-5-20250929-v1:0", Some(3.0)),
            // A region may cost more, and has a row of its own then.
            ("bedrock", "us.anthropic.claude-sonnet-4-5-20250929-v1:0", Some(3.3)),
            ("bedrock", "us.amazon.nova-lite-v1:0", Some(0.06)),
            ("openai", "gpt-4o-but-not-really", None),
            ("openai", "gpt", None),
            ("openai", "", None),
            ("openrouter", "openai/gpt-4o:free", None),
            ("openrouter", "gpt-4o", None),
            ("openrouter", "nobody/nothing", None),
            ("ollama", "llama3", None),
            ("http://127.0.0.1:8080", "gpt-4o", None),
        ] {
            let found = table.find(provider, model).map(|price| price.rates.input);
            assert_eq!(found, input.map(per_million), "{provider}/{model}");
        }
        assert!(table.find_name("openrouter/openai/gpt-4o").is_some());
        assert!(table.find_name("gpt-4o").is_none());
    }

    #[test]
    fn a_price_of_ones_own_goes_before_all_others() {
        let mut table = Prices::built_in().clone();
        table.set("openrouter", "openai/gpt-4o", Price::per_million(7.0, 8.0));
        table.set("google", "gemini-2.5-pro", Price::per_million(9.0, 9.0));
        table.set("ollama", "llama3:8b", Price::per_million(0.0, 0.0));
        for (name, input) in [
            ("openrouter/openai/gpt-4o", 7.0),
            ("openai/gpt-4o", 2.5),
            ("gemini/gemini-2.5-pro", 9.0),
            ("ollama/llama3:8b", 0.0),
        ] {
            assert_eq!(table.find_name(name).expect(name).rates.input, per_million(input), "{name}");
        }
    }

    #[test]
    fn a_file_is_a_table_of_the_form_that_its_name_says() {
        let folder = std::env::temp_dir().join(format!("thalweg-prices-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("a folder");
        let (toml, json, odd) = (folder.join("own.toml"), folder.join("own.JSON"), folder.join("odd.json"));
        fs::write(&toml, "[models.own]\nm = { input = 1, output = 2 }").expect("written");
        fs::write(&json, r#"{"models": {"own": {"m": {"input": 3, "output": 4}}}}"#).expect("written");
        fs::write(&odd, r#"{"models": {"own": {"m": {"input": 3, "ouput": 4}}}}"#).expect("written");
        for (path, input) in [(&toml, 1.0), (&json, 3.0)] {
            let table = Prices::with_built_in(Prices::from_file(path).expect("well formed"));
            assert_eq!(table.find("own", "m").map(|price| price.rates.input), Some(per_million(input)));
            assert_eq!(table.find("openai", "gpt-4o").map(|price| price.rates.input), Some(per_million(2.5)));
        }
        let error = Prices::from_file(&odd).expect_err("misspelt").to_string();
        assert!(error.contains("odd.json") && error.contains("ouput"), "{error}");
        let error = Prices::from_file(folder.join("none.toml")).expect_err("there is none").to_string();
        assert!(error.contains("none.toml"), "{error}");
        fs::remove_dir_all(folder).expect("removed");
    }

    #[test]
    fn a_wrong_table_says_where() {
        let error = Prices::from_toml("[models.x]\nm = { input = -1, output = 2 }").expect_err("below nothing");
        assert_eq!(error.to_string(), "the price of x/m has -1 dollars per million tokens; it wants 0 or more");
        let error = Prices::from_toml("[models.x]\nm = { input = 1, ouput = 2 }").expect_err("misspelt").to_string();
        assert!(error.contains("ouput") && error.contains("line 2"), "{error}");
    }
}
