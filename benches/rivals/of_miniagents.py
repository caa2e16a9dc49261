#!/usr/bin/env python3
"""The same work with MiniAgents from PyPI: `of_miniagents.py FOLDER`. Installs it below the folder, and prints nanoseconds of
processor time, the best of several rounds, as `piece=…` and so on. Says on stderr why it is absent, if it is."""

import subprocess
import sys
import venv
from pathlib import Path

PACKAGE = "miniagents==0.0.35"


def install(folder):
    python = folder / "venv" / "bin" / "python"
    if not python.exists():
        venv.create(folder / "venv", with_pip=True)
    pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", PACKAGE]
    if subprocess.run(pip, stdout=sys.stderr).returncode:
        sys.exit("MiniAgents is absent: it cannot be installed")
    sys.exit(subprocess.run([python, __file__, "measure"]).returncode)


def measure():
    import asyncio
    import time

    from miniagents import MiniAgents, miniagent
    from miniagents.promising.promising import StreamedPromise

    async def pieces(count):
        async def producer(_):
            for number in range(count):
                yield "token"
                if number % 32 == 31:
                    await asyncio.sleep(0)

        async def resolver(promise):
            return None

        promise = StreamedPromise(streamer=producer, resolver=resolver)
        length = 0
        async for piece in promise:
            length += len(piece)
        assert length == 5 * count

    @miniagent
    async def echo(ctx):
        async for message in ctx.message_promises:
            ctx.reply(message)

    async def triggers(count):
        for _ in range(count):
            replies = await echo.trigger("hello")
            assert len(replies) == 1 and str(replies[0]) == "hello"

    def best(work, count, rounds=5):
        times = []
        for _ in range(rounds):
            async def run():
                start = time.process_time_ns()
                await work(count)
                times.append((time.process_time_ns() - start) / count)

            MiniAgents().run(run())
        return min(times)

    print(f"piece={best(pieces, 10_000):.0f}")
    print(f"trigger={best(triggers, 500):.0f}")


if __name__ == "__main__":
    if sys.argv[1:] == ["measure"]:
        measure()
    elif len(sys.argv) == 2:
        target = Path(sys.argv[1]).resolve()
        target.mkdir(parents=True, exist_ok=True)
        install(target)
    else:
        sys.exit(__doc__)
