"""Agents that talk to a person, and one that writes a file. They hand on what they are sent."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, Union

from ..miniagents import InteractionContext, miniagent
from .llms.messages import UserMessage


@miniagent
async def console_input_agent(
    ctx: InteractionContext, greeting: str = "YOU ARE NOW IN A CHAT WITH AN AI ASSISTANT"
) -> None:
    """Asks for a line once all messages are there. "exit", Ctrl-C and the end of the input raise KeyboardInterrupt."""
    ctx.reply(ctx.message_promises)
    if not await ctx.message_promises:
        print(f'\033[92;1m\n{greeting}\n\nPress Enter to send your message.\nPress Ctrl+C (or type "exit") to quit the conversation.\n\033[0m')
    try:
        # In a thread: other agents go on meanwhile.
        line = await asyncio.get_running_loop().run_in_executor(None, input, "\033[93;1mUSER: \033[0m")
    except EOFError:
        raise KeyboardInterrupt from None
    print()
    if line.strip() == "exit":
        raise KeyboardInterrupt
    if line.strip():
        ctx.reply(UserMessage(line))


@miniagent
async def console_output_agent(
    ctx: InteractionContext,
    assistant_style: Union[str, int] = "92;1",
    mention_aliases: bool = True,
    default_role: str = "assistant",
) -> None:
    """Prints messages token by token, with who speaks in front of each. `console_style` of a message is its own style."""
    ctx.reply(ctx.message_promises)
    async for promise in ctx.message_promises:
        known = promise.known_beforehand
        style = known.get("console_style") or assistant_style
        if mention_aliases:
            speaker = known.get("agent_alias") or known.get("role") or default_role
            print(f"\033[{style}m{speaker.upper()}: \033[0m", end="", flush=True)
        async for token in promise:
            print(f"\033[{style}m{token}\033[0m", end="", flush=True)
        print("\n")


@miniagent
async def file_output_agent(ctx: InteractionContext, file: str, **options: Any) -> None:
    """Writes messages to a file as they come; `options` are those of `as_single_text_promise`."""
    ctx.reply(ctx.message_promises)
    path = Path(file)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", buffering=1, encoding="utf-8") as out:
        async for token in ctx.message_promises.as_single_text_promise(**options):
            out.write(str(token))
