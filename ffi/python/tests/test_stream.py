"""Replies that come from a function of the program."""

import asyncio
import threading
import time
import unittest

from thalweg import Agent, Error, image, document


def kinds(run):
    return [event.type for event in run]


class StreamFunctions(unittest.TestCase):
    def test_texts_of_a_generator_are_the_reply(self):
        def stream(request):
            yield "Hel"
            yield "lo"

        run = Agent("one", stream=stream).prompt("hi")
        self.assertEqual(list(run.texts), ["Hel", "lo"])
        self.assertEqual(run.result().stop_reason, "stop")

    def test_an_asynchronous_generator_runs_on_the_loop_of_the_prompt(self):
        loops = []

        async def stream(request):
            loops.append(asyncio.get_running_loop())
            for piece in ("a", "b", "c"):
                await asyncio.sleep(0)
                yield piece

        async def main():
            run = Agent("one", stream=stream).prompt("hi")
            self.assertEqual([piece async for piece in run.texts], ["a", "b", "c"])
            self.assertEqual(loops, [asyncio.get_running_loop()])

        asyncio.run(main())
        self.assertEqual(Agent("one", stream=stream).prompt("hi").result(5).text, "abc")

    def test_a_coroutine_may_give_the_whole_or_its_pieces(self):
        async def whole(request):
            return "all of it"

        async def pieces(request):
            return iter(["one ", "by one"])

        self.assertEqual(Agent("one", stream=whole).prompt("hi").result(5).text, "all of it")
        self.assertEqual(Agent("one", stream=pieces).prompt("hi").result(5).text, "one by one")

    def test_the_request_says_what_the_agent_was_told(self):
        seen = []

        def stream(request):
            seen.append(request)
            return "fine"

        def look(what: str) -> str:
            """Looks."""
            return what

        agent = Agent("one", stream=stream, system="Be brief.", tools=[look], temperature=0.5, max_tokens=9)
        agent.prompt("hi").result(5)
        self.assertEqual((seen[0]["model"], seen[0]["system"], seen[0]["max_tokens"]), ("one", "Be brief.", 9))
        self.assertEqual([tool["name"] for tool in seen[0]["tools"]], ["look"])
        self.assertEqual(seen[0]["messages"], [{"role": "user", "content": [{"type": "text", "text": "hi"}]}])

    def test_blocks_of_all_kinds_come_in_their_order(self):
        def stream(request):
            if request["messages"][-1]["role"] == "tool":
                yield {"type": "text_delta", "text": "done"}
                return
            yield {"type": "thinking_delta", "text": "hm"}
            yield {"type": "thinking_signature", "text": "sig"}
            yield "I "
            yield "call"
            yield {"type": "tool_call_start", "id": "a", "name": "nap"}
            yield {"type": "tool_call_start", "id": "b", "name": "nap"}
            yield {"type": "tool_call_delta", "id": "b", "text": '{"n":'}
            yield {"type": "tool_call_delta", "id": "a", "text": '{"n":1}'}
            yield {"type": "tool_call_delta", "id": "b", "text": "2}"}
            yield {"type": "usage", "input_tokens": 3, "output_tokens": 4}

        said = []

        def nap(n: int) -> str:
            said.append(n)
            return str(n)

        run = Agent("one", stream=stream, tools=[nap]).prompt("hi")
        result = run.result(5)
        self.assertEqual(sorted(said), [1, 2])
        first = result.messages[1]["content"]
        self.assertEqual([block["type"] for block in first], ["thinking", "text", "tool_call", "tool_call"])
        self.assertEqual((first[0]["signature"], first[1]["text"]), ("sig", "I call"))
        self.assertEqual([result_["content"][0]["text"] for result_ in result.messages[2]["content"]], ["1", "2"])
        self.assertEqual((result.usage["input_tokens"], result.usage["output_tokens"]), (3, 4))

    def test_an_exception_ends_the_run_and_keeps_what_came(self):
        def stream(request):
            yield "so far"
            raise OSError("the line is dead")

        with self.assertRaisesRegex(Error, "the line is dead") as caught:
            Agent("one", stream=stream).prompt("hi").result(5)
        self.assertEqual(caught.exception.result.text, "so far")

    def test_an_error_piece_has_its_kind(self):
        def stream(request):
            yield {"type": "error", "kind": "rate_limit", "message": "slow down"}

        with self.assertRaisesRegex(Error, "slow down") as caught:
            Agent("one", stream=stream, retries=0).prompt("hi").result(5)
        self.assertEqual(caught.exception.kind, "rate_limit")

    def test_an_unknown_piece_is_named(self):
        with self.assertRaisesRegex(Error, "'txt_delta'"):
            Agent("one", stream=lambda request: [{"type": "txt_delta", "text": "x"}]).prompt("hi").result(5)

    def test_an_abort_closes_the_generator(self):
        closed = threading.Event()

        def endless(request):
            try:
                while True:
                    yield "on "
                    time.sleep(0.001)
            finally:
                closed.set()

        async def endless_async(request):
            try:
                while True:
                    yield "on "
                    await asyncio.sleep(0.001)
            finally:
                closed.set()

        for stream in (endless, endless_async):
            with self.subTest(stream.__name__):
                closed.clear()
                run = Agent("one", stream=stream).prompt("hi")
                next(iter(run.texts))
                run.abort()
                self.assertTrue(closed.wait(5))

    def test_images_and_documents_are_content_of_the_prompt(self):
        seen = []
        agent = Agent("one", stream=lambda request: seen.append(request["messages"][0]["content"]))
        agent.prompt(["What is this?", image(b"\x89PNG\r\n"), document("https://example.org/a.pdf", name="a")]).result(5)
        self.assertEqual(
            seen[0],
            [
                {"type": "text", "text": "What is this?"},
                {"type": "image", "media_type": "image/png", "data": "iVBORw0K"},
                {"type": "document", "url": "https://example.org/a.pdf", "name": "a"},
            ],
        )


class State(unittest.TestCase):
    def test_listeners_hear_all_events_until_they_unsubscribe(self):
        agent = Agent("one", stream=lambda request: "yes")
        first, second = [], []
        agent.subscribe(lambda event: first.append(event.type))
        unsubscribe = agent.subscribe(lambda event: second.append(event.type))
        agent.prompt("hi").result(5)
        self.assertTrue(agent.wait_for_idle(5))
        self.assertEqual((first[0], first[-1]), ("agent_start", "agent_end"))
        self.assertEqual(first, second)
        unsubscribe()
        agent.prompt("hi").result(5)
        self.assertTrue(agent.wait_for_idle(5))
        self.assertEqual(len(first), 2 * len(second))

    def test_listeners_may_be_asynchronous(self):
        heard = []

        async def listener(event):
            await asyncio.sleep(0)
            heard.append(event.type)

        async def main():
            agent = Agent("one", stream=lambda request: "yes")
            agent.subscribe(listener)
            agent.prompt("hi")
            await agent.idle()
            self.assertEqual(heard[-1], "agent_end")

        asyncio.run(main())

    def test_a_run_is_there_until_it_ends_and_a_reset_forgets_it(self):
        go = threading.Event()

        def stream(request):
            go.wait(5)
            yield "yes"

        agent = Agent("one", stream=stream)
        run = agent.prompt("hi")
        self.assertTrue(agent.is_running)
        self.assertFalse(agent.wait_for_idle(0.01))
        go.set()
        self.assertTrue(agent.wait_for_idle(5))
        self.assertFalse(agent.is_running)
        self.assertEqual(len(agent.messages), 2)
        self.assertEqual(run.result().text, "yes")
        agent.reset()
        self.assertEqual(agent.messages, [])

    def test_a_conversation_that_waits_for_an_answer_is_continued(self):
        agent = Agent("one", stream=lambda request: "yes", messages=[{"role": "user", "content": [{"type": "text", "text": "so?"}]}])
        self.assertEqual(agent.continue_().result(5).text, "yes")


class HeldBack(unittest.TestCase):
    """A run that waits for who reads it."""

    PIECES = 800

    def prompt(self):
        """A run whose provider has much to say once `go` is set, and what it has said."""
        said, go = [], threading.Event()

        def stream(request):
            go.wait(5)
            for number in range(self.PIECES):
                said.append(number)
                yield f"{number} " + "x" * 50_000

        log = {"bytes_max": 1 << 20, "ahead_bytes_max": 1 << 17, "when_full": "drop_oldest"}
        return Agent("one", stream=stream, log=log).prompt("hi"), said, go

    def test_an_iteration_that_pauses_stops_the_provider_and_misses_nothing(self):
        run, said, go = self.prompt()
        pieces = iter(run.texts.hold_back())
        go.set()
        text = next(pieces)
        time.sleep(0.3)
        self.assertLess(len(said), self.PIECES // 2)
        text += "".join(pieces)
        self.assertEqual([int(word) for word in text.replace("x", "").split()], list(range(self.PIECES)))
        self.assertEqual(run.result(5).reason, "complete")

    def test_the_same_of_events_for_an_event_loop(self):
        async def main():
            run, said, go = self.prompt()
            events = run.hold_back().__aiter__()
            await events.__anext__()
            go.set()
            await asyncio.sleep(0.3)
            self.assertLess(len(said), self.PIECES // 2)
            kinds = [event.type async for event in events]
            self.assertEqual((kinds.count("text_delta"), kinds.count("lagged"), kinds[-1]), (self.PIECES, 0, "agent_end"))
            self.assertEqual((await run).reason, "complete")

        asyncio.run(main())

    def test_a_reader_that_is_dropped_holds_nothing_back(self):
        run, said, go = self.prompt()
        pieces = iter(run.hold_back())
        next(pieces)
        go.set()
        del pieces
        self.assertEqual(run.result(10).reason, "complete")
        self.assertEqual(len(said), self.PIECES)

    def test_an_iteration_of_a_failed_run_raises_its_error(self):
        def stream(request):
            yield "a"
            yield {"type": "error", "kind": "server", "message": "no more"}

        async def main():
            with self.assertRaisesRegex(Error, "no more"):
                async for _ in Agent("one", stream=stream).prompt("hi").texts.hold_back():
                    pass

        asyncio.run(main())


if __name__ == "__main__":
    unittest.main()
