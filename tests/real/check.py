#!/usr/bin/env python3
"""Runs the built command against real servers and real clients that nobody here wrote, all on 127.0.0.1.

    tests/real/check.py [--thalweg FILE] [--only NAME]

Installs what it needs below target/real from PyPI and npm:
  clients   the official `openai` and `anthropic` clients read what `thalweg replay` serves, and their types and those of
            `google-genai`, `cohere`, `mistralai` and `ollama` accept our requests
  aimock    two-turn tool runs, thinking, images, structured output, cut streams, lost connections and errors, in every dialect
            it speaks
  llmock    a list of faults; its verdict on us must have no finding
  llama     llama.cpp, when LLAMA_CHAT_URL and LLAMA_TOOLS_URL name servers that run (its build takes long)
Standard library only. Ends with the number of checks; exit code 1 if one failed.
"""

import argparse
import base64
import http.client
import http.server
import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
import venv

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
STATE = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).resolve() / "real"
PYTHON = STATE / "venv/bin/python"
AIMOCK = "@copilotkit/aimock@1.43.0"
#: Keys by the name that each dialect's provider has; the servers here take any.
ENVIRONMENT = {**os.environ, "THALWEG_REAL_KEY": "sk-anything", "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
               "AWS_SECRET_ACCESS_KEY": "anything", "AWS_REGION": "us-east-1"}

passed, failed = 0, []


def check(name, holds, seen=""):
    """Counts one check and says at once how it went."""
    global passed
    if holds:
        passed += 1
        print(f"ok    {name}", flush=True)
    else:
        failed.append(name)
        print(f"FAIL  {name}: {str(seen)[-600:]}", flush=True)


def install():
    STATE.mkdir(parents=True, exist_ok=True)
    wanted = (HERE / "requirements.txt").read_text() + AIMOCK
    stamp = STATE / "installed"
    if stamp.exists() and stamp.read_text() == wanted:
        return
    print("installing the clients and servers", flush=True)
    venv.create(STATE / "venv", with_pip=True)
    subprocess.run([PYTHON, "-m", "pip", "-q", "--disable-pip-version-check", "install", "-r", HERE / "requirements.txt"], check=True)
    npm = shutil.which("npm")
    if npm is None:
        sys.exit("npm is not installed; aimock comes from its registry")
    subprocess.run([npm, "install", "--silent", "--no-audit", "--no-fund", "--prefix", STATE / "npm", AIMOCK], check=True)
    stamp.write_text(wanted)


class Server:
    """A server process that ends with its block."""

    def __init__(self, command, port, health="/health"):
        self.log = open(STATE / f"{pathlib.Path(command[0]).name}-{port}.log", "w+")
        self.url = f"http://127.0.0.1:{port}"
        self.health = health
        self.process = subprocess.Popen([str(part) for part in command], stdout=self.log, stderr=subprocess.STDOUT)

    def __enter__(self):
        for _ in range(300):
            try:
                urllib.request.urlopen(self.url + self.health, timeout=1)
                return self
            except urllib.error.HTTPError:
                return self
            except OSError:
                if self.process.poll() is not None:
                    break
                time.sleep(0.1)
        self.log.seek(0)
        sys.exit(f"{self.process.args} did not start:\n{self.log.read()}")

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()


class Tap:
    """Stands between us and a server, hands everything on, and keeps the bodies of the requests."""

    def __init__(self, url):
        self.bodies = []
        tap, there = self, url.removeprefix("http://")

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                tap.bodies.append(body.decode())
                upstream = http.client.HTTPConnection(there, timeout=600)
                headers = {name: value for name, value in self.headers.items() if name.lower() not in ("host", "connection")}
                upstream.request("POST", self.path, body, {**headers, "connection": "close"})
                answer = upstream.getresponse()
                self.send_response(answer.status)
                for name, value in answer.getheaders():
                    if name.lower() not in ("transfer-encoding", "connection", "content-length", "date", "server"):
                        self.send_header(name, value)
                self.end_headers()
                while piece := answer.read1(65536):
                    self.wfile.write(piece)
                    self.wfile.flush()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


#: A picture of one red point, and what structured output has to keep to.
PICTURE = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==")
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}, "people": {"type": "integer"}},
          "required": ["city", "people"], "additionalProperties": False}

#: How each dialect asks for thinking and for a schema: texts that stand in the body of the request.
ASKS = {
    "openai-chat": ('"reasoning_effort":"low"', '"response_format":'),
    "openai-responses": ('"reasoning":', '"text":{"format":'),
    "anthropic": ('"thinking":', '"output_'),
    "gemini": ('"thinkingConfig":', '"responseJsonSchema":'),
    "ollama": ('"think":', '"format":'),
    "bedrock": ('"additionalModelRequestFields":', None),
    "cohere-v2": ('"thinking":', '"response_format":'),
}


def forms(thalweg, name, dialect, base_url, model, thinks=True, answers=True, more=()):
    """A thinking run, an image and structured output: what goes over the wire, and what comes back. Of a server that `answers` in its
    own words only the form is asked."""
    picture, schema = STATE / "picture.png", STATE / "schema.json"
    picture.write_bytes(PICTURE)
    schema.write_text(json.dumps(SCHEMA))
    thinking, structured = ASKS[dialect]
    host, _, path = base_url.removeprefix("http://").partition("/")
    with Tap(f"http://{host}") as tap:
        at = ["--base-url", f"{tap.url}/{path}".rstrip("/"), "--dialect", dialect, "--model", model, "--no-tools", *more]
        run = Run(thalweg, "Think, and then answer", *at, "--thinking", "low")
        thought = run.thinking != "" if thinks else True
        check(f"{name}: a thinking run", run.code == 0 and run.text and thought and thinking in tap.bodies[-1], f"{run} {tap.bodies[-1:]}")
        run = Run(thalweg, "What is in the picture?", *at, "--image", picture)
        sent = base64.b64encode(PICTURE).decode() in tap.bodies[-1]
        check(f"{name}: an image", run.code == 0 and run.text and sent, f"{run} {tap.bodies[-1:]}")
        if structured is None:
            return
        run = Run(thalweg, "Which city is in the schema?", *at, "--json-schema", schema)
        asked = structured in tap.bodies[-1] and '"people"' in tap.bodies[-1]
        try:
            given = json.loads(run.text)
            kept = not answers or (set(given) == {"city", "people"} and isinstance(given["people"], int))
        except ValueError:
            kept = not answers
        check(f"{name}: structured output", run.code == 0 and asked and kept, f"{run} {tap.bodies[-1:]}")


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Run:
    """One `thalweg run`: its events, and how it ended."""

    def __init__(self, thalweg, prompt, *arguments):
        command = [str(thalweg), "run", prompt, "--key-env", "THALWEG_REAL_KEY", *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=900, env=ENVIRONMENT)
        self.code, self.error = done.returncode, done.stderr
        self.events = [json.loads(line) for line in done.stdout.splitlines()]
        self.last = self.events[-1] if self.events else {}
        self.results = [event for event in self.events if event["type"] == "tool_execution_end"]
        messages = [m for m in self.last.get("messages", []) if m["role"] == "assistant"]
        parts = messages[-1]["content"] if messages else []
        self.text = "".join(part.get("text", "") for part in parts if part["type"] == "text")
        self.thinking = "".join(part.get("text", "") for part in parts if part["type"] == "thinking")

    def __str__(self):
        return f"exit {self.code}, text {self.text!r}, {len(self.results)} results, {self.error}"


# Dialects and where aimock and llmock have them; a dialect that the command does not know yet is refused by it.
AIMOCK_DIALECTS = [
    ("openai-chat", "/v1", "gpt-4o"),
    ("anthropic", "", "claude-sonnet-4-5"),
    ("openai-responses", "/v1", "gpt-4o"),
    ("ollama", "", "llama3"),
    ("gemini", "/v1beta", "gemini-2.5-flash"),
    ("bedrock", "", "anthropic.claude-3"),
    ("cohere-v2", "", "command-r-plus"),
]
LLMOCK_DIALECTS = [
    ("openai-chat", "/v1", "gpt-4o"),
    ("anthropic", "/anthropic", "claude-sonnet-4-5"),
    ("openai-chat", "/mistral/v1", "mistral-small"),
    ("openai-chat", "/groq/openai/v1", "llama-3.3-70b-versatile"),
    ("openai-chat", "/xai/v1", "grok-4"),
    ("openai-responses", "/v1", "gpt-4o"),
    ("gemini", "/gemini/v1beta", "gemini-2.5-flash"),
    ("cohere-v2", "/cohere", "command-r-plus"),
]


def aimock(thalweg):
    """Every dialect of aimock: a run of two turns, and what goes wrong on the way."""
    port = free_port()
    command = ["node", STATE / "npm/node_modules/.bin/llmock", "-h", "127.0.0.1", "-p", str(port),
               "-f", HERE / "aimock.json", "-l", "2", "-c", "7", "--log-level", "warn"]
    with Server(command, port) as server:
        for dialect, path, model in AIMOCK_DIALECTS:
            at = ["--base-url", server.url + path, "--dialect", dialect, "--model", model]
            run = Run(thalweg, "What is the weather in São Paulo, and what is 17 * 23?", *at)
            results = {event["tool_name"]: json.dumps(event.get("result", event)) for event in run.results}
            check(f"aimock {dialect}: two turns with two tools",
                  run.code == 0 and run.text.endswith("17 × 23 is 391.") and "391" in results.get("calculate", "")
                  and "get_weather" in results, run)
            run = Run(thalweg, "Say hello", *at)
            check(f"aimock {dialect}: text in many scripts", run.text == "Grüße — 你好 — привет ☃", run)
            for prompt, name in [("Please cut this", "stream cut short"), ("Please drop this", "connection lost")]:
                run = Run(thalweg, prompt, *at, "--no-tools")
                check(f"aimock {dialect}: {name} is an error", run.code == 1 and run.error and run.last["type"] == "agent_end", run)
            # It does not let models think in these two.
            forms(thalweg, f"aimock {dialect}", dialect, server.url + path, model, thinks=dialect not in ("ollama", "cohere-v2"))
            run = Run(thalweg, "Go to the limit", *at)
            check(f"aimock {dialect}: too many requests is told in the server's words", run.code == 1 and "slow down" in run.error, run)


def llmock(thalweg):
    """Faults one after the other; the server keeps a journal and judges the client by it."""
    port = free_port()
    with Server([STATE / "venv/bin/llmock", "serve", "--host", "127.0.0.1", "--port", str(port), "--log-level", "warning", "--stream-chunk-delay-ms", "15"], port) as server:
        def script(*behaviors):
            body = json.dumps({"behaviors": behaviors}).encode()
            request = urllib.request.Request(server.url + "/_llmock/scenario", body, {"content-type": "application/json"})
            urllib.request.urlopen(request).read()

        def settled():
            """Waits until the server has noticed that we hung up: only what begins after that counts as asking again."""
            urllib.request.urlopen(server.url + "/_llmock/requests").read()

        for number, (dialect, path, model) in enumerate(LLMOCK_DIALECTS):
            at = ["--base-url", server.url + path, "--dialect", dialect, "--model", model]
            name = f"llmock {path.strip('/')} {dialect}"
            # The journal tells calls apart by their bodies, so each fault has a prompt of its own.
            def ask(what, *more):
                return Run(thalweg, f"{what}, number {number}", *at, *more)

            check(f"{name}: plain", ask("plain").code == 0)
            for status in (429, 503):
                script({"type": "fail", "status": status, "retry_after": 1})
                check(f"{name}: {status} with Retry-After is tried again", ask(f"wait {status}").code == 0)
            for status in (500, 502, 504, 529):
                script({"type": "fail", "status": status})
                run = ask(f"once {status}")
                check(f"{name}: {status} is tried again", run.code == 0, run)
            script({"type": "fail", "status": 500, "times": 2})
            check(f"{name}: 500 twice is tried again", ask("twice").code == 0)
            # Slow is not broken: what comes late is waited for.
            for slow in ({"type": "delay", "seconds": 0.4}, {"type": "slow_first_token", "seconds": 0.4},
                         {"type": "stream_fault", "kind": "stall", "after_chunks": 1, "stall_seconds": 0.4}):
                script(slow)
                run = ask(f"slow {slow.get('kind', slow['type'])}", "--no-tools")
                check(f"{name}: {slow.get('kind', slow['type'])} is waited for", run.code == 0 and run.text != "", run)
            for status in (400, 401, 403, 404, 422):
                script({"type": "fail", "status": status, "message": "not like this"})
                run = ask(f"refused {status}")
                check(f"{name}: {status} is told and not tried again", run.code == 1 and "not like this" in run.error, run)
            for kind in ("truncate", "disconnect", "malformed"):
                # Behind the first text and before the end, which is near where chunks hold more words.
                script({"type": "stream_fault", "kind": kind, "after_chunks": 1 if dialect == "gemini" else 5})
                run = ask(kind, "--no-tools")
                kept = run.code == 1 and run.text != ""
                # Nothing is sent again once text was shown; asking again is the caller's choice.
                settled()
                again = ask(kind, "--no-tools")
                check(f"{name}: {kind} in the middle is an error that keeps the text", kept and again.code == 0, run)
            for kind in ("truncate", "disconnect"):
                script({"type": "stream_fault", "kind": kind, "after_chunks": 0})
                run = ask(f"{kind} at once", "--no-tools")
                settled()
                again = ask(f"{kind} at once", "--no-tools")
                check(f"{name}: {kind} at the beginning is an error or tried again", (run.code == 1 or run.text) and again.code == 0, run)
            for kind in ("malformed_arguments", "unknown_tool"):
                script({"type": "tool_fault", "kind": kind})
                run = ask(kind)
                check(f"{name}: {kind} becomes a result that says so", run.code == 0 and any(event["is_error"] for event in run.results), run)
        for number, (dialect, path, model) in enumerate(LLMOCK_DIALECTS):
            # It says something else to every request, and never thinks.
            forms(thalweg, f"llmock {path.strip('/')} {dialect}", dialect, server.url + path, model, thinks=False, answers=False)
        report = subprocess.run([STATE / "venv/bin/llmock", "report", "--strict", "--url", server.url], capture_output=True, text=True)
        check("llmock: the verdict has no finding", report.returncode == 0, report.stdout)


def clients(thalweg):
    """The official clients read our replay, and their types accept what we send."""
    process = subprocess.Popen([thalweg, "replay", "--pace", "max"], stdout=subprocess.PIPE, text=True)
    try:
        url = process.stdout.readline().split(" at ")[1].split(",")[0]
        read = subprocess.run([PYTHON, HERE / "clients.py", url, thalweg], capture_output=True, text=True, timeout=300)
        for line in read.stdout.splitlines():
            outcome, name = line.split(" ", 1)
            check(f"clients: {name}", outcome == "ok", name)
        check("clients: all were asked", read.returncode == 0 and read.stdout, read.stderr)
    finally:
        process.terminate()
        process.wait()


def llama(thalweg):
    chat, tools = os.environ.get("LLAMA_CHAT_URL"), os.environ.get("LLAMA_TOOLS_URL")
    if not (chat and tools):
        print("llama: not checked, LLAMA_CHAT_URL and LLAMA_TOOLS_URL are not set", flush=True)
        return
    port = free_port()
    with Server([sys.executable, HERE / "llama-route.py", str(port), tools, chat], port, "/v1/models") as route:
        for dialect, path in [("openai-chat", "/v1"), ("anthropic", ""), ("openai-responses", "/v1")]:
            run = Run(thalweg, "What is the weather in Paris?", "--base-url", route.url + path, "--dialect", dialect,
                      "--model", "SmolLM2-135M-Instruct", "--tool-choice", "required", "--max-tokens", "120", "--max-turns", "2")
            check(f"llama {dialect}: two turns with a tool", len(run.results) >= 1 and run.last.get("type") == "agent_end"
                  and run.text, run)
            schema = STATE / "schema.json"
            schema.write_text(json.dumps(SCHEMA))
            run = Run(thalweg, "Name a city and how many people live there, as JSON.", "--base-url", route.url + path, "--dialect", dialect,
                      "--model", "SmolLM2-135M-Instruct", "--max-tokens", "120", "--no-tools", "--json-schema", schema)
            # Its grammar keeps the model to the schema; Anthropic's form of it is not read there.
            kept = dialect == "anthropic" or run.text.lstrip().startswith('{"city"') or '"city"' in run.text
            check(f"llama {dialect}: structured output", run.last.get("type") == "agent_end" and kept, run)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--thalweg", type=pathlib.Path, default=STATE.parent / "release/thalweg", help="the built command")
    parser.add_argument("--only", choices=["clients", "aimock", "llmock", "llama"])
    arguments = parser.parse_args()
    if not arguments.thalweg.exists():
        sys.exit(f"{arguments.thalweg} is not there; run `cargo build --release` first")
    install()
    for part in (clients, aimock, llmock, llama):
        if arguments.only in (None, part.__name__):
            part(arguments.thalweg)
    print(f"{passed} real-server checks passed, {len(failed)} failed")
    sys.exit(1 if failed or not passed else 0)


if __name__ == "__main__":
    main()
