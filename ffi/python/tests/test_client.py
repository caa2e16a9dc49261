"""Replies without an agent, and what stands between an agent and its provider."""

import asyncio
import http.server
import json
import os
import tempfile
import threading
import time
import unittest
from pathlib import Path

from support import Loopback, Replay, agent_options, scenario, wait_until
from thalweg import Agent, Client, Error, InvalidError, tool


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


    def test_a_stream_hands_on_calls_and_takes_their_results(self):
        def stream(request):
            last = request["messages"][-1]
            if last["role"] == "user":
                yield "Let me see. "
                yield {"type": "tool_call", "id": "c1", "name": "add", "arguments": {"a": 1, "b": 2}}
            else:
                yield "It is " + last["content"][0]["content"][0]["text"]

        client = Client("one", stream=stream, tools=[add])
        run = client.stream("1 + 2?")
        kinds = [event.type for event in run]
        result = run.result(5)
        self.assertIn("tool_call_start", kinds)
        self.assertFalse([kind for kind in kinds if kind.startswith("tool_execution")])
        self.assertEqual((result.reason, result.stop_reason, len(result.messages)), ("complete", "tool_use", 1))
        answer = {"type": "tool_result", "tool_call_id": "c1", "tool_name": "add", "content": [{"type": "text", "text": "3"}], "is_error": False}
        asked = {"role": "user", "content": [{"type": "text", "text": "1 + 2?"}]}
        said = client.stream([asked, result.message, {"role": "tool", "content": [answer]}]).result(5)
        self.assertEqual(said.text, "It is 3")

    def test_streams_of_one_client_share_its_rate(self):
        client = Client("one", stream=lambda request: "yes", rate_limit={"requests_per_minute": 300, "burst": 1})
        began = time.monotonic()
        runs = [client.stream("hi") for _ in range(3)]
        self.assertEqual([run.result(10).text for run in runs], ["yes"] * 3)
        self.assertGreater(time.monotonic() - began, 0.35)


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

    def test_a_rate_without_patience_says_when_there_will_be_room(self):
        server = self.loopback()
        limit = {"requests_per_minute": 60, "burst": 1, "wait_ms_max": 0}
        agent = Agent("m", base_url=server.base_url, api_key="x", middleware=[{"rate_limit": limit}, {"retry": {"retries": 0}}])
        agent.prompt("hi").result(5)
        with self.assertRaises(Error) as raised:
            agent.prompt("hi").result(5)
        self.assertGreater(raised.exception.retry_after, 0)
        self.assertEqual(len(server.requests), 1)

    def test_middleware_stands_in_the_order_in_which_it_is_given(self):
        server = self.loopback()
        with tempfile.TemporaryDirectory() as folder:
            outer, inner = os.path.join(folder, "outer"), os.path.join(folder, "inner")
            order = [{"markdown_log": outer}, {"reply_cache": "memory"}, {"markdown_log": inner}]
            agent = Agent("m", base_url=server.base_url, api_key="secret", middleware=order)
            for _ in range(2):
                agent.prompt("hi there").result(5)
                agent.reset()

            def files(place, count):
                # They are written behind the reply.
                for _ in range(200):
                    found = os.listdir(place) if os.path.isdir(place) else []
                    if len(found) >= count:
                        break
                    time.sleep(0.02)
                return [Path(place, name).read_text(encoding="utf-8") for name in found]

            self.assertEqual((len(files(outer, 2)), len(files(inner, 1)), len(server.requests)), (2, 1, 1))
            self.assertIn("hi there", files(outer, 2)[0])
            self.assertNotIn("secret", files(outer, 2)[0])

    def test_each_request_is_told_with_its_reply_or_why_there_is_none(self):
        server = self.loopback()
        outer, inner = [], []
        order = [{"observe": outer.append}, {"reply_cache": "memory"}, {"observe": inner.append}]
        agent = Agent("m", base_url=server.base_url, provider="openai", api_key="secret", middleware=order, retries=0)
        for _ in range(2):
            agent.prompt("hi there").result(5)
            agent.reset()
        wait_until(lambda: len(outer) == 2)
        self.assertEqual((len(outer), len(inner), len(server.requests)), (2, 1, 1))
        record = inner[0]
        self.assertEqual((record["provider"], record["model"], record["turn"], record["messages"]), ("openai", "m", 1, 1))
        self.assertEqual((record["reply"]["content"][0]["text"], record["reply"]["usage"]["input_tokens"]), ("yes", 9))
        self.assertLess(0, record["first_content_us"])
        self.assertLessEqual(record["first_content_us"], record["duration_us"])
        self.assertIsNone(record["failure"])
        self.assertNotIn("secret", json.dumps(outer + inner))

        async def tell(record):
            failed.append(record)

        failed = []
        with self.assertRaises(Error):
            Client("m", base_url="http://127.0.0.1:1/v1", api_key="x", retries=0, middleware=[{"observe": tell}]).chat("hi", 5)
        wait_until(lambda: failed)
        self.assertEqual([(record["reply"], record["failure"]["kind"]) for record in failed], [(None, "connection")])

    def test_an_observer_that_fails_harms_nothing(self):
        records = []

        def observe(record):
            records.append(record)
            raise LookupError("the book is full")

        agent = Agent("one", stream=lambda request: "yes", middleware=[{"observe": observe}])
        self.assertEqual([agent.prompt("hi").result(5).text for _ in range(3)], ["yes"] * 3)
        wait_until(lambda: len(records) == 3)
        self.assertEqual([record["messages"] for record in records], [1, 3, 5])
        with self.assertRaisesRegex(InvalidError, "THW_HOOK_OBSERVE"):
            Agent("one", stream=lambda request: "yes", middleware=[{"observe": {}}])

    def test_a_long_conversation_is_shortened_for_the_request_only(self):
        server = self.loopback(lambda body: f"{len(body['messages'])} messages")
        asked = []

        async def compact(messages):
            asked.append(len(messages))
            return messages[-1:]

        long = [{"role": "user", "content": [{"type": "text", "text": "word " * 500}]}, {"role": "assistant", "content": [{"type": "text", "text": "yes"}]}]
        agent = Agent("m", base_url=server.base_url, api_key="x", messages=long, compact=compact, middleware=[{"compact": {"above_tokens": 100}}])
        self.assertEqual(agent.prompt("and now?").result(5).text, "1 messages")
        self.assertEqual((asked, len(agent.messages)), ([3], 4))
        with self.assertRaisesRegex(InvalidError, "THW_HOOK_COMPACT"):
            Agent("m", base_url=server.base_url, middleware=[{"compact": {}}])

    def test_a_proxy_that_holds_the_keys_is_asked(self):
        seen = []

        class Proxy(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                seen.append((self.path, self.headers["authorization"], json.loads(self.rfile.read(int(self.headers["content-length"])))))
                self.send_response(200)
                self.end_headers()
                usage = {"input": 3, "output": 2, "cacheRead": 0, "cacheWrite": 0, "totalTokens": 5}
                for event in (
                    {"type": "start"},
                    {"type": "text_start", "contentIndex": 0},
                    {"type": "text_delta", "contentIndex": 0, "delta": "of the proxy"},
                    {"type": "text_end", "contentIndex": 0},
                    {"type": "done", "reason": "stop", "usage": usage},
                ):
                    self.wfile.write(b"data: " + json.dumps(event).encode() + b"\n\n")

            def log_message(self, *_):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        proxy = {"url": f"http://127.0.0.1:{server.server_port}", "token": "of the user"}
        result = Agent("openai/gpt-4o", stream_proxy=proxy).prompt("hi").result(5)
        self.assertEqual(result.text, "of the proxy")
        ((path, token, body),) = seen
        self.assertEqual((path, token), ("/api/stream", "Bearer of the user"))
        self.assertEqual((body["model"]["provider"], body["model"]["id"]), ("openai", "gpt-4o"))


if __name__ == "__main__":
    unittest.main()
