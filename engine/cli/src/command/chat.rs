//! `thalweg chat`: a question, or a conversation, with everything shown as it happens.

use std::io::IsTerminal as _;

use thalweg::event::EventView;

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
            Some(question) => ask(&session, &question, &mut screen, keeper.as_mut()).await,
            None => converse(&session, &mut screen, keeper.as_mut()).await,
        }
    }
}

/// Asks until the input ends. A question without an answer does not end it, but it shows in the exit code.
async fn converse(session: &Session, screen: &mut Screen, mut keeper: Option<&mut Keeper>) -> Result<(), Failure> {
    let at_terminal = std::io::stdin().is_terminal();
    if at_terminal {
        screen.note("keys", "Ctrl-C stops a reply, Ctrl-D ends")?;
        screen.flush()?;
    }
    let prompts = Prompts::start();
    let mut result = Ok(());
    loop {
        let input = if at_terminal {
            // The line editor holds the terminal and sees Ctrl-C as a key.
            prompts.next().await
        } else {
            tokio::select! {
                input = prompts.next() => input,
                _ = tokio::signal::ctrl_c() => return Err(Failure::silent(INTERRUPTED)),
            }
        };
        let line = match input {
            Input::Line(line) => line,
            Input::Interrupted => continue,
            Input::End => return result,
            Input::Broken(error) => return Err(Failure::run(format_args!("cannot read the next prompt: {error}"))),
        };
        let question = line.trim();
        if question.is_empty() {
            continue;
        }
        let outcome = match session.accepts(question) {
            Ok(()) => ask(session, question, screen, keeper.as_deref_mut()).await,
            Err(failure) => Err(failure),
        };
        if let Err(failure) = outcome {
            screen.flush()?;
            if !failure.message().is_empty() {
                say(failure.message());
            }
            if failure.code() == 0 {
                return Err(failure);
            }
            // Whoever sits at the terminal has seen it; a script looks at the exit code.
            if failure.code() != INTERRUPTED && !at_terminal {
                result = Err(Failure::silent(failure.code()));
            }
        }
    }
}

/// Asks one question and shows all that happens.
async fn ask(
    session: &Session,
    question: &str,
    screen: &mut Screen,
    mut keeper: Option<&mut Keeper>,
) -> Result<(), Failure> {
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
        None => Ok(()),
    }
}
