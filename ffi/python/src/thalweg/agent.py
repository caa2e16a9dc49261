"""Agent: a model, its tools, and the conversation with it."""

from __future__ import annotations

import json
from typing import Any, Callable, Dict, Iterable, List, Mapping, Optional, Sequence, Union

from . import _native
from .engine import Engine, default_engine
from .run import Run
from .tool import Scope, Tool

Message = Dict[str, Any]
Prompt = Union[str, Message, Sequence[Message], None]


class Agent:
    """A model, its tools, and the conversation with it. It opens no connection before the first prompt.

    `model` is "provider/model", such as "openai/gpt-4o-mini", or with `base_url` the model as it stands. The key is read from the
    provider's environment variable, such as OPENAI_API_KEY, unless `api_key` gives it. `tools` are functions or what `tool` makes
    of them. The other options are those of `thw_agent_new` in thalweg.h; what the engine has no word for goes into `extra`, and from
    there into the body of each request.
    """

    def __init__(
        self,
        model: str,
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
        stop: Optional[Sequence[str]] = None,
        thinking: Union[str, Mapping[str, Any], None] = None,
        tool_choice: Union[str, Mapping[str, str], None] = None,
        tool_mode: Optional[str] = None,
        plugin_tools: Optional[Sequence[str]] = None,
        max_turns: Optional[int] = None,
        retries: Optional[int] = None,
        extra: Optional[Mapping[str, Any]] = None,
        messages: Optional[Sequence[Message]] = None,
        engine: Optional[Engine] = None,
    ) -> None:
        options: Dict[str, Any] = {
            "model": model,
            "system": system,
            "provider": provider,
            "base_url": base_url,
            "dialect": dialect,
            "api_key": api_key,
            "headers": headers and dict(headers),
            "max_tokens": max_tokens,
            "temperature": temperature,
            "top_p": top_p,
            "stop": stop and list(stop),
            "thinking": {"level": thinking} if isinstance(thinking, str) else thinking,
            "tool_choice": tool_choice,
            "tool_mode": tool_mode,
            "tools": plugin_tools and list(plugin_tools),
            "max_turns": max_turns,
            "retries": retries,
            "extra": extra and dict(extra),
            "messages": messages and list(messages),
        }
        self.tools = [tool if isinstance(tool, Tool) else Tool(tool) for tool in tools]
        self.engine = engine or default_engine()
        self._scope = Scope()
        self._native = _native.Agent(
            self.engine._native,
            json.dumps({key: value for key, value in options.items() if value is not None}),
            tuple(tool._native_form(self._scope) for tool in self.tools),
        )

    def prompt(self, prompt: Prompt) -> Run:
        """Starts a run that answers a text, a user message, or several; None answers what the conversation ends with.

        The run goes on in the background. StateError while another run of this agent goes on.
        """
        self._scope.enter()
        if isinstance(prompt, str):
            return Run(self._native.prompt(prompt), self.engine)
        messages = [] if prompt is None else [prompt] if isinstance(prompt, Mapping) else list(prompt)
        return Run(self._native.prompt_json(json.dumps(messages)), self.engine)

    def steer(self, text: str) -> None:
        """Says something while a run goes on: it comes in before the next request, behind the tools that run now, and a run that would
        end goes on with it. Without a run it goes into the next one. From any thread."""
        self._native.steer(text)

    def follow_up(self, text: str) -> None:
        """As `steer`, but it comes in only once the run would end otherwise."""
        self._native.follow_up(text)

    @property
    def messages(self) -> List[Message]:
        """The conversation; during a run, as it was when the run began. May be set between runs."""
        return json.loads(self._native.conversation())["messages"]

    @messages.setter
    def messages(self, messages: Sequence[Message]) -> None:
        self.load(json.dumps({"schema": 1, "messages": list(messages)}))

    def save(self) -> str:
        """The conversation as JSON with a schema version, to be kept and loaded again, here or in another language."""
        return self._native.conversation()

    def load(self, conversation: str) -> None:
        """Goes on with a conversation that `save` gave. VersionError for a schema that is not read here."""
        self._native.set_conversation(conversation)
