"""Beside the real MiniAgents: the programs of its README with their imports changed, hash keys, and orders of messages."""

import asyncio
import builtins
import contextlib
import importlib
import importlib.metadata
import io
import logging
import random
import re
import unittest
import unittest.mock
import uuid
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum
from pathlib import Path

try:
    README = importlib.metadata.metadata("miniagents").get_payload()
except importlib.metadata.PackageNotFoundError:
    README = None

LINES = ["hi", "nice!", "bye"]


def blocks(text):
    """Kind and text of all blocks of code."""
    return re.findall(r"^```(\w*)\n(.*?)^```$", text, re.M | re.S)


def programs():
    """Title, program, and what the README says that it prints, if it says so."""
    sections = re.split(r"^#+ ", README, flags=re.M)
    for section in sections:
        found = blocks(section)
        for (kind, code), (behind, printed) in zip(found, [*found[1:], ("none", "")]):
            if kind == "python" and "run(main())" in code and "__main__" in code:
                yield section.split("\n")[0], code, printed if behind == "" else None


def ported(code):
    return re.sub(r"^(\s*from )miniagents", r"\1thalweg.crew", code, flags=re.M)


def printed(code):
    """What a program prints, who types LINES; in an event loop of its own."""
    lines = iter(LINES)
    out = io.StringIO()

    def typed(prompt=""):
        line = next(lines, None)
        if line is None:
            raise KeyboardInterrupt
        out.write(f"{prompt}{line}\n")
        return line

    asyncio.set_event_loop(asyncio.new_event_loop())
    # An agent that fails is logged by both.
    logging.disable()
    try:
        with contextlib.redirect_stdout(out), unittest.mock.patch.object(builtins, "input", typed):
            with contextlib.suppress(KeyboardInterrupt):
                exec(compile(code, "<readme>", "exec"), {"__name__": "__main__"})
    finally:
        asyncio.get_event_loop_policy().get_event_loop().close()
        asyncio.set_event_loop(None)
        logging.disable(logging.NOTSET)
    return out.getvalue()


@unittest.skipIf(README is None, "skipped: miniagents is not installed, whose README these programs are of")
class Readme(unittest.TestCase):
    def test_programs_print_what_the_readme_says(self):
        run = 0
        for title, code, expected in programs():
            if expected is None or "dialog_loop" in code:
                continue
            with self.subTest(title):
                # The last lines of what is typed stay unanswered in one, and are in the other.
                seen = printed(ported(code))
                if "input(" in code:
                    self.assertTrue(seen.startswith(expected.rstrip("\n") + "\n"), seen)
                else:
                    self.assertEqual(seen, expected)
                run += 1
        print(f"\n{run} programs of MiniAgents' README", end=" ")
        self.assertEqual(run, 5)

    def test_programs_print_what_they_print_on_the_real_one(self):
        run = 0
        for title, code, _ in programs():
            if "OpenAIAgent" in code:
                continue
            with self.subTest(title):
                self.assertEqual(printed(ported(code)), printed(code))
                run += 1
        self.assertEqual(run, 5)


class Colour(Enum):
    RED = "red"


def value(rng, twin, depth):
    """Something that may lie in a message, made of the classes of one of the twins."""
    kinds = [
        lambda: None,
        lambda: rng.choice(["", "text", "ünï\n\"'\\", "\u2028"]),
        lambda: rng.choice([0, -5, 10**20, True, False]),
        lambda: rng.choice([0.1, -2.5, 1e300, 3.0]),
        lambda: uuid.UUID(int=rng.getrandbits(128)),
        lambda: datetime(2024, 2, 29, 12, 30, rng.randrange(60), rng.choice([0, 5, 120000])),
        lambda: datetime(2024, 2, 29, 12, tzinfo=rng.choice([timezone.utc, timezone(timedelta(hours=-3))])),
        lambda: date(2024, 1, 1 + rng.randrange(28)),
        lambda: time(1, 2, rng.randrange(60), rng.choice([0, 7])),
        lambda: timedelta(days=rng.randrange(-800, 800), seconds=rng.randrange(90000), microseconds=rng.choice([0, 500])),
        lambda: Path("/tmp") / "x",
        lambda: Colour.RED,
        lambda: b"bytes",
        lambda: Decimal("1.50"),
    ]
    deep = [
        lambda: [value(rng, twin, depth - 1) for _ in range(rng.randrange(3))],
        lambda: {f"k{n}": value(rng, twin, depth - 1) for n in range(rng.randrange(3))},
        lambda: twin.TextMessage(rng.choice([None, "a", "b"]), k=value(rng, twin, depth - 1)),
        lambda: [twin.TextMessage("in a list"), twin.Message(k=value(rng, twin, depth - 1))],
        lambda: twin.Frozen(k=value(rng, twin, depth - 1)),
    ]
    return rng.choice(kinds + deep if depth else kinds)()


@unittest.skipIf(README is None, "skipped: miniagents is not installed")
class Twin(unittest.TestCase):
    def test_hash_keys_texts_and_dumps_are_the_same(self):
        ours, theirs = importlib.import_module("thalweg.crew"), importlib.import_module("miniagents")
        mixed = 0
        for seed in range(1000):

            def made(twin):
                rng = random.Random(seed)
                return twin.Message(**{f"f{n}": value(rng, twin, 3) for n in range(3)})

            our, their = made(ours), made(theirs)
            try:
                their.serialize()
                list(their.sub_messages())
            except AttributeError:
                # It has no form for a list that begins with a message and goes on with something else.
                mixed += 1
                continue
            with self.subTest(seed=seed):
                self.assertEqual(our.serialized, their.serialized)
                self.assertEqual(our.hash_key, their.hash_key)
                self.assertEqual(our.full_json, their.full_json)
                self.assertEqual(str(our), str(their))
                self.assertEqual([one.hash_key for one in our.sub_messages()], [one.hash_key for one in their.sub_messages()])
                self.assertEqual(our.keys(), their.keys())
        self.assertLess(mixed, 50)

    def test_order_of_messages_is_the_same(self):
        ours, theirs = importlib.import_module("thalweg.crew"), importlib.import_module("miniagents")
        for seed in range(150):
            with self.subTest(seed=seed):
                our, their = replies(ours, seed), replies(theirs, seed)
                # Behind an error within a nested reply they leave out what follows it in that reply.
                left_out = {said for said in our if said not in their}
                self.assertEqual([said for said in our if said not in left_out], their)
                self.assertTrue(all(re.fullmatch(r"\d>", said) for said in left_out), left_out)


class Skipping(asyncio.SelectorEventLoop):
    """An event loop whose clock jumps to what comes next."""

    def __init__(self):
        super().__init__()
        self._now = 0.0
        select = self._selector.select

        def skip(timeout):
            if timeout is None:
                raise RuntimeError("nothing will ever happen: everybody waits")
            self._now += max(timeout, 0)
            return select(0)

        self._selector.select = skip

    def time(self):
        return self._now


def replies(twin, seed):
    """What agents reply with that say nested things after pauses, in and out of order."""
    rng = random.Random(seed)

    @twin.miniagent
    async def worker(ctx, name, plan):
        for at, (kind, pause) in enumerate(plan):
            await asyncio.sleep(pause)
            label = f"{name}.{at}"
            if kind == "list":
                ctx.reply([label, [f"{label}a", (f"{label}b",)]])
            elif kind == "soon":
                ctx.reply_out_of_order([f"{label}!", f"{label}!!"])
            elif kind == "error":
                raise ValueError(label)
            else:
                ctx.reply(label)

    def plan():
        # No two at the same time: what is there at once may come in either order.
        plan = [(rng.choice(["text", "list", "soon"]), rng.uniform(0.001, 1)) for _ in range(rng.randrange(1, 5))]
        return [*plan, ("error", rng.uniform(0.001, 1))] if rng.random() < 0.2 else plan

    plans = [(plan(), rng.random() < 0.3, rng.uniform(0.001, 0.5)) for _ in range(4)]

    @twin.miniagent
    async def boss(ctx):
        ctx.reply("first")
        for number, (each, soon, pause) in enumerate(plans):
            await asyncio.sleep(pause)
            called = [f"<{number}", worker.trigger(name=str(number), plan=each), f"{number}>"]
            if soon:
                ctx.reply_out_of_order(called)
            else:
                ctx.reply(called)

    async def main():
        seen, messages = [], boss.trigger().__aiter__()
        while True:
            try:
                seen.append(str(await (await messages.__anext__())))
            except StopAsyncIteration:
                return seen
            except ValueError as error:
                seen.append(f"!{error}")

    loop = Skipping()
    asyncio.set_event_loop(loop)
    logging.disable()
    try:
        return twin.MiniAgents().run(main())
    finally:
        logging.disable(logging.NOTSET)
        loop.close()
        asyncio.set_event_loop(None)


if __name__ == "__main__":
    unittest.main()
