//! What can be wrong with a table of prices.

/// Why a table of prices cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// It is no TOML of that form.
    #[error("the table of prices cannot be read: {reason}")]
    Form {
        /// Where, and why.
        reason: String,
    },
    /// The file of a table cannot be read, or is of another form.
    #[error("the table of prices in {path} cannot be read: {reason}")]
    File {
        /// The file.
        path: String,
        /// Where, and why.
        reason: String,
    },
    /// A price below nothing, or none at all.
    #[error("the price of {vendor}/{model} has {dollars} dollars per million tokens; it wants 0 or more")]
    Amount {
        /// Whose model.
        vendor: String,
        /// The model.
        model: String,
        /// What stands there.
        dollars: String,
    },
}
