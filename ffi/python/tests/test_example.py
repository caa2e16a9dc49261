"""The examples do what they say."""

import re
import subprocess
import sys
import unittest
from pathlib import Path

from support import Replay, scenario

HERE = Path(__file__).resolve().parent


class Examples(unittest.TestCase):
    def test_weather_example_shows_tools_and_text(self):
        server = Replay()
        try:
            command = [sys.executable, HERE.parent / "examples/weather.py", server.base_url]
            done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        finally:
            server.close()
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(scenario("two tools")["expect"]["text"], done.stdout)
        self.assertIn("tool_execution_update", done.stdout)

    def test_python_of_the_readme_compiles(self):
        text = (HERE.parent / "README.md").read_text(encoding="utf-8")
        programs = re.findall(r"```python\n(.*?)```", text, re.S)
        self.assertGreater(len(programs), 3)
        for program in programs:
            compile(program, "README.md", "exec")


if __name__ == "__main__":
    unittest.main()
