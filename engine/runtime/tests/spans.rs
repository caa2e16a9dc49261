//! Spans for tracers: what they hold, and that no key and nothing that was said is among it. Alone in its program: a subscriber of one
//! thread sees no span whose place another thread was first to pass.
#![cfg(feature = "tracing")]

use std::collections::BTreeMap;
use std::fmt::{Debug, Write as _};
use std::sync::{Arc, Mutex};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use support::{KEY, agent, server};
use thalweg_replay::Options;

mod support;

/// Keeps each span with its parent and its fields.
#[derive(Clone, Default)]
struct Keep(Arc<Mutex<BTreeMap<u64, Kept>>>);

#[derive(Default)]
struct Kept {
    name: &'static str,
    parent: Option<u64>,
    fields: String,
}

struct Fields<'f>(&'f mut String);

impl Visit for Fields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let _ = write!(self.0, " {}={value:?}", field.name());
    }
}

impl Subscriber for Keep {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "thalweg"
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let mut spans = self.0.lock().unwrap();
        let id = spans.len() as u64 + 1;
        let mut kept =
            Kept { name: span.metadata().name(), parent: span.parent().map(Id::into_u64), ..Kept::default() };
        span.record(&mut Fields(&mut kept.fields));
        spans.insert(id, kept);
        Id::from_u64(id)
    }

    fn record(&self, span: &Id, values: &Record<'_>) {
        let mut spans = self.0.lock().unwrap();
        values.record(&mut Fields(&mut spans.get_mut(&span.into_u64()).unwrap().fields));
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, _: &Event<'_>) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

#[tokio::test]
async fn a_run_is_a_tree_of_spans_without_anything_that_was_said() {
    let keep = Keep::default();
    let server = server(Options::in_order());
    {
        // The runs of this test are on its own thread.
        let _guard = tracing::subscriber::set_default(keep.clone());
        let agent = agent(&server).build().expect("complete");
        let outcome = agent.prompt("Where is it?").expect("idle").finished().await;
        assert!(outcome.error.is_none(), "{:?}", outcome.error);
    }
    let spans = keep.0.lock().unwrap();
    let name = |id: Option<u64>| id.and_then(|id| spans.get(&id)).map_or("-", |kept| kept.name);
    let tree: Vec<String> = spans.values().map(|kept| format!("{}<{}", kept.name, name(kept.parent))).collect();
    assert_eq!(tree, ["run<-", "turn<run", "request<turn", "tool<turn", "turn<run", "request<turn"]);
    let all: Vec<&str> = spans.values().map(|kept| kept.fields.as_str()).collect();
    for part in ["provider=\"openai\"", "model=\"gpt-4o\"", "turns=2", "input_tokens=14", "cost=", "status=\"ok\""] {
        assert!(all[0].contains(part), "{part} is not in {}", all[0]);
    }
    assert!(all[2].contains("attempt=1 ") && all[2].contains("input_tokens=7"), "{}", all[2]);
    assert!(all[3].contains("name=\"find\"") && all[3].contains("status=\"ok\""), "{}", all[3]);
    for secret in [KEY, "header-value-secret", "Where is it", "under the table", "Be brief"] {
        assert!(!all.concat().contains(secret), "{all:?}");
    }
}
