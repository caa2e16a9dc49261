//! Where a user's files of this program are, as the XDG base directory specification has it.

use std::path::PathBuf;

/// Looks up a variable of the environment.
pub type Variables<'a> = &'a dyn Fn(&str) -> Option<String>;

/// `$XDG_CONFIG_HOME/thalweg`, or `~/.config/thalweg`.
#[must_use]
pub fn config(variables: Variables<'_>) -> Option<PathBuf> {
    folder(variables, "XDG_CONFIG_HOME", ".config")
}

/// `$XDG_DATA_HOME/thalweg`, or `~/.local/share/thalweg`.
#[must_use]
pub fn data(variables: Variables<'_>) -> Option<PathBuf> {
    folder(variables, "XDG_DATA_HOME", ".local/share")
}

fn folder(variables: Variables<'_>, name: &str, below_home: &str) -> Option<PathBuf> {
    let folder = absolute(variables, name).or_else(|| Some(absolute(variables, "HOME")?.join(below_home)))?;
    Some(folder.join("thalweg"))
}

/// A path of the environment; a relative one counts as not set, as the specification has it.
fn absolute(variables: Variables<'_>, name: &str) -> Option<PathBuf> {
    variables(name).map(|value| PathBuf::from(value.trim())).filter(|path| path.is_absolute())
}
