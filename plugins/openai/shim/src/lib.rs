//! The OpenAI chat completions dialect. The shared object.
