"""Agents of the crew that ask a model, and the examples."""

import asyncio
import logging
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

from support import Endless, Loopback, stand_in

from thalweg.crew import MiniAgents, agent
from thalweg.crew.ext.llms import AssistantMessage, ModelAgent, OpenAIAgent, OpenAIMessage, SystemMessage, UserMessage

HERE = pathlib.Path(__file__).resolve().parent


class Models(unittest.TestCase):
    def setUp(self):
        logging.disable()
        self.addCleanup(logging.disable, logging.NOTSET)

    def server(self, answer):
        server = Loopback(answer)
        self.addCleanup(server.close)
        return server

    def at(self, server, agent=OpenAIAgent, **options):
        return agent.fork(model="m-1", base_url=server.base_url, api_key="k", **options)

    def test_reply_streams_token_by_token_and_parameters_reach_the_server(self):
        server = self.server(lambda body: "I am fine, thanks.")
        asked = self.at(server)

        async def main():
            replies = asked.trigger(
                "How are you?", system="Be kind.", max_tokens=50, temperature=0.7, logit_bias={"5": 1}
            )
            seen = []
            async for promise in replies:
                self.assertEqual((promise.known_beforehand.model, promise.known_beforehand.agent_alias), ("m-1", "OPENAI_AGENT"))
                seen.append([str(token) async for token in promise])
            return seen, await replies

        seen, (reply,) = MiniAgents().run(main())
        self.assertEqual(seen, [["I", " am", " fine,", " thanks."]])
        self.assertEqual((type(reply), str(reply), reply.role), (OpenAIMessage, "I am fine, thanks.", "assistant"))
        self.assertEqual((reply.usage.output_tokens, reply.stop_reason), (3, "stop"))
        (_, headers, body) = server.requests[0]
        self.assertEqual(headers["authorization"], "Bearer k")
        self.assertEqual([(said["role"], said["content"]) for said in body["messages"]], [("system", "Be kind."), ("user", "How are you?")])
        self.assertEqual((body["model"], body["temperature"], body["logit_bias"]), ("m-1", 0.7, {"5": 1}))

    def test_roles_of_messages_are_told_and_whole_replies_are_one_token(self):
        server = self.server(lambda body: "one two")

        async def main():
            said = [SystemMessage("s"), UserMessage("u"), AssistantMessage("a"), "again"]
            replies = self.at(server, agent=ModelAgent, provider="openai").trigger(said, stream=False)
            async for promise in replies:
                return [str(token) async for token in promise]

        self.assertEqual(MiniAgents().run(main()), ["one two"])
        told = [(said["role"], said["content"]) for said in server.requests[0][2]["messages"]]
        self.assertEqual(told, [("system", "s"), ("user", "u"), ("assistant", "a"), ("user", "again")])

    def test_tools_run_and_what_is_said_before_and_behind_is_one_reply(self):
        def answer(body):
            last = body["messages"][-1]
            return f"It is {last['content']}." if last["role"] == "tool" else [("c1", "double", {"number": 21})]

        server = self.server(answer)

        def double(number: int) -> str:
            """Doubles a number."""
            return str(2 * number)

        asked = self.at(server, non_freezable_kwargs={"tools": (double,)})
        self.assertEqual([str(one) for one in MiniAgents().run_agent(asked, "Double 21")], ["It is 42."])
        self.assertEqual(len(server.requests), 2)

    def test_failure_is_raised_where_the_reply_is_read(self):
        server = self.server(lambda body: "x")
        server.close()
        with self.assertRaises(Exception) as raised:
            MiniAgents().run_agent(self.at(server, retries=0), "hi")
        self.assertTrue(type(raised.exception).__module__.startswith("thalweg"), raised.exception)

    def test_cancelled_reply_closes_the_connection(self):
        server = Endless()
        self.addCleanup(server.close)

        @agent
        async def asks(ctx):
            ctx.reply(self.at(server).trigger("go on"))
            await asyncio.sleep(1000)

        async def main():
            replies = asks.trigger()
            async for promise in replies:
                async for token in promise:
                    self.assertEqual(str(token), "on ")
                    break
                break
            replies.cancel()

        MiniAgents().run(asyncio.wait_for(main(), 20))
        self.assertTrue(server.closed.wait(20))

    def test_models_are_asked_at_once_and_their_replies_come_in_order(self):
        server = self.server(lambda body: f"re: {body['messages'][-1]['content']}")
        asked = self.at(server)

        @agent
        async def panel(ctx):
            ctx.reply([asked.trigger(f"question {number}") for number in range(20)])

        replies = MiniAgents().run_agent(panel)
        self.assertEqual([str(one) for one in replies], [f"re: question {number}" for number in range(20)])

    def test_log_has_who_asked_the_prompt_and_the_reply(self):
        server = self.server(lambda body: "logged")
        with tempfile.TemporaryDirectory() as folder:
            before = os.getcwd()
            os.chdir(folder)
            try:
                MiniAgents(llm_logger_agent=True).run_agent(self.at(server), "hi", system="be brief", temperature=0.5)
            finally:
                os.chdir(before)
            (file,) = pathlib.Path(folder, "llm_logs").iterdir()
            text = file.read_text()
        self.assertIn("__m-1__", file.name)
        self.assertTrue(text.startswith("OPENAI_AGENT\n"), text)
        underline = "=" * 40
        for part in ("'temperature': 0.5", f"\nuser\n{underline}\nhi\n", f"\nsystem\n{underline}\nbe brief\n", "\nlogged\n", "'stop_reason': 'stop'"):
            self.assertIn(part, text)
        self.assertNotIn("'k'", text)


class Examples(unittest.TestCase):
    def run_example(self, name, *arguments, typed="", **more):
        command = [sys.executable, HERE.parent / "examples" / name, *arguments]
        done = subprocess.run(command, input=typed, capture_output=True, text=True, timeout=60, **more)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(done.stderr, "")
        return done.stdout

    def test_echo(self):
        self.assertEqual(self.run_example("crew_echo.py"), "You said: Hello\nYou said: World\nYou said: One\nYou said: Two\n")

    def test_errors(self):
        self.assertEqual(
            self.run_example("crew_errors.py"),
            "As far as it went.\nIt failed: the disk is full.\nAs far as it went.\nValueError: the disk is full\n",
        )

    def test_parallel(self):
        self.assertEqual(
            self.run_example("crew_parallel.py"),
            "Nothing has run yet.\nOnce begins\nThen begins\n[Then] [they] [left] [Once] [upon] [a] [time] \n"
            "Welcome!\nOnce upon a time \nThen they left \nGood night.\n4 messages\n",
        )

    def test_dialog_goes_on_where_it_was_left(self):
        server = Loopback(lambda body: f"{len(body['messages'])} messages")
        self.addCleanup(server.close)
        with tempfile.TemporaryDirectory() as folder, stand_in(server.base_url) as environment:
            file = str(pathlib.Path(folder) / "CHAT.md")
            for typed in ("hi\nagain\nexit\n", "back\n"):
                said = self.run_example("crew_dialog.py", "openai/m", server.base_url, file, typed=typed, env=environment)
                self.assertIn("MODEL_AGENT: ", said)
            kept = pathlib.Path(file).read_text()
        self.assertEqual([body["messages"][-1]["content"] for _, _, body in server.requests], ["hi", "again", "back"])
        self.assertEqual([len(body["messages"]) for _, _, body in server.requests], [2, 4, 6])
        self.assertIn("4 messages", kept)


if __name__ == "__main__":
    unittest.main()
