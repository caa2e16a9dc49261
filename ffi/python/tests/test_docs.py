"""The Python of the documents does what it says: each piece is run, and one server stands in for all providers."""

import importlib.util
import re
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from support import ROOT, Loopback, stand_in


def answer(body):
    last = body["messages"][-1]
    if body.get("tools") and last["role"] == "user":
        return [("c1", body["tools"][0]["function"]["name"], {"a": 1, "b": 2})]
    return f"It is {last['content']}." if last["role"] == "tool" else "<think>Hm.</think>That is all."


class Documents(unittest.TestCase):
    def pieces(self, name):
        text = (ROOT / "docs" / name).read_text(encoding="utf-8")
        return re.findall(r"^```python\n(.*?)^```", text, re.M | re.S)

    def run_all(self, name, at_least, folder=None, but=None):
        pieces = [piece for piece in self.pieces(name) if piece != but]
        self.assertGreaterEqual(len(pieces), at_least)
        said = []
        for piece in pieces:
            server = Loopback(answer)
            # Anthropic's own form of a reply is not spoken here: what is asked for there is seen in the request.
            piece = piece.replace("anthropic/claude-sonnet-4-5", "openrouter/anthropic/claude-sonnet-4-5")
            with self.subTest(piece), stand_in(server.base_url) as environment:
                done = subprocess.run(
                    [sys.executable, "-c", piece], capture_output=True, text=True, timeout=60, env=environment, cwd=folder
                )
                self.assertEqual(done.returncode, 0, done.stderr)
            said.append((done.stdout, server.requests))
            server.close()
        return said

    def test_caching(self):
        ((said, requests),) = self.run_all("CACHING.md", 1)
        self.assertEqual(said, "4 tokens came from the cache\n")
        self.assertEqual(len(requests), 2)
        for _, _, body in requests:
            self.assertEqual(body["messages"][0]["content"][0]["cache_control"], {"type": "ephemeral"})
            self.assertEqual(body["session_id"], "customer-17")

    def test_endpoints(self):
        made, minimax, extra, function = self.run_all("ENDPOINTS.md", 4)
        self.assertEqual(made[1], [])
        self.assertEqual(minimax[0], "thought: Hm.\nsaid: That is all.\n")
        body = extra[1][0][2]
        self.assertEqual((body["provider"], body["logprobs"]), ({"order": ["azure"]}, True))
        self.assertEqual(function[0], "You asked: Why?\n")

    def test_usage(self):
        (said, _), (budget, _) = self.run_all("USAGE.md", 2)
        sums, last = said.splitlines()
        self.assertIn("'input_tokens': 9", sums)
        self.assertNotIn("raw", sums)
        self.assertIn("'prompt_tokens': 9", last)
        for part in ("'limit': 100000", "'left': 99988", "'spent': 12"):
            self.assertIn(part, budget)

    def test_sessions(self):
        with tempfile.TemporaryDirectory() as folder:
            ((said, requests),) = self.run_all("SESSIONS.md", 1, folder)
        self.assertEqual(said, "2 branches\n")
        self.assertEqual([len(body["messages"]) for _, _, body in requests], [1, 1])

    def test_migrating(self):
        binding, quick_start, add, crew, joke = self.run_all("MIGRATING.md", 5)
        self.assertEqual(binding[1], [])
        self.assertIn("That is all.", quick_start[0])
        self.assertEqual(add[0], "It is 3.0.\n")
        self.assertEqual(crew[0], "HELLO, YOU!\n")
        self.assertIn("That is all.", joke[0])

    def test_read_me_of_the_binding(self):
        with tempfile.TemporaryDirectory() as folder:
            Path(folder, "cat.png").write_bytes(b"\x89PNG\r\n\x1a\n")
            # That module stands on TinyAgent's package, which an old Python cannot have.
            but = None if importlib.util.find_spec("tinyagent") else "import thalweg.tinyagent\n"
            said = self.run_all("../ffi/python/README.md", 10, folder, but)
        printed = [output for output, _ in said]
        self.assertIn("That is all.", printed[0])
        store = next(output for output in printed if "## User" in output)
        self.assertIn("1 Why is the [sky] [blue]?", store)
        self.assertIn("And at dusk?", store)


if __name__ == "__main__":
    unittest.main()
