//! Each variation of the dialects as providers and servers send it, in tables of payloads and the events they give.

mod anthropic;
mod bedrock;
mod bodies;
mod cohere;
mod every;
mod gemini;
mod json;
mod ollama;
mod openai;
mod openai_completions;
mod openai_responses;
mod requests;
mod serve;
mod support;
mod think_tags;
