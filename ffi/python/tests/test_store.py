"""Conversations that are kept in a file."""

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
import unittest

from thalweg import Agent, InvalidError, StateError, Store


def user(text):
    return {"role": "user", "content": [{"type": "text", "text": text}]}


def text_of(message):
    return "".join(block.get("text", "") for block in message["content"])


def echo(request):
    yield f"{len(request['messages'])}: {text_of(request['messages'][-1])}"


class Stores(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = os.path.join(folder.name, "deep", "sessions.db")

    def test_what_was_appended_is_read_searched_and_branched(self):
        with Store(self.path) as store:
            session = store.create(title="Skies", model="a/b")
            self.assertEqual(store.append(session, [user("Why is the sky blue?"), user("And at dusk?")]), [1, 2])
            self.assertEqual(store.append(session, [user("And on Mars?")], parent=1), [3])
            self.assertEqual(store.append(session, [user("Anew.")], parent=None), [4])
            store.branch(session, 3)
        with Store(self.path) as store:
            told = store.read(session[:5])
            self.assertEqual([stored["id"] for stored in told["messages"]], [1, 3])
            self.assertEqual((told["head"], told["leaves"], told["about"]["title"]), (3, [2, 3, 4], "Skies"))
            self.assertEqual(len(store.read("last", all=True)["messages"]), 4)
            (hit,) = store.search("dus*")
            self.assertEqual((hit["session"], hit["message"], hit["role"]), (session, 2, "user"))
            (summary,) = store.sessions()
            self.assertEqual((summary["title"], summary["messages"], summary["branches"]), ("Skies", 4, 3))
            store.branch(session, None)
            self.assertEqual(store.read(session)["messages"], [])

    def test_what_was_exported_comes_back(self):
        with Store() as store, Store() as other:
            session = store.create(title="T")
            store.append(session, [user("one"), user("two")])
            for format in ("json_lines", "markdown"):
                (came,) = other.import_(store.export(session, format))
                messages = [text_of(stored["message"]) for stored in other.read(came)["messages"]]
                self.assertEqual(messages, ["one", "two"])
                other.delete(came)
            self.assertEqual(other.sessions(), [])

    def test_what_is_wrong_is_said(self):
        with Store() as store:
            with self.assertRaisesRegex(InvalidError, "no session abc"):
                store.read("abc")
            session = store.create()
            with self.assertRaisesRegex(InvalidError, "no message 7"):
                store.branch(session, 7)
        with self.assertRaises(InvalidError):
            store.sessions()
        with self.assertRaises(InvalidError):
            Store("")


class Keeping(unittest.TestCase):
    def setUp(self):
        self.store = Store()
        self.addCleanup(self.store.close)

    def texts(self, session="last", **more):
        return [text_of(stored["message"]) for stored in self.store.read(session, **more)["messages"]]

    def test_a_conversation_is_kept_and_gone_on_with(self):
        agent = Agent("m", stream=echo, system="Be brief.", messages=[user("before"), {"role": "assistant", "content": [{"type": "text", "text": "said"}]}])
        session = agent.keep(self.store, title="T")
        agent.prompt("one").result(5)
        self.assertEqual(self.texts(session), ["before", "said", "one", "3: one"])
        about = self.store.read(session)["about"]
        self.assertEqual(about, {"title": "T", "model": "program/m", "system": "Be brief."})

        other = Agent("m", stream=echo)
        self.assertEqual(other.keep(self.store, "last"), session)
        self.assertEqual(other.prompt("two").result(5).text, "5: two")
        self.assertEqual(other.session["head"], 6)
        third = Agent("m", stream=echo)
        third.keep(self.store, session, at=4)
        self.assertEqual(third.prompt("three").result(5).text, "5: three")
        self.assertEqual(self.texts(session), ["before", "said", "one", "3: one", "three", "5: three"])
        self.assertEqual(self.store.read(session)["leaves"], [6, 8])

    def test_an_event_loop_finds_it_stored_as_well(self):
        agent = Agent("m", stream=echo)
        agent.keep(self.store)

        async def main():
            for number in range(20):
                await agent.prompt(str(number))
                self.assertEqual(len(self.texts()), 2 * number + 2)

        asyncio.run(main())
        self.assertEqual(self.texts()[-2:], ["19", "39: 19"])

    def test_a_conversation_that_is_changed_becomes_a_branch(self):
        agent = Agent("m", stream=echo)
        session = agent.keep(self.store)
        agent.prompt("one").result(5)
        agent.prompt("two").result(5)
        agent.messages = agent.messages[:2] + [user("other")]
        self.assertEqual(self.texts(), ["one", "1: one", "other"])
        agent.reset()
        self.assertEqual(self.texts(), [])
        agent.prompt("anew").result(5)
        self.assertEqual(self.texts(), ["anew", "1: anew"])
        self.assertEqual(len(self.store.read(session)["leaves"]), 3)

    def test_calls_of_tools_and_their_results_are_kept(self):
        def add(a: int, b: int) -> int:
            """Adds."""
            return a + b

        def stream(request):
            if request["messages"][-1]["role"] == "user":
                yield {"type": "tool_call", "id": "c1", "name": "add", "arguments": {"a": 1, "b": 2}}
            else:
                yield "3"

        agent = Agent("m", stream=stream, tools=[add])
        agent.keep(self.store)
        agent.prompt("1 + 2?").result(5)
        roles = [stored["message"]["role"] for stored in self.store.read()["messages"]]
        self.assertEqual(roles, ["user", "assistant", "tool", "assistant"])

    def test_a_run_in_between_is_refused(self):
        def endless(request):
            while True:
                yield "on "

        agent = Agent("m", stream=endless)
        with agent.prompt("hi"):
            with self.assertRaises(StateError):
                agent.keep(self.store)
            agent.abort()
            agent.wait_for_idle(5)
        self.assertIsNone(agent.session)

    def test_a_process_that_is_killed_loses_no_message_that_it_had_the_result_of(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "sessions.db")
            program = (
                "import sys\nfrom thalweg import Agent, Store\n"
                "agent = Agent('m', stream=lambda request: 'yes')\nagent.keep(Store(sys.argv[1]))\n"
                "while True:\n    agent.prompt('hi').result()\n    print(len(agent.messages), flush=True)\n"
            )
            process = subprocess.Popen([sys.executable, "-c", program, path], stdout=subprocess.PIPE, text=True)
            for _ in range(10):
                count = int(process.stdout.readline())
            process.send_signal(signal.SIGKILL)
            process.wait()
            process.stdout.close()
            with Store(path) as store:
                self.assertGreaterEqual(len(store.read()["messages"]), count)


if __name__ == "__main__":
    unittest.main()
