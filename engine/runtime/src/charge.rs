//! Budgets of a client: each reply that it asks for puts its worst case aside first, and counts what it used.

use std::sync::Arc;
use std::task::{Context, Poll};

use thalweg_agent::assembly::{Assembly, End, Outcome};
use thalweg_agent::failure::{Failure, FailureKind};

use crate::account::{Account, Held, tokens_max_of};
use crate::middleware::{self, Middleware};
use crate::responder::{Ask, Asking, Batch, ReplyEvents, ReplyStream, Responder};

/// `responder` within the budgets of `account`, and what is left of the account: its prices.
pub(crate) fn charged(responder: Arc<dyn Responder>, account: Account) -> (Arc<dyn Responder>, Account) {
    if account.budgets.is_empty() {
        return (responder, account);
    }
    let prices = Account { budgets: Vec::new(), ..account.clone() };
    let charge: Arc<dyn Middleware> = Arc::new(Charge(Arc::new(account)));
    (middleware::stack(responder, [charge]), prices)
}

struct Charge(Arc<Account>);

impl Middleware for Charge {
    fn ask<'a>(&'a self, ask: Ask, next: &'a dyn Responder) -> Asking<'a> {
        Box::pin(async move {
            let Self(account) = self;
            let asked = ask.request().model.clone();
            let reserved = account.reserve(next.provider(), ask.request(), &ask.envelope(), || tokens_max_of(&ask));
            let mut held = Held::new(reserved.map_err(|error| Failure::new(FailureKind::Budget, error.to_string()))?);
            // From here on, whoever drops this request leaves its worst case spent.
            held.sent();
            match next.ask(ask).await {
                Ok(reply) => {
                    let open = Open { held, account: Arc::clone(account), asked, assembly: Assembly::new() };
                    Ok(reply.map(|inner| Counted { inner, open: Some(open) }))
                }
                Err(failure) => {
                    // An answer with a status is a refusal, which costs nothing.
                    if failure.http_status.is_some() {
                        held.give_back();
                    }
                    Err(failure)
                }
            }
        })
    }
}

/// What is kept of a request until its reply has ended.
struct Open {
    held: Held,
    account: Arc<Account>,
    asked: String,
    assembly: Assembly,
}

struct Counted {
    inner: ReplyStream,
    open: Option<Open>,
}

impl ReplyEvents for Counted {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Batch, Failure>>> {
        let polled = self.inner.poll_next(cx);
        match &polled {
            Poll::Pending => {}
            Poll::Ready(Some(Ok(batch))) => {
                if let Some(open) = &mut self.open {
                    for event in batch.iter() {
                        open.assembly.handle_event(&event);
                    }
                }
            }
            Poll::Ready(None) => {
                if let Some(Open { mut held, account, asked, mut assembly }) = self.open.take()
                    && assembly.finish(End::Eof) == Outcome::Complete
                {
                    let reply = assembly.into_message();
                    let cost = account.cost(&reply, self.inner.provider(), &asked);
                    held.settle(&reply, cost.as_ref());
                }
            }
            // The counters of a reply that broke off lack what came after them: the worst case stays spent.
            Poll::Ready(Some(Err(_))) => self.open = None,
        }
        polled
    }
}
