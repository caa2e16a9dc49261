"""TinyAgent on thalweg, by one import.

    import thalweg.tinyagent

Afterwards PyPI's `tiny-agent-os` (1.2.x, unmodified) streams through libthalweg, whichever of its adapters you use. The import

- stands in for its binding under all names it ever had: `_alchemy`, `tinyagent._alchemy` and `alchemy_llm_py`, each with
  `openai_completions_stream(model, context, options)`, whose handle has `next_event()` and `result()`, and with
  `collect_openai_completions(model, context, options)`; the dicts have the shapes of the original;
- has its adapters await events natively instead of blocking a thread for each, so hung streams hold up nobody;
- wires `Agent.abort()` to the stream: the socket is closed at once, and the message that has come so far ends with `"aborted"`;
- sends what `enable_prompt_caching` asks for: marks of the cache, which its own binding leaves out;
- closes the socket when the task that waits for the agent is cancelled, or when a handle is dropped.

It may come before or after the import of `tinyagent`, and does nothing else if that is not installed.

Where the original is wrong this is not: interleaved tool calls, split UTF-8, errors inside of a stream and replies that were cut off
are read as what they are, and what came before an error is kept.
"""

from __future__ import annotations

import asyncio
import contextvars
import functools
import importlib
import json
import sys
import time
import types
import weakref
from collections import deque
from typing import Any, AsyncIterator, Deque, Dict, Iterator, List, Optional

from .agent import Agent
from .errors import Error, InvalidError
from .run import Run

Json = Dict[str, Any]


def openai_completions_stream(model: Json, context: Json, options: Json) -> StreamHandle:
    """Starts a reply of the model; raises RuntimeError when that is not possible."""
    try:
        handle = StreamHandle(model, _agent(model, context, options).prompt(None))
    except Error as error:
        raise RuntimeError(f"failed to start {model.get('api') or 'openai-completions'} stream: {error}") from error
    owner = _owner.get()
    if owner is not None:
        owner.handles.add(handle)
    return handle


def collect_openai_completions(model: Json, context: Json, options: Json) -> Json:
    """Waits for a whole reply: `{"events": [...], "final_message": {...}}`."""
    handle = openai_completions_stream(model, context, options)
    events = []
    while (event := handle.next_event()) is not None:
        events.append(event)
    return {"events": events, "final_message": handle.result()}


class StreamHandle:
    """A reply as it comes. Its socket is closed when it is dropped."""

    def __init__(self, model: Json, run: Run) -> None:
        self._run = run
        self._translation = _Translation(model)
        self._reader: Optional[Iterator[Any]] = None
        self._stream: Optional[AsyncIterator[Any]] = None

    def next_event(self) -> Optional[Json]:
        """The next event, None after the last; blocks, without the GIL."""
        if self._reader is None:
            self._reader = iter(self._run)
        translation = self._translation
        while not translation.ready and not translation.is_over:
            translation.take(next(self._reader))
        return self._pop()

    async def next_event_async(self) -> Optional[Json]:
        """As `next_event`, for event loops."""
        if self._reader is not None:
            return await asyncio.to_thread(self.next_event)
        if self._stream is None:
            self._stream = self._run.__aiter__()
        translation = self._translation
        while not translation.ready and not translation.is_over:
            translation.take(await self._stream.__anext__())
        return self._pop()

    def result(self) -> Json:
        """The message, complete or as far as it came; waits for it."""
        while self.next_event() is not None:
            pass
        return self._translation.message

    async def result_async(self) -> Json:
        """As `result`, for event loops."""
        while await self.next_event_async() is not None:
            pass
        return self._translation.message

    def abort(self) -> None:
        """Closes the socket; the last event says so."""
        self._run.abort()

    def _pop(self) -> Optional[Json]:
        if self._translation.is_over:
            # The tools are TinyAgent's to run: the engine's part ends with the message.
            self._run.abort()
        return self._translation.ready.popleft() if self._translation.ready else None


class _Translation:
    """Turns the events of a run into those of the original. As there, a `partial` has blocks that are complete, and the one that
    grows is empty in it: deltas are to be added up."""

    def __init__(self, model: Json) -> None:
        self._base = {
            "role": "assistant",
            "stop_reason": "stop",
            "timestamp": int(time.time() * 1000),
            "api": model.get("api") or "openai-completions",
            "provider": model.get("provider") or "openai",
            "model": model["id"],
        }
        self._content: List[Json] = []
        self._usage = _usage({})
        #: Events that were not fetched yet.
        self.ready: Deque[Json] = deque()
        #: The first one, which is held back until something came: an error alone has no start.
        self._start: Optional[Json] = None
        #: The field of the wire that thinking came in.
        self._field = ""
        self.is_over = False
        self.message: Json = {}

    def take(self, event: Any) -> None:
        """Makes of an event of the run what it is to TinyAgent."""
        if event.choice != 0:
            return
        kind = event.kind
        if kind in _DELTAS:
            if kind == 3 and event.aux:
                self._field = event.aux
            self._put(_DELTAS[kind] + "_delta", event.index, delta=event.text)
        elif kind == 67 and event.num in _BLOCKS:
            self._begin(event)
        elif kind == 68 and event.num in _BLOCKS:
            self._end(event)
        elif kind == 66 and event.aux == "assistant":
            self._start = {"type": "start", "partial": self._message()}
        elif kind == 69 and event.aux == "assistant":
            self._finish(json.loads(event.text))

    def _begin(self, event: Any) -> None:
        name = _BLOCKS[event.num]
        if name == "tool_call":
            block = {"type": "tool_call", "id": event.aux, "name": event.text, "arguments": {}}
        elif name == "thinking":
            block = {"type": "thinking", "thinking": ""}
        else:
            block = {"type": "text", "text": ""}
        # Blocks of kinds that the original has no word for leave a gap.
        self._content += [{"type": "text", "text": ""}] * (event.index - len(self._content)) + [block]
        self._put(name + "_start", event.index)

    def _end(self, event: Any) -> None:
        name = _BLOCKS[event.num]
        block = dict(self._content[event.index])
        self._content[event.index] = block
        if name == "tool_call":
            block["arguments"] = _arguments(json.loads(event.text).get("arguments"))
            return self._put("tool_call_end", event.index, tool_call=block)
        block[name] = event.text
        if name == "thinking" and self._field:
            block["thinking_signature"] = self._field
        self._put(name + "_end", event.index, content=event.text)

    def _put(self, kind: str, index: int, **more: Any) -> None:
        if self._start is not None:
            self.ready.append(self._start)
            self._start = None
        self.ready.append({"type": kind, "content_index": index, "partial": self._message(), **more})

    def _message(self, **more: Any) -> Json:
        return {**self._base, "content": list(self._content), "usage": self._usage, **more}

    def _finish(self, message: Json) -> None:
        self.is_over = True
        self._usage = _usage(message.get("usage") or {})
        error = message.get("error")
        mapped = (message.get("stop_reason") or {}).get("mapped")
        if error is None and mapped in _STOP_REASONS:
            reason = _STOP_REASONS[mapped]
            self.message = self._message(stop_reason=reason)
            if self._start is not None:
                self.ready.append(self._start)
            return self.ready.append({"type": "done", "reason": reason, "message": self.message})
        reason = "aborted" if (error or {}).get("kind") == "aborted" else "error"
        why = error["message"] if error else f"the reply ended with {mapped}"
        self.message = self._message(stop_reason=reason, error_message=why)
        self.ready.append({"type": "error", "reason": reason, "error": self.message})


def _agent(model: Json, context: Json, options: Json) -> Agent:
    api = model.get("api") or "openai-completions"
    if api not in _DIALECTS:
        raise RuntimeError(f"the api {api!r} is not known; known are {', '.join(_DIALECTS)}")
    dialect = _DIALECTS[api]
    extra: Json = {}
    tools = context.get("tools")
    if tools:
        # Offered as part of the body: TinyAgent runs them itself.
        extra["tools"] = [_offered(tool, dialect) for tool in tools]
    reasoning = model.get("reasoning")
    if dialect == "openai-chat":
        extra["store"] = False
        if isinstance(reasoning, str):
            extra["reasoning_effort"] = reasoning
    arguments: Json = {
        "model": model["id"],
        "dialect": dialect,
        "system": context.get("system_prompt") or None,
        "api_key": options.get("api_key"),
        "headers": model.get("headers"),
        "temperature": options.get("temperature"),
        "max_tokens": options.get("max_tokens"),
        "max_turns": 1,
        "extra": extra,
        "cache": "short" if _is_cached(context) else None,
        "messages": _messages(context.get("messages") or [], dialect),
    }
    base_url = model.get("base_url")
    if base_url:
        arguments["base_url"] = base_url.rstrip("/").removesuffix("/chat/completions").removesuffix("/v1/messages")
    provider = (model.get("provider") or "openai").lower()
    try:
        # Its habits are known, if it is.
        return Agent(provider=provider, **arguments)
    except InvalidError:
        if not base_url:
            raise
        return Agent(**arguments)


def _is_cached(context: Json) -> bool:
    """Whether TinyAgent has marked something for the provider's cache. It marks every message of the user, more than providers take: the
    engine marks the system prompt and the end of the conversation, which caches the same."""
    blocks = (block for message in context.get("messages") or [] for block in message.get("content") or [] if block)
    return any(block.get("cache_control") for block in blocks)


def _offered(tool: Json, dialect: str) -> Json:
    parameters = tool.get("parameters") or {"type": "object", "properties": {}}
    if dialect == "anthropic":
        return {"name": tool["name"], "description": tool.get("description", ""), "input_schema": parameters}
    function = {"name": tool["name"], "description": tool.get("description", ""), "parameters": parameters, "strict": False}
    return {"type": "function", "function": function}


def _messages(messages: List[Json], dialect: str) -> List[Json]:
    """Messages of TinyAgent as the engine has them; results of one turn are one message there."""
    found: List[Json] = []
    for message in messages:
        role = message.get("role")
        content = [block for block in message.get("content") or [] if block]
        if role == "user":
            found.append({"role": "user", "content": [_user_block(block) for block in content]})
        elif role == "assistant":
            blocks = [each for block in content for each in _assistant_block(block, dialect)]
            if blocks:
                found.append({"role": "assistant", "content": blocks})
        elif role == "tool_result":
            result = {
                "type": "tool_result",
                "tool_call_id": message.get("tool_call_id") or "",
                "tool_name": message.get("tool_name") or "",
                "content": [{"type": "text", "text": block.get("text") or ""} for block in content if block.get("type") == "text"],
                "is_error": bool(message.get("is_error")),
            }
            if not (found and found[-1]["role"] == "tool"):
                found.append({"role": "tool", "content": []})
            found[-1]["content"].append(result)
    return found


def _user_block(block: Json) -> Json:
    if block.get("type") == "image":
        return {"type": "image", "url": block.get("url") or ""}
    return {"type": "text", "text": block.get("text") or ""}


def _assistant_block(block: Json, dialect: str) -> Iterator[Json]:
    kind = block.get("type")
    if kind == "text" and block.get("text"):
        yield {"type": "text", "text": block["text"]}
    elif kind == "thinking" and block.get("thinking"):
        thinking = {"type": "thinking", "text": block["thinking"]}
        if dialect == "anthropic" and block.get("thinking_signature"):
            thinking["signature"] = block["thinking_signature"]
        yield thinking
    elif kind == "tool_call":
        arguments = json.dumps(block.get("arguments") or {})
        yield {"type": "tool_call", "id": block.get("id") or "", "name": block.get("name") or "", "arguments": arguments}


def _arguments(text: Optional[str]) -> Json:
    try:
        arguments = json.loads(text or "{}")
    except ValueError:
        return {}
    return arguments if isinstance(arguments, dict) else {}


def _usage(usage: Json) -> Json:
    """Tokens and costs by the names of the original, out of what the provider said."""
    raw = usage.get("raw") or {}
    details = raw.get("prompt_tokens_details") or {}
    costs = raw.get("cost_details") or {}

    def first(*values: Any) -> Any:
        return next((value for value in values if isinstance(value, (int, float))), 0)

    read = first(raw.get("prompt_tokens"), raw.get("input_tokens"), usage.get("input_tokens"))
    written = first(raw.get("completion_tokens"), raw.get("output_tokens"), usage.get("output_tokens"))
    cost_in = float(first(costs.get("upstream_inference_prompt_cost")))
    cost_out = float(first(costs.get("upstream_inference_completions_cost")))
    return {
        "input": read,
        "output": written,
        "cache_read": first(raw.get("cache_read_input_tokens"), details.get("cached_tokens")),
        "cache_write": first(raw.get("cache_creation_input_tokens"), details.get("cache_write_tokens")),
        "total_tokens": first(raw.get("total_tokens"), read + written),
        "cost": {
            "input": cost_in,
            "output": cost_out,
            "cache_read": 0.0,
            "cache_write": 0.0,
            "total": float(first(costs.get("upstream_inference_cost"), raw.get("cost"), cost_in + cost_out)),
        },
    }


class _Owner:
    """What an agent of TinyAgent has started."""

    def __init__(self) -> None:
        self.handles: weakref.WeakSet[StreamHandle] = weakref.WeakSet()

    def abort(self) -> None:
        for handle in list(self.handles):
            handle.abort()


def _install() -> None:
    binding = types.ModuleType("_alchemy", __doc__)
    binding.openai_completions_stream = openai_completions_stream  # type: ignore[attr-defined]
    binding.collect_openai_completions = collect_openai_completions  # type: ignore[attr-defined]
    for name in ("_alchemy", "tinyagent._alchemy", "alchemy_llm_py"):
        sys.modules[name] = binding
    try:
        package = importlib.import_module("tinyagent")
    except ModuleNotFoundError as error:
        if error.name != "tinyagent":
            raise
        return
    package._alchemy = binding  # type: ignore[attr-defined]
    for module, variable in (("alchemy_provider", "_ALCHEMY_MODULE"), ("rust_binding_provider", "_BINDING_MODULE")):
        adapter = _optional(f"tinyagent.{module}")
        if adapter is not None and hasattr(adapter, variable):
            setattr(adapter, variable, binding)
    contracts = _optional("tinyagent.provider_contracts")
    if contracts is not None and hasattr(contracts, "BindingStreamResponseBase"):
        _await_natively(contracts)
    _wire_abort(package.Agent)


def _optional(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


def _await_natively(contracts: Any) -> None:
    """Has the adapters await our handles; others block a thread as before."""
    base = contracts.BindingStreamResponseBase
    step, result = base.__anext__, base.result

    @functools.wraps(step)
    async def __anext__(self: Any) -> Any:
        handle = self._handle
        if not isinstance(handle, StreamHandle):
            return await step(self)
        try:
            event = await handle.next_event_async()
        except asyncio.CancelledError:
            handle.abort()
            raise
        if event is None:
            raise StopAsyncIteration
        return contracts.AssistantMessageEvent.model_validate(event)

    @functools.wraps(result)
    async def whole(self: Any) -> Any:
        if isinstance(self._handle, StreamHandle):
            await self._handle.result_async()
        return await result(self)

    if not getattr(step, "__wrapped__", None):
        base.__anext__, base.result = __anext__, whole


def _wire_abort(agent: Any) -> None:
    abort, setup = agent.abort, getattr(agent, "_setup_run_state", None)
    if setup is None or getattr(abort, "__wrapped__", None):
        return

    @functools.wraps(setup)
    def _setup_run_state(self: Any) -> None:
        setup(self)
        owner = _Owner()
        self._thalweg_owner = owner
        # Seen by the task of the loop, which is made after this.
        _owner.set(owner)
        task = asyncio.current_task()
        if task is not None:
            task.add_done_callback(lambda task: owner.abort() if task.cancelled() else None)

    @functools.wraps(abort)
    def abort_all(self: Any) -> None:
        abort(self)
        owner = getattr(self, "_thalweg_owner", None)
        if owner is not None:
            owner.abort()

    agent._setup_run_state, agent.abort = _setup_run_state, abort_all


_owner: contextvars.ContextVar[Optional[_Owner]] = contextvars.ContextVar("thalweg_tinyagent_owner", default=None)

_DIALECTS = {"openai-completions": "openai-chat", "minimax-completions": "openai-chat", "anthropic-messages": "anthropic"}
#: By THW_EVENT_* numbers. A refusal is text to TinyAgent.
_DELTAS = {2: "text", 3: "thinking", 6: "text", 8: "tool_call"}
_BLOCKS = _DELTAS
_STOP_REASONS = {"stop": "stop", "stop_sequence": "stop", "length": "length", "tool_use": "tool_calls"}

_install()
