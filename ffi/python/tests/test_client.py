"""Replies without an agent, and what stands between an agent and its provider."""

import asyncio
import time
import unittest

from support import Loopback, Replay, agent_options, scenario
from thalweg import Agent, Client, Error, tool


@tool
def add(a: int, b: int) -> int:
    """Adds."""
    raise AssertionError("a client runs no tools")


class Clients(unittest.TestCase):
    def test_a_whole_reply_of_a_function(self):
        def stream(request):
            yield f"{len(request['messages'])} messages"
            yield {"type": "usage", "input_tokens": 3, "output_tokens": 4}

        client = Client("one", stream=stream)
        self.assertEqual(client.chat("hi", 5).text, "1 messages")
        said = [{"role": "user", "content": [{"type": "text", "text": text}]} for text in ("a", "b")]
        result = client.chat(said, 5)
        self.assertEqual((result.text, result.usage["input_tokens"]), ("2 messages", 3))

    def test_calls_of_tools_are_handed_on(self):
        def stream(request):
            yield {"type": "tool_call", "id": "c1", "name": "add", "arguments": {"a": 1, "b": 2}}

        result = Client("one", stream=stream, tools=[add]).chat("go", 5)
        self.assertEqual(result.stop_reason, "tool_use")
        self.assertEqual([block["name"] for block in result.message["content"]], ["add"])

    def test_what_fails_raises(self):
        def stream(request):
            yield {"type": "error", "kind": "auth", "message": "who are you?"}

        with self.assertRaisesRegex(Error, "who are you"):
            Client("one", stream=stream).chat("hi", 5)

    def test_a_reply_that_does_not_come_is_given_up(self):
        async def stream(request):
            await asyncio.sleep(60)
            yield "never"

        with self.assertRaises(TimeoutError):
            Client("one", stream=stream).chat("hi", 0.1)

    def test_a_stream_is_a_run_of_one_turn(self):
        server = Replay()
        self.addCleanup(server.close)
        client = Client(**agent_options(server.base_url))
        said = scenario("text")
        self.assertEqual("".join(client.stream(said["prompt"]).texts), said["expect"]["text"])

        async def main():
            return (await client.stream(said["prompt"])).text

        self.assertEqual(asyncio.run(main()), said["expect"]["text"])


class Between(unittest.TestCase):
    """What stands between an agent and its provider."""

    def loopback(self, answer=lambda body: "yes"):
        server = Loopback(answer)
        self.addCleanup(server.close)
        return server

    def test_a_key_is_asked_for_before_each_request(self):
        server = self.loopback()
        given = iter(["first", "second"])
        asked = []

        async def key(provider):
            asked.append(provider)
            return next(given)

        agent = Agent("m", base_url=server.base_url, provider="openai", get_api_key=key)
        agent.prompt("one").result(5)
        agent.prompt("two").result(5)
        self.assertEqual([headers["authorization"] for _, headers, _ in server.requests], ["Bearer first", "Bearer second"])
        self.assertEqual(asked, ["openai", "openai"])

    def test_without_a_key_of_the_function_there_is_the_other_one(self):
        server = self.loopback()
        Agent("m", base_url=server.base_url, api_key="own", get_api_key=lambda provider: None).prompt("one").result(5)
        self.assertEqual(server.requests[0][1]["authorization"], "Bearer own")

    def test_a_function_that_fails_ends_the_run_and_says_so(self):
        server = self.loopback()

        def key(provider):
            raise LookupError("the vault is closed")

        with self.assertRaisesRegex(Error, "the vault is closed"):
            Agent("m", base_url=server.base_url, get_api_key=key).prompt("one").result(5)
        self.assertEqual(server.requests, [])

    def test_another_falls_in_for_one_that_is_not_there(self):
        server = self.loopback(lambda body: body["model"])
        other = {"model": "second", "base_url": server.base_url, "api_key": "x"}
        agent = Agent("first", base_url="http://127.0.0.1:1/v1", api_key="x", retries=0, fallback=[other])
        self.assertEqual(agent.prompt("who?").result(10).text, "second")

    def test_the_same_request_gets_the_same_reply_from_the_cache(self):
        server = self.loopback()
        agents = [Agent("m", base_url=server.base_url, api_key="x", reply_cache="memory") for _ in range(2)]
        for agent in agents:
            agent.prompt("hi").result(5)
            agent.reset()
            agent.prompt("hi").result(5)
        self.assertEqual(len(server.requests), 2)

    def test_requests_beyond_the_rate_wait(self):
        server = self.loopback()
        agent = Agent("m", base_url=server.base_url, api_key="x", rate_limit={"requests_per_minute": 300, "burst": 1})
        began = time.monotonic()
        for _ in range(3):
            agent.prompt("hi").result(10)
        self.assertGreater(time.monotonic() - began, 0.35)


if __name__ == "__main__":
    unittest.main()
