//! Providers without plugins, clients without agents, and what stands between: over real connections where there is one.

mod chat_client;
mod compaction;
mod keys;
mod middleware;
mod support;
mod switching;
mod turn_cost;
mod wire_rules;
mod without_plugin;
