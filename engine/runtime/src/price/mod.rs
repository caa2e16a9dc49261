//! What models cost: a table with a date, built in, to which a program adds prices of its own. It never asks the network.

mod error;
mod lookup;
mod table;

pub use error::Error;
pub use table::Prices;
