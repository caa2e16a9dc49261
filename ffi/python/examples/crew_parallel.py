"""Agents run at once, token by token, and what they say comes in the order in which it was put together."""

import asyncio
from typing import Any, AsyncIterator, Dict

from thalweg.crew import InteractionContext, MiniAgents, TextMessage, agent


@agent
async def teller(ctx: InteractionContext, tale: str, turns: int) -> None:
    async def tokens(_: Dict[str, Any]) -> AsyncIterator[str]:
        for word in tale.split():
            for _turn in range(turns):
                await asyncio.sleep(0)
            print(f"[{word}]", end=" ")
            yield f"{word} "

    print(f"{tale.split()[0]} begins")
    ctx.reply(TextMessage.promise(message_token_streamer=tokens))


@agent
async def host(ctx: InteractionContext) -> None:
    ctx.reply(["Welcome!", teller.trigger(tale="Once upon a time", turns=100), teller.trigger(tale="Then they left", turns=1)])
    ctx.reply("Good night.")


async def main() -> None:
    replies = host.trigger()
    print("Nothing has run yet.")
    await asyncio.sleep(0.5)
    print()
    async for promise in replies:
        async for token in promise:
            print(token, end="")
        print()
    # All of it is kept: it can be read again.
    print(len(await replies), "messages")


if __name__ == "__main__":
    MiniAgents().run(main())
