//! The Anthropic messages dialect. The shared object.
