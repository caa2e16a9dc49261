//! What runs cost, and budgets that they share, over real connections.

use serde_json::{Value, json};
use thalweg::budget::Amount;
use thalweg::cost::{Money, Price};
use thalweg::failure::FailureKind;
use thalweg::{Agent, AgentBuilder, Budget, Error, Outcome, Tool};
use thalweg_replay::{Exchange, Fault, Options, Recording, Server};

fn chunk(delta: Value, finish: Option<&str>, usage: Option<Value>) -> String {
    let body = json!({"id": "c1", "object": "chat.completion.chunk", "model": "gpt-4o-2024-08-06",
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish}], "usage": usage});
    format!("data: {body}\n\n")
}

fn reply(text: &str, usage: Option<Value>) -> Exchange {
    Exchange::of_chunks([
        chunk(json!({"content": text}), None, None),
        chunk(json!({}), Some("stop"), usage),
        "data: [DONE]\n\n".to_owned(),
    ])
}

fn call(usage: Value) -> Exchange {
    let call = json!({"tool_calls": [{"index": 0, "id": "c1", "type": "function", "function": {"name": "nothing", "arguments": "{}"}}]});
    Exchange::of_chunks([
        chunk(call, None, None),
        chunk(json!({}), Some("tool_calls"), Some(usage)),
        "data: [DONE]\n\n".to_owned(),
    ])
}

fn usage(prompt: u64, completion: u64) -> Value {
    json!({"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion})
}

fn server(exchanges: Vec<Exchange>, options: Options) -> Server {
    Server::start(vec![Recording::by_hand("openai-chat", exchanges)], options).expect("a loopback port")
}

fn agent(server: &Server) -> AgentBuilder {
    let agent = Agent::builder().provider("openai").model("gpt-4o").base_url(server.url());
    agent.api_key("sk-test").link(thalweg_openai::module())
}

async fn run(builder: AgentBuilder) -> Outcome {
    builder.build().expect("a complete description").prompt("go").expect("an idle agent").finished().await
}

#[tokio::test]
async fn a_run_costs_what_all_its_turns_cost() {
    let cached = json!({"prompt_tokens": 1000, "completion_tokens": 10, "total_tokens": 1010,
        "prompt_tokens_details": {"cached_tokens": 600}});
    let server = server(vec![call(usage(100, 20)), reply("done", Some(cached))], Options::in_order());
    let tool = Tool::new("nothing", "Nothing.", json!({"type": "object"}), |_, _| async { Ok(String::new()) });
    let outcome = run(agent(&server).tool(tool)).await;
    assert!(outcome.error.is_none(), "{:?}", outcome.error);
    let cost = outcome.cost.expect("the price of gpt-4o is known");
    assert_eq!(cost.input, Money::from_dollars((100.0 + 400.0) * 2.5e-6));
    assert_eq!(cost.cache_read, Money::from_dollars(600.0 * 1.25e-6));
    assert_eq!(cost.output, Money::from_dollars(30.0 * 10e-6));
    assert_eq!(cost.total, cost.input + cost.cache_read + cost.output);
    assert!(!cost.is_partial);
}

#[tokio::test]
async fn what_nobody_knows_is_none_and_a_price_of_ones_own_is_taken() {
    let exchanges = || vec![reply("hi", Some(usage(1_000_000, 0)))];
    let unknown = server(exchanges(), Options::in_order());
    let at_address = || Agent::builder().model("m").base_url(unknown.url()).link(thalweg_openai::module());
    assert_eq!(run(at_address()).await.cost, None);
    let own = server(exchanges(), Options::in_order());
    let agent = Agent::builder().model("m").base_url(own.url()).link(thalweg_openai::module());
    let outcome = run(agent.price(Price::per_million(3.0, 4.0))).await;
    assert_eq!(outcome.cost.map(|cost| cost.total), Some(Money::from_dollars(3.0)));
    // Counted by nobody: no cost, rather than none at all.
    let silent = server(vec![reply("hi", None)], Options::in_order());
    assert_eq!(run(self::agent(&silent)).await.cost, None);
}

#[tokio::test]
async fn a_router_that_says_what_it_charged_is_believed() {
    let mut charged = usage(10, 10);
    charged["cost"] = json!(0.0125);
    let server = server(vec![reply("hi", Some(charged))], Options::in_order());
    let agent = Agent::builder().model("m").base_url(server.url()).link(thalweg_openai::module());
    assert_eq!(run(agent).await.cost.map(|cost| cost.total), Some(Money::from_dollars(0.0125)));
}

#[tokio::test]
async fn runs_at_once_never_use_more_than_their_budget() {
    const USED: u64 = 120;
    let exchanges = (0..200).map(|_| reply("hi", Some(usage(20, 100)))).collect();
    let server = server(exchanges, Options::in_order());
    let budget = Budget::tokens(3_000);
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..100 {
        tasks.spawn(run(agent(&server).max_tokens(100).budget(budget.clone())));
    }
    let (mut answered, mut refused) = (0, 0);
    while let Some(outcome) = tasks.join_next().await {
        match outcome.expect("no panic").error {
            None => answered += 1,
            Some(Error::Run { failure, .. }) => {
                assert_eq!(failure.kind, FailureKind::Budget, "{failure}");
                assert!(failure.message.contains("left"), "{failure}");
                refused += 1;
            }
            Some(other) => panic!("{other}"),
        }
    }
    assert_eq!(answered + refused, 100);
    assert!(answered > 0 && refused > 0, "{answered} answered, {refused} refused");
    assert_eq!(server.requests().len() as u64, answered, "a request that is refused is never sent");
    assert_eq!(budget.spent().tokens, answered * USED);
    assert!(budget.spent().tokens <= 3_000);
    assert_eq!(budget.reserved(), Amount::default());
}

#[tokio::test]
async fn a_refusal_of_the_provider_costs_nothing_and_a_reply_cut_short_its_worst_case() {
    let refused = server(vec![reply("hi", None)], Options::in_order().fault(0..9, Fault::status(400, "{}")));
    let budget = Budget::tokens(10_000);
    let outcome = run(agent(&refused).max_tokens(100).budget(budget.clone())).await;
    assert!(outcome.error.is_some() && outcome.cost.is_none());
    assert_eq!((budget.spent(), budget.reserved()), (Amount::default(), Amount::default()));

    let cut = Exchange::of_chunks([chunk(json!({"content": "hal"}), None, Some(usage(20, 1)))]);
    let cut = server(vec![cut], Options::in_order());
    let outcome = run(agent(&cut).max_tokens(100).budget(budget.clone())).await;
    assert!(outcome.error.is_some());
    assert!(outcome.cost.is_some_and(|cost| cost.is_partial));
    let spent = budget.spent().tokens;
    assert!((100..1000).contains(&spent), "{spent}");
    assert_eq!(budget.reserved(), Amount::default());
}

#[tokio::test]
async fn a_budget_without_a_price_says_what_is_missing_and_sends_nothing() {
    let server = server(vec![reply("hi", None)], Options::in_order());
    let agent = Agent::builder().model("m").base_url(server.url()).link(thalweg_openai::module());
    let outcome = run(agent.max_tokens(5).budget(Budget::money(Money::from_dollars(1.0)))).await;
    let error = outcome.error.expect("no price").to_string();
    assert_eq!(error, "the budget is of money and the price of m is not known; set one with `prices` or `price`");
    assert!(server.requests().is_empty());
}

#[tokio::test]
async fn clients_keep_to_their_budgets_whether_they_chat_stream_or_run() {
    let exchanges = (0..3).map(|_| reply("hi", Some(usage(20, 100)))).collect();
    let server = server(exchanges, Options::in_order());
    let budget = Budget::tokens(1_000);
    let client = |most| agent(&server).max_tokens(most).budget(budget.clone()).build_client().expect("complete");
    let careful = client(100);
    careful.chat("go").await.expect("there is enough");
    assert_eq!((budget.spent().tokens, budget.reserved()), (120, Amount::default()));
    careful.stream("go").await.expect("there is enough").message().await.expect("a reply");
    let outcome = careful.run("go").expect("an idle client").finished().await;
    assert!(outcome.error.is_none(), "{:?}", outcome.error);
    assert_eq!(outcome.cost.map(|cost| cost.total), Some(Money::from_dollars(20.0 * 2.5e-6 + 100.0 * 10e-6)));
    assert_eq!((budget.spent().tokens, budget.reserved()), (360, Amount::default()));

    let Err(Error::Run { failure, .. }) = client(100_000).chat("go").await else { panic!("more than there is") };
    assert_eq!(failure.kind, FailureKind::Budget, "{failure}");
    assert_eq!((server.requests().len(), budget.spent().tokens), (3, 360));
}

#[tokio::test]
async fn a_reply_to_a_client_that_nobody_reads_to_its_end_counts_as_its_worst_case() {
    let server = server(vec![reply("hi", Some(usage(20, 100)))], Options::in_order());
    let budget = Budget::tokens(1_000);
    let client = agent(&server).max_tokens(500).budget(budget.clone()).build_client().expect("complete");
    drop(client.stream("go").await.expect("there is enough"));
    assert!(budget.spent().tokens > 500, "{budget:?}");
    assert_eq!(budget.reserved(), Amount::default());
}

#[tokio::test]
async fn another_provider_has_another_price_and_draws_on_the_same_budget() {
    let servers: Vec<Server> =
        (0..3).map(|_| server(vec![reply("hi", Some(usage(1_000_000, 0)))], Options::in_order())).collect();
    let at = |place: usize| Agent::builder().model("m").base_url(servers[place].url()).link(thalweg_openai::module());
    let budget = Budget::unlimited();
    let agent = at(0).price(Price::per_million(3.0, 4.0)).budget(budget.clone()).build().expect("complete");
    let mut costs = vec![agent.prompt("go").expect("idle").finished().await.cost];
    agent.set_provider(at(1).price(Price::per_million(5.0, 6.0))).expect("complete");
    costs.push(agent.prompt("go").expect("idle").finished().await.cost);
    agent.set_provider(at(2)).expect("complete");
    costs.push(agent.prompt("go").expect("idle").finished().await.cost);
    let totals: Vec<_> = costs.into_iter().map(|cost| cost.map(|cost| cost.total.dollars())).collect();
    assert_eq!(totals, [Some(3.0), Some(5.0), None], "no price is better than that of another model");
    assert_eq!(budget.spent().tokens, 3_000_000);
}
