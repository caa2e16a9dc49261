"""Hooks, plain and asynchronous, around the tools of a provider that is a function of the test."""

import asyncio
import threading
import unittest

from thalweg import Agent, Error, tool


@tool
def add(a: int, b: int) -> int:
    """Adds."""
    return a + b


def calls_once(*calls):
    """A provider that calls tools, and then says what their results were."""

    def stream(request):
        last = request["messages"][-1]
        if last["role"] == "tool":
            yield " | ".join(result["content"][0]["text"] for result in last["content"])
        else:
            for number, (name, arguments) in enumerate(calls):
                yield {"type": "tool_call", "id": f"c{number}", "name": name, "arguments": arguments}

    return stream


class Hooks(unittest.TestCase):
    def answer(self, calls=(("add", {"a": 1, "b": 2}),), **hooks):
        agent = Agent("one", stream=calls_once(*calls), tools=[add], **hooks)
        return agent.prompt("go").result(5).text

    def test_a_hook_that_gives_none_changes_nothing(self):
        asked = []
        text = self.answer(before_tool_call=asked.append, after_tool_call=asked.append)
        self.assertEqual(text, "3")
        before = {"tool_call_id": "c0", "tool_name": "add", "args": {"a": 1, "b": 2}}
        answered = {"text": "3", "content": [{"type": "text", "text": "3"}], "is_error": False}
        self.assertEqual(asked, [before, {**before, **answered}])

    def test_arguments_may_be_replaced(self):
        self.assertEqual(self.answer(before_tool_call=lambda call: {"args": {"a": 20, "b": 22}}), "42")

    def test_a_reason_blocks_the_call(self):
        self.assertEqual(self.answer(before_tool_call=lambda call: "not on Sundays"), "not on Sundays")

    def test_answers_may_be_replaced(self):
        self.assertEqual(self.answer(after_tool_call=lambda call: f"{call['text']}, roughly"), "3, roughly")

    def test_a_hook_that_fails_fails_its_tool_and_not_the_run(self):
        def hook(call):
            if call["args"]["a"] == 1:
                raise ValueError("no ones")

        calls = (("add", {"a": 1, "b": 2}), ("add", {"a": 3, "b": 4}))
        first, second = self.answer(calls, before_tool_call=hook).split(" | ")
        self.assertIn("no ones", first)
        self.assertEqual(second, "7")

    def test_asynchronous_hooks_run_on_the_loop_of_the_prompt(self):
        seen = []

        async def before(call):
            await asyncio.sleep(0)
            seen.append(asyncio.get_running_loop())
            return {"args": {"a": 5, "b": 5}}

        async def main():
            agent = Agent("one", stream=calls_once(("add", {"a": 1, "b": 2})), tools=[add], before_tool_call=before)
            result = await agent.prompt("go")
            self.assertEqual(result.text, "10")
            self.assertEqual(seen, [asyncio.get_running_loop()])

        asyncio.run(main())

    def test_asynchronous_hooks_need_no_loop(self):
        async def before(call):
            await asyncio.sleep(0)
            return "later"

        self.assertEqual(self.answer(before_tool_call=before), "later")

    def test_context_is_transformed_and_then_converted_for_the_request_only(self):
        sent = []

        def stream(request):
            sent.append(request["messages"])
            yield "yes"

        def transform(messages):
            return messages + [{"role": "user", "content": [{"type": "text", "text": "transformed"}]}]

        async def convert(messages):
            return messages[-1:]

        agent = Agent("one", stream=stream, transform_context=transform, convert_to_llm=convert)
        agent.prompt("as it was said").result(5)
        self.assertEqual([message["content"][0]["text"] for message in sent[0]], ["transformed"])
        self.assertEqual([message["role"] for message in agent.messages], ["user", "assistant"])
        self.assertEqual(agent.messages[0]["content"][0]["text"], "as it was said")

    def test_a_context_hook_that_fails_ends_the_run_with_its_words(self):
        def transform(messages):
            raise LookupError("nothing to send")

        agent = Agent("one", stream=lambda request: "never", transform_context=transform)
        with self.assertRaisesRegex(Error, "nothing to send"):
            agent.prompt("go").result(5)

    def test_an_abort_cancels_a_hook_that_waits(self):
        began, ended = threading.Event(), threading.Event()

        async def before(call):
            began.set()
            try:
                await asyncio.sleep(60)
            finally:
                ended.set()

        agent = Agent("one", stream=calls_once(("add", {"a": 1, "b": 2})), tools=[add], before_tool_call=before)
        run = agent.prompt("go")
        self.assertTrue(began.wait(5))
        agent.abort()
        self.assertTrue(ended.wait(5))
        self.assertTrue(agent.wait_for_idle(5))
        # No call is left without its result.
        roles = [message["role"] for message in agent.messages]
        self.assertEqual(roles[:3], ["user", "assistant", "tool"])
        self.assertEqual(run._native.is_over, True)


if __name__ == "__main__":
    unittest.main()
