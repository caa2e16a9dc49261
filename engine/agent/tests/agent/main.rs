//! The agent loop and the assembly of replies, seen from outside.

mod assembly;
mod event_order;
mod random_operations;
mod support;
