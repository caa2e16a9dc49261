"""Teams: several agents that answer as one."""

import unittest

from support import Loopback
from thalweg import Agent, Error, tool


class Teams(unittest.TestCase):
    def setUp(self):
        self.server = Loopback(self._answer)
        self.addCleanup(self.server.close)

    @staticmethod
    def _answer(body):
        said = [message["content"] for message in body["messages"] if message["role"] == "user"]
        return f"{body['model']} of {said[-1]}"

    def _member(self, name, **more):
        return {"name": name, "model": name, "base_url": self.server.base_url, "api_key": "anything", **more}

    def test_a_pipeline_answers_and_its_members_have_names(self):
        agent = Agent(team={"kind": "pipeline", "members": [self._member("a"), self._member("b")]})
        run = agent.prompt("Q")
        said = {}
        for event in run:
            if event.type in ("text_delta", "thinking_delta"):
                said.setdefault((event.type, event.aux), []).append(event.text)
        joined = {key: "".join(pieces) for key, pieces in said.items()}
        self.assertEqual(joined, {("thinking_delta", "a"): "a of Q", ("text_delta", "b"): "b of a of Q"})
        self.assertEqual(run.result().text, "b of a of Q")

    def test_teams_nest_and_go_on_with_a_conversation(self):
        inner = {"kind": "broadcast", "name": "all", "members": [self._member("a"), self._member("b")]}
        agent = Agent(team={"kind": "hierarchy", "members": [inner], "lead": self._member("lead")})
        self.assertIn("a of Q\n---\nb of Q", agent.prompt("Q").result().text)
        agent.prompt("and?").result()
        asked = next(body for _, _, body in self.server.requests if body["model"] == "a" and len(body["messages"]) > 1)
        self.assertEqual([message["role"] for message in asked["messages"]], ["user", "assistant", "user"])

    def test_tools_are_the_members(self):
        @tool
        def add(a: int, b: int) -> int:
            """Adds."""
            return a + b

        agent = Agent(team={"kind": "pipeline", "members": [self._member("a")]}, tools=[add])
        agent.prompt("Q").result()
        self.assertEqual([each["function"]["name"] for each in self.server.requests[0][2]["tools"]], ["add"])

    def test_members_may_be_functions_of_the_program(self):
        def answer(request):
            yield f"{request['model']} of {request['messages'][-1]['content'][0]['text']}"

        members = [{"name": name, "model": f"program/{name}"} for name in ("a", "b")]
        agent = Agent(team={"kind": "pipeline", "members": members}, stream=answer)
        self.assertEqual(agent.prompt("Q").result(5).text, "b of a of Q")

    def test_a_slip_is_told_with_its_member(self):
        with self.assertRaisesRegex(Error, "draft.*modle"):
            Agent(team={"kind": "pipeline", "members": [{"name": "draft", "modle": "m"}]})


if __name__ == "__main__":
    unittest.main()
