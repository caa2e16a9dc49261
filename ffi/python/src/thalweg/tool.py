"""Tools: Python functions, plain or asynchronous, that the model calls."""

from __future__ import annotations

import dataclasses
import json
from typing import Any, Callable, Dict, List, Optional, Tuple, Union, get_args, get_type_hints, overload

from . import _native, schema
from .calls import Scope, ToolError, serve


class ToolContext:
    """One call, for tools that have a parameter with this type; the model does not see that parameter."""

    def __init__(self, call: _native.Call) -> None:
        self._call = call

    @property
    def call_id(self) -> str:
        """Id of the call."""
        return self._call.id

    @property
    def is_cancelled(self) -> bool:
        """Whether nobody waits any more. An asynchronous tool is cancelled as tasks are; a plain one asks here."""
        return self._call.is_cancelled

    def progress(self, text: str, fraction: Optional[float] = None) -> bool:
        """Tells those who watch the run how far it is, from 0 to 1 where that is known. False when nobody waits any more."""
        permille = -1 if fraction is None else round(min(max(fraction, 0.0), 1.0) * 1000)
        return self._call.progress(text, permille)


class Tool:
    """A function that the model may call; made by `tool`, and callable as the function itself."""

    def __init__(
        self,
        function: Callable[..., Any],
        *,
        name: Optional[str] = None,
        description: Optional[str] = None,
        parameters: Optional[Dict[str, Any]] = None,
        parallel: bool = True,
    ) -> None:
        self.function = function
        self.name = name or function.__name__
        self.description = schema.summary(function) if description is None else description
        self.parallel = parallel
        self._skipped: List[str] = []
        self._types: Dict[str, Any] = {}
        if parameters is None:
            parameters, self._types, self._skipped = schema.of_parameters(function, _is_context)
        else:
            for parameter, hint in get_type_hints(function).items():
                if _is_context(hint):
                    self._skipped.append(parameter)
        #: JSON Schema of the arguments.
        self.parameters = parameters
        self.__doc__ = function.__doc__

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.function(*args, **kwargs)

    def __repr__(self) -> str:
        return f"<Tool {self.name}>"

    def _bound(self, call: _native.Call) -> Dict[str, Any]:
        arguments: Dict[str, Any] = json.loads(call.arguments)
        unknown = [name for name in arguments if self._types and name not in self._types]
        if unknown:
            raise ToolError(f"{self.name} has no parameter {unknown[0]!r}; it has {', '.join(self._types)}")
        for name, hint in self._types.items():
            if name in arguments:
                try:
                    arguments[name] = schema.convert(hint, arguments[name])
                except Exception as error:
                    raise ToolError(f"argument {name!r} of {self.name} is wrong: {error}") from error
        for name in self._skipped:
            arguments[name] = ToolContext(call)
        return arguments

    def _native_form(self, scope: Scope) -> Tuple[Any, ...]:
        def invoke(call: _native.Call) -> None:
            serve(call, scope, lambda: self.function(**self._bound(call)), _text)

        flags = _native.TOOL_PARALLEL if self.parallel else 0
        return (self.name, self.description, json.dumps(self.parameters), flags, invoke)


@overload
def tool(function: Callable[..., Any]) -> Tool: ...
@overload
def tool(
    *,
    name: Optional[str] = None,
    description: Optional[str] = None,
    parameters: Optional[Dict[str, Any]] = None,
    parallel: bool = True,
) -> Callable[[Callable[..., Any]], Tool]: ...
def tool(
    function: Optional[Callable[..., Any]] = None, **options: Any
) -> Union[Tool, Callable[[Callable[..., Any]], Tool]]:
    """Makes a tool of a function: `@tool`, or `@tool(name="…")`.

    Its name, its docstring and its type hints tell the model what it is for. It answers with a text, or with anything that JSON can
    say. A plain function runs on a thread of its own; an `async` one on the event loop that prompted the agent, and is cancelled
    with the run. `parallel=False` says that it must not run several times at once.
    """
    if function is not None:
        return Tool(function)
    return lambda function: Tool(function, **options)


def _is_context(hint: Any) -> bool:
    return hint is ToolContext or ToolContext in get_args(hint)


def _text(answer: Any) -> str:
    if isinstance(answer, str):
        return answer
    if answer is None:
        return "done"
    if hasattr(answer, "model_dump_json"):
        return str(answer.model_dump_json())
    if dataclasses.is_dataclass(answer) and not isinstance(answer, type):
        answer = dataclasses.asdict(answer)
    return json.dumps(answer, ensure_ascii=False, default=str)
