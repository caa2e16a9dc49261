//! Reads one reply, from a server or from a provider that drives itself.

use std::io;
use std::time::Duration;

use thalweg_abi::host::{self, CancelToken, CodecStream};
use thalweg_abi::retry_hint::retry_after_ms;
use thalweg_abi::types::{E_INVALID, E_REMOTE, E_TIMEOUT, EVENT_ERROR, FAILURE_OTHER, FRAME_ERROR_BODY, StreamEvent};
use thalweg_agent::assembly::End;
use thalweg_agent::failure::{Failure, FailureKind};
use thalweg_agent::history::History;
use thalweg_agent::machine::Machine;
use thalweg_agent::request::Request;
use thalweg_wire::pipeline::{self, Pipeline};

use crate::auth;
use crate::backend::{Endpoint, Wire, check_marks};
use crate::drive::Setup;
use crate::http;
use crate::marks::Marks;
use crate::recorder::Recorder;
use crate::responder::{Ask as ResponderAsk, Responder};

/// How one attempt at a reply ended.
pub(crate) enum Reply {
    Ended(End),
    /// Nothing that a reader could have seen has come; the request may be sent again after a pause.
    Retry {
        failure: Failure,
        wait: Duration,
    },
}

/// What it takes to ask a server.
pub(crate) struct Ask<'a> {
    pub(crate) setup: &'a Setup,
    pub(crate) recorder: &'a mut Recorder,
    pub(crate) machine: &'a mut Machine,
    pub(crate) wire: &'a mut Wire,
    /// The request of this turn, but for its messages.
    pub(crate) request: &'a Request,
    /// What to send in the place of the conversation.
    pub(crate) context: Option<&'a History>,
}

impl Ask<'_> {
    /// Sends the request once and reads the reply to its end.
    pub(crate) async fn read(self, envelope: &str, attempt: u32) -> Reply {
        let Self { setup, recorder, machine, wire, request, context } = self;
        let Wire { endpoint, client, conversation, pipeline } = wire;
        let history = context.unwrap_or_else(|| machine.history());
        let encoded = match conversation.request(pipeline.decoder_mut(), history, Marks::of(request), envelope) {
            Ok(encoded) => encoded,
            Err(error) => return Reply::Ended(End::Error(Failure::new(FailureKind::Plugin, error.to_string()))),
        };
        // What it takes to send is let go of before the reply is waited for, which may be long: hence the boxes.
        let request = match Box::pin(endpoint.request(encoded, client)).await {
            Ok(request) => request,
            Err(error) => return Reply::Ended(End::Error(failure_of_auth(error))),
        };
        recorder.may_cost = true;
        let sent = Box::pin(client.send(request)).await;
        // What was refused costs nothing, and without a connection nothing was asked.
        recorder.may_cost = match &sent {
            Ok(response) => response.is_success(),
            Err(error) => !matches!(error, http::Error::Connect { .. }),
        };
        let is_absent = matches!(&sent, Err(error) if is_absent(endpoint, error));
        let wait = setup.retry.delay(attempt, &sent).filter(|_| !is_absent);
        // Only the body is kept: headers are slices of the connection's first read buffer, and would hold it.
        let mut body = match sent {
            Ok(response) if response.is_success() => {
                if let Some(failure) = compressed(endpoint, &response) {
                    return Reply::Ended(End::Error(failure));
                }
                recorder.begin_body();
                response.body
            }
            Ok(response) => return Box::pin(Self::read_error_body(setup, endpoint, pipeline, response, wait)).await,
            Err(error) => {
                let failure = failure_of(&error);
                return match wait {
                    Some(wait) => Reply::Retry { failure, wait },
                    None => Reply::Ended(End::Error(failure)),
                };
            }
        };
        loop {
            match recorder.next_chunk(&mut body).await {
                Ok(Some(chunk)) => {
                    if let Err(error) = recorder.feed(pipeline, machine, Some(&chunk)) {
                        return Reply::Ended(End::Error(Failure::new(failure_kind(&error), error.to_string())));
                    }
                    if endpoint.check_templates.is_some()
                        && let Err(error) = check_marks(pipeline)
                    {
                        // An event, since it counts also when the reply is complete by now.
                        let text = error.to_string();
                        let event = StreamEvent::new(EVENT_ERROR).with_num(FAILURE_OTHER).with_text(text.as_bytes());
                        recorder.take_batch(machine, std::iter::once(event));
                        return Reply::Ended(End::Eof);
                    }
                    if recorder.is_lost() {
                        return Reply::Ended(End::Eof);
                    }
                }
                Ok(None) => {
                    if let Err(error) = recorder.feed(pipeline, machine, None) {
                        return Reply::Ended(End::Error(Failure::new(failure_kind(&error), error.to_string())));
                    }
                    return Reply::Ended(End::Eof);
                }
                Err(error) => {
                    // What is complete in the carry is still delivered before the break is reported.
                    let _ = recorder.feed(pipeline, machine, None);
                    return match failure_of(&error) {
                        failure if failure.kind == FailureKind::Connection => Reply::Ended(End::Reset(failure.message)),
                        failure => Reply::Ended(End::Error(failure)),
                    };
                }
            }
        }
    }

    /// What becomes of a reply that is none.
    async fn read_error_body(
        setup: &Setup,
        endpoint: &Endpoint,
        pipeline: &mut Pipeline<CodecStream>,
        response: http::Response,
        wait: Option<Duration>,
    ) -> Reply {
        let failure = failure_of_status(endpoint, pipeline, response).await;
        // What only the body asks for: no shorter pause is of use, and one that is too long ends the tries.
        let asked = failure.retry_after_ms.map_or(Duration::ZERO, Duration::from_millis);
        let wait = wait.filter(|_| asked <= setup.retry.asked_max).map(|wait| wait.max(asked));
        match wait {
            Some(wait) => Reply::Retry { failure: failure.with_retry_after_ms(wait.as_millis() as u64), wait },
            None => Reply::Ended(End::Error(failure)),
        }
    }
}

/// Turns the body of an HTTP error into a failure in the provider's own words.
pub(crate) async fn failure_of_status(
    endpoint: &Endpoint,
    pipeline: &mut Pipeline<CodecStream>,
    mut response: http::Response,
) -> Failure {
    let status = response.status;
    let asked_by_header = response.asked_wait();
    let mut body = Vec::new();
    // As much as came is enough: the status alone says that it failed.
    let _ = response.body.read_to(&mut body, ERROR_BODY_BYTES_MAX).await;
    let (mut said, mut asked_ms) = (None, None);
    let read = pipeline.whole_body(&body, FRAME_ERROR_BODY, u32::from(status), &mut |events| {
        let error = events.iter().find(|event| event.kind() == EVENT_ERROR);
        if let (None, Some(event)) = (&said, error) {
            let details = serde_json::from_slice(event.aux()).ok();
            asked_ms = retry_after_ms(event.text(), event.aux());
            said = Some((event.num(), String::from_utf8_lossy(event.text()).into_owned(), details));
        }
    });
    let (num, message, details) = match (read, said) {
        (Ok(()), Some(said)) => said,
        _ => (0, first_line(&body), None),
    };
    let message = if message.is_empty() { "no message".to_owned() } else { message };
    // Some providers repeat the key that they refuse.
    let (message, details) = (endpoint.redact(message), details.map(|details| endpoint.redact_json(details)));
    let kind = FailureKind::from_num(num);
    let mut failure =
        Failure::new(kind, format!("HTTP {status} from {}: {message}", endpoint.name())).with_http_status(status);
    failure.details = details;
    // Also of a reply that is not asked for again: the caller may do that.
    failure.retry_after_ms = asked_ms.or_else(|| asked_by_header.map(|asked| asked.as_millis() as u64));
    failure.retryable = Some(http::Retry::is_wanted(&response));
    failure
}

/// A reply that cannot be read. Compression is never asked for and not undone: it delays deltas until a block is full, and
/// its window would be the most of what an open stream holds (32 KiB for gzip, megabytes for the others).
pub(crate) fn compressed(endpoint: &Endpoint, response: &http::Response) -> Option<Failure> {
    let encoding = response.header("content-encoding").filter(|encoding| *encoding != "identity")?;
    let encoding: String = encoding.chars().take(40).collect();
    let message = format!(
        "{} sent a reply compressed with {encoding}, which was not asked for and is not read; check the headers that are \
         set, and whether something between here and there compresses",
        endpoint.name()
    );
    Some(Failure::new(FailureKind::Malformed, message))
}

/// Whether nothing listens on that port of this machine: waiting does not help, and the person wants to know.
pub(crate) fn is_absent(endpoint: &Endpoint, error: &http::Error) -> bool {
    matches!(error, http::Error::Connect { kind: io::ErrorKind::ConnectionRefused, .. }) && endpoint.is_loopback()
}

/// Asks a responder and reads its reply to the end.
pub(crate) async fn read_responder(
    responder: &dyn Responder,
    recorder: &mut Recorder,
    machine: &mut Machine,
    ask: ResponderAsk,
) -> Reply {
    recorder.may_cost = true;
    let mut reply = match responder.ask(ask).await {
        Ok(reply) => reply,
        Err(failure) => {
            // An answer with a status is a refusal, which costs nothing.
            recorder.may_cost = failure.http_status.is_none();
            return Reply::Ended(End::Error(failure));
        }
    };
    // With a fallback it may be another one each time.
    machine.config_mut().provider = reply.provider().map(str::to_owned);
    loop {
        recorder.make_room().await;
        match reply.next().await {
            Some(Ok(batch)) => {
                recorder.take_batch(machine, batch.iter());
                if recorder.is_lost() {
                    return Reply::Ended(End::Eof);
                }
            }
            None => return Reply::Ended(End::Eof),
            Some(Err(failure)) if failure.kind == FailureKind::Connection => {
                return Reply::Ended(End::Reset(failure.message));
            }
            Some(Err(failure)) => return Reply::Ended(End::Error(failure)),
        }
    }
}

/// Asks a provider that drives itself. It is told to stop when the reply is dropped.
pub(crate) fn start_provider(provider: &host::Provider, ask: &ResponderAsk) -> host::Reply {
    let request = ask.to_json();
    let (reply, start) = provider.reply(&CancelToken::new());
    // It may block as long as the reply takes. Nobody waits for this thread: the reply says when it is over.
    drop(tokio::task::spawn_blocking(move || start.run(&request)));
    reply
}

/// Asks a provider that drives itself and reads its reply to the end.
pub(crate) async fn read_provider(
    provider: &host::Provider,
    recorder: &mut Recorder,
    machine: &mut Machine,
    ask: &ResponderAsk,
) -> Reply {
    recorder.may_cost = true;
    let mut reply = start_provider(provider, ask);
    loop {
        recorder.make_room().await;
        match reply.next().await {
            Ok(Some(batch)) => {
                recorder.take_batch(machine, batch.iter());
                if recorder.is_lost() {
                    return Reply::Ended(End::Eof);
                }
            }
            Ok(None) => return Reply::Ended(End::Eof),
            Err(error) => return Reply::Ended(End::Error(failure_of_plugin(&error))),
        }
    }
}

pub(crate) fn failure_of_plugin(error: &host::Error) -> Failure {
    let kind = match error {
        host::Error::Failed { failure, .. } => match failure.code {
            E_REMOTE => FailureKind::Server,
            E_TIMEOUT => FailureKind::Timeout,
            E_INVALID => FailureKind::InvalidRequest,
            _ => FailureKind::Plugin,
        },
        _ => FailureKind::Plugin,
    };
    Failure::new(kind, error.to_string())
}

pub(crate) fn failure_of(error: &http::Error) -> Failure {
    let kind = match error {
        http::Error::Timeout { .. } => FailureKind::Timeout,
        http::Error::InvalidUrl { .. } | http::Error::InvalidHeader { .. } => FailureKind::InvalidRequest,
        _ => FailureKind::Connection,
    };
    Failure::new(kind, error.to_string())
}

pub(crate) fn failure_of_auth(error: auth::Error) -> Failure {
    match error {
        auth::Error::Http(error) => failure_of(&error),
        error => Failure::new(FailureKind::Auth, error.to_string()),
    }
}

pub(crate) fn failure_kind(error: &pipeline::Error) -> FailureKind {
    match error {
        pipeline::Error::Codec(_) => FailureKind::Plugin,
        _ => FailureKind::Malformed,
    }
}

fn first_line(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default().chars().take(200).collect()
}

/// More of an error body than this tells nobody anything.
const ERROR_BODY_BYTES_MAX: usize = 64 * 1024;
