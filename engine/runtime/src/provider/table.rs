//! The table of providers: the built-in rows, those of plugins, those of the user.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use serde_json::Value;

use super::error::Error;
use super::near::near;
use super::read;
use super::row::{Provider, Source, Variables, set};
use crate::user_folders;

/// See the module. Cloning it copies no rows.
#[derive(Clone, Debug, Default)]
pub struct Table {
    /// Rows of later sources stand before those of earlier ones.
    rows: Vec<Arc<Provider>>,
    /// Other names of dialects.
    dialects: BTreeMap<String, String>,
}

impl Table {
    /// A table without rows.
    #[must_use]
    pub fn empty() -> Self {
        Self::default()
    }

    /// The rows that come with the library.
    #[must_use]
    pub fn built_in() -> &'static Self {
        static TABLE: LazyLock<Table> = LazyLock::new(|| {
            let mut table = Table::empty();
            table
                .add(&Source::BuiltIn, "providers.toml", include_str!("providers.toml"))
                .expect("a test reads the same file");
            table
        });
        &TABLE
    }

    /// The built-in rows, and over them those of the user's file: `THALWEG_PROVIDERS`, or `thalweg/providers.toml` in the
    /// folder of the user's configuration if that is there.
    ///
    /// # Errors
    /// When the file cannot be read or a row of it is wrong.
    pub fn of_user(variables: Variables<'_>) -> Result<Self, Error> {
        let mut table = Self::built_in().clone();
        if let Some(path) = set(variables, "THALWEG_PROVIDERS") {
            table.add_file(Path::new(&path))?;
        } else if let Some(path) = user_file(variables)
            && path.is_file()
        {
            table.add_file(&path)?;
        }
        Ok(table)
    }

    /// Adds the rows of a TOML file over those that there are.
    ///
    /// # Errors
    /// When the file cannot be read or a row of it is wrong.
    pub fn add_file(&mut self, path: &Path) -> Result<(), Error> {
        let failed = |reason: String| Error::File { path: path.to_owned(), reason };
        let length = std::fs::metadata(path).map_err(|error| failed(error.to_string()))?.len();
        if length > FILE_BYTES_MAX {
            return Err(failed(format!("it has {length} bytes, more than {FILE_BYTES_MAX}")));
        }
        let text = std::fs::read_to_string(path).map_err(|error| failed(error.to_string()))?;
        let place = path.display().to_string();
        self.add(&Source::File(place.clone()), &place, &text)
    }

    /// Adds the rows of a TOML text; `place` names it in errors.
    ///
    /// # Errors
    /// When a row is wrong.
    pub fn add_toml(&mut self, place: &str, text: &str) -> Result<(), Error> {
        self.add(&Source::File(place.to_owned()), place, text)
    }

    /// Adds the `providers` of a plugin's description: over the built-in rows, below those of the user.
    ///
    /// # Errors
    /// When a row is wrong, or names a variable that holds the key of another provider.
    pub fn add_plugin(&mut self, plugin: &str, rows: &Value) -> Result<(), Error> {
        let rows = read::from_json(plugin, rows, &|id| self.find(id).map(|row| Provider::clone(row)))?;
        for row in &rows {
            // Loading a plugin is no word on where one's keys go.
            let lost = row.keys.iter().find_map(|key| {
                let all = self.rows.iter().chain(&Self::built_in().rows);
                let owner = all.into_iter().find(|other| other.keys.iter().any(|known| known.name == key.name))?;
                let moves = row
                    .addresses
                    .iter()
                    .any(|address| !address.is_fixed() || !owner.owns(address.written(), &|_| None));
                moves.then_some((key, owner))
            });
            if let Some((key, owner)) = lost {
                return Err(Error::Row {
                    place: format!("plugin {plugin}, provider {}", row.id),
                    reason: format!(
                        "it asks for {}, which is the key of {}, for a host of its own",
                        key.name, owner.id
                    ),
                });
            }
        }
        let of_user = self.rows.iter().take_while(|row| matches!(row.source, Source::File(_))).count();
        let rows = rows.into_iter().filter(|row| !self.rows[..of_user].iter().any(|other| other.id == row.id));
        let rows: Vec<_> = rows.map(Arc::new).collect();
        self.insert(of_user, rows);
        Ok(())
    }

    /// The row with this id or alias; a later source's before an earlier one's.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&Arc<Provider>> {
        let name = name.trim();
        self.rows.iter().find(|row| row.is_named(name))
    }

    /// As [`Table::find`], with an error that lists near names.
    ///
    /// # Errors
    /// [`Error::Unknown`].
    pub fn named(&self, name: &str) -> Result<&Arc<Provider>, Error> {
        self.find(name).ok_or_else(|| self.unknown(name))
    }

    /// The row whose base URL is `url`.
    #[must_use]
    pub fn at(&self, url: &str, variables: Variables<'_>) -> Option<&Arc<Provider>> {
        self.rows.iter().find(|row| row.is_at(url, variables))
    }

    /// The row whose key may go to `url`.
    pub(super) fn owner(&self, url: &str, variables: Variables<'_>) -> Option<&Arc<Provider>> {
        self.rows.iter().find(|row| row.owns(url, variables))
    }

    /// All rows, those of the user first.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Provider>> {
        self.rows.iter()
    }

    /// The dialect that goes by `name`, and the provider whose habits the name stands for if it is one's: `minimax` is
    /// the chat dialect with the habits of `minimax`. What nobody knows is taken as it is.
    #[must_use]
    pub fn dialect(&self, name: &str) -> (String, Option<&Arc<Provider>>) {
        let name = name.trim().to_ascii_lowercase();
        let is_target = || self.dialects.values().any(|known| *known == name) && self.find(&name).is_none();
        if self.rows.iter().any(|row| row.dialect == name) || is_target() {
            return (name, None);
        }
        let target = self.dialects.get(&name).unwrap_or(&name);
        match self.find(target) {
            Some(row) => (row.dialect.clone(), Some(row)),
            None => (target.clone(), None),
        }
    }

    /// The error for a provider or model that leads nowhere.
    pub(super) fn unknown(&self, name: &str) -> Error {
        let provider = name.split('/').next().unwrap_or_default();
        let names = self.rows.iter().flat_map(|row| std::iter::once(&row.id).chain(&row.aliases));
        let near = near(provider, names.map(String::as_str), NEAR_MAX);
        Error::Unknown {
            name: name.to_owned(),
            near: near.into_iter().map(str::to_owned).collect(),
            known: self.rows.iter().map(|row| row.id.clone()).collect(),
        }
    }

    fn add(&mut self, source: &Source, place: &str, text: &str) -> Result<(), Error> {
        let rows = read::from_toml(place, text, source, &|id| self.find(id).map(|row| Provider::clone(row)))?;
        self.dialects.extend(rows.dialects);
        self.insert(0, rows.providers.into_iter().map(Arc::new).collect());
        Ok(())
    }

    /// Puts rows before the row `at`, and takes away those that they replace.
    fn insert(&mut self, at: usize, rows: Vec<Arc<Provider>>) {
        let replaced = |row: &Arc<Provider>| rows.iter().any(|new| new.id.eq_ignore_ascii_case(&row.id));
        let behind: Vec<_> = self.rows.drain(at..).filter(|row| !replaced(row)).collect();
        self.rows.extend(rows);
        self.rows.extend(behind);
    }
}

/// Where the user's rows are looked for.
fn user_file(variables: Variables<'_>) -> Option<PathBuf> {
    Some(user_folders::config(variables)?.join("providers.toml"))
}

/// No file of providers is longer.
const FILE_BYTES_MAX: u64 = 1 << 20;
/// So many names are offered for one that is unknown.
const NEAR_MAX: usize = 4;
