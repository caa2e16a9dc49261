//! What is measured.

use super::clients::Client;
use super::programs::Programs;
use super::settings::Settings;
use crate::server::{Kind, Wanted};

/// One part of the table.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) id: String,
    pub(crate) title: String,
    pub(crate) work: Work,
    /// Whether it is a point of a curve, not a part of the table.
    pub(crate) is_point: bool,
    clients: &'static [&'static str],
}

/// What a client does.
#[derive(Clone, Debug)]
pub(crate) enum Work {
    /// Replies at full speed: kind, bytes of a piece, streams, TLS, deltas of a stream by the speed of the client.
    Replies { kind: Kind, piece_bytes: usize, streams: usize, tls: bool, deltas: [usize; 4] },
    /// Short replies, one after the other.
    First { requests: usize },
    /// Streams at a pace, for so many milliseconds.
    Paced { streams: usize, per_1000_s: usize, window_ms: usize },
    /// A run with tools.
    Turns { turns: usize },
}

impl Case {
    /// Those that do this, of those that are there.
    pub(crate) fn clients<'a>(&'a self, programs: &'a Programs) -> impl Iterator<Item = &'static Client> + 'a {
        self.clients.iter().map(|name| Client::named(name)).filter(|client| programs.has(client))
    }

    /// The reply that a client asks for.
    pub(crate) fn wanted(&self, client: &Client) -> Wanted {
        match self.work {
            Work::Replies { kind, piece_bytes, deltas, .. } => {
                Wanted { kind, count: deltas[client.speed as usize], piece_bytes }
            }
            Work::First { .. } => Wanted::new(Kind::Chunks, 2),
            Work::Paced { per_1000_s, .. } => Wanted::new(Kind::Paced, per_1000_s),
            Work::Turns { turns } => Wanted::new(Kind::Turns, turns),
        }
    }

    /// Whether it goes over TLS.
    pub(crate) const fn is_secured(&self) -> bool {
        matches!(self.work, Work::Replies { tls: true, .. })
    }
}

/// The cases of this run.
pub(crate) fn all(settings: &Settings) -> Vec<Case> {
    let mut cases = Vec::new();
    let mut add = |id: &str, title: &str, work: Work, clients: &'static [&'static str]| {
        cases.push(Case { id: id.to_owned(), title: title.to_owned(), work, is_point: id.contains('@'), clients });
    };
    let replies = |kind, streams, tls, deltas| Work::Replies { kind, piece_bytes: 0, streams, tls, deltas };
    if !settings.measures {
        let few = [1000, 100, 100, 100];
        add("chunks", "one stream, an HTTP chunk an event", replies(Kind::Chunks, 1, false, few), OWN);
        add("batches", "one stream, 16 KiB a write", replies(Kind::Batches, 3, false, [2000, 100, 100, 100]), OWN);
        add("tls", "the same over TLS", replies(Kind::Chunks, 2, true, few), SECURED);
        add("first", "first delta", Work::First { requests: 5 }, OWN);
        add("paced", "streams at a pace", Work::Paced { streams: 5, per_1000_s: 50_000, window_ms: 100 }, OWN);
        add("turns", "agent loop", Work::Turns { turns: 30 }, &["floor", "agent"]);
        return cases;
    }
    let whole = settings.is_whole;
    let deltas = if whole { [1_000_000, 100_000, 40_000, 4000] } else { [300_000, 40_000, 10_000, 1000] };
    add(
        "chunks",
        "one stream at full speed, an HTTP chunk an event",
        replies(Kind::Chunks, 1, false, deltas),
        EVERYBODY,
    );
    let more = if whole { [3_000_000, 200_000, 40_000, 4000] } else { [1_000_000, 60_000, 10_000, 1000] };
    add("batches", "one stream at full speed, 16 KiB a write", replies(Kind::Batches, 1, false, more), RUST);
    add(
        "tls",
        "one stream at full speed over TLS, an HTTP chunk an event",
        replies(Kind::Chunks, 1, true, deltas),
        SECURED,
    );
    let requests = if whole { 2000 } else { 500 };
    add("first", "first delta of a short reply, on a connection kept open", Work::First { requests }, RUST);
    let window_ms = if whole { 4000 } else { 2000 };
    let paced = Work::Paced { streams: 200, per_1000_s: 50_000, window_ms };
    add("paced", "200 streams, 50 deltas a second each", paced, if whole { PACED } else { RUST });
    let window_ms = if whole { 5000 } else { 3000 };
    let open = Work::Paced { streams: 10_000, per_1000_s: 1000, window_ms };
    add("open", "10,000 streams, one delta a second each", open, if whole { MANY } else { FEW });
    add("busy", "1,000 streams at full speed", replies(Kind::Chunks, 1000, false, [2000, 300, 100, 10]), MANY);
    add("turns", "agent loop, 200 turns with a tool call each", Work::Turns { turns: 200 }, LOOPS);
    for streams in [1, 10, 100, 1000] {
        let of = |total: usize, least: usize| (total / streams).max(least);
        let deltas = [of(200_000, 1000), of(20_000, 200), of(10_000, 100), of(1000, 10)];
        add(&format!("streams@{streams}"), "by streams", replies(Kind::Chunks, streams, false, deltas), CURVES);
    }
    for piece_bytes in [4, 16, 64, 256, 1024, 4096, 16_384] {
        let deltas = if piece_bytes < 1024 { [50_000, 10_000, 5000, 1000] } else { [5000, 1000, 1000, 50] };
        let work = Work::Replies { kind: Kind::Chunks, piece_bytes, streams: 1, tls: false, deltas };
        add(&format!("size@{piece_bytes}"), "by size", work, CURVES);
    }
    cases
}

const OWN: &[&str] = &["floor", "thalweg", "agent", "hand"];
const SECURED: &[&str] = &["floor", "thalweg", "agent"];
const RUST: &[&str] = &["floor", "thalweg", "agent", "hand", "reqwest", "async-openai", "genai", "rig"];
const EVERYBODY: &[&str] = &[
    "floor",
    "thalweg",
    "agent",
    "hand",
    "reqwest",
    "async-openai",
    "genai",
    "rig",
    "openai-node",
    "ai-sdk",
    "tiny-agent-os",
    "openai-python",
    "litellm",
];
/// Without litellm, which cannot keep up.
const PACED: &[&str] = EVERYBODY.split_at(EVERYBODY.len() - 1).0;
const FEW: &[&str] = &["floor", "thalweg", "agent"];
const MANY: &[&str] = &["floor", "thalweg", "agent", "hand", "reqwest", "async-openai"];
const CURVES: &[&str] = &["floor", "thalweg", "agent", "hand", "reqwest", "async-openai"];
const LOOPS: &[&str] = &["floor", "agent", "rig", "openai-node", "ai-sdk", "tiny-agent-os", "openai-python"];
