"""What runs cost, budgets that agents share, and the limits of an engine."""

import os
import tempfile
import unittest
from pathlib import Path

from support import Loopback
from thalweg import Agent, Client, Engine, Error, InvalidError, RejectedError


class Costs(unittest.TestCase):
    def setUp(self):
        self.server = Loopback(lambda body: "yes")
        self.addCleanup(self.server.close)
        self.engine = Engine()
        self.addCleanup(self.engine.close)

    def agent(self, **more):
        return Agent("m", base_url=self.server.base_url, api_key="x", engine=self.engine, **more)

    def test_the_cost_of_a_run_is_that_of_its_tokens(self):
        agent = self.agent(price={"input": 100, "output": 1000, "cache_read": 10})
        result = agent.prompt("hi").result(5)
        # 9 of the prompt, 4 of them from the cache, and 3 of the reply.
        self.assertAlmostEqual(result.cost["total"], (5 * 100 + 4 * 10 + 3 * 1000) / 1e6)
        self.assertAlmostEqual(result.cost["cache_read"], 4 * 10 / 1e6)
        self.assertEqual((result.reason, result.usage["input_tokens"]), ("complete", 9))

    def test_what_is_not_known_is_none_and_not_free(self):
        self.assertIsNone(self.agent().prompt("hi").result(5).cost)

    def test_a_price_below_nothing_is_refused(self):
        with self.assertRaisesRegex(InvalidError, "-1"):
            self.agent(price={"input": -1, "output": 0})

    def test_agents_that_name_a_budget_share_it(self):
        for _ in range(2):
            self.agent(budget={"name": "team", "tokens": 1000}, max_tokens=100).prompt("hi").result(5)
        team = self.engine.budgets["team"]["tokens"]
        self.assertEqual(team, {"limit": 1000, "spent": 24, "reserved": 0, "left": 976})
        self.assertIsNone(self.engine.budgets["team"]["dollars"]["limit"])

    def test_a_request_that_might_overspend_is_not_sent(self):
        agent = self.agent(budget={"name": "small", "tokens": 50}, max_tokens=1000)
        with self.assertRaises(RejectedError) as raised:
            agent.prompt("hi").result(5)
        self.assertEqual(raised.exception.kind, "budget")
        self.assertEqual(self.server.requests, [])
        self.assertEqual(self.engine.budgets["small"]["tokens"]["left"], 50)

    def test_one_without_limits_counts_and_others_differ_only_openly(self):
        agent = self.agent(budget=["all", {"name": "money", "dollars": 1}], price={"input": 100, "output": 1000}, max_tokens=10)
        agent.prompt("hi").result(5)
        budgets = self.engine.budgets
        self.assertEqual(budgets["all"]["tokens"]["spent"], 12)
        self.assertAlmostEqual(budgets["money"]["dollars"]["spent"], (9 * 100 + 3 * 1000) / 1e6)
        with self.assertRaisesRegex(InvalidError, "other limits"):
            self.agent(budget={"name": "money", "dollars": 2})
        self.agent(budget="money", price={"input": 1, "output": 1})
        self.engine.forget_budget("money")
        self.agent(budget={"name": "money", "dollars": 2}, price={"input": 1, "output": 1})
        self.assertEqual(self.engine.budgets["money"]["dollars"]["limit"], 2)

    def test_a_client_shares_them_with_agents(self):
        team = {"name": "team", "tokens": 1000}
        self.agent(budget=team, max_tokens=100).prompt("hi").result(5)
        client = Client("m", base_url=self.server.base_url, api_key="x", engine=self.engine, budget=team, max_tokens=100)
        client.chat("hi", 5)
        client.stream("hi").result(5)
        self.assertEqual(self.engine.budgets["team"]["tokens"], {"limit": 1000, "spent": 36, "reserved": 0, "left": 964})
        greedy = Client("m", base_url=self.server.base_url, api_key="x", engine=self.engine, budget="team", max_tokens=1000)
        for ask in (lambda: greedy.chat("hi", 5), lambda: greedy.stream("hi").result(5)):
            with self.assertRaises(RejectedError) as raised:
                ask()
            self.assertIn("964 left", str(raised.exception))
        self.assertEqual((len(self.server.requests), self.engine.budgets["team"]["tokens"]["left"]), (3, 964))

    def test_prices_come_from_a_file_and_go_over_the_built_in_ones(self):
        files = {
            "own.toml": '[models.openai]\nm = { input = 100, output = 0 }\n',
            "own.json": '{"models": {"openai": {"m": {"input": 7, "output": 0}}}}',
            "odd.toml": '[models.openai]\nm = { input = 100, ouput = 0 }\n',
        }
        with tempfile.TemporaryDirectory() as folder:
            for name, text in files.items():
                Path(folder, name).write_text(text, encoding="utf-8")
            for name, dollars in (("own.toml", 100), ("own.json", 7)):
                result = self.agent(provider="openai", prices=Path(folder, name)).prompt("hi").result(5)
                self.assertAlmostEqual(result.cost["total"], 9 * dollars / 1e6)
            for name, why in (("odd.toml", "odd.toml.*ouput"), ("none.toml", "none.toml")):
                with self.assertRaisesRegex(InvalidError, f"(?s){why}"):
                    self.agent(provider="openai", prices=os.path.join(folder, name))


class Limits(unittest.TestCase):
    def test_one_run_too_many_is_refused_and_the_agent_stays_idle(self):
        def stream(request):
            while True:
                yield "on "

        with Engine(runs_max=1) as engine:
            first = Agent("one", stream=stream, engine=engine)
            second = Agent("two", stream=lambda request: "yes", engine=engine)
            with first.prompt("hi"):
                with self.assertRaisesRegex(RejectedError, "1"):
                    second.prompt("hi")
                self.assertFalse(second.is_running)
                first.abort()
                first.wait_for_idle(5)
            self.assertEqual(second.prompt("hi").result(5).text, "yes")

    def test_runs_end_where_their_logs_take_too_much_together(self):
        with Engine(log_bytes_max=1 << 18) as engine:
            agent = Agent("one", stream=lambda request: ["x" * 50_000] * 40, engine=engine)
            run = agent.prompt("hi")
            with self.assertRaises(Error):
                run.result(5)
            self.assertGreater(len("".join(piece for piece in texts(run))), 50_000)

    def test_a_log_that_is_a_window_tells_its_late_readers_what_they_missed(self):
        log = {"bytes_max": 1 << 16, "when_full": "drop_oldest"}
        run = Agent("one", stream=lambda request: ["x" * 1000] * 1000, log=log).prompt("hi")
        self.assertEqual(len(run.result(10).text), 1_000_000)
        events = list(run)
        self.assertEqual(events[0].type, "lagged")
        self.assertGreater(events[0].num, 500)
        self.assertEqual(events[-1].type, "agent_end")

    def test_an_event_that_is_too_long_ends_its_run(self):
        server = Loopback(lambda body: "x" * 5000)
        self.addCleanup(server.close)
        with Engine(event_bytes_max=1000) as engine:
            agent = Agent("m", base_url=server.base_url, api_key="x", retries=0, engine=engine)
            with self.assertRaisesRegex(Error, "1000"):
                agent.prompt("hi").result(5)


def texts(run):
    try:
        for piece in run.texts:
            yield piece
    except Error:
        pass


if __name__ == "__main__":
    unittest.main()
