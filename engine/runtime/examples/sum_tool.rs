//! A tool that adds, and a hook that sees each call before it is made. Plays a recording, so it needs no key.

use serde_json::{Value, json};
use thalweg::{Agent, Error, Hook, HookPoint, Tool};

mod support;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let numbers = json!({"a": 19.5, "b": 22.5});
    let server = support::server([support::call("sum", &numbers), support::text("Together 42.")]);
    let sum = Tool::new(
        "sum",
        "Add two numbers",
        json!({"type": "object", "properties": {"a": {"type": "number"}, "b": {"type": "number"}}, "required": ["a", "b"]}),
        |arguments, _context| async move {
            let number = |name: &str| arguments[name].as_f64().ok_or_else(|| format!("{name} is no number"));
            Ok((number("a")? + number("b")?).to_string())
        },
    );
    let agent = Agent::builder()
        .model("openai/gpt-4o-mini")
        .base_url(format!("{}/v1", server.url()))
        .link(thalweg_openai::module())
        .tool(sum)
        .hook(Hook::new(HookPoint::BeforeToolCall, |call| async move {
            println!("{}({})", call["tool_name"], call["args"]);
            Ok(Value::Null)
        }))
        .build()?;
    let reply = agent.prompt("What is 19.5 and 22.5?")?.message().await?;
    println!("{}", reply.text());

    let sent: Value = serde_json::from_slice(&server.requests()[1].request.body).expect("a body of JSON");
    assert_eq!(sent["messages"][2], json!({"role": "tool", "tool_call_id": "call_1", "content": "42"}));
    Ok(())
}

#[test]
fn it_runs() {
    main().expect("the example ends well");
}
