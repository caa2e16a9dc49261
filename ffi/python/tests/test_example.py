"""The examples do what they say."""

import subprocess
import sys
import unittest
from pathlib import Path

from support import Loopback, Replay, scenario, stand_in

HERE = Path(__file__).resolve().parent


class Examples(unittest.TestCase):
    def run_example(self, name, base_url, *arguments):
        command = [sys.executable, HERE.parent / "examples" / name, *arguments]
        with stand_in(base_url) as environment:
            done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def loopback(self, answer):
        server = Loopback(answer)
        self.addCleanup(server.close)
        return server

    def test_weather_example_shows_tools_and_text(self):
        server = Replay()
        self.addCleanup(server.close)
        said = self.run_example("weather.py", server.base_url, server.base_url)
        self.assertIn(scenario("two tools")["expect"]["text"], said)
        self.assertIn("tool_execution_update", said)

    def test_quick_start_prints_the_answer(self):
        server = self.loopback(lambda body: "The capital of France is Paris.")
        self.assertEqual(self.run_example("quick_start.py", server.base_url), "The capital of France is Paris.\n")
        path, headers, body = server.requests[0]
        self.assertEqual((path, headers["authorization"]), ("/v1/chat/completions", "Bearer key of OPENROUTER_API_KEY"))
        self.assertEqual((body["model"], body["session_id"]), ("anthropic/claude-3.5-sonnet", "my-session"))
        self.assertEqual([message["role"] for message in body["messages"]], ["system", "user"])

    def test_sum_is_called_and_its_result_sent_back(self):
        def answer(body):
            last = body["messages"][-1]
            return f"Together {last['content']}." if last["role"] == "tool" else [("c1", "sum", {"a": 19.5, "b": 22.5})]

        server = self.loopback(answer)
        self.assertEqual(self.run_example("sum_tool.py", server.base_url), "sum(19.5, 22.5)\nTogether 42.0.\n")
        offered = server.requests[0][2]["tools"][0]["function"]
        self.assertEqual((offered["name"], offered["description"]), ("sum", "Add two numbers."))
        self.assertEqual(offered["parameters"]["properties"], {"a": {"type": "number"}, "b": {"type": "number"}})

    def test_listener_hears_one_run_and_not_the_next(self):
        server = self.loopback(lambda body: "Hello there")
        heard = self.run_example("on_event.py", server.base_url).splitlines()
        self.assertEqual((heard[0], heard[-1]), ("Event: agent_start", "Event: agent_end"))
        self.assertEqual(heard.count("Event: text_delta"), 2)
        self.assertEqual(heard.count("Event: agent_end"), 1)
        self.assertEqual(len(server.requests), 2)

    def test_breakpoints_of_the_cache_are_in_the_request(self):
        server = self.loopback(lambda body: "The captain.")
        self.assertIn("4 tokens came from the cache", self.run_example("prompt_caching.py", server.base_url))
        for _, _, body in server.requests:
            system = body["messages"][0]["content"]
            self.assertEqual(system[-1]["cache_control"], {"type": "ephemeral"})
            self.assertEqual(body["session_id"], "my-session")

    def test_each_endpoint_is_asked_for_its_own_model(self):
        server = self.loopback(lambda body: body["model"].upper())
        said = self.run_example("endpoints.py", server.base_url, server.base_url).splitlines()
        self.assertEqual(said[0], "gpt-4o-mini: GPT-4O-MINI")
        self.assertEqual(len(said), 4)
        keys = [headers.get("authorization") for _, headers, _ in server.requests]
        self.assertEqual(keys[:3], [f"Bearer key of {name}_API_KEY" for name in ("OPENAI", "OPENROUTER", "CHUTES")])
        self.assertTrue(all(headers["x-title"] == "endpoints" for _, headers, _ in server.requests))

    def test_both_servers_of_minimax_get_their_key_and_their_thinking_is_apart(self):
        server = self.loopback(lambda body: "<think>Where am I?</think>Hello!")
        self.assertEqual(self.run_example("minimax.py", server.base_url), "Where am I? → Hello!\n" * 2)
        keys = [headers["authorization"] for _, headers, _ in server.requests]
        self.assertEqual(keys, ["Bearer key of MINIMAX_API_KEY", "Bearer key of MINIMAX_CN_API_KEY"])


if __name__ == "__main__":
    unittest.main()
