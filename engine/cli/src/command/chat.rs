//! `thalweg chat`: a question, or a conversation, with everything shown as it happens.

use std::io::IsTerminal as _;
use std::sync::Arc;

use thalweg::event::EventView;
use thalweg_crew::{Agent, Crew, Interaction, Interrupted, Prompt};
use tokio::sync::Mutex;

use crate::endpoint::{self, EndpointArguments};
use crate::failure::{Failure, INTERRUPTED, say};
use crate::keeper::{self, Keeper};
use crate::prompt::{self, Input, Prompts};
use crate::render::{Screen, What};
use crate::session::{AgentArguments, Session};
use crate::watch::Watch;

/// Ask once, or hold a conversation: text streams as it comes, tools run, figures follow
///
/// Without PROMPT it is a conversation: on a terminal with line editing and history, where Ctrl-C stops a reply and
/// Ctrl-D ends; otherwise stdin is read as one prompt a line.
#[derive(clap::Args)]
pub(crate) struct Chat {
    /// The question; `-` reads all of stdin as one
    prompt: Option<String>,
    /// Print the reply and nothing else
    #[arg(long, short)]
    quiet: bool,
    /// Go on with the conversation that was kept last, or with this one; its model, unless another is named
    #[arg(long = "continue", short = 'c', value_name = "ID", num_args = 0..=1, default_missing_value = "last",
        require_equals = true)]
    continued: Option<String>,
    /// Do not keep the conversation
    #[arg(long, conflicts_with = "continued")]
    no_session: bool,
    #[command(flatten)]
    endpoint: EndpointArguments,
    #[command(flatten)]
    agent: AgentArguments,
}

impl Chat {
    pub(crate) async fn execute(self) -> Result<(), Failure> {
        let mut screen = Screen::stdout(if self.quiet { What::ReplyOnly } else { What::Everything });
        let question = self.prompt.map(prompt::whole).transpose()?;
        let mut keeper = match &self.continued {
            Some(id) => Some(Keeper::resume(id).await?),
            None => None,
        };
        let (mut flags, mut agent) = (self.endpoint, self.agent);
        if let Some(keeper) = &keeper {
            flags.default_model(keeper.model());
            agent.default_system(keeper.system());
        }
        let endpoint = endpoint::choose(&flags).await?;
        let model = endpoint.model_name();
        let session = Session::open(endpoint, &flags, &agent, question.as_deref()).await?;
        match &mut keeper {
            Some(keeper) => session.go_on_with(keeper.take_messages())?,
            None if session.is_live() && !self.no_session && !keeper::is_off() => {
                keeper = Some(Keeper::begin(model, agent.system().map(str::to_owned)));
            }
            None => {}
        }
        session.introduce(&mut screen)?;
        match question {
            Some(question) => ask(&session, &question, &mut screen, keeper.as_mut()).await.map(drop),
            None => converse(Talk::begin(session, screen, keeper)?).await,
        }
    }
}

/// Lets a person and the model talk until the input ends. A question without an answer does not end it, but it shows in the
/// exit code.
async fn converse(talk: Talk) -> Result<(), Failure> {
    let talk = Arc::new(Mutex::new(talk));
    let dialog = Agent::dialog(user(&talk), assistant(&talk), Prompt::default());
    // Both end the dialog in peace and leave in `result` how it ended; what else it fails with is a bug of ours.
    let ended = Crew::scope(async |crew| dialog.trigger(&crew, ()).value().await).await;
    ended.map_err(Failure::run)?;
    std::mem::replace(&mut talk.lock().await.result, Ok(()))
}

/// Waits for the answer, and says the next question.
fn user(talk: &Arc<Mutex<Talk>>) -> Agent {
    let talk = Arc::clone(talk);
    Agent::new("user", move |interaction: Interaction| {
        let talk = Arc::clone(&talk);
        async move {
            interaction.sent().value().await?;
            let question = talk.lock().await.question().await.ok_or(Interrupted)?;
            interaction.reply(question);
            Ok(())
        }
    })
}

/// Answers, and shows all that happens.
fn assistant(talk: &Arc<Mutex<Talk>>) -> Agent {
    let talk = Arc::clone(talk);
    Agent::new("assistant", move |interaction: Interaction| {
        let talk = Arc::clone(&talk);
        async move {
            let sent = interaction.sent().value().await?;
            let question = sent.last().map(ToString::to_string).unwrap_or_default();
            let answer = talk.lock().await.answer(&question).await.ok_or(Interrupted)?;
            interaction.reply(answer);
            Ok(())
        }
    })
}

/// What the two of a conversation have in common.
struct Talk {
    session: Session,
    screen: Screen,
    keeper: Option<Keeper>,
    prompts: Prompts,
    at_terminal: bool,
    /// What the conversation comes to.
    result: Result<(), Failure>,
}

impl Talk {
    fn begin(session: Session, mut screen: Screen, keeper: Option<Keeper>) -> Result<Self, Failure> {
        let at_terminal = std::io::stdin().is_terminal();
        if at_terminal {
            screen.note("keys", "Ctrl-C stops a reply, Ctrl-D ends")?;
            screen.flush()?;
        }
        Ok(Self { session, screen, keeper, prompts: Prompts::start(), at_terminal, result: Ok(()) })
    }

    /// The next question; none where the conversation ends.
    async fn question(&mut self) -> Option<String> {
        loop {
            let input = if self.at_terminal {
                // The line editor holds the terminal and sees Ctrl-C as a key.
                self.prompts.next().await
            } else {
                tokio::select! {
                    input = self.prompts.next() => input,
                    _ = tokio::signal::ctrl_c() => {
                        self.result = Err(Failure::silent(INTERRUPTED));
                        return None;
                    }
                }
            };
            match input {
                Input::Line(line) if line.trim().is_empty() => {}
                Input::Line(line) => return Some(line.trim().to_owned()),
                Input::Interrupted => {}
                Input::End => return None,
                Input::Broken(error) => {
                    self.result = Err(Failure::run(format_args!("cannot read the next prompt: {error}")));
                    return None;
                }
            }
        }
    }

    /// The answer, empty where there is none; nothing where the conversation ends.
    async fn answer(&mut self, question: &str) -> Option<String> {
        let outcome = match self.session.accepts(question) {
            Ok(()) => ask(&self.session, question, &mut self.screen, self.keeper.as_mut()).await,
            Err(failure) => Err(failure),
        };
        let failure = match outcome {
            Ok(answer) => return Some(answer),
            Err(failure) => failure,
        };
        if let Err(error) = self.screen.flush() {
            self.result = Err(error.into());
            return None;
        }
        if !failure.message().is_empty() {
            say(failure.message());
        }
        if failure.code() == 0 {
            self.result = Err(failure);
            return None;
        }
        // Whoever sits at the terminal has seen it; a script looks at the exit code.
        if failure.code() != INTERRUPTED && !self.at_terminal {
            self.result = Err(Failure::silent(failure.code()));
        }
        Some(String::new())
    }
}

/// Asks one question and shows all that happens. Gives the text of the answer.
async fn ask(
    session: &Session,
    question: &str,
    screen: &mut Screen,
    mut keeper: Option<&mut Keeper>,
) -> Result<String, Failure> {
    let run = session.ask(question)?;
    let mut watch = Watch::new(&run);
    while let Some(event) = watch.next(|| screen.flush()).await? {
        screen.show(&event.view)?;
        if let (Some(keeper), EventView::MessageEnd { message, .. }) = (keeper.as_deref_mut(), &event.view) {
            keeper.keep(message).await;
        }
    }
    screen.break_line()?;
    let interrupted = watch.was_interrupted();
    let outcome = run.finished().await;
    if interrupted {
        screen.warn("stopped", "interrupted; what was said is kept")?;
    }
    if let Some(note) = keeper.and_then(Keeper::news) {
        screen.note("session", note)?;
    }
    screen.figures(&outcome, session.provenance(question).as_deref())?;
    screen.flush()?;
    match outcome.error {
        _ if interrupted => Err(Failure::silent(INTERRUPTED)),
        Some(error) => Err(Failure::run(session.without_key(error.to_string()))),
        None => Ok(outcome.message.map(|message| message.text()).unwrap_or_default()),
    }
}
