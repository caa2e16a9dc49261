//! Teams: several agents that answer as one.
//!
//! A [`Team`] is a [`Responder`]: given to an agent in the place of a model, it answers that agent's
//! prompts, with the same events, sessions, limits and ends. Members are agents and other teams. Each question gets members
//! with conversations of their own, forked of those that the team was made of: a team holds no lock, remembers nothing, and
//! answers any number of questions at once.
//!
//! ```
//! use thalweg::Agent;
//! use thalweg::responder::from_fn;
//! use thalweg_crew::team::{Member, Team};
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
//! # let model = |name: &'static str| from_fn(name, move |ask, sink| async move {
//! #     sink.text(&format!("{name} of {}", ask.last_user_text()));
//! #     sink.stop("stop");
//! #     Ok(())
//! # });
//! let draft = Agent::builder().responder(model("draft")).build()?;
//! let polish = Agent::builder().responder(model("polish")).build()?;
//! let team = Team::pipeline([Member::new("draft", draft), Member::new("polish", polish)])?;
//! let agent = Agent::builder().responder(team.responder()).build()?;
//! assert_eq!(agent.prompt_text("a poem").await?, "polish of draft of a poem");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! What a team answers is the text of its reply; what its members tell each other on the way is its thinking. Every delta
//! of either says in `member` whose it is, by a path such as `panel/critic`.

mod broadcast;
mod debate;
mod description;
mod error;
mod hierarchy;
mod member;
mod options;
mod pipeline;
mod question;
mod router;
mod stage;
mod tally;
mod together;
mod voice;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use thalweg::failure::Failure;
use thalweg::responder::{Ask, ReplySink, from_fn};
use thalweg::{Agent, Responder};

pub use description::{Description, Leaf};
pub use error::Error;
pub use member::{Member, Speaker};
pub use options::AgentOptions;
pub use question::Question;
pub use router::Key;
use stage::Stage;
use voice::Voice;

/// What a member says at last, while it is on its way.
type Answering = Pin<Box<dyn Future<Output = Result<String, Failure>> + Send>>;

/// Several agents that answer as one. Clones are the same team.
#[derive(Clone)]
pub struct Team {
    inner: Arc<Inner>,
}

struct Inner {
    name: String,
    pattern: Pattern,
}

#[derive(Clone)]
enum Pattern {
    Pipeline(Vec<Member>),
    Broadcast(Vec<Member>),
    Router { members: Vec<Member>, key: Key },
    Hierarchy { lead: Member, workers: Vec<Member> },
    Debate { arbiter: Member, debaters: Vec<Member>, rounds: u32 },
}

impl Team {
    /// One after the other: each gets the answer of the one before as its question, and the last one answers.
    ///
    /// # Errors
    /// When there is no stage, or two have the same name.
    pub fn pipeline(stages: impl IntoIterator<Item = Member>) -> Result<Self, Error> {
        Ok(Self::of(Pattern::Pipeline(checked(stages, 1)?)))
    }

    /// All at once, each with the whole question. The answer is all of theirs in the order of the members, with a line `---`
    /// between two. The first that fails ends the others.
    ///
    /// # Errors
    /// As [`Team::pipeline`].
    pub fn broadcast(members: impl IntoIterator<Item = Member>) -> Result<Self, Error> {
        Ok(Self::of(Pattern::Broadcast(checked(members, 1)?)))
    }

    /// One of them, chosen by a key of the question: the same key always chooses the same member.
    ///
    /// # Errors
    /// As [`Team::pipeline`].
    pub fn router(key: Key, members: impl IntoIterator<Item = Member>) -> Result<Self, Error> {
        Ok(Self::of(Pattern::Router { members: checked(members, 1)?, key }))
    }

    /// Workers answer at once, each with the whole question; then the lead is given all of that and answers. The first worker
    /// that fails ends the others.
    ///
    /// # Errors
    /// As [`Team::pipeline`].
    pub fn hierarchy(lead: Member, workers: impl IntoIterator<Item = Member>) -> Result<Self, Error> {
        let workers = checked(workers, 1)?;
        check_other(&lead, &workers)?;
        Ok(Self::of(Pattern::Hierarchy { lead, workers }))
    }

    /// Debaters take turns, so many rounds, each with all that was said so far; then the arbiter is given all of it and answers.
    ///
    /// # Errors
    /// As [`Team::pipeline`]; or with fewer than two debaters, or no round.
    pub fn debate(arbiter: Member, debaters: impl IntoIterator<Item = Member>, rounds: u32) -> Result<Self, Error> {
        let debaters = checked(debaters, 2)?;
        check_other(&arbiter, &debaters)?;
        if !(1..=ROUNDS_MAX).contains(&rounds) {
            return Err(Error::Rounds { rounds, most: ROUNDS_MAX });
        }
        Ok(Self::of(Pattern::Debate { arbiter, debaters, rounds }))
    }

    fn of(pattern: Pattern) -> Self {
        Self { inner: Arc::new(Inner { name: "team".to_owned(), pattern }) }
    }

    /// The same team under a name, which its replies carry as their provider.
    ///
    /// # Errors
    /// When the name is empty or has a slash.
    pub fn named(self, name: &str) -> Result<Self, Error> {
        let name = member::checked_name(name)?.to_owned();
        Ok(Self { inner: Arc::new(Inner { name, pattern: self.inner.pattern.clone() }) })
    }

    /// Its name; `team` unless it was given another.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.inner.name
    }

    /// The team in the place of a model, for [`AgentBuilder::responder`](thalweg::AgentBuilder::responder). The system prompt,
    /// the tools and the limits on a reply of the agent that asks are not passed on: members have their own.
    #[must_use]
    pub fn responder(&self) -> Arc<dyn Responder> {
        let team = self.clone();
        from_fn(self.name(), move |ask, sink| team.clone().reply(ask, sink))
    }

    /// An agent whose model is the team.
    ///
    /// # Errors
    /// As [`AgentBuilder::build`](thalweg::AgentBuilder::build).
    pub fn agent(&self) -> Result<Agent, thalweg::Error> {
        Agent::builder().responder(self.responder()).build()
    }

    async fn reply(self, ask: Ask, sink: ReplySink) -> Result<(), Failure> {
        let stage = Stage::new(sink);
        self.answer(Question::of(&ask), Voice::of_the_team(&stage)).await?;
        stage.end();
        Ok(())
    }

    /// Begins to answer. What has to have its place in the order of members is opened before this returns.
    fn answer(&self, question: Question, voice: Voice) -> Answering {
        match &self.inner.pattern {
            Pattern::Pipeline(stages) => Box::pin(pipeline::answer(stages.clone(), question, voice)),
            Pattern::Broadcast(members) => broadcast::answer(members, &question, voice),
            Pattern::Router { members, key } => router::answer(members, key, question, voice),
            Pattern::Hierarchy { lead, workers } => {
                Box::pin(hierarchy::answer(lead.clone(), workers.clone(), question, voice))
            }
            Pattern::Debate { arbiter, debaters, rounds } => {
                Box::pin(debate::answer(arbiter.clone(), debaters.clone(), *rounds, question, voice))
            }
        }
    }
}

impl fmt::Debug for Team {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, members) = match &self.inner.pattern {
            Pattern::Pipeline(members) => ("pipeline", members),
            Pattern::Broadcast(members) => ("broadcast", members),
            Pattern::Router { members, .. } => ("router", members),
            Pattern::Hierarchy { workers, .. } => ("hierarchy", workers),
            Pattern::Debate { debaters, .. } => ("debate", debaters),
        };
        f.debug_struct("Team").field("name", &self.name()).field("kind", &kind).field("members", members).finish()
    }
}

/// Members that can be told apart, at least `least` of them.
fn checked(members: impl IntoIterator<Item = Member>, least: usize) -> Result<Vec<Member>, Error> {
    let members: Vec<Member> = members.into_iter().collect();
    if !(least..=MEMBERS_MAX).contains(&members.len()) {
        return Err(Error::Members { members: members.len(), least, most: MEMBERS_MAX });
    }
    for (at, member) in members.iter().enumerate() {
        member::checked_name(member.name())?;
        check_other(member, &members[..at])?;
    }
    Ok(members)
}

fn check_other(member: &Member, others: &[Member]) -> Result<(), Error> {
    member::checked_name(member.name())?;
    match others.iter().any(|other| other.name() == member.name()) {
        true => Err(Error::SameName { name: member.name().to_owned() }),
        false => Ok(()),
    }
}

/// Members of one team; of a nested one as many again.
const MEMBERS_MAX: usize = 256;

/// Rounds of a debate.
const ROUNDS_MAX: u32 = 100;
