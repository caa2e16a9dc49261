//! Spans of `tracing`: `run`, `turn` and `tool` within it, `request` within a turn. They hold names, numbers and how it ended, never what
//! was said, no address and no key. Without the feature `tracing` this file does nothing at all.

#[cfg(feature = "tracing")]
pub(crate) use on::*;

#[cfg(not(feature = "tracing"))]
pub(crate) use off::*;

#[cfg(feature = "tracing")]
mod on {
    use std::future::Future;

    use thalweg_agent::failure::Failure;
    use thalweg_agent::message::{AssistantMessage, Usage};
    use tracing::field::Empty;
    use tracing::{Instrument as _, info_span};

    use crate::run::Outcome;

    /// A span, or none where nobody listens.
    #[derive(Clone, Debug)]
    pub(crate) struct Span(tracing::Span);

    impl Default for Span {
        fn default() -> Self {
            Self(tracing::Span::none())
        }
    }

    /// A run.
    pub(crate) fn run(provider: Option<&str>, model: &str) -> Span {
        Span(info_span!(
            target: "thalweg", parent: tracing::Span::current(), "run", provider, model,
            turns = Empty, input_tokens = Empty, output_tokens = Empty, cost = Empty, status = Empty, error = Empty,
        ))
    }

    impl Span {
        /// A turn within this run.
        pub(crate) fn turn(&self, turn: u32) -> Self {
            Self(info_span!(target: "thalweg", parent: &self.0, "turn", turn, stop = Empty))
        }

        /// A request within this turn.
        pub(crate) fn request(&self, provider: Option<&str>, model: &str, attempt: u32) -> Self {
            Self(info_span!(
                target: "thalweg", parent: &self.0, "request", provider, model, attempt,
                input_tokens = Empty, output_tokens = Empty, cache_read_tokens = Empty, status = Empty, error = Empty,
            ))
        }

        /// A tool call within this turn.
        pub(crate) fn tool(&self, name: &str, id: &str) -> Self {
            Self(info_span!(target: "thalweg", parent: &self.0, "tool", name, id, status = Empty))
        }

        /// What `future` does happens within it.
        pub(crate) fn around<F: Future>(&self, future: F) -> impl Future<Output = F::Output> + use<F> {
            future.instrument(self.0.clone())
        }

        fn usage(&self, usage: &Usage) {
            for (name, count) in [
                ("input_tokens", usage.input_tokens),
                ("output_tokens", usage.output_tokens),
                ("cache_read_tokens", usage.cache_read_tokens),
            ] {
                if let Some(count) = count {
                    self.0.record(name, count);
                }
            }
        }

        fn failure(&self, failure: Option<&Failure>) {
            // The kind alone: what a provider says may hold anything.
            match failure {
                Some(failure) => self.0.record("status", "error").record("error", failure.kind.as_str()),
                None => self.0.record("status", "ok"),
            };
        }

        /// The request of this span has a reply, or none.
        pub(crate) fn end_request(&self, reply: &AssistantMessage) {
            self.usage(&reply.usage);
            self.failure(reply.error.as_ref());
        }

        /// The request of this span failed and is sent again.
        pub(crate) fn end_try(&self, failure: &Failure) {
            self.failure(Some(failure));
        }

        /// The reply of this turn is there.
        pub(crate) fn end_reply(&self, reply: &AssistantMessage) {
            if let Some(stop) = &reply.stop_reason {
                self.0.record("stop", tracing::field::debug(stop.mapped));
            }
        }

        /// The tool of this span has answered.
        pub(crate) fn end_tool(&self, is_error: bool) {
            self.0.record("status", if is_error { "error" } else { "ok" });
        }

        /// The run is over.
        pub(crate) fn end_run(&self, outcome: &Outcome, turns: u32) {
            self.0.record("turns", turns);
            self.usage(&outcome.usage);
            if let Some(cost) = &outcome.cost {
                self.0.record("cost", cost.total.dollars());
            }
            match &outcome.error {
                Some(crate::Error::Run { failure, .. }) => self.failure(Some(failure)),
                Some(_) => {
                    self.0.record("status", "error");
                }
                None => self.failure(None),
            }
        }
    }
}

#[cfg(not(feature = "tracing"))]
mod off {
    use std::future::Future;

    use thalweg_agent::failure::Failure;
    use thalweg_agent::message::AssistantMessage;

    use crate::run::Outcome;

    #[derive(Clone, Debug, Default)]
    pub(crate) struct Span(());

    pub(crate) const fn run(_: Option<&str>, _: &str) -> Span {
        Span(())
    }

    impl Span {
        pub(crate) const fn turn(&self, _: u32) -> Self {
            Self(())
        }

        pub(crate) const fn request(&self, _: Option<&str>, _: &str, _: u32) -> Self {
            Self(())
        }

        pub(crate) const fn tool(&self, _: &str, _: &str) -> Self {
            Self(())
        }

        pub(crate) const fn around<F: Future>(&self, future: F) -> F {
            future
        }

        pub(crate) const fn end_request(&self, _: &AssistantMessage) {}

        pub(crate) const fn end_try(&self, _: &Failure) {}

        pub(crate) const fn end_reply(&self, _: &AssistantMessage) {}

        pub(crate) const fn end_tool(&self, _: bool) {}

        pub(crate) const fn end_run(&self, _: &Outcome, _: u32) {}
    }
}
