"""One program on one of two packages of the same names: `crew.py thalweg.crew|miniagents WHAT COUNT` prints µs a piece of it."""

import asyncio
import importlib
import json
import sys
import time

package, what, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
crew = importlib.import_module(package)
promising = importlib.import_module(f"{package}.{'promising.' if package == 'miniagents' else ''}promising")
messages = importlib.import_module(f"{package}.messages")


@crew.miniagent
async def echo(ctx):
    async for message in ctx.message_promises:
        ctx.reply(f"You said: {await message}")


@crew.miniagent
async def three(ctx):
    ctx.reply([echo.trigger("a"), echo.trigger("b"), echo.trigger("c")])


async def pieces():
    """Pieces of a promise, written and read."""
    async def resolver(_):
        return None

    with promising.StreamAppender() as appender:
        promise = promising.StreamedPromise(streamer=appender, resolver=resolver)
        start = time.process_time()
        for piece in range(count):
            appender.append(piece)
    seen = 0
    async for piece in promise:
        seen += piece
    assert seen == count * (count - 1) // 2
    return start


async def tokens():
    """Tokens of a message, written and read while they come, and joined."""
    async def write(appender):
        for token in range(count):
            appender.append("token ")
            if token % 64 == 0:
                await asyncio.sleep(0)
        appender.close()

    appender = messages.MessageTokenAppender().open()
    message = crew.TextMessage.promise(message_token_streamer=appender)
    start = time.process_time()
    writing = asyncio.ensure_future(write(appender))
    seen = 0
    async for token in message:
        seen += len(str(token))
    assert seen == len(str(await message)) == 6 * count
    await writing
    return start


async def trigger():
    """An agent is called, and its reply awaited."""
    start = time.process_time()
    for _ in range(count):
        (reply,) = await echo.trigger("x")
        assert str(reply) == "You said: x"
    return start


async def at_once():
    """Agents are called, all at once, each of which calls three."""
    start = time.process_time()
    replies = [three.trigger() for _ in range(count // 4)]
    for each in replies:
        assert len(await each) == 3
    return start


async def main():
    start = await {"pieces": pieces, "tokens": tokens, "trigger": trigger, "at_once": at_once}[what]()
    print(json.dumps({"us": (time.process_time() - start) / count * 1e6}))


# Nobody asked for the context to wait for what the real one has left over.
async def timed():
    async with crew.MiniAgents():
        await main()


asyncio.run(timed())
