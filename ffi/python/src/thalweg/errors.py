"""Errors: one class for each thing that a program can act on."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Dict, Optional, Type

from . import _native

if TYPE_CHECKING:
    from .result import Result


class Error(Exception):
    """What went wrong.

    `code` is the status of the C library, `http_status` that of the provider or None, `retryable` says whether it may pass when
    tried again, `retry_after` how many seconds the provider asks to wait. Of a run that failed, `result` has what came before.
    """

    code: int = 0
    http_status: Optional[int] = None
    retryable: bool = False
    retry_after: Optional[float] = None
    result: Optional[Result] = None
    #: What sort of failure a provider reports, such as "rate_limit", "auth" or "context_overflow".
    kind: Optional[str] = None


class InvalidError(Error, ValueError):
    """An option or an argument is wrong."""


class VersionError(Error):
    """The conversation was written with another schema, or a plugin for another version."""


class Aborted(Error):
    """The run was aborted."""


class TimedOut(Error, TimeoutError):
    """Something took longer than allowed."""


class ProtocolError(Error):
    """A reply was cut off or is malformed."""


class RejectedError(Error):
    """A policy says no: a plugin that may not be loaded, a run that needs too many turns."""


class UnsupportedError(Error):
    """What was asked for is not offered here."""


class StateError(Error, RuntimeError):
    """Calls in the wrong order: a prompt during a run, an engine of the parent process."""


class RemoteError(Error):
    """The provider answered with an error."""


class ConnectionFailed(Error, ConnectionError):
    """No connection, or it was lost."""


class FailedError(Error):
    """Something failed that has no class of its own."""


_CLASSES: Dict[int, Type[Error]] = {
    -1: InvalidError,
    -2: VersionError,
    -5: Aborted,
    -6: TimedOut,
    -7: ProtocolError,
    -8: RejectedError,
    -9: UnsupportedError,
    -10: StateError,
    -11: RemoteError,
    -12: ConnectionFailed,
}


def _make(
    code: int, message: str, http_status: int, retryable: bool, retry_after_ms: int, result: Optional[str]
) -> Error:
    """Called by the extension module."""
    from .result import Result

    failure = None
    if result is not None:
        parsed = Result(json.loads(result))
        failure = parsed.error
        if failure is not None:
            # The record of the C library has room for 231 bytes only.
            message = failure.get("message", message)
    error = _CLASSES.get(code, FailedError)(message)
    error.code = code
    error.http_status = http_status or None
    error.retryable = retryable
    error.retry_after = retry_after_ms / 1000 if retry_after_ms >= 0 else None
    if result is not None:
        error.result = parsed
        error.kind = failure.get("kind") if failure else None
    return error


_native.set_failure(_make)
