//! Providers without plugins, clients without agents, and what stands between: over real connections where there is one.

mod chat_client;
mod keys;
mod middleware;
mod support;
mod without_plugin;
