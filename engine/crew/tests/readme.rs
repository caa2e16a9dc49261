//! The examples print what MiniAgents' README says of theirs, line by line and in this order.

use std::future::Future;
use std::sync::{Arc, Mutex};

use thalweg_crew::Failure;

#[path = "../examples/basic.rs"]
mod basic;
#[path = "../examples/call.rs"]
mod call;
#[path = "../examples/dialog.rs"]
mod dialog;
#[path = "../examples/errors.rs"]
mod errors;
#[path = "../examples/parallel.rs"]
mod parallel;

type Print = Arc<dyn Fn(&str) + Send + Sync>;

async fn printed<F: Future<Output = Result<(), Failure>>>(run: impl FnOnce(Print) -> F) -> String {
    let page = Arc::new(Mutex::new(String::new()));
    let pen = page.clone();
    run(Arc::new(move |text| pen.lock().unwrap().push_str(text))).await.unwrap();
    std::mem::take(&mut *page.lock().unwrap())
}

#[tokio::test]
async fn basic_example() {
    assert_eq!(printed(basic::run).await, "You said: Hello\nYou said: World\n");
}

#[tokio::test]
async fn errors_example() {
    let expected = "Exception while iterating over response: Something went wrong in callee agent\n";
    assert_eq!(printed(errors::run).await, expected);
}

#[tokio::test]
async fn call_example() {
    assert_eq!(printed(call::run).await, "Echo: Hello\nEcho: World\n");
}

#[tokio::test(start_paused = true)]
async fn parallel_example() {
    let expected = "\
TRIGGERING AGGREGATOR
TRIGGERING AGGREGATOR DONE

SLEEPING FOR ONE SECOND
Aggregator started
Aggregator still working
Aggregator finished
Agent 1 started
Agent 1 still working
Agent 1 finished
Agent 2 started
Agent 2 finished
SLEEPING DONE

PREPARING TO GET MESSAGES FROM AGGREGATOR
*** AGGREGATOR MESSAGE #1 ***
*** MESSAGE #1 from Agent 1 ***
*** MESSAGE #2 from Agent 1 ***
*** MESSAGE from Agent 2 ***
*** AGGREGATOR MESSAGE #2 ***
TOTAL NUMBER OF MESSAGES FROM AGGREGATOR: 5
";
    assert_eq!(printed(parallel::run).await, expected);
}

#[tokio::test]
async fn dialog_example() {
    let lines = Mutex::new(vec!["bye", "nice!", "hi"]);
    let echo = Arc::new(Mutex::new(None::<Print>));
    let seen = echo.clone();
    // A terminal shows what is typed.
    let input = Arc::new(move || {
        let line = lines.lock().unwrap().pop()?;
        if let Some(print) = &*seen.lock().unwrap() {
            print(&format!("{line}\n"));
        }
        Some(line.to_owned())
    });
    let text = printed(|print| {
        *echo.lock().unwrap() = Some(print.clone());
        dialog::run(print, input)
    })
    .await;
    let expected = "\
USER: hi
ASSISTANT: You said \"hi\"
USER: nice!
ASSISTANT: You said \"nice!\"
USER: bye
ASSISTANT: You said \"bye\"
USER: ";
    assert_eq!(text, expected);
}
