//! What the tests that cross crates share: naive twins, corpus reader, transcripts.

pub mod c;
pub mod cases;
pub mod corpus;
pub mod counting;
pub mod facts;
pub mod naive;
pub mod naive_event_stream;
pub mod naive_json;
pub mod naive_sse;
pub mod random;
pub mod show;
pub mod spoken;
pub mod step;

#[cfg(doctest)]
#[doc = include_str!("../../docs/CACHING.md")]
struct Caching;

#[cfg(doctest)]
#[doc = include_str!("../../docs/ENDPOINTS.md")]
struct Endpoints;

#[cfg(doctest)]
#[doc = include_str!("../../docs/USAGE.md")]
struct Usage;

#[cfg(doctest)]
#[doc = include_str!("../../docs/SESSIONS.md")]
struct Sessions;

#[cfg(doctest)]
#[doc = include_str!("../../docs/MIGRATING.md")]
struct Migrating;

#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;

#[cfg(doctest)]
#[doc = include_str!("../../docs/AGENT.md")]
struct AgentPage;
