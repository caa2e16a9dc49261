"""Messages in a row, some of them still on their way.

What is added is frozen and taken apart here; the engine puts it in order and keeps it.
"""

from __future__ import annotations

import contextvars
import traceback
import warnings
from typing import Any, AsyncIterator, List, Optional, Tuple

from .. import _native
from .frozen import NO_VALUE
from .message_promise import MessagePromise, kept
from .messages import ErrorMessage, Message, TextMessage, TextToken, Token
from .promising import Appender, Flag, PromisingContext, StreamedPromise, crew

__all__ = ["MessageSequence", "MessageSequenceAppender", "MessageSequencePromise", "SafeMessageSequencePromise"]


class MessageSequencePromise(StreamedPromise[MessagePromise, Tuple[Message, ...]]):
    """A promise of messages: `async for` gives a promise of each, `await` all of them as a tuple."""

    def __init__(
        self, pieces: _native.Sequence, start_soon: bool = False, context: Optional[PromisingContext] = None
    ) -> None:
        self._context = context or PromisingContext.get_current()
        self._pieces = pieces
        if start_soon and self._context._is_watched():
            self._begin()

    async def _wait(self) -> None:
        # Whoever asks first collects the messages; it needs no task of its own.
        if self._task is not None:
            return await super()._wait()
        try:
            promises = [promise async for promise in self]
            self._settle(tuple([one._result if isinstance(one._result, Message) else await one for one in promises]))
        except Exception as error:
            self._settle(error)

    async def _aresolver(self) -> Tuple[Message, ...]:
        promises = [promise async for promise in self]
        return tuple([await promise for promise in promises])

    def as_single_text_promise(self, **options: Any) -> MessagePromise:
        """All messages as one, with empty lines between them; see `thalweg.crew.utils.as_single_text_promise`."""
        from .utils import as_single_text_promise

        return as_single_text_promise(self, **{"start_soon": False, **options})

    def cancel(self) -> None:
        """Ends it at once, and what makes it: whoever reads gets an error behind the messages that there are."""
        assert self._pieces is not None
        self._pieces.cancel()


class SafeMessageSequencePromise(MessageSequencePromise):
    """One where errors are messages."""

    #: The agent whose replies they are, and who called it, where its errors are to say so.
    _trace: Tuple[Any, ...] = ()

    def __aiter__(self) -> AsyncIterator[MessagePromise]:
        return self._without_errors(super().__aiter__())

    async def _without_errors(self, promises: AsyncIterator[MessagePromise]) -> AsyncIterator[MessagePromise]:
        while True:
            try:
                promise = await promises.__anext__()
            except StopAsyncIteration:
                return
            except Exception as error:
                yield ErrorMessage(_told(error, self._trace)).as_promise
            else:
                yield promise if isinstance(promise._result, Message) else _SafeMessagePromise(promise, self._trace)


class _SafeMessagePromise(MessagePromise):
    """A message whose error is its last token."""

    def __init__(self, promise: MessagePromise, trace: Tuple[Any, ...]) -> None:
        self._context = promise._context
        self._promise, self._trace = promise, trace
        self.known_beforehand = promise.known_beforehand
        self.message_class = promise.message_class

    def __aiter__(self) -> AsyncIterator[Token]:
        return self._tokens()

    async def _tokens(self) -> AsyncIterator[Token]:
        tokens = self._promise.__aiter__()
        while True:
            try:
                token = await tokens.__anext__()
            except StopAsyncIteration:
                return
            except Exception as error:
                yield TextToken(f"\n{_told(error, self._trace)}")
            else:
                yield token

    async def _aresolver(self) -> Message:
        tokens = []
        try:
            async for token in self._promise:
                tokens.append(token)
            return await self._promise
        except Exception as error:
            return ErrorMessage("".join([str(token) for token in tokens]) + f"\n{_told(error, self._trace)}")


def _told(error: Exception, trace: Tuple[Any, ...]) -> str:
    """What an error message says."""
    from .utils import display_agent_trace

    if not getattr(PromisingContext.get_current(), "error_tracebacks_in_messages", False):
        return f"{type(error).__name__}: {error}"
    lines = traceback.format_exception(type(error), error, error.__traceback__)
    if trace:
        lines += ["\nAgent trace:\n", display_agent_trace(trace), "\n---\n"]
    return "".join(lines)


class MessageSequenceAppender(Appender):
    """Where messages are added to a sequence, within a `with` block or after `open()`."""

    _noun = "sequence"

    def append(self, piece: Any, out_of_order: bool = False) -> MessageSequenceAppender:
        """Adds whatever can stand for messages: texts, messages, dicts, promises, errors, and what can be iterated over any of these.

        It comes behind what was added before, or with `out_of_order` wherever the sequence is when it is there.
        """
        self._check_open()
        _add(self._pieces, piece, self._context, out_of_order)
        return self

    def inject_out_of_order(self, piece: Any) -> MessageSequenceAppender:
        """Adds it wherever the sequence is when it is there."""
        return self.append(piece, out_of_order=True)


class MessageSequence:
    """A sequence, as the end where messages are added and the promise of them."""

    def __init__(
        self,
        appender_capture_errors: Flag = NO_VALUE,
        start_soon: Flag = NO_VALUE,
        errors_as_messages: Flag = NO_VALUE,
    ) -> None:
        context = PromisingContext.get_current()
        soon = start_soon if isinstance(start_soon, bool) else context.start_everything_soon_by_default
        if not isinstance(errors_as_messages, bool):
            errors_as_messages = bool(getattr(context, "errors_as_messages", False))
        self.message_appender = MessageSequenceAppender(appender_capture_errors)
        kind = SafeMessageSequencePromise if errors_as_messages else MessageSequencePromise
        self.sequence_promise: MessageSequencePromise = kind(self.message_appender._pieces, start_soon=soon)

    @classmethod
    def turn_into_sequence_promise(cls, messages: Any) -> MessageSequencePromise:
        """Whatever can stand for messages, as a promise of them."""
        if not isinstance(messages, MessageSequencePromise):
            sequence = cls(appender_capture_errors=True, start_soon=False)
            with sequence.message_appender as appender:
                appender.append(messages)
            return sequence.sequence_promise
        return messages


def _add(pieces: _native.Sequence, item: Any, context: PromisingContext, out_of_order: bool = False) -> None:
    """Adds an item, whole or not at all."""
    # Nearly all of what agents say.
    if item.__class__ is str and not out_of_order:
        pieces.append(kept(TextMessage(item), context))
        return
    parts: List[Any] = []
    _take_apart(item, parts, context)
    if out_of_order:
        apart = _native.Sequence(crew())
        _put(apart, parts)
        apart.close()
        pieces.append_all(apart, True)
    else:
        _put(pieces, parts)


def _put(pieces: _native.Sequence, parts: List[Any]) -> None:
    for part in parts:
        if isinstance(part, MessagePromise):
            pieces.append(part)
        elif isinstance(part, BaseException):
            pieces.append_error(part)
        else:
            pieces.append_all(part)


def _take_apart(item: Any, parts: List[Any], context: PromisingContext) -> None:
    """Adds promises, errors and sequences to `parts`: what the item is now, whatever becomes of its lists later."""
    if isinstance(item, (MessagePromise, BaseException)):
        parts.append(item)
    elif isinstance(item, Message):
        parts.append(item.as_promise)
    elif isinstance(item, str):
        parts.append(kept(TextMessage(item), context))
    elif isinstance(item, dict):
        parts.append(Message(**item).as_promise)
    elif isinstance(item, MessageSequencePromise) and not isinstance(item, SafeMessageSequencePromise):
        parts.append(item._pieces)
    elif hasattr(item, "model_dump"):
        # A pydantic model, or a frozen object that is no message.
        parts.append(Message(**dict(item)).as_promise)
    elif hasattr(item, "__iter__"):
        for one in item:
            _take_apart(one, parts, context)
    elif hasattr(item, "__aiter__"):
        if not isinstance(item, StreamedPromise):
            warnings.warn(
                "an async iterator is not read before its turn in the sequence comes, nor frozen; hand over a promise instead",
                UserWarning,
                stacklevel=5,
            )
        parts.append(_fed_by(item, context))
    else:
        raise TypeError(f"nothing that can stand for messages: {type(item)}")


def _fed_by(items: Any, context: PromisingContext) -> _native.Sequence:
    """A sequence of what an async iterator gives, begun when its turn comes."""

    async def feed() -> None:
        iterator = items.__aiter__()
        try:
            while True:
                try:
                    item = await iterator.__anext__()
                except StopAsyncIteration:
                    return
                _add(pieces, item, context)
        except BaseException as error:
            pieces.append_error(error)
            if not isinstance(error, Exception):
                raise
        finally:
            pieces.close()

    within = contextvars.copy_context()
    pieces = _native.Sequence(crew(), lambda: within.run(context._start, feed()))
    return pieces
