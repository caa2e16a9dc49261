"""What the tests share: the replay server with the scenarios of all bindings, and a server that notices closed sockets."""

import json
import os
import re
import socket
import subprocess
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
SCENARIOS = ROOT / "ffi" / "scenarios.json"


def scenarios():
    return json.loads(SCENARIOS.read_text(encoding="utf-8"))["scenarios"]


def scenario(name):
    return next(each for each in scenarios() if each["name"] == name)


class Replay:
    """`thalweg replay` with all scenarios; THALWEG names the command."""

    def __init__(self):
        target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
        command = os.environ.get("THALWEG", str(target / "release" / "thalweg"))
        files = sorted({str(SCENARIOS.parent / each["recording"]) for each in scenarios()})
        self.process = subprocess.Popen([command, "replay", *files], stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        self.base_url = re.search(r"http://[0-9.:]+", line).group(0) + "/v1"

    def close(self):
        self.process.terminate()
        self.process.wait()
        self.process.stdout.close()


class Endless:
    """Sends one delta after the other, so many seconds apart, and never ends; `closed` is set when its client has closed the connection."""

    def __init__(self, interval=0.005):
        self.interval = interval
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.base_url = f"http://127.0.0.1:{self.listener.getsockname()[1]}/v1"
        self.opened = threading.Event()
        self.closed = threading.Event()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection):
        connection.recv(65536)
        delta = b'data: {"choices":[{"index":0,"delta":{"content":"on "}}]}\n\n'
        try:
            connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
            while True:
                connection.sendall(b"%x\r\n%s\r\n" % (len(delta), delta))
                self.opened.set()
                time.sleep(self.interval)
        except OSError:
            self.closed.set()
        finally:
            connection.close()

    def close(self):
        self.listener.close()


def agent_options(base_url):
    return {"model": "hand-written-1", "base_url": base_url, "api_key": "anything"}
