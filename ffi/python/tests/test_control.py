"""What controls a run: the hooks of TinyAgent 1.2.28 as a table, steering, limits, approval, and what may be changed meanwhile."""

import asyncio
import json
import threading
import time
import unittest

from thalweg import Agent, Error, tool


@tool
def add(a: int, b: int) -> int:
    """Adds."""
    return a + b


def endless(request):
    """A provider that calls a tool again and again."""
    number = sum(message["role"] == "assistant" for message in request["messages"])
    yield {"type": "tool_call", "id": f"c{number}", "name": "add", "arguments": {"a": number, "b": 1}}


def once(request):
    """A provider that calls a tool once, and then says what its result was."""
    last = request["messages"][-1]
    if last["role"] == "tool":
        yield " | ".join(result["content"][0]["text"] for result in last["content"])
    else:
        yield {"type": "tool_call", "id": "c0", "name": "add", "arguments": {"a": 1, "b": 2}}


def results(run):
    return [result for message in run.messages if message["role"] == "tool" for result in message["content"]]


class ToolLoopControl(unittest.TestCase):
    """As the hooks of TinyAgent 1.2.28: what they give, the result that the model sees, whether it is an error, and the turns."""

    CASES = [
        # name, before, after, text, is_error, turns
        ("nothing", None, None, "3", False, 2),
        ("a result in the place of the tool", {"result": "cached", "is_error": False}, None, "cached", False, 2),
        ("a result that is an error", {"result": "not today", "is_error": True}, None, "not today", True, 2),
        ("a block", {"block": True, "reason": "no"}, None, "no", True, 2),
        ("a result behind the tool", None, {"text": "about 3"}, "about 3", False, 2),
        ("an error behind the tool", None, {"is_error": True}, "3", True, 2),
        ("an end before the tool", {"result": "enough", "terminate": True}, None, "enough", None, 1),
        ("an end behind the tool", None, {"terminate": True}, "3", False, 1),
        ("an end behind the tool with another text", None, {"text": "bye", "terminate": True}, "bye", False, 1),
    ]

    def test_table(self):
        for name, before, after, text, is_error, turns in self.CASES:
            with self.subTest(name):
                agent = Agent(
                    "one", stream=once, tools=[add], before_tool_call=lambda call: before, after_tool_call=lambda call: after
                )
                run = agent.prompt("go").result(10)
                (result,) = results(run)
                self.assertEqual(result["content"][0]["text"], text)
                if is_error is not None:
                    self.assertEqual(result["is_error"], is_error)
                self.assertEqual(sum(message["role"] == "assistant" for message in run.messages), turns)

    def test_a_turn_may_be_the_last(self):
        asked = []

        async def stop(turn):
            asked.append((turn["turn"], turn["messages"][-1]["role"]))
            return len(asked) == 3

        agent = Agent("one", stream=endless, tools=[add], should_stop_after_turn=stop)
        run = agent.prompt("go").result(10)
        self.assertEqual([turn for turn, _ in asked], [1, 2, 3])
        self.assertTrue(all(role == "tool" for _, role in asked))
        self.assertEqual(len(results(run)), 3)

    def test_the_same_call_again_and_again_is_not_run(self):
        def same(request):
            if sum(message["role"] == "tool" for message in request["messages"]) >= 4:
                yield "enough"
            else:
                yield {"type": "tool_call", "name": "add", "arguments": {"a": 1, "b": 1}}

        agent = Agent("one", stream=same, tools=[add], repeat_limit={"calls": 3})
        said = [result["is_error"] for result in results(agent.prompt("go").result(10))]
        self.assertEqual(said[:2], [False, False])
        self.assertTrue(all(said[2:]))


class Limits(unittest.TestCase):
    def test_a_tool_that_takes_too_long_is_answered_with_an_error(self):
        async def slow(a: int, b: int) -> int:
            await asyncio.sleep(60)

        slow.__name__ = "add"
        agent = Agent("one", stream=once, tools=[slow], tool_timeout=0.1)
        (result,) = results(agent.prompt("go").result(10))
        self.assertTrue(result["is_error"])

    def test_wrong_arguments_are_told_or_made_right(self):
        def wrong(request):
            if request["messages"][-1]["role"] == "tool":
                yield "done"
            else:
                yield {"type": "tool_call", "name": "add", "arguments": {"a": "1", "b": 2}}

        (told,) = results(Agent("one", stream=wrong, tools=[add]).prompt("go").result(10))
        self.assertTrue(told["is_error"])
        self.assertIn("a", told["content"][0]["text"])
        (right,) = results(Agent("one", stream=wrong, tools=[add], validation="coerce").prompt("go").result(10))
        self.assertEqual((right["is_error"], right["content"][0]["text"]), (False, "3"))

    def test_so_many_tools_run_at_once(self):
        running, most, lock = [0], [0], threading.Lock()

        def work(n: int) -> str:
            with lock:
                running[0] += 1
                most[0] = max(most[0], running[0])
            time.sleep(0.02)
            with lock:
                running[0] -= 1
            return str(n)

        def five(request):
            if request["messages"][-1]["role"] == "tool":
                yield "done"
            else:
                for n in range(5):
                    yield {"type": "tool_call", "id": f"c{n}", "name": "work", "arguments": {"n": n}}

        run = Agent("one", stream=five, tools=[work], tools_at_once=2).prompt("go").result(10)
        self.assertEqual([result["content"][0]["text"] for result in results(run)], list("01234"))
        self.assertEqual(most[0], 2)


class Steering(unittest.TestCase):
    def test_all_that_waits_may_come_in_together(self):
        for mode, turns in (("one_at_a_time", 2), ("all", 1)):
            with self.subTest(mode):
                agent = Agent("one", stream=lambda request: "yes", steering_mode=mode)
                agent.steer("first")
                agent.steer("second")
                self.assertEqual(len(agent.queued["steering"]), 2)
                run = agent.prompt("go").result(10)
                self.assertEqual(sum(message["role"] == "assistant" for message in run.messages), turns)
                self.assertEqual(agent.queued, {"steering": [], "follow_ups": []})

    def test_what_waits_may_be_forgotten(self):
        agent = Agent("one", stream=lambda request: "yes")
        agent.steer("never")
        agent.follow_up("later")
        agent.clear_queued(follow_ups=False)
        self.assertEqual((len(agent.queued["steering"]), len(agent.queued["follow_ups"])), (0, 1))
        agent.reset()
        self.assertEqual(agent.queued["follow_ups"], [])


class Changes(unittest.TestCase):
    def test_settings_and_tools_change_from_the_next_turn_on(self):
        seen = []

        def stream(request):
            seen.append((request["model"], request.get("system"), [each["name"] for each in request.get("tools", ())]))
            return "yes"

        agent = Agent("one", stream=stream, system="Be brief.", tools=[add])
        agent.prompt("go").result(10)
        agent.configure(model="two", system=None)
        agent.tools = []
        agent.prompt("go").result(10)
        self.assertEqual(seen, [("one", "Be brief.", ["add"]), ("two", None, [])])
        self.assertEqual((agent.settings["model"], agent.tools), ("two", []))
        with self.assertRaisesRegex(Error, "modle"):
            agent.configure(modle="x")

    def test_tools_that_are_given_between_two_runs_are_run(self):
        agent = Agent("one", stream=once)
        self.assertIn("there is no tool", agent.prompt("go").result(5).text)
        agent.tools = [add]
        self.assertEqual(agent.prompt("go").result(5).text, "3")

    def test_a_reply_that_comes_in_may_be_looked_at(self):
        half, go_on = threading.Event(), threading.Event()

        def stream(request):
            yield "half "
            half.set()
            go_on.wait(5)
            yield "and half"

        run = Agent("one", stream=stream).prompt("go")
        self.assertTrue(half.wait(5))
        deadline = time.monotonic() + 5
        while not (run.partial or {}).get("content") and time.monotonic() < deadline:
            time.sleep(0.005)
        self.assertEqual(run.partial["content"][0]["text"], "half ")
        go_on.set()
        self.assertEqual(run.result(10).text, "half and half")
        self.assertIsNone(run.partial)

    def test_messages_of_the_program_stay_and_are_sent_as_they_are_converted(self):
        sent = []

        def stream(request):
            sent.append(request["messages"])
            return "yes"

        def convert(messages):
            note = lambda message: {"role": "user", "content": [{"type": "text", "text": message["data"]["text"]}]}
            return [note(message) if message["role"] == "custom" else message for message in messages]

        custom = {"role": "custom", "type": "note", "data": {"text": "seen"}}
        for hook, texts in ((None, ["go"]), (convert, ["seen", "go"])):
            sent.clear()
            agent = Agent("one", stream=stream, messages=[custom], convert_to_llm=hook)
            agent.prompt("go").result(10)
            self.assertEqual([message["content"][0]["text"] for message in sent[0]], texts)
            self.assertEqual(agent.messages[0], custom)


class Approval(unittest.TestCase):
    def suspended(self):
        agent = Agent("one", stream=once, tools=[add], before_tool_call=lambda call: {"wait": True})
        agent.prompt("go").result(10)
        (call,) = agent.pending
        self.assertEqual((call["name"], json.loads(call["arguments"])), ("add", {"a": 1, "b": 2}))
        return agent, call["id"]

    def test_a_person_decides(self):
        for decision, text in ((True, "3"), ("too risky", "too risky"), ({"decision": "approve", "args": {"a": 5, "b": 5}}, "10")):
            with self.subTest(decision):
                agent, call = self.suspended()
                self.assertIn(text, agent.answer({call: decision}).result(10).text)
                self.assertEqual(agent.pending, [])

    def test_in_another_process(self):
        agent, call = self.suspended()
        other = Agent("one", stream=once, tools=[add])
        other.load(agent.save())
        self.assertEqual([each["id"] for each in other.pending], [call])
        self.assertEqual(other.answer({call: True}).result(10).text, "3")


if __name__ == "__main__":
    unittest.main()
