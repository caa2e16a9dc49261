"""Messages: what agents say to each other, and the tokens that messages stream in."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, ClassVar, Dict, Iterable, Iterator, List, Mapping, Optional, Tuple, Type, TypeVar

from .frozen import NO_VALUE, Frozen, _json_value

if TYPE_CHECKING:
    from .message_promise import MessagePromise

MessageT = TypeVar("MessageT", bound="Message")


class Token(Frozen):
    """A piece of a message."""

    @classmethod
    def non_metadata_fields(cls) -> Tuple[str, ...]:
        """The fields that are its content."""
        return ()


class TextToken(Token):
    """A piece of a text."""

    content: Optional[str] = None

    def __init__(self, content: Optional[str] = None, **metadata: Any) -> None:
        if metadata or content.__class__ is not str or self.__class__ is not TextToken:
            super().__init__(**metadata, content=content)
        else:
            # Most tokens: there is nothing to be checked.
            own = self.__dict__
            own["class_"] = "TextToken"
            own["content"] = content

    @classmethod
    def non_metadata_fields(cls) -> Tuple[str, ...]:
        return ("content",)

    def __str__(self) -> str:
        return self.content or "" if self.__class__ is TextToken else self.as_string

    def _as_string(self) -> str:
        return self.content or ""


class Message(Token):
    """Named values that agents send to each other. Subclass it for fields of your own: `class Found(Message): url: str`."""

    @classmethod
    def token_class(cls) -> Type[Token]:
        """What it streams in."""
        return Token

    @classmethod
    def tokens_to_message(cls, tokens: Iterable[Token], **extra_fields: Any) -> Message:
        """The message of these tokens; for classes that stream."""
        raise TypeError(f"{cls.__name__} does not stream in tokens")

    def message_to_tokens(self) -> Tuple[Token, ...]:
        """Its tokens."""
        return self._message_to_tokens()

    def _message_to_tokens(self) -> Tuple[Token, ...]:
        return (self,)

    @property
    def as_promise(self) -> MessagePromise:
        """A promise that is kept: itself."""
        from .message_promise import kept

        promise: Optional[MessagePromise] = getattr(self, "_promise", None)
        if promise is None:
            promise = self._promise = kept(self)
        return promise

    @classmethod
    def promise(
        cls, start_soon: Any = NO_VALUE, message_token_streamer: Any = None, **known_beforehand: Any
    ) -> MessagePromise:
        """A promise of a message of this class, of what is streamed, or of the fields that are given."""
        from .message_promise import MessagePromise

        if message_token_streamer is None:
            message = cls(**known_beforehand)
            return message.as_promise
        return MessagePromise(
            start_soon=start_soon, message_token_streamer=message_token_streamer, message_class=cls, **known_beforehand
        )

    def _as_string(self) -> str:
        return "\n".join(("```json", super()._as_string(), "```"))

    def serialize(self) -> Dict[str, Any]:
        return _serialized(self)

    def sub_messages(self) -> Iterator[Message]:
        """The messages within, children before parents."""
        found: List[Message] = []
        _find(self, found)
        for message in found:
            yield from message.sub_messages()
            yield message

    @property
    def persistence_not_needed(self) -> bool:
        """Whether it was persisted, or need not be."""
        return bool(getattr(self, "_is_persisted", False))

    @property
    def _lock(self) -> asyncio.Lock:
        lock: Optional[asyncio.Lock] = getattr(self, "_persistence", None)
        if lock is None:
            lock = self._persistence = asyncio.Lock()
        return lock

    async def aset_persistence_not_needed(self, value: bool = True) -> bool:
        """Says whether it need not be persisted; gives whether that is new."""
        async with self._lock:
            is_new = self.persistence_not_needed != value
            self._is_persisted = value
            return is_new


class StrictMessage(Message):
    """A message that has the fields of its class and no others."""

    model_config: ClassVar[Mapping[str, Any]] = {"extra": "forbid"}


class TextMessage(Message, TextToken):
    """A message that is a text, or a template that its other fields are put into."""

    content: Optional[str] = None
    content_template: Optional[str] = None

    def __init__(self, content: Optional[str] = None, **metadata: Any) -> None:
        if metadata or content.__class__ is not str or self.__class__ is not TextMessage:
            Frozen.__init__(self, content=content, **metadata)
        else:
            # Most messages: there is nothing to be checked.
            own = self.__dict__
            own["class_"] = "TextMessage"
            own["content"] = content
            own["content_template"] = None

    @classmethod
    def token_class(cls) -> Type[Token]:
        return TextToken

    @classmethod
    def non_metadata_fields(cls) -> Tuple[str, ...]:
        return ("content", "content_template")

    @classmethod
    def tokens_to_message(cls, tokens: Iterable[Token], **extra_fields: Any) -> TextMessage:
        fields = {name: value for name, value in extra_fields.items() if name not in cls.non_metadata_fields()}
        texts = [token.content or "" if token.__class__ is TextToken else str(token) for token in tokens]
        return cls(content="".join(texts), **fields)

    @classmethod
    def promise(  # type: ignore[override]
        cls,
        content: Optional[str] = None,
        *,
        content_template: Optional[str] = None,
        start_soon: Any = NO_VALUE,
        message_token_streamer: Any = None,
        **known_beforehand: Any,
    ) -> MessagePromise:
        if message_token_streamer is None:
            return cls(content, content_template=content_template, **known_beforehand).as_promise
        if (content, content_template) != (None, None):
            raise ValueError("what is streamed has no `content` and no `content_template` beforehand")
        return super().promise(start_soon=start_soon, message_token_streamer=message_token_streamer, **known_beforehand)

    def _as_string(self) -> str:
        template = self.content_template
        return self.content or "" if template is None else template.format_map(dict(self))


class ErrorMessage(TextMessage):
    """A message that says what went wrong."""


def _serialized(frozen: Frozen) -> Dict[str, Any]:
    """All values for JSON, with the hash keys of messages within in place of them."""
    out: Dict[str, Any] = {}
    for name, value in frozen._shown():
        if isinstance(value, Message):
            out[f"{name}__hash_key"] = value.hash_key
        elif _are_messages(value):
            out[f"{name}__hash_keys"] = [message.hash_key for message in value]
        elif isinstance(value, Frozen):
            out[name] = _serialized(value)
        elif isinstance(value, tuple):
            out[name] = [_serialized(one) if isinstance(one, Frozen) else _json_value(one) for one in value]
        else:
            out[name] = _json_value(value)
    return out


def _find(frozen: Frozen, found: List[Message]) -> None:
    """The messages that lie in it, not those in them."""
    for _, value in frozen._shown():
        if isinstance(value, Message):
            found.append(value)
        elif _are_messages(value):
            found.extend(value)
        else:
            # Among other values a message is part of what it lies in.
            for one in value if isinstance(value, tuple) else (value,):
                if isinstance(one, Frozen):
                    _find(one, found)


def _are_messages(value: Any) -> bool:
    return isinstance(value, tuple) and bool(value) and all(isinstance(one, Message) for one in value)


def __getattr__(name: str) -> Any:
    # The rest of what MiniAgents has in its module of this name; those modules need this one.
    if name in ("MessagePromise", "MessageTokenAppender"):
        from . import message_promise

        return getattr(message_promise, name)
    if name in ("MessageSequence", "MessageSequenceAppender", "MessageSequencePromise"):
        from . import sequence

        return getattr(sequence, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
