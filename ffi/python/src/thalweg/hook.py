"""Hooks: functions of the program that a run asks before it goes on."""

from __future__ import annotations

import json
from typing import Any, Callable, Dict, Optional, Tuple

from . import _native
from .calls import Scope, serve

Json = Dict[str, Any]
Function = Callable[..., Any]


def before_tool_call(function: Function, scope: Scope) -> Tuple[int, Callable[[_native.Call], None]]:
    """Asked with {"tool_call_id", "tool_name", "args"}: the call may be changed or blocked."""
    return _hook(_native.HOOK_BEFORE_TOOL_CALL, function, scope, lambda asked: asked, _blocked)


def after_tool_call(function: Function, scope: Scope) -> Tuple[int, Callable[[_native.Call], None]]:
    """Asked with the same, "text" and "is_error": the answer may be changed."""
    return _hook(_native.HOOK_AFTER_TOOL_CALL, function, scope, lambda asked: asked, _replaced)


def transform_context(function: Function, scope: Scope) -> Tuple[int, Callable[[_native.Call], None]]:
    """Asked with the messages: others may be sent."""
    return _hook(_native.HOOK_TRANSFORM_CONTEXT, function, scope, _messages, _sent)


def convert_to_llm(function: Function, scope: Scope) -> Tuple[int, Callable[[_native.Call], None]]:
    """The same, behind all others."""
    return _hook(_native.HOOK_CONVERT_MESSAGES, function, scope, _messages, _sent)


def should_stop_after_turn(function: Function, scope: Scope) -> Tuple[int, Callable[[_native.Call], None]]:
    """Asked after a turn that another one would follow, with {"turn", "messages"}: whether the run ends."""
    return _hook(_native.HOOK_AFTER_TURN, function, scope, lambda asked: asked, lambda answer: {"stop": bool(answer)})


def get_api_key(function: Function, scope: Scope) -> Tuple[int, Callable[[_native.Call], None]]:
    """Asked with the name of the provider before each request: gives the key."""
    return _hook(_native.HOOK_API_KEY, function, scope, lambda asked: asked["provider"], str)


def compact(function: Function, scope: Scope) -> Tuple[int, Callable[[_native.Call], None]]:
    """Asked with the messages that are too long for the model: shorter ones are sent."""
    return _hook(_native.HOOK_COMPACT, function, scope, _messages, _sent)


def observe(function: Function, scope: Scope) -> Tuple[int, Callable[[_native.Call], None]]:
    """Asked with the record of each request once it is over; what it gives changes nothing."""
    return _hook(_native.HOOK_OBSERVE, function, scope, lambda asked: asked, lambda _: None)


def _hook(
    point: int, function: Function, scope: Scope, asked: Callable[[Json], Any], answer: Callable[[Any], Any]
) -> Tuple[int, Callable[[_native.Call], None]]:
    def invoke(call: _native.Call) -> None:
        def text(given: Any) -> str:
            return "" if given is None else json.dumps(answer(given))

        serve(call, scope, lambda: function(asked(json.loads(call.arguments))), text)

    return point, invoke


def _messages(asked: Json) -> Any:
    return asked["messages"]


def _blocked(answer: Any) -> Optional[Json]:
    """A text is the reason for which the call is blocked."""
    return {"block": True, "reason": answer} if isinstance(answer, str) else answer


def _replaced(answer: Any) -> Optional[Json]:
    """A text is what the model is told."""
    return {"text": answer} if isinstance(answer, str) else answer


def _sent(answer: Any) -> Any:
    return list(answer)
