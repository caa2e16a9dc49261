//! Who is measured.

/// One client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Client {
    /// What its program calls it.
    pub(crate) name: &'static str,
    /// What the table calls it.
    pub(crate) title: &'static str,
    pub(crate) program: Program,
    pub(crate) speed: Speed,
}

/// Which program it is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Program {
    /// This one.
    Own,
    /// That of `benches/clients`.
    Rivals,
    /// A script in `others`.
    Python,
    /// A script in `others`.
    Node,
}

/// How many deltas it reads in a reasonable time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Speed {
    /// A microsecond and less for one.
    Fast,
    /// Some microseconds.
    Middle,
    /// Twenty or so.
    Slow,
    /// Hundreds.
    Script,
}

impl Client {
    /// The client that `name` stands for.
    pub(crate) fn named(name: &str) -> &'static Self {
        ALL.iter().find(|client| client.name == name).unwrap_or_else(|| panic!("no client is called {name}"))
    }
}

/// hyper alone, which all are compared with.
pub(crate) const FLOOR: &str = "floor";
/// The engine without its agent.
pub(crate) const THALWEG: &str = "thalweg";
/// The engine as a program uses it.
pub(crate) const AGENT: &str = "agent";

const fn client(name: &'static str, title: &'static str, program: Program, speed: Speed) -> Client {
    Client { name, title, program, speed }
}

pub(crate) const ALL: [Client; 13] = [
    client(FLOOR, "(hyper, body only)", Program::Own, Speed::Fast),
    client(THALWEG, "thalweg, decoded, text assembled", Program::Own, Speed::Fast),
    client(AGENT, "thalweg, agent: plugin, log, a reader", Program::Own, Speed::Fast),
    client("hand", "hyper + memchr + serde_json", Program::Own, Speed::Fast),
    client("reqwest", "reqwest + eventsource-stream + serde_json", Program::Rivals, Speed::Middle),
    client("async-openai", "async-openai", Program::Rivals, Speed::Middle),
    client("genai", "genai", Program::Rivals, Speed::Middle),
    client("rig", "rig", Program::Rivals, Speed::Slow),
    client("openai-node", "openai (Node)", Program::Node, Speed::Script),
    client("ai-sdk", "ai (Node)", Program::Node, Speed::Script),
    client("tiny-agent-os", "tiny-agent-os (Python)", Program::Python, Speed::Script),
    client("openai-python", "openai, async (Python)", Program::Python, Speed::Script),
    client("litellm", "litellm, async (Python)", Program::Python, Speed::Script),
];
