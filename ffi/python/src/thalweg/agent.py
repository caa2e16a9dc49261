"""Agent: a model, its tools, and the conversation with it."""

from __future__ import annotations

import json
import os
import weakref
from typing import Any, Callable, Dict, Iterable, List, Mapping, Optional, Sequence, Tuple, Union

from . import _native, hook, provider as providers_
from .calls import Scope
from .engine import Engine, default_engine
from .listeners import Listener, Listeners
from .provider import StreamFunction
from .run import Run
from .store import Store
from .tool import Tool

Message = Dict[str, Any]
Prompt = Union[str, Mapping[str, Any], Sequence[Union[str, Mapping[str, Any]]], None]


class Agent:
    """A model, its tools, and the conversation with it. It opens no connection before the first prompt.

    `model` is "provider/model", such as "openai/gpt-4o-mini", or with `base_url` the model as it stands. The key is read from the
    provider's environment variable, such as OPENAI_API_KEY, unless `api_key` gives it. `tools` are functions or what `tool` makes
    of them. The other options are those of `thw_agent_new` in thalweg.h; what the engine has no word for goes into `extra`, and from
    there into the body of each request.

    `team` stands in the place of a model: {"kind": "pipeline", "members": [{"name": ..., "model": ..., ...}, ...]}, as docs/TEAMS.md
    describes it. The tools are its members' then, and events of text carry in `aux` the member that speaks.

    Instead of a provider of the network, `stream` may be a function of the program: asked with the request, it gives the reply piece
    by piece, as a generator or an asynchronous one. A piece is a text, or a dict by its "type": "text_delta", "thinking_delta" (with
    "text"), "tool_call" (with "id", "name", "arguments"), "usage", "stop" (with "reason").

    Hooks are plain or asynchronous functions; each may give None for: go on as it is. `before_tool_call` and `after_tool_call` are
    asked with what the call is, as a dict. The first may give {"args": ...}, or a text, for which the tool is not run and which the
    model is told; the second a text that the model is told instead, or {"text": ..., "is_error": ...}; "terminate" in either of them ends
    the run after the turn, and {"wait": True} of the first leaves the call to a person, see `answer`. `should_stop_after_turn` is asked with
    {"turn", "messages"}, and ends the run if it gives something true. `transform_context` and behind it
    `convert_to_llm` are asked with the messages before each request, and may give others, for that request only. `get_api_key` is asked
    with the provider's name before each request to a server, and gives the key, or None for the one that there is without it. `compact` is
    asked with the messages when the provider says that they are too long, and gives shorter ones.

    What requests pass through is `middleware`, dicts with one key each, the outermost first: {"markdown_log": folder}, {"reply_cache": …},
    {"compact": {"above_tokens": …}}, {"fallback": […]}, {"rate_limit": {…}}, {"retry": {…}}, {"observe": function}, which is asked
    with a record of each request once it is over, as a dict. `budget` is a name of the engine's
    `budgets`, or {"name", "tokens", "dollars"}, or several: what all runs of agents, and replies to clients, that name it may use together. `price` is
    {"input", "output"} in dollars per million tokens, for a model that the built-in table does not know; `prices` the path of a table as TOML or
    JSON that goes over the built-in one. `stream_proxy` is {"url", "token"} of a server that speaks the
    proxy protocol of TinyAgent and pi. `log` says how much of a run is kept.
    """

    def __init__(
        self,
        model: str = "",
        *,
        tools: Iterable[Union[Tool, Callable[..., Any]]] = (),
        system: Optional[str] = None,
        provider: Optional[str] = None,
        base_url: Optional[str] = None,
        dialect: Optional[str] = None,
        api_key: Optional[str] = None,
        headers: Optional[Mapping[str, str]] = None,
        max_tokens: Optional[int] = None,
        temperature: Optional[float] = None,
        top_p: Optional[float] = None,
        top_k: Optional[int] = None,
        seed: Optional[int] = None,
        frequency_penalty: Optional[float] = None,
        presence_penalty: Optional[float] = None,
        stop: Optional[Sequence[str]] = None,
        thinking: Union[str, Mapping[str, Any], None] = None,
        tool_choice: Union[str, Mapping[str, str], None] = None,
        tool_mode: Optional[str] = None,
        parallel_tools: Optional[bool] = None,
        tools_at_once: Optional[int] = None,
        tool_timeout: Optional[float] = None,
        validation: Optional[str] = None,
        repeat_limit: Optional[Mapping[str, Any]] = None,
        steering: Optional[str] = None,
        steering_mode: Optional[str] = None,
        follow_up_mode: Optional[str] = None,
        plugin_tools: Optional[Sequence[str]] = None,
        max_turns: Optional[int] = None,
        retries: Optional[int] = None,
        output: Optional[Mapping[str, Any]] = None,
        cache: Optional[str] = None,
        cache_marks: Optional[str] = None,
        session: Optional[str] = None,
        middleware: Optional[Sequence[Mapping[str, Any]]] = None,
        rate_limit: Optional[Mapping[str, int]] = None,
        fallback: Optional[Sequence[Mapping[str, Any]]] = None,
        team: Optional[Mapping[str, Any]] = None,
        reply_cache: Optional[str] = None,
        stream_proxy: Optional[Mapping[str, str]] = None,
        budget: Union[str, Mapping[str, Any], Sequence[Union[str, Mapping[str, Any]]], None] = None,
        price: Optional[Mapping[str, float]] = None,
        prices: Union[str, os.PathLike[str], None] = None,
        log: Optional[Mapping[str, Any]] = None,
        extra: Optional[Mapping[str, Any]] = None,
        messages: Optional[Sequence[Message]] = None,
        stream: Optional[StreamFunction] = None,
        before_tool_call: Optional[Callable[..., Any]] = None,
        after_tool_call: Optional[Callable[..., Any]] = None,
        transform_context: Optional[Callable[..., Any]] = None,
        convert_to_llm: Optional[Callable[..., Any]] = None,
        should_stop_after_turn: Optional[Callable[..., Any]] = None,
        get_api_key: Optional[Callable[[str], Any]] = None,
        compact: Optional[Callable[..., Any]] = None,
        engine: Optional[Engine] = None,
    ) -> None:
        self._scope = Scope()
        scope = self._scope
        asked = _Provider(
            scope,
            model=model,
            provider=provider,
            base_url=base_url,
            dialect=dialect,
            api_key=api_key,
            headers=headers,
            thinking=thinking,
            extra=extra,
            price=price,
            middleware=middleware,
            rate_limit=rate_limit,
            fallback=fallback,
            reply_cache=reply_cache,
            stream_proxy=stream_proxy,
            stream=stream,
            get_api_key=get_api_key,
            compact=compact,
            team=team,
        )
        options: Dict[str, Any] = {
            "system": system,
            "max_tokens": max_tokens,
            "temperature": temperature,
            "top_p": top_p,
            "top_k": top_k,
            "seed": seed,
            "frequency_penalty": frequency_penalty,
            "presence_penalty": presence_penalty,
            "stop": stop and list(stop),
            "tool_choice": tool_choice,
            "tool_mode": tool_mode,
            "parallel_tools": parallel_tools,
            "tools_at_once": tools_at_once,
            "tool_timeout_ms": None if tool_timeout is None else round(tool_timeout * 1000),
            "validation": validation,
            "repeat_limit": repeat_limit and dict(repeat_limit),
            "steering": steering,
            "steering_mode": steering_mode,
            "follow_up_mode": follow_up_mode,
            "tools": plugin_tools and list(plugin_tools),
            "max_turns": max_turns,
            "retries": retries,
            "output": output and dict(output),
            "cache": cache,
            "cache_marks": cache_marks,
            "session": session,
            "budgets": None if budget is None else _budgets(budget),
            "prices": None if prices is None else os.fspath(prices),
            "log": log and dict(log),
            "messages": messages and list(messages),
        }
        self._tools = _tools(tools)
        self.engine = engine or default_engine()
        hooks = (
            (hook.before_tool_call, before_tool_call),
            (hook.after_tool_call, after_tool_call),
            (hook.transform_context, transform_context),
            (hook.convert_to_llm, convert_to_llm),
            (hook.should_stop_after_turn, should_stop_after_turn),
        )
        # As the extension module takes them.
        self._parts = (
            json.dumps({**asked.options, **{key: value for key, value in options.items() if value is not None}}),
            tuple(tool._native_form(scope) for tool in self._tools),
            tuple(make(function, scope) for make, function in hooks if function is not None) + asked.hooks,
            asked.providers,
        )
        self._native = _native.Agent(self.engine._native, *self._parts)
        self._is_kept = False
        self._listeners = Listeners()
        self._run: Callable[[], Optional[Run]] = lambda: None

    def prompt(self, prompt: Prompt) -> Run:
        """Starts a run that answers a text, a user message or several, or content: a list of texts, and of what `image` and `document`
        give. None answers what the conversation ends with.

        The run goes on in the background. StateError while another run of this agent goes on.
        """
        self._scope.enter()
        if isinstance(prompt, str):
            native = self._native.prompt(prompt)
        else:
            native = self._native.prompt_json(json.dumps(_messages(prompt)))
        return self._started(native)

    def _started(self, native: _native.Run) -> Run:
        run = Run(native, self.engine, self._is_kept)
        self._run = weakref.ref(run)
        self._listeners.follow(run, self._scope.loop)
        return run

    def continue_(self) -> Run:
        """Starts a run that answers what the conversation ends with."""
        return self.prompt(None)

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Has `listener(event)` called for each event of the runs that are prompted from now on; gives the function that ends this.

        Listeners are called in their order, on the event loop of the prompt, or on a thread where there is none. A run that is listened
        to goes on also when nobody holds it. What a listener raises is reported, and harms nothing else.
        """
        return self._listeners.add(listener)

    @property
    def is_running(self) -> bool:
        """Whether a run goes on."""
        return self._native.is_running

    def abort(self) -> None:
        """Stops the run that goes on, if one does. From any thread."""
        self._native.abort()

    def wait_for_idle(self, timeout: Optional[float] = None) -> bool:
        """Waits until no run goes on and all listeners were told; False when that takes longer than `timeout` seconds. For threads; an
        event loop awaits `idle`."""
        run = self._run()
        return (run is None or run._wait(timeout)) and self._listeners.wait(timeout)

    async def idle(self) -> None:
        """As `wait_for_idle`, for event loops."""
        run = self._run()
        if run is not None:
            await run._ended()
            await run._stored()
        await self._listeners.idle()

    def keep(self, store: Store, session: Optional[str] = None, *, at: Optional[int] = None, title: Optional[str] = None) -> str:
        """Keeps the conversation in a store from now on, each message when it is complete, and gives the id of the session. With `session`, the
        id of an earlier one or "last", the agent goes on with that conversation, from message `at` if that is given, and drops what it had.

        What a run said is on the disk when its result is there. StateError during a run.
        """
        options = {"session": session, "at": at, "title": title}
        text = json.dumps({key: value for key, value in options.items() if value is not None})
        with store._lock:
            kept = json.loads(self._native.keep(store._native, text))
        self._is_kept = True
        return str(kept["session"])

    @property
    def session(self) -> Optional[Dict[str, Any]]:
        """Where the conversation is kept: {"session", "head", "error"}, with why nothing more is stored; None if it is not kept."""
        session: Optional[Dict[str, Any]] = json.loads(self._native.session())
        return session

    def reset(self) -> None:
        """Forgets the conversation and what waits. StateError during a run."""
        self._native.reset()

    @property
    def queued(self) -> Dict[str, List[Message]]:
        """What was said by `steer` and `follow_up` and has not come in: {"steering": [...], "follow_ups": [...]}."""
        queued: Dict[str, List[Message]] = json.loads(self._native.queued())
        return queued

    def clear_queued(self, *, steering: bool = True, follow_ups: bool = True) -> None:
        """Forgets it."""
        self._native.clear_queued(steering, follow_ups)

    @property
    def tools(self) -> List[Tool]:
        """The tools on offer. Set, others are offered from the next turn on, also of a run that goes on."""
        return list(self._tools)

    @tools.setter
    def tools(self, tools: Iterable[Union[Tool, Callable[..., Any]]]) -> None:
        made = _tools(tools)
        self._native.set_tools(tuple(tool._native_form(self._scope) for tool in made))
        self._tools = made

    @property
    def settings(self) -> Dict[str, Any]:
        """What goes into requests beside the conversation: model, system, thinking, temperature and so on."""
        settings: Dict[str, Any] = json.loads(self._native.settings())
        return settings

    def configure(self, **settings: Any) -> None:
        """Changes some of it from the next turn on, also of a run that goes on; None takes a setting away. The provider stays, see
        `set_provider`."""
        if isinstance(settings.get("thinking"), str):
            settings["thinking"] = {"level": settings["thinking"]}
        self._native.configure(json.dumps(settings))

    def set_provider(
        self,
        model: str = "",
        *,
        provider: Optional[str] = None,
        base_url: Optional[str] = None,
        dialect: Optional[str] = None,
        api_key: Optional[str] = None,
        headers: Optional[Mapping[str, str]] = None,
        thinking: Union[str, Mapping[str, Any], None] = None,
        extra: Optional[Mapping[str, Any]] = None,
        price: Optional[Mapping[str, float]] = None,
        middleware: Optional[Sequence[Mapping[str, Any]]] = None,
        rate_limit: Optional[Mapping[str, int]] = None,
        fallback: Optional[Sequence[Mapping[str, Any]]] = None,
        reply_cache: Optional[str] = None,
        stream_proxy: Optional[Mapping[str, str]] = None,
        stream: Optional[StreamFunction] = None,
        get_api_key: Optional[Callable[[str], Any]] = None,
        compact: Optional[Callable[..., Any]] = None,
    ) -> None:
        """Asks another provider from the next turn on, also of a run that goes on: the options of an `Agent` that speak of one. What is not
        given is not kept of the one before. The conversation, the tools, the other hooks and all other options stay; what the other
        provider cannot read of the conversation is put in its words. When it raises, nothing has changed. From any thread."""
        asked = _Provider(
            self._scope,
            model=model,
            provider=provider,
            base_url=base_url,
            dialect=dialect,
            api_key=api_key,
            headers=headers,
            thinking=thinking,
            extra=extra,
            price=price,
            middleware=middleware,
            rate_limit=rate_limit,
            fallback=fallback,
            reply_cache=reply_cache,
            stream_proxy=stream_proxy,
            stream=stream,
            get_api_key=get_api_key,
            compact=compact,
        )
        self._native.set_provider(json.dumps(asked.options), asked.hooks, asked.providers)

    @property
    def pending(self) -> List[Message]:
        """Tool calls that wait for a person, {"id", "name", "arguments"}: the run has ended for now, and `answer` goes on with it, here or,
        with what `save` gives, in another process."""
        saved = json.loads(self._native.conversation())
        waiting = (saved.get("pending") or {}).get("waiting", ())
        last = saved["messages"][-1]["content"] if waiting else ()
        return [block for block in last if block["type"] == "tool_call" and block["id"] in waiting]

    def answer(self, decisions: Mapping[str, Union[bool, str, Mapping[str, Any]]]) -> Run:
        """Goes on with the run that waits for a person. To the id of a call: True, so that it runs; False, or the reason why it does not; or
        {"decision": "approve", "args": ...}, {"decision": "answer", "content": [...]}. Others go on waiting."""
        self._scope.enter()
        return self._started(self._native.answer(json.dumps({id: _decision(given) for id, given in decisions.items()})))

    def steer(self, prompt: Prompt) -> None:
        """Says something while a run goes on, what `prompt` takes: it comes in before the next request, behind the tools that run now, and a
        run that would end goes on with it. Without a run it goes into the next one. From any thread."""
        self._native.steer_json(json.dumps(_messages(prompt)))

    def follow_up(self, prompt: Prompt) -> None:
        """As `steer`, but it comes in only once the run would end otherwise."""
        self._native.follow_up_json(json.dumps(_messages(prompt)))

    @property
    def messages(self) -> List[Message]:
        """The conversation; during a run, with those of its messages that are complete. May be set between runs."""
        messages: List[Message] = json.loads(self._native.conversation())["messages"]
        return messages

    @messages.setter
    def messages(self, messages: Sequence[Message]) -> None:
        self.load(json.dumps({"schema": 1, "messages": list(messages)}))

    def save(self) -> str:
        """The conversation as JSON with a schema version, to be kept and loaded again, here or in another language."""
        return self._native.conversation()

    def load(self, conversation: str) -> None:
        """Goes on with a conversation that `save` gave. VersionError for a schema that is not read here."""
        self._native.set_conversation(conversation)


class _Provider:
    """Who is asked, and through what, as the extension module takes it."""

    def __init__(
        self,
        scope: Scope,
        *,
        provider: Optional[str],
        thinking: Union[str, Mapping[str, Any], None],
        middleware: Optional[Sequence[Mapping[str, Any]]],
        stream: Optional[StreamFunction],
        get_api_key: Optional[Callable[[str], Any]],
        compact: Optional[Callable[..., Any]],
        **others: Any,
    ) -> None:
        name = provider or "program"
        # Members of a team name it by themselves.
        if stream is not None and others.get("team") is None:
            provider = name
        passed, observers = _middleware(middleware or ())
        hooks = [(hook.get_api_key, get_api_key), (hook.compact, compact), *((hook.observe, each) for each in observers)]
        options = {
            **others,
            "provider": provider,
            "thinking": {"level": thinking} if isinstance(thinking, str) else thinking,
            "middleware": passed or None,
        }
        self.options = {key: _plain(value) for key, value in options.items() if value is not None}
        self.hooks = tuple(make(function, scope) for make, function in hooks if function is not None)
        self.providers = () if stream is None else (providers_.native_form(name, stream, scope),)


def _middleware(given: Sequence[Mapping[str, Any]]) -> Tuple[List[Dict[str, Any]], List[Callable[..., Any]]]:
    """Middleware as the engine takes it, and the functions of each `observe` among it."""
    passed = [dict(one) for one in given]
    observers = [one["observe"] for one in passed if callable(one.get("observe"))]
    return [{**one, "observe": {}} if callable(one.get("observe")) else one for one in passed], observers


def _plain(value: Any) -> Any:
    """Mappings and sequences as those that JSON knows."""
    if isinstance(value, Mapping):
        return dict(value)
    return [_plain(each) for each in value] if isinstance(value, (list, tuple)) else value


def _tools(tools: Iterable[Union[Tool, Callable[..., Any]]]) -> List[Tool]:
    return [tool if isinstance(tool, Tool) else Tool(tool) for tool in tools]


def _budgets(given: Union[str, Mapping[str, Any], Sequence[Union[str, Mapping[str, Any]]]]) -> List[Dict[str, Any]]:
    all = [given] if isinstance(given, (str, Mapping)) else given
    return [{"name": one} if isinstance(one, str) else dict(one) for one in all]


def _decision(given: Union[bool, str, Mapping[str, Any]]) -> Mapping[str, Any]:
    if isinstance(given, Mapping):
        return given
    if given is True:
        return {"decision": "approve"}
    return {"decision": "deny", "reason": given} if given else {"decision": "deny"}


def _messages(prompt: Prompt) -> List[Any]:
    if prompt is None:
        return []
    given = [prompt] if isinstance(prompt, (str, Mapping)) else list(prompt)
    if all(isinstance(each, Mapping) and "role" in each for each in given):
        return given
    content = [{"type": "text", "text": each} if isinstance(each, str) else each for each in given]
    return [{"role": "user", "content": content}]
