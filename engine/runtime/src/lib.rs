//! A streaming engine for LLM agents.
pub mod http;
