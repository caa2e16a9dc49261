//! Data that several nodes change at once and that comes out the same everywhere, without anybody in charge.
//!
//! Every change gives back a *delta*: a small value of the same type. Merging it has the same effect as merging the
//! whole, so a delta, a snapshot and a stale copy may arrive in any order, twice or not at all, and a later whole mends
//! the rest.

mod context;
mod grow_counter;
mod observed_set;
mod register;
mod up_down_counter;

use serde::Serialize;
use serde::de::DeserializeOwned;

pub use grow_counter::GrowCounter;
pub use observed_set::ObservedSet;
pub use register::{Register, Stamp};
pub use up_down_counter::UpDownCounter;

/// A value with a merge that is commutative, associative and idempotent; it starts empty.
pub trait Replicated: Clone + Default + Serialize + DeserializeOwned + Send + 'static {
    /// Its name on the wire.
    fn kind() -> String;

    /// Takes in what another one knows.
    fn merge(&mut self, other: &Self);
}
