"""The scenarios that every binding runs, with `for` and with `async for`."""

import asyncio
import json
import unittest

import thalweg
from support import Replay, agent_options, scenario, scenarios

STATUSES = {"THW_E_CANCELLED": thalweg.Aborted, "THW_E_REMOTE": thalweg.RemoteError}


def tool_of(said, asynchronous):
    """A tool that answers as the scenario says."""

    def plain(call: thalweg.ToolContext, **arguments):
        seen.append({"name": said["name"], "arguments": arguments})
        for text in said.get("progress", []):
            call.progress(text, 0.5)
        return said["answer"]

    async def later(call: thalweg.ToolContext, **arguments):
        await asyncio.sleep(0.001)
        return plain(call, **arguments)

    seen = []
    options = {key: said[key] for key in ("name", "description", "parameters")}
    tool = thalweg.tool(**options)(later if asynchronous else plain)
    return tool, seen


class Seen:
    """What an iteration showed."""

    def __init__(self):
        self.text, self.thinking, self.deltas, self.turns, self.progress = "", "", 0, 0, []

    def take(self, event):
        if event.type == "text_delta":
            self.text += event.text
            self.deltas += 1
        elif event.type == "thinking_delta":
            self.thinking += event.text
        elif event.type == "turn_start":
            self.turns += 1
            self.text = ""
        elif event.type == "tool_execution_update":
            content = json.loads(event.text)["partial_result"]["content"]
            self.progress += [part["text"] for part in content]


class Scenarios(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Replay()

    @classmethod
    def tearDownClass(cls):
        cls.server.close()

    def agent(self, said, asynchronous):
        made = [tool_of(tool, asynchronous) for tool in said.get("tools", [])]
        agent = thalweg.Agent(
            tools=[tool for tool, _ in made], **agent_options(self.server.base_url), **said.get("options", {})
        )
        return agent, [seen for _, seen in made]

    def check(self, said, seen, calls, result):
        expected = said["expect"]
        self.assertEqual(seen.text, expected["text"])
        self.assertEqual(result.text, expected["text"])
        if "text_deltas" in expected:
            self.assertEqual(seen.deltas, expected["text_deltas"])
        if "thinking" in expected:
            self.assertEqual(seen.thinking, expected["thinking"])
            self.assertEqual(result.thinking, expected["thinking"])
        if "stop_reason" in expected:
            self.assertEqual(result.stop_reason, expected["stop_reason"])
        for counter, tokens in expected.get("usage", {}).items():
            self.assertEqual(result.usage[counter], tokens)
        if "turns" in expected:
            self.assertEqual(seen.turns, expected["turns"])
        if "tool_calls" in expected:
            self.assertEqual([call for made in calls for call in made], expected["tool_calls"])
        self.assertEqual(seen.progress, expected.get("progress", []))

    def check_error(self, said, error, text):
        expected = said["expect"]["error"]
        self.assertIs(type(error), STATUSES[expected["status"]])
        self.assertEqual(error.kind, expected["kind"])
        self.assertEqual(error.http_status, expected.get("http_status"))
        self.assertEqual(error.retryable, expected.get("retryable", False))
        hint = expected.get("retry_after_ms")
        self.assertEqual(error.retry_after, hint and hint / 1000)
        self.assertIn(expected.get("message_contains", ""), str(error))
        self.assertEqual(text, said["expect"].get("text", ""))

    def run_plainly(self, said):
        agent, calls = self.agent(said, asynchronous=False)
        seen = Seen()
        with agent.prompt(said["prompt"]) as run:
            try:
                for event in run:
                    seen.take(event)
                    if seen.text and seen.text == said.get("abort_after_text"):
                        run.abort()
                result = run.result(timeout=30)
            except thalweg.Error as error:
                return self.check_error(said, error, seen.text)
        self.assertNotIn("error", said["expect"])
        self.check(said, seen, calls, result)

    async def run_in_a_loop(self, said):
        agent, calls = self.agent(said, asynchronous=True)
        seen = Seen()
        async with agent.prompt(said["prompt"]) as run:
            try:
                async for event in run:
                    seen.take(event)
                    if seen.text and seen.text == said.get("abort_after_text"):
                        run.abort()
                result = await asyncio.wait_for(run, 30)
            except thalweg.Error as error:
                return self.check_error(said, error, seen.text)
        self.assertNotIn("error", said["expect"])
        self.check(said, seen, calls, result)

    def test_each_scenario_with_for(self):
        for said in scenarios():
            if "runs" not in said:
                with self.subTest(said["name"]):
                    self.run_plainly(said)

    def test_each_scenario_with_async_for(self):
        for said in scenarios():
            if "runs" not in said:
                with self.subTest(said["name"]):
                    asyncio.run(self.run_in_a_loop(said))

    def test_a_thousand_runs_at_once_in_one_loop(self):
        said = scenario("1,000 runs")

        async def main():
            await asyncio.gather(*(self.run_in_a_loop(said) for _ in range(said["runs"])))

        asyncio.run(main())

    def test_a_thousand_runs_at_once_without_a_loop(self):
        said = scenario("1,000 runs")
        options = agent_options(self.server.base_url)
        runs = [thalweg.Agent(**options).prompt(said["prompt"]) for _ in range(said["runs"])]
        self.assertEqual({run.result(timeout=60).text for run in runs}, {said["expect"]["text"]})


if __name__ == "__main__":
    unittest.main()
