//! Errors of the engine as statuses of the library.

use thalweg::Error;
use thalweg::failure::{Failure as RunFailure, FailureKind};
use thalweg::machine;
use thalweg_abi::failure::Failure;
use thalweg_abi::types::{
    E_CANCELLED, E_CLOSED, E_FAILED, E_INVALID, E_PROTOCOL, E_REJECTED, E_REMOTE, E_STATE, E_TIMEOUT,
};
use thalweg_wire::pipeline;

use crate::fault::Fault;

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        (&error).into()
    }
}

impl From<&Error> for Fault {
    fn from(error: &Error) -> Self {
        let code = match error {
            Error::Run { failure, .. } => return run_failure(failure).into(),
            Error::Busy | Error::Prompt(machine::Error::Busy) => E_STATE,
            Error::Codec(_) | Error::Describe { .. } | Error::Framing { .. } => E_FAILED,
            Error::Plugin(_) | Error::TooManyRuns { .. } => E_REJECTED,
            _ => E_INVALID,
        };
        Failure::new(code, error.to_string()).into()
    }
}

impl From<thalweg::plugin::LoadError> for Fault {
    fn from(error: thalweg::plugin::LoadError) -> Self {
        Failure::new(E_REJECTED, error.to_string()).into()
    }
}

impl From<pipeline::Error> for Fault {
    fn from(error: pipeline::Error) -> Self {
        let code = match &error {
            pipeline::Error::Codec(failure) => failure.code,
            pipeline::Error::CodecStuck { .. } => E_FAILED,
            _ => E_PROTOCOL,
        };
        Failure::new(code, error.to_string()).into()
    }
}

/// How a run failed.
fn run_failure(failure: &RunFailure) -> Failure {
    let (code, retryable) = match failure.kind {
        FailureKind::RateLimit | FailureKind::Overloaded | FailureKind::Server => (E_REMOTE, true),
        FailureKind::ContextOverflow | FailureKind::Auth | FailureKind::InvalidRequest | FailureKind::ContentFilter => {
            (E_REMOTE, false)
        }
        FailureKind::Malformed => (E_PROTOCOL, false),
        FailureKind::Truncated => (E_PROTOCOL, true),
        FailureKind::Connection => (E_CLOSED, true),
        FailureKind::Timeout => (E_TIMEOUT, true),
        FailureKind::MaxTurns | FailureKind::Repeated | FailureKind::Budget => (E_REJECTED, false),
        FailureKind::Aborted => (E_CANCELLED, false),
        // The provider has said something, though not what.
        FailureKind::Other if failure.http_status.is_some() => (E_REMOTE, false),
        FailureKind::Plugin | FailureKind::Other => (E_FAILED, false),
    };
    Failure {
        code,
        http_status: failure.http_status.map_or(0, i32::from),
        retryable,
        retry_after_ms: failure.retry_after_ms,
        message: failure.message.clone().into(),
    }
}
