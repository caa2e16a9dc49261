"""Client: a model that is asked for one reply at a time, without an agent."""

from __future__ import annotations

import json
from typing import Any, Iterable, Optional, Union

from . import _native
from .agent import Agent, Prompt, _messages
from .result import Result
from .run import Run
from .tool import Tool


class Client:
    """A model that is asked for one reply at a time; it keeps no conversation.

    `options` are those of an `Agent`. Tools are offered to the model, and their calls stand in the reply; nothing runs them, and no hook
    is asked.
    """

    def __init__(self, model: str, *, tools: Iterable[Union[Tool, Any]] = (), **options: Any) -> None:
        self._made = Agent(model, tools=tools, **options)
        self._native = _native.Client(self._made.engine._native, *self._made._parts)

    def chat(self, prompt: Prompt, timeout: Optional[float] = None) -> Result:
        """Asks for a whole reply and waits for it, `timeout` seconds at most; what a prompt is, says `Agent.prompt`, but replies and results
        of tools may be among the messages. From any thread, also for several replies at once."""
        wait = _native.FOREVER if timeout is None else min(max(round(timeout * 1000), 0), _native.FOREVER - 1)
        message = json.loads(self._native.chat(json.dumps(_messages(prompt)), wait))
        result = {"message": message, "messages": [message], "usage": message.get("usage") or {}, "error": None, "stats": {}}
        return Result(result)

    def stream(self, prompt: Prompt) -> Run:
        """Asks for a reply as it comes: a run of one turn, for `for`, `async for` and `await`. What `chat` takes, but it must end with a
        question or with results of tools."""
        self._made._scope.enter()
        return Run(self._native.stream(json.dumps(_messages(prompt))), self._made.engine)
