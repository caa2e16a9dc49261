"""The official Python clients of providers: those of OpenAI and Anthropic read a replay, and the types of all accept what we send.

    clients.py REPLAY_URL THALWEG

Prints a line a check: `ok NAME` or `FAIL NAME: what was seen`.
"""

import http.server
import inspect
import json
import subprocess
import sys
import threading

import anthropic
import cohere
import ollama._types
import openai
from anthropic.types import message_create_params
from google.genai import types as google
from mistralai.client import models as mistral
from openai.types.chat import completion_create_params
from openai.types.responses import response_create_params
from pydantic import TypeAdapter

REPLAY, THALWEG = sys.argv[1], sys.argv[2]
PROMPT = "What is the weather in Paris, and what is 17 * 23?"
MODEL = "hand-written-1"


def check(name, holds, seen):
    print(f"ok {name}" if holds else f"FAIL {name}: {seen}", flush=True)


def openai_tools(client):
    """Both turns of the recorded conversation; the replay answers the second only if the results are right."""
    messages = [{"role": "user", "content": PROMPT}]
    tools = [{"type": "function", "function": {"name": name, "parameters": {"type": "object"}}} for name in ("get_weather", "calculate")]
    with client.chat.completions.stream(model=MODEL, messages=messages, tools=tools) as stream:
        first = stream.get_final_completion().choices[0]
    calls = first.message.tool_calls
    check("openai reads two tool calls", [call.function.name for call in calls] == ["get_weather", "calculate"]
          and json.loads(calls[0].function.arguments)["city"] == "Paris", first)
    messages.append({"role": "assistant", "content": first.message.content,
                     "tool_calls": [{"id": call.id, "type": "function", "function": {"name": call.function.name, "arguments": call.function.arguments}} for call in calls]})
    for call in calls:
        messages.append({"role": "tool", "tool_call_id": call.id, "content": RESULTS[call.function.name]})
    with client.chat.completions.stream(model=MODEL, messages=messages, tools=tools, stream_options={"include_usage": True}) as stream:
        last = stream.get_final_completion()
    check("openai reads the answer", "391" in last.choices[0].message.content, last)
    check("openai reads the usage", last.usage.total_tokens > 0, last.usage)
    messages[-1]["content"] = "392"
    try:
        client.chat.completions.create(model=MODEL, messages=messages, tools=tools, stream=True)
        check("openai is refused with a wrong result", False, "it was accepted")
    except openai.BadRequestError as error:
        check("openai is refused with a wrong result", "391" in str(error), error)


def anthropic_tools(client):
    tools = [{"name": name, "input_schema": {"type": "object"}} for name in ("get_weather", "calculate")]
    messages = [{"role": "user", "content": PROMPT}]
    with client.messages.stream(model=MODEL, max_tokens=500, messages=messages, tools=tools) as stream:
        first = stream.get_final_message()
    uses = [block for block in first.content if block.type == "tool_use"]
    check("anthropic reads two tool calls", [use.name for use in uses] == ["get_weather", "calculate"] and uses[0].input["city"] == "Paris", first)
    check("anthropic reads thinking with its signature", first.content[0].type == "thinking" and first.content[0].signature, first)
    messages.append({"role": "assistant", "content": [block.model_dump(exclude_none=True) for block in first.content]})
    results = [{"type": "tool_result", "tool_use_id": use.id, "content": RESULTS[use.name]} for use in uses]
    messages.append({"role": "user", "content": results})
    with client.messages.stream(model=MODEL, max_tokens=500, messages=messages, tools=tools) as stream:
        last = stream.get_final_message()
    check("anthropic reads the answer", "391" in last.content[-1].text and last.stop_reason == "end_turn", last)


#: What the tools answer, as the recording wants to see it.
RESULTS = {"get_weather": '{"city":"Paris","temperature":18,"unit":"C"}', "calculate": "391"}


class Catcher(http.server.BaseHTTPRequestHandler):
    """Keeps the bodies that are sent and answers each with an error."""

    bodies = []

    def do_POST(self):
        self.bodies.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
        self.send_response(400)
        self.send_header("content-length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_):
        pass


def is_of(*types):
    """Accepts a body of one of these types, with no field beyond theirs where the type says what it has."""
    def accept(body):
        for one in types:
            TypeAdapter(one).validate_python(body)
            fields = getattr(one, "model_fields", None)
            if fields is not None:
                known = set(fields) | {field.alias for field in fields.values()}
                assert set(body) <= known, set(body) - known
    return accept


def is_for(call):
    """Accepts a body whose fields are all parameters of a client's call."""
    def accept(body):
        unknown = set(body) - {"stream"} - set(inspect.signature(call).parameters)
        assert not unknown, unknown
    return accept


def is_gemini(body):
    parts = {"contents": list[google.Content], "systemInstruction": google.Content, "tools": list[google.Tool],
             "toolConfig": google.ToolConfig, "generationConfig": google.GenerationConfig}
    for key, value in body.items():
        TypeAdapter(parts[key]).validate_python(value)


def is_cohere(body):
    is_for(cohere.ClientV2.chat_stream)(body)
    TypeAdapter(list[cohere.ToolV2]).validate_python(body["tools"])
    for message in body["messages"]:
        TypeAdapter(cohere.UserChatMessageV2 if message["role"] == "user" else cohere.SystemChatMessageV2).validate_python(message)


#: Dialect, provider, what accepts it, whether a call can be required.
TYPES = [
    ("openai-chat", None, is_of(completion_create_params.CompletionCreateParamsStreaming), True),
    ("openai-chat", "mistral", is_of(mistral.ChatCompletionStreamRequest), True),
    ("openai-responses", None, is_of(response_create_params.ResponseCreateParamsStreaming), True),
    ("anthropic", None, is_of(message_create_params.MessageCreateParamsStreaming), True),
    ("gemini", None, is_gemini, True),
    ("ollama", None, is_of(ollama._types.ChatRequest), False),
    ("cohere-v2", None, is_cohere, True),
    ("cohere-v1", None, is_for(cohere.Client.chat_stream), False),
]


def requests():
    """The bodies that the command sends, against the types that the clients are made of."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Catcher)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}"
    for dialect, provider, accept, can_require in TYPES:
        command = [THALWEG, "run", PROMPT, "--base-url", url, "--dialect", dialect, "--model", "m", "--system", "Be brief.",
                   "--max-tokens", "99"]
        command += ["--provider", provider] if provider else []
        command += ["--tool-choice", "required"] if can_require else []
        subprocess.run(command, capture_output=True)
        name = f"{provider or dialect} requests are of the client's types"
        try:
            body = Catcher.bodies.pop()
            accept(body)
            tools = body["tools"]
            tools = tools[0]["functionDeclarations"] if dialect == "gemini" else tools
            check(name, body.get("stream", True) is True and len(tools) == 2, body)
        except (ValueError, AssertionError, LookupError) as error:
            check(name, False, f"{error!r}".replace("\n", " "))


openai_tools(openai.OpenAI(base_url=f"{REPLAY}/v1", api_key="none", max_retries=0))
anthropic_tools(anthropic.Anthropic(base_url=REPLAY, api_key="none", max_retries=0))
requests()
