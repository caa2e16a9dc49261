#!/usr/bin/env python3
"""Installs the clients in Python and in JavaScript below a folder: `install.py FOLDER`.

Prints a line `name=version` for each that is there then, and says on stderr which are absent, and why. Versions are pinned, so that two
records compare.
"""

import shutil
import subprocess
import sys
import venv
from pathlib import Path

HERE = Path(__file__).resolve().parent

#: Name in the table, and what is installed for it.
PYTHON = {
    "tiny-agent-os": ["tiny-agent-os==1.2.29"],
    "openai-python": ["openai==2.54.0"],
    "litellm": ["litellm==1.106.2"],
}
NODE = {
    "openai-node": ["openai@7.55.0"],
    "ai-sdk": ["ai@7.0.173", "@ai-sdk/openai-compatible@3.0.92", "zod@4"],
}


def attempt(name, packages, command, folder):
    done = subprocess.run([*command, *packages], cwd=folder, stdout=sys.stderr)
    if done.returncode:
        print(f"{name} is absent: it cannot be installed", file=sys.stderr)
    else:
        print(f"{name}={', '.join(packages)}")


def main():
    folder = Path(sys.argv[1]).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    python = folder / "venv" / "bin" / "python"
    try:
        if not python.exists():
            venv.create(folder / "venv", with_pip=True)
    except Exception as error:
        print(f"the clients in Python are absent: {error}", file=sys.stderr)
    if python.exists():
        for name, packages in PYTHON.items():
            attempt(name, packages, [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"], folder)
    if shutil.which("node") and shutil.which("npm"):
        # Packages are looked for from the script's own folder upwards.
        shutil.copy(HERE / "clients.mjs", folder)
        for name, packages in NODE.items():
            attempt(name, packages, ["npm", "install", "--silent", "--no-audit", "--no-fund"], folder)
    else:
        print("the clients in JavaScript are absent: there is no node or no npm", file=sys.stderr)


if __name__ == "__main__":
    main()
