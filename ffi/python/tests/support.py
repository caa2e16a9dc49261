"""What the tests share: the replay server with the scenarios of all bindings, and a server that notices closed sockets."""

import contextlib
import http.server
import json
import os
import re
import socket
import subprocess
import tempfile
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


class Loopback:
    """An OpenAI-compatible server that answers with what `answer(body)` gives: a text, or a list of (id, name, arguments) to be called.
    It keeps the requests, as (path, headers, body)."""

    def __init__(self, answer):
        self.requests = []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                outer.requests.append((self.path, {name.lower(): value for name, value in self.headers.items()}, body))
                self.send_response(200)
                self.send_header("content-type", "text/event-stream")
                self.send_header("connection", "close")
                self.end_headers()
                for chunk in outer._chunks(answer(body)):
                    self.wfile.write(b"data: " + chunk.encode() + b"\n\n")
                self.close_connection = True

            def log_message(self, *_):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.base_url = f"http://127.0.0.1:{self._server.server_port}/v1"

    @staticmethod
    def _chunks(said):
        def chunk(delta, **more):
            return json.dumps({"choices": [{"index": 0, "delta": delta, "finish_reason": None, **more}]})

        if isinstance(said, str):
            for word in re.findall(r"\s*\S+", said):
                yield chunk({"content": word})
            yield chunk({}, finish_reason="stop")
        else:
            for index, (id, name, arguments) in enumerate(said):
                call = {"index": index, "id": id, "type": "function", "function": {"name": name, "arguments": json.dumps(arguments)}}
                yield chunk({"tool_calls": [call]})
            yield chunk({}, finish_reason="tool_calls")
        usage = {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12, "prompt_tokens_details": {"cached_tokens": 4}}
        yield json.dumps({"choices": [], "usage": usage})
        yield "[DONE]"

    def close(self):
        self._server.shutdown()
        self._server.server_close()


def wait_until(condition, seconds=5):
    """Waits for what comes a little later."""
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.01)


@contextlib.contextmanager
def stand_in(base_url):
    """The environment of a program in which one server stands in for all providers, and each has a key."""
    environment = dict(os.environ)
    with tempfile.NamedTemporaryFile("w", suffix=".toml", delete=False) as file:
        for name in ("openai", "openrouter", "chutes", "minimax", "minimax-cn", "anthropic"):
            key = name.upper().replace("-", "_") + "_API_KEY"
            environment[key] = f"key of {key}"
            # Anthropic's path begins with the version itself.
            url = base_url[: -len("/v1")] if name == "anthropic" else base_url
            file.write(f'[[provider]]\nid = "{name}"\nlike = "{name}"\nbase_url = "{url}"\nkeys = "{key}"\n\n')
    environment["THALWEG_PROVIDERS"] = file.name
    try:
        yield environment
    finally:
        os.unlink(file.name)
