"""What agents often need: many messages as one, and who called whom."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, AsyncIterator, Dict, Iterable, List, Optional, Type

from .frozen import NO_VALUE
from .messages import TextMessage, TextToken

if TYPE_CHECKING:
    from .message_promise import MessagePromise
    from .miniagents import MiniAgent


def as_single_text_promise(
    messages: Any,
    *,
    delimiter: Optional[str] = "\n\n",
    strip_leading_newlines: bool = False,
    reference_original_messages: bool = True,
    start_soon: Optional[bool] = False,
    message_class: Optional[Type[TextMessage]] = None,
    **known_beforehand: Any,
) -> MessagePromise:
    """All messages as one text with `delimiter` between them, streamed as they come.

    The fields of the messages become its own, those of later ones in place of earlier ones; the messages themselves are kept as
    `original_messages`.
    """

    async def tokens(fields: Dict[str, Any]) -> AsyncIterator[Any]:
        from .sequence import MessageSequence

        originals: List[Any] = []
        if reference_original_messages:
            fields["original_messages"] = originals
        is_first = True
        async for promise in MessageSequence.turn_into_sequence_promise(messages):
            if delimiter and not is_first:
                yield TextToken(delimiter)
            is_first = False
            strips = strip_leading_newlines
            async for token in promise:
                if strips and isinstance(token, TextToken):
                    text = str(token)
                    if text.lstrip("\r\n") != text:
                        token = TextToken(text.lstrip("\r\n"))
                    strips = not str(token)
                yield token
            message = await promise
            if reference_original_messages:
                originals.append(message)
            content = promise.message_class.non_metadata_fields()
            fields.update((name, value) for name, value in message if name not in content)

    return (message_class or TextMessage).promise(
        message_token_streamer=tokens, start_soon=NO_VALUE if start_soon is None else start_soon, **known_beforehand
    )


def get_current_agent_trace() -> List[MiniAgent]:
    """The agent that runs, and who called it, innermost first."""
    from .miniagents import InteractionContext

    interaction = InteractionContext.get_current()
    return interaction.get_agent_trace()


def display_agent_trace(agent_trace: Optional[Iterable[MiniAgent]] = None) -> str:
    """Who called whom: `A <- B <- C`."""
    return " <- ".join(agent.alias for agent in (get_current_agent_trace() if agent_trace is None else agent_trace))
