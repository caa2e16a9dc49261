"""Tools: what the model is told of a function, and how it is called."""

import asyncio
import contextvars
import dataclasses
import enum
import json
import threading
import time
import unittest
from typing import Dict, List, Optional, Tuple, Union

try:
    from typing import Annotated, Literal, TypedDict
except ImportError:
    raise

import thalweg
from support import Replay, agent_options, scenario
from thalweg import schema


class Unit(enum.Enum):
    CELSIUS = "c"
    FAHRENHEIT = "f"


@dataclasses.dataclass
class Place:
    name: str
    height: float = 0.0


class Box(TypedDict, total=False):
    side: int


class Schema(unittest.TestCase):
    def test_parameters_become_a_schema(self):
        @thalweg.tool
        def forecast(
            place: Place,
            days: int = 3,
            unit: Unit = Unit.CELSIUS,
            tags: Optional[List[str]] = None,
            kind: Literal["short", "long"] = "short",
            note: Annotated[str, "said on top"] = "",
            *,
            call: thalweg.ToolContext,
        ):
            """The forecast of a place.

            Args:
                place: where,
                    and how high
                days: how many

            Returns:
                a text
            """

        self.assertEqual(forecast.name, "forecast")
        self.assertEqual(forecast.description, "The forecast of a place.")
        self.assertEqual(
            forecast.parameters,
            {
                "type": "object",
                "properties": {
                    "place": {
                        "type": "object",
                        "properties": {"name": {"type": "string"}, "height": {"type": "number"}},
                        "required": ["name"],
                        "description": "where, and how high",
                    },
                    "days": {"type": "integer", "description": "how many", "default": 3},
                    "unit": {"enum": ["c", "f"]},
                    "tags": {"anyOf": [{"type": "array", "items": {"type": "string"}}, {"type": "null"}]},
                    "kind": {"enum": ["short", "long"], "type": "string", "default": "short"},
                    "note": {"type": "string", "description": "said on top", "default": ""},
                },
                "required": ["place"],
            },
        )

    def test_types_have_schemas_and_values(self):
        for hint, expected, given, made in [
            (Dict[str, int], {"type": "object", "additionalProperties": {"type": "integer"}}, {"a": 1}, {"a": 1}),
            (Union[int, None], {"type": ["integer", "null"]}, None, None),
            (Tuple[int, ...], {"type": "array", "items": {"type": "integer"}}, [1, 2], (1, 2)),
            (Box, {"type": "object", "properties": {"side": {"type": "integer"}}}, {"side": 1}, {"side": 1}),
            (List[Unit], {"type": "array", "items": {"enum": ["c", "f"]}}, ["f"], [Unit.FAHRENHEIT]),
            (float, {"type": "number"}, 1, 1.0),
        ]:
            with self.subTest(hint):
                self.assertEqual(schema.of_type(hint), expected)
                self.assertEqual(schema.convert(hint, given), made)
                self.assertIs(type(schema.convert(hint, given)), type(made))

    def test_what_has_no_schema_is_refused(self):
        def nameless(*values: int):
            pass

        def strange(value: "threading.Lock"):
            pass

        for function in (nameless, strange):
            with self.subTest(function), self.assertRaises((TypeError, NameError)):
                thalweg.tool(function)


class Calls(unittest.TestCase):
    """The scenario with two tools, with tools that do more than answer."""

    @classmethod
    def setUpClass(cls):
        cls.server = Replay()
        cls.said = scenario("two tools")

    @classmethod
    def tearDownClass(cls):
        cls.server.close()

    def agent(self, *tools):
        return thalweg.Agent(tools=tools, **agent_options(self.server.base_url))

    def results(self, run):
        return {
            json.loads(event.text)["tool_name"]: (json.loads(event.text)["result"]["content"][0]["text"], bool(event.num))
            for event in run
            if event.type == "tool_execution_end"
        }

    def answers(self, get_weather, multiply):
        run = self.agent(get_weather, multiply).prompt(self.said["prompt"])
        try:
            return self.results(run)
        except thalweg.Error:
            # The recording goes on with the right answers only.
            return self.results(event for event in self.quietly(run))

    @staticmethod
    def quietly(run):
        try:
            yield from run
        except thalweg.Error:
            pass

    def test_failures_and_answers_reach_the_model(self):
        def get_weather(city: str):
            raise thalweg.ToolError(f"no such city: {city}")

        def multiply(a: int, b: int) -> Dict[str, int]:
            return {"product": a * b}

        self.assertEqual(
            self.answers(get_weather, multiply),
            {"get_weather": ("no such city: Paris", True), "multiply": ('{"product": 42}', False)},
        )

    def test_exception_names_its_class_and_wrong_arguments_their_parameter(self):
        def get_weather(city: Unit):
            return "never called"

        def multiply(a: int, b: int):
            return a // (b - 7)

        answers = self.answers(get_weather, multiply)
        wrong, failed = answers["get_weather"]
        self.assertTrue(failed)
        self.assertIn("do not fit the schema of `get_weather`: /city: \"Paris\" is not one of", wrong)
        self.assertEqual(answers["multiply"], ("ZeroDivisionError: integer division or modulo by zero", True))

    def test_plain_tools_run_at_the_same_time_and_see_context_variables(self):
        barrier = threading.Barrier(2)
        variable = contextvars.ContextVar("variable", default="none")

        def get_weather(city: str):
            barrier.wait(10)
            return f"It is {variable.get()} in Paris"

        def multiply(a: int, b: int):
            barrier.wait(10)
            return a * b

        variable.set("sunny")
        result = self.agent(get_weather, multiply).prompt(self.said["prompt"]).result()
        self.assertEqual(result.text, self.said["expect"]["text"])

    def test_async_tools_run_in_the_loop_of_the_prompt(self):
        threads = []

        async def get_weather(city: str):
            threads.append(threading.current_thread())
            await asyncio.sleep(0.01)
            return "It is sunny in Paris"

        async def multiply(a: int, b: int):
            threads.append(threading.current_thread())
            return a * b

        async def main():
            return await self.agent(get_weather, multiply).prompt(self.said["prompt"])

        self.assertEqual(asyncio.run(main()).text, self.said["expect"]["text"])
        self.assertEqual(threads, [threading.main_thread()] * 2)
        # Without a loop they get one of their own.
        self.assertEqual(
            self.agent(get_weather, multiply).prompt(self.said["prompt"]).result().text, self.said["expect"]["text"]
        )

    def test_abort_cancels_async_tools_and_is_seen_by_plain_ones(self):
        cancelled, noticed = [], threading.Event()

        async def get_weather(city: str):
            try:
                await asyncio.sleep(30)
            except asyncio.CancelledError:
                cancelled.append(city)
                raise

        def multiply(a: int, b: int, call: thalweg.ToolContext):
            for _ in range(3000):
                if call.is_cancelled:
                    noticed.set()
                    return "too late"
                time.sleep(0.01)
            return "never"

        async def main():
            run = self.agent(get_weather, multiply).prompt(self.said["prompt"])
            async for event in run:
                if event.type == "tool_execution_start":
                    await asyncio.sleep(0.05)
                    run.abort()
            await asyncio.sleep(0.1)

        asyncio.run(main())
        self.assertEqual(cancelled, ["Paris"])
        self.assertTrue(noticed.wait(5))

    def test_tools_are_freed_with_their_agent(self):
        import gc
        import weakref

        def get_weather(city: str):
            return "It is sunny in Paris"

        def multiply(a: int, b: int):
            return a * b

        agent = self.agent(get_weather, multiply)
        agent.prompt(self.said["prompt"]).result()
        gone = weakref.ref(get_weather)
        del agent, get_weather
        for _ in range(200):
            gc.collect()
            if gone() is None:
                break
            time.sleep(0.01)
        self.assertIsNone(gone())


if __name__ == "__main__":
    unittest.main()
