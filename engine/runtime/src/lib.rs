//! A streaming engine for LLM agents.
