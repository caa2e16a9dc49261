//! A streaming engine for LLM agents.
#![deny(unsafe_code)]

pub mod http;
pub mod plugin;
