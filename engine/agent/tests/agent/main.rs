//! The agent loop and the assembly of replies, seen from outside.

mod approval;
mod assembly;
mod control;
mod event_order;
mod random_operations;
mod support;
