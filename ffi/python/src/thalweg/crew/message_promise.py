"""A message that is on its way, token by token."""

from __future__ import annotations

from typing import Any, AsyncIterator, Callable, Dict, Optional, Type, Union

from .. import _native
from .errors import AppenderNotOpenError
from .frozen import NO_VALUE, Frozen
from .messages import Message, TextToken, Token
from .promising import Flag, PromisingContext, StreamAppender, StreamedPromise, _filled

__all__ = ["MessagePromise", "MessageTokenAppender"]

#: Gets a dict for fields that are known only at the end, and gives the tokens.
MessageTokenStreamer = Callable[[Dict[str, Any]], AsyncIterator[Union[Token, str]]]


class MessagePromise(StreamedPromise[Token, Message]):
    """Streams a message: `async for` gives its tokens, `await` the whole. One that is there streams as a single token.

    `known_beforehand` are the fields that are known before the first token, such as the model.
    """

    known_beforehand: Frozen
    message_class: Type[Message]
    _collected: Optional[Dict[str, Any]] = None

    def __init__(
        self,
        start_soon: Flag = NO_VALUE,
        message_token_streamer: Optional[Union[MessageTokenStreamer, MessageTokenAppender]] = None,
        prefill_message: Optional[Message] = None,
        message_class: Optional[Type[Message]] = None,
        **known_beforehand: Any,
    ) -> None:
        if prefill_message is not None:
            if message_token_streamer is not None or known_beforehand:
                raise ValueError("a message that is there has no `message_token_streamer` and nothing known beforehand")
            self.known_beforehand = prefill_message
            self._context = PromisingContext.get_current()
            self.message_class = prefill_message.__class__
            self._settle(prefill_message)
            return
        if message_token_streamer is None or message_class is None:
            raise ValueError("give a `message_token_streamer` and a `message_class`, or a `prefill_message`")
        self.message_class, self.known_beforehand = message_class, Frozen(**known_beforehand)
        context = self._context = PromisingContext.get_current()
        soon = context.start_everything_soon_by_default if not isinstance(start_soon, bool) else start_soon
        streamer = message_token_streamer
        if isinstance(streamer, MessageTokenAppender):
            if not streamer.was_open:
                raise AppenderNotOpenError("make the promise within the `with` block of its MessageTokenAppender")
            self._collected, self._pieces = streamer._collected, streamer._pieces
        else:
            collected: Dict[str, Any] = {}
            self._collected = collected
            self._stream(context, lambda _: _tokens(streamer(collected)), soon)
        if soon and context._is_watched():
            self._begin()

    def _made_of_nothing(self) -> _native.Sequence:
        return _filled(self._result.message_to_tokens())

    async def _wait(self) -> None:
        # Whoever asks first makes the message; it needs no task of its own.
        if self._task is not None:
            return await super()._wait()
        try:
            self._settle(await self._aresolver())
        except Exception as error:
            self._settle(error)

    async def _aresolver(self) -> Message:
        everything = [token async for token in self]
        fields = {**(self._collected or {}), **dict(self.known_beforehand)}
        return self.message_class.tokens_to_message(everything, **fields)

    def cancel(self) -> None:
        """Ends it at once: whoever reads gets an error behind the tokens that there are."""
        if self._pieces is not None:
            self._pieces.cancel()


def kept(message: Message, context: Optional[PromisingContext] = None) -> MessagePromise:
    """Promises what is there: the same as `MessagePromise(prefill_message=message)`, in less time."""
    promise = MessagePromise.__new__(MessagePromise)
    promise._context = context = context or PromisingContext.get_current()
    promise.known_beforehand = message
    promise.message_class = type(message)
    promise._result = message
    if context._is_watched():
        context._tell(promise, message)
    return promise


async def _tokens(pieces: AsyncIterator[Union[Token, str]]) -> AsyncIterator[Token]:
    async for piece in pieces:
        yield TextToken(piece) if isinstance(piece, str) else piece


class MessageTokenAppender(StreamAppender[Token]):
    """Streams tokens into a message. What is put into `auxiliary_field_collector` becomes fields of it."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._collected: Dict[str, Any] = {}

    @property
    def auxiliary_field_collector(self) -> Dict[str, Any]:
        """Fields for the message; to be changed, not replaced."""
        return self._collected

    def append(self, piece: Any) -> MessageTokenAppender:
        if not self._was_open or self._is_closed:
            self._check_open()
        if isinstance(piece, BaseException):
            self._pieces.append_error(piece)
        elif isinstance(piece, str):
            self._pieces.append(TextToken(piece))
        else:
            self._pieces.append(piece if isinstance(piece, Token) else Token(**dict(piece)))
        return self
