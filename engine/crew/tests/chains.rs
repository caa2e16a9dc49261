//! Chains, loops, dialogs and prompts: who is called with what, as with MiniAgents 0.0.35.

use std::sync::{Arc, Mutex};

use thalweg_crew::{Agent, Crew, Failure, Interaction, Interrupted, Item, NeverWaits, Prompt, Sequence, Step};

type Log = Arc<Mutex<Vec<String>>>;

async fn texts(sequence: &Sequence) -> Result<Vec<String>, Failure> {
    Ok(sequence.value().await?.iter().map(ToString::to_string).collect())
}

/// Writes its name down when it is called, and replies to all that it was sent.
fn agent(name: &'static str, log: &Log, replies: fn(Vec<String>) -> Item) -> Agent {
    let log = log.clone();
    Agent::new(name, move |interaction: Interaction| {
        log.lock().unwrap().push(name.to_owned());
        async move {
            let sent = texts(&interaction.sent()).await?;
            interaction.reply(replies(sent));
            Ok(())
        }
    })
}

#[tokio::test]
async fn chain_table() {
    let log = Log::default();
    let up =
        || Step::Agent(agent("up", &log, |sent| sent.into_iter().map(|text| text + "^").collect::<Vec<_>>().into()));
    let count = || Step::Agent(agent("count", &log, |sent| sent.len().to_string().into()));
    let nothing = || Step::Agent(agent("nothing", &log, |_| Item::nothing()));
    let fails = || Step::Agent(agent("fails", &log, |_| Failure::new("x").into()));
    /// Name, steps, what is replied or the error, who was called.
    type Case<'a> = (&'a str, Vec<Step>, Result<&'a str, &'a str>, &'a str);
    let cases: Vec<Case<'_>> = vec![
        ("no step", vec![], Ok("a b"), ""),
        ("one", vec![up()], Ok("a^ b^"), "up"),
        ("two", vec![up(), up()], Ok("a^^ b^^"), "up up"),
        ("one left out", vec![up(), Step::Skip, None.into(), up()], Ok("a^^ b^^"), "up up"),
        ("await between", vec![up(), Step::Await, up()], Ok("a^^ b^^"), "up up"),
        ("clear between", vec![up(), Step::Clear, count()], Ok("0"), "up count"),
        ("await only", vec![Step::Await], Ok("a b"), ""),
        ("one that says nothing", vec![up(), nothing(), count()], Ok("0"), "up nothing count"),
        ("await at the end", vec![up(), Step::Await], Ok("a^ b^"), "up"),
        ("clear at the end", vec![up(), Step::Clear], Ok(""), "up"),
        ("an error goes through", vec![fails(), up()], Err("x"), "fails up"),
        ("an error stops at an await", vec![fails(), Step::Await, up()], Err("x"), "fails"),
    ];
    for (name, steps, expected, calls) in cases {
        let crew = Crew::new();
        let replies = texts(&Agent::chain(steps).trigger(&crew, ["a", "b"])).await;
        let replies = replies.map(|texts| texts.join(" ")).map_err(|failure| failure.to_string());
        assert_eq!(replies.as_deref().map_err(String::as_str), expected, "{name}");
        crew.finish().await;
        let mut called = log.lock().unwrap().drain(..).collect::<Vec<_>>();
        // Without an await between them they run at once.
        called.sort();
        let mut calls: Vec<_> = calls.split_whitespace().collect();
        calls.sort_unstable();
        assert_eq!(called, calls, "{name}");
    }
}

/// Says `q1`, `q2`, … and has enough after so many; writes down what it hears.
fn user(log: &Log, questions: usize) -> Agent {
    let (log, asked) = (log.clone(), Arc::new(Mutex::new(0)));
    Agent::new("user", move |interaction: Interaction| {
        let (log, asked) = (log.clone(), asked.clone());
        async move {
            let heard = texts(&interaction.sent()).await?.join("|");
            log.lock().unwrap().push(format!("u:{heard}"));
            let number = {
                let mut asked = asked.lock().unwrap();
                *asked += 1;
                *asked
            };
            if number > questions {
                return Err(Interrupted.into());
            }
            interaction.reply(format!("q{number}"));
            Ok(())
        }
    })
}

fn assistant(log: &Log) -> Agent {
    let log = log.clone();
    Agent::new("assistant", move |interaction: Interaction| {
        let log = log.clone();
        async move {
            let heard = texts(&interaction.sent()).await?.join("|");
            log.lock().unwrap().push(format!("a:{heard}"));
            interaction.reply("ans");
            Ok(())
        }
    })
}

#[tokio::test]
async fn a_loop_goes_on_until_the_user_has_enough() {
    let log = Log::default();
    let crew = Crew::new();
    let turns = Agent::repeat([user(&log, 2).into(), Step::Await, assistant(&log).into()]).unwrap();
    assert!(texts(&turns.trigger(&crew, ())).await.unwrap().is_empty());
    assert_eq!(log.lock().unwrap().join(" "), "u: a:q1 u:ans a:q2 u:ans");
    crew.finish().await;
}

#[tokio::test]
async fn a_loop_that_fails_hands_the_failure_on() {
    let log = Log::default();
    let failing = agent("failing", &log, |_| Failure::new("x").into());
    let turns = Agent::repeat([failing.into(), Step::Await]).unwrap();
    assert_eq!(texts(&turns.trigger(&Crew::new(), ())).await.unwrap_err().to_string(), "x");
}

#[test]
fn a_loop_that_never_waits_is_refused() {
    let log = Log::default();
    let one = || Step::Agent(assistant(&log));
    for (steps, refused) in [
        (vec![], true),
        (vec![one()], true),
        (vec![Step::Await], true),
        (vec![Step::Clear, Step::Skip, Step::Await], true),
        (vec![one(), Step::Await], false),
    ] {
        assert_eq!(Agent::repeat(steps.clone()).err(), refused.then_some(NeverWaits), "{steps:?}");
    }
}

#[tokio::test]
async fn the_prompt_of_a_dialog_is_for_the_assistant_alone() {
    for (prompt, sent, heard) in [
        (Prompt::Last, vec!["p1", "p2"], "u: a:q1|p1|p2 u:ans"),
        (Prompt::First, vec!["p1", "p2"], "u: a:p1|p2|q1 u:ans"),
        (Prompt::Last, vec![], "u: a:q1 u:ans"),
    ] {
        let log = Log::default();
        let crew = Crew::new();
        let dialog = Agent::dialog(user(&log, 1), assistant(&log), prompt);
        assert!(texts(&dialog.trigger(&crew, sent)).await.unwrap().is_empty());
        assert_eq!(log.lock().unwrap().join(" "), heard, "{prompt:?}");
        crew.finish().await;
    }
}
