//! A team as JSON or TOML.

use std::fmt::Display;

use serde::Deserialize;
use serde_json::{Map, Value};
use thalweg::cost::Money;
use thalweg::{Agent, Budget};

use super::member::Member;
use super::router::Key;
use super::{Error, Team};

/// A team as a file describes it; `docs/TEAMS.md` has the keys.
///
/// ```
/// use thalweg_crew::team::Description;
///
/// let team = Description::from_toml(
///     r#"
///     kind = "pipeline"
///     [[members]]
///     name = "draft"
///     model = "openai/gpt-5-mini"
///     [[members]]
///     name = "polish"
///     model = "anthropic/claude-haiku-4-5"
///     system = "Make it shorter."
///     "#,
/// )?;
/// assert_eq!(team.agents()[1].0, "polish");
/// # Ok::<(), thalweg_crew::team::Error>(())
/// ```
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Description {
    #[serde(default)]
    name: Option<String>,
    kind: Kind,
    #[serde(default)]
    members: Vec<Described>,
    #[serde(default)]
    lead: Option<Box<Described>>,
    #[serde(default)]
    arbiter: Option<Box<Described>>,
    #[serde(default)]
    rounds: Option<u32>,
    #[serde(default)]
    key: Option<KeyName>,
    #[serde(default)]
    budget: Option<Limit>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Pipeline,
    Broadcast,
    Router,
    Hierarchy,
    Debate,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum KeyName {
    Question,
    Conversation,
    Session,
}

/// What all members may use together.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Limit {
    #[serde(default)]
    tokens: Option<u64>,
    #[serde(default)]
    dollars: Option<f64>,
}

/// A member: a team if it has a `kind`, or else an agent.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "Value")]
enum Described {
    Team(Description),
    Agent { name: Option<String>, options: Map<String, Value> },
}

impl TryFrom<Value> for Described {
    type Error = String;

    fn try_from(value: Value) -> Result<Self, String> {
        if value.get("kind").is_some() {
            return serde_json::from_value(value).map(Self::Team).map_err(|error| error.to_string());
        }
        let Value::Object(mut options) = value else { return Err("a member is an object".to_owned()) };
        let name = match options.remove("name") {
            None => None,
            Some(Value::String(name)) => Some(name),
            Some(other) => return Err(format!("the name of a member is a text, not {other}")),
        };
        Ok(Self::Agent { name, options })
    }
}

/// An agent that a description asks for.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Leaf {
    /// Its path, such as `panel/critic`.
    pub path: String,
    /// All that is said of it but its name: see [`AgentOptions`](super::AgentOptions).
    pub options: Map<String, Value>,
    /// The budgets of the teams that it is in, each to be given to
    /// [`AgentBuilder::budget`](thalweg::AgentBuilder::budget).
    pub budgets: Vec<Budget>,
}

impl Description {
    /// Reads a description in JSON.
    ///
    /// # Errors
    /// Says what is wrong, and where.
    pub fn from_json(text: &str) -> Result<Self, Error> {
        serde_json::from_str(text).map_err(wrong)
    }

    /// Reads a description that is JSON already.
    ///
    /// # Errors
    /// Says what is wrong.
    pub fn from_value(value: Value) -> Result<Self, Error> {
        serde_json::from_value(value).map_err(wrong)
    }

    /// Reads a description in TOML.
    ///
    /// # Errors
    /// Says what is wrong, and where.
    pub fn from_toml(text: &str) -> Result<Self, Error> {
        toml::from_str(text).map_err(wrong)
    }

    /// Its agents: the path of each, and all that is said of it but its name. Those of a key of their own come last.
    #[must_use]
    pub fn agents(&self) -> Vec<(String, &Map<String, Value>)> {
        let mut agents = Vec::new();
        self.collect_agents("", &mut agents);
        agents
    }

    fn collect_agents<'d>(&'d self, path: &str, agents: &mut Vec<(String, &'d Map<String, Value>)>) {
        for (name, member) in self.named_members() {
            let path = joined(path, &name);
            match member {
                Described::Team(team) => team.collect_agents(&path, agents),
                Described::Agent { options, .. } => agents.push((path, options)),
            }
        }
    }

    /// All members with their names; one without has its number, or that of its key.
    fn named_members(&self) -> impl Iterator<Item = (String, &Described)> {
        let usual = (1..).map(|place: usize| place.to_string());
        let members = self.members.iter().zip(usual);
        let lead = self.lead.as_deref().map(|lead| (lead, "lead".to_owned()));
        let arbiter = self.arbiter.as_deref().map(|arbiter| (arbiter, "arbiter".to_owned()));
        let all = members.chain(lead).chain(arbiter);
        all.map(|(member, usual)| (member.name().map_or(usual, str::to_owned), member))
    }

    /// The team, with the agents that `make` makes.
    ///
    /// # Errors
    /// When the team cannot be as it is described, or an agent cannot be made.
    pub fn build<E: Display>(&self, mut make: impl FnMut(Leaf) -> Result<Agent, E>) -> Result<Team, Error> {
        self.team("", &[], &mut |leaf| {
            let member = leaf.path.clone();
            make(leaf).map_err(|error| Error::Member { member, message: error.to_string() })
        })
    }

    fn team(
        &self,
        path: &str,
        budgets: &[Budget],
        make: &mut dyn FnMut(Leaf) -> Result<Agent, Error>,
    ) -> Result<Team, Error> {
        self.check_keys()?;
        let mut budgets = budgets.to_vec();
        budgets.extend(self.budget.and_then(Limit::budget));
        let mut members = Vec::new();
        for (name, described) in self.named_members() {
            let path = joined(path, &name);
            members.push(match described {
                Described::Team(team) => Member::new(name, team.team(&path, &budgets, make)?),
                Described::Agent { options, .. } => {
                    let (options, budgets) = (options.clone(), budgets.clone());
                    Member::new(name, make(Leaf { path, options, budgets })?)
                }
            });
        }
        // Behind the members stands the lead or the arbiter, and `check_keys` has seen it.
        let rest = members.split_off(self.members.len());
        let leading = || rest.into_iter().next().ok_or_else(|| wrong("the one that leads is missing"));
        let team = match self.kind {
            Kind::Pipeline => Team::pipeline(members),
            Kind::Broadcast => Team::broadcast(members),
            Kind::Router => Team::router(self.key.unwrap_or(KeyName::Question).key(), members),
            Kind::Hierarchy => Team::hierarchy(leading()?, members),
            Kind::Debate => Team::debate(leading()?, members, self.rounds.unwrap_or(1)),
        }?;
        self.name.as_deref().map_or(Ok(team.clone()), |name| team.named(name))
    }

    /// Keys that mean nothing to this kind of team are slips, and some it must have.
    fn check_keys(&self) -> Result<(), Error> {
        let keys = [
            ("lead", self.lead.is_some(), Kind::Hierarchy, true),
            ("arbiter", self.arbiter.is_some(), Kind::Debate, true),
            ("rounds", self.rounds.is_some(), Kind::Debate, false),
            ("key", self.key.is_some(), Kind::Router, false),
        ];
        for (key, is_there, kind, is_needed) in keys {
            let message = match (is_there, kind == self.kind) {
                (true, false) => format!("the key `{key}` is of a {kind:?}, and this is a {:?}", self.kind),
                (false, true) if is_needed => format!("a {kind:?} has a key `{key}`"),
                _ => continue,
            };
            return Err(wrong(message.to_lowercase()));
        }
        Ok(())
    }
}

fn joined(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}/{name}") }
}

impl Described {
    fn name(&self) -> Option<&str> {
        match self {
            Self::Team(team) => team.name.as_deref(),
            Self::Agent { name, .. } => name.as_deref(),
        }
    }
}

impl KeyName {
    fn key(self) -> Key {
        match self {
            Self::Question => Key::question(),
            Self::Conversation => Key::conversation(),
            Self::Session => Key::session(),
        }
    }
}

impl Limit {
    fn budget(self) -> Option<Budget> {
        let money = self.dollars.map(Money::from_dollars);
        match (self.tokens, money) {
            (Some(tokens), Some(money)) => Some(Budget::tokens(tokens).and_money(money)),
            (Some(tokens), None) => Some(Budget::tokens(tokens)),
            (None, Some(money)) => Some(Budget::money(money)),
            (None, None) => None,
        }
    }
}

fn wrong(error: impl Display) -> Error {
    Error::Description { message: error.to_string() }
}
