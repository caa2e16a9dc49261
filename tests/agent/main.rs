//! The agent over a real HTTP connection.

mod ancestors;
mod approval;
mod basics;
mod control;
mod events;
mod hooks;
mod speed;
mod support;
mod tools;
