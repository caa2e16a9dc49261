"""Providers that are functions of the program: a request in, the pieces of a reply out, one by one."""

from __future__ import annotations

import asyncio
import inspect
import json
from typing import Any, Callable, Dict, Iterable, List, Mapping, Optional, Tuple, Union

from . import _native
from .calls import Scope, serve

Json = Dict[str, Any]
#: What a stream function yields: a text, or a piece by its "type".
Piece = Union[str, Mapping[str, Any]]
StreamFunction = Callable[[Json], Any]


def native_form(name: str, function: StreamFunction, scope: Scope) -> Tuple[str, Callable[[_native.Call], None]]:
    """The provider as the extension module takes it."""

    def invoke(call: _native.Call) -> None:
        def work() -> Any:
            made = function(json.loads(call.arguments))
            if inspect.isawaitable(made) or hasattr(made, "__aiter__"):
                return _play_async(call, made)
            return _play(call, made)

        serve(call, scope, work, lambda _: "")

    return name, invoke


def _play(call: _native.Call, pieces: Any) -> None:
    reply = _Reply(call)
    pieces = _as_pieces(pieces)
    try:
        for piece in pieces:
            status = reply.push(piece)
            if status == _native.PENDING:
                status = call.wait(-1)
            if status < 0:
                return
        reply.end()
    finally:
        close = getattr(pieces, "close", None)
        if close is not None:
            close()


async def _play_async(call: _native.Call, pieces: Any) -> None:
    if inspect.isawaitable(pieces):
        pieces = await pieces
    if not hasattr(pieces, "__aiter__"):
        # A list, or a generator that does not wait: for its own thread, as it may be long.
        return await asyncio.to_thread(_play, call, pieces) if hasattr(asyncio, "to_thread") else _play(call, pieces)
    reply = _Reply(call)
    try:
        async for piece in pieces:
            status = reply.push(piece)
            while status == _native.PENDING:
                await asyncio.sleep(0.001)
                status = call.wait(0)
            if status < 0:
                return
        reply.end()
    finally:
        close = getattr(pieces, "aclose", None)
        if close is not None:
            await close()


def _as_pieces(given: Any) -> Iterable[Piece]:
    """A single piece stands for itself."""
    if given is None:
        return ()
    return (given,) if isinstance(given, (str, Mapping)) else given


class _Reply:
    """Turns pieces into events, and numbers their blocks."""

    def __init__(self, call: _native.Call) -> None:
        self._call = call
        self._kind: Optional[int] = None
        self._block = -1
        #: Blocks of tool calls by their ids.
        self._calls: Dict[str, int] = {}
        self._ended = False

    def push(self, piece: Piece) -> int:
        """Hands a piece on; gives the status."""
        return self._call.push(self._events(piece))

    def end(self) -> None:
        """Says why it ended, if no piece did."""
        if not self._ended:
            self.push({"type": "stop", "reason": "tool_use" if self._calls else "stop"})

    def _events(self, piece: Piece) -> List[Tuple[int, int, int, str, str]]:
        if isinstance(piece, str):
            return [self._delta(_TEXT, piece)]
        kind = piece["type"]
        if kind in _DELTAS:
            return [self._delta(_DELTAS[kind], _text_of(piece))]
        if kind == "thinking_signature":
            return [(_SIGNATURE, max(self._block, 0), 0, _text_of(piece), "")]
        if kind == "redacted_thinking":
            return [(_REDACTED, self._open(_REDACTED), 0, _text_of(piece, "data"), "")]
        if kind in ("tool_call", "tool_call_start"):
            id, block = str(piece.get("id") or f"call_{len(self._calls) + 1}"), self._open(_ARGUMENTS)
            self._calls[id] = block
            begin = (_BEGIN, block, 0, str(piece["name"]), id)
            if kind == "tool_call_start":
                return [begin]
            given = piece.get("arguments", {})
            return [begin, (_ARGUMENTS, block, 0, given if isinstance(given, str) else json.dumps(given), "")]
        if kind == "tool_call_delta":
            block = self._calls[piece["id"]] if "id" in piece else self._block
            return [(_ARGUMENTS, block, 0, _text_of(piece), "")]
        if kind == "usage":
            return [(_USAGE, counter, int(piece[name]), "", "") for name, counter in _COUNTERS.items() if name in piece]
        if kind == "stop":
            self._ended = True
            reason = str(piece.get("reason", "stop"))
            return [(_STOP, 0, _REASONS.get(reason, 0), reason, "")]
        if kind == "error":
            return [(_ERROR, 0, _FAILURES.get(piece.get("kind", ""), 0), str(piece.get("message", "")), "")]
        raise ValueError(f"a piece of a reply has the type {kind!r}; known are {', '.join(_KNOWN)}")

    def _delta(self, kind: int, text: str) -> Tuple[int, int, int, str, str]:
        return (kind, self._block if self._kind == kind else self._open(kind), 0, text, "")

    def _open(self, kind: int) -> int:
        self._block += 1
        self._kind = kind
        return self._block


def _text_of(piece: Mapping[str, Any], other: str = "delta") -> str:
    return str(piece["text"] if "text" in piece else piece[other])


#: THW_EVENT_* of the C headers.
_TEXT, _THINKING, _SIGNATURE, _REDACTED, _REFUSAL, _BEGIN, _ARGUMENTS = 2, 3, 4, 5, 6, 7, 8
_USAGE, _STOP, _ERROR = 10, 12, 13
_DELTAS = {"text_delta": _TEXT, "thinking_delta": _THINKING, "refusal_delta": _REFUSAL}
#: THW_USAGE_*, by the names that a result has.
_COUNTERS = {
    "input_tokens": 1,
    "output_tokens": 2,
    "total_tokens": 3,
    "reasoning_tokens": 4,
    "cache_read_tokens": 5,
    "cache_write_tokens": 6,
}
#: THW_STOP_*.
_REASONS = {"stop": 1, "length": 2, "tool_use": 3, "stop_sequence": 4, "content_filter": 5, "pause": 6, "error": 7}
#: THW_FAILURE_*.
_FAILURES = {
    "rate_limit": 1,
    "overloaded": 2,
    "context_overflow": 3,
    "auth": 4,
    "invalid_request": 5,
    "content_filter": 6,
    "server": 7,
}
_KNOWN = (
    *_DELTAS,
    "thinking_signature",
    "redacted_thinking",
    "tool_call",
    "tool_call_start",
    "tool_call_delta",
    "usage",
    "stop",
    "error",
)
