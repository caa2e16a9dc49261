"""Promises that stream, sequences of messages, and agents that call agents.

    from thalweg.crew import InteractionContext, MiniAgents, miniagent

    @miniagent
    async def echo(ctx: InteractionContext) -> None:
        async for message in ctx.messages:
            ctx.reply(f"You said: {await message}")

    async def main() -> None:
        async for message in echo.trigger(["Hello", "World"]):
            print(await message)

    MiniAgents().run(main())

The names are those of MiniAgents, whose programs run with their imports changed from `miniagents` to `thalweg.crew`. What streams lies
in the engine; see `thalweg.crew.promising`.
"""

from .frozen import Frozen, FrozenError
from .message_promise import MessagePromise, MessageTokenAppender
from .messages import ErrorMessage, Message, StrictMessage, TextMessage, TextToken, Token
from .miniagents import (
    AgentCall,
    AgentCallNode,
    AgentInteractionNode,
    AgentReplyNode,
    InteractionContext,
    MiniAgent,
    MiniAgents,
    miniagent,
)
from .sequence import MessageSequence, MessageSequencePromise

#: The same by shorter names.
Crew = MiniAgents
agent = miniagent

__all__ = [
    "AgentCall",
    "AgentCallNode",
    "AgentInteractionNode",
    "AgentReplyNode",
    "Crew",
    "ErrorMessage",
    "Frozen",
    "FrozenError",
    "InteractionContext",
    "Message",
    "MessagePromise",
    "MessageSequence",
    "MessageSequencePromise",
    "MessageTokenAppender",
    "MiniAgent",
    "MiniAgents",
    "StrictMessage",
    "TextMessage",
    "TextToken",
    "Token",
    "agent",
    "miniagent",
]
