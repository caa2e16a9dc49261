"""Another provider within one conversation."""

import json
import unittest

from support import Loopback, wait_until
from thalweg import Agent, InvalidError, tool


def last_text(body):
    said = body["messages"][-1]["content"]
    return said if isinstance(said, str) else said[0]["text"]


class AnotherProvider(unittest.TestCase):
    def loopback(self, answer):
        server = Loopback(answer)
        self.addCleanup(server.close)
        return server

    def test_a_conversation_goes_on_with_another_one_and_back_again(self):
        server = self.loopback(lambda body: f"{len(body['messages'])} of {body['model']}")

        def own(request):
            yield f"{len(request['messages'])} of the program, asked for {request['model']}"

        agent = Agent("m", base_url=server.base_url, api_key="first", system="Count.")
        self.assertEqual(agent.prompt("1").result(5).text, "2 of m")
        agent.set_provider("small", stream=own, provider="mine")
        self.assertEqual(agent.prompt("2").result(5).text, "3 of the program, asked for small")
        self.assertEqual(agent.settings["system"], "Count.")
        agent.set_provider("n", base_url=server.base_url, api_key="second", headers={"x-own": "yes"}, extra={"user": "u"})
        self.assertEqual(agent.prompt("3").result(5).text, "6 of n")
        _, headers, body = server.requests[-1]
        self.assertEqual((headers["authorization"], headers["x-own"], body["user"]), ("Bearer second", "yes", "u"))
        self.assertEqual(len(agent.messages), 6)

    def test_a_change_amid_a_run_holds_from_its_next_turn_on(self):
        server = self.loopback(lambda body: [("c1", "switch", {})])

        @tool
        def switch() -> str:
            """Asks another model."""
            agent.set_provider("two", stream=lambda request: f"{request['model']} was told: " + said(request))
            return "switched"

        def said(request):
            return request["messages"][-1]["content"][0]["content"][0]["text"]

        agent = Agent("one", base_url=server.base_url, api_key="x", tools=[switch])
        self.assertEqual(agent.prompt("go").result(5).text, "two was told: switched")
        self.assertEqual(len(server.requests), 1)

    def test_one_that_cannot_be_had_changes_nothing(self):
        server = self.loopback(last_text)
        agent = Agent("m", base_url=server.base_url, api_key="x")
        for wrong in ({"model": "nobody-knows/x"}, {"model": "m", "base_url": server.base_url, "middleware": [{"dance": {}}]}):
            with self.assertRaises(InvalidError):
                agent.set_provider(**wrong)
        with self.assertRaisesRegex(InvalidError, "max_turns"):
            agent._native.set_provider(json.dumps({"model": "m", "max_turns": 3}), (), ())
        self.assertEqual(agent.prompt("still here").result(5).text, "still here")

    def test_it_has_its_own_price_key_and_middleware(self):
        server = self.loopback(lambda body: "yes")
        records, asked = [], []

        def key(provider):
            asked.append(provider)
            return "of the function"

        agent = Agent("m", base_url=server.base_url, api_key="x", price={"input": 100, "output": 0}, retries=0)
        self.assertAlmostEqual(agent.prompt("hi").result(5).cost["total"], 9 * 100 / 1e6)
        order = [{"observe": records.append}]
        price = {"input": 1, "output": 0}
        agent.set_provider("n", base_url=server.base_url, get_api_key=key, price=price, middleware=order, reply_cache="memory")
        self.assertAlmostEqual(agent.prompt("hi").result(5).cost["total"], 9 / 1e6)
        self.assertEqual((len(asked), server.requests[-1][1]["authorization"]), (1, "Bearer of the function"))
        agent.set_provider("n", base_url=server.base_url, api_key="x")
        self.assertIsNone(agent.prompt("hi").result(5).cost)
        wait_until(lambda: records)
        self.assertEqual([record["model"] for record in records], ["n"])


if __name__ == "__main__":
    unittest.main()
