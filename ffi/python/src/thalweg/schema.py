"""JSON Schemas from type hints, and values of those types from JSON."""

from __future__ import annotations

import dataclasses
import enum
import inspect
import re
import sys
import typing
from typing import Any, Callable, Dict, List, Tuple, Union, get_args, get_origin, get_type_hints

_UNIONS: Tuple[Any, ...] = (Union,)
if sys.version_info >= (3, 10):
    import types

    _UNIONS = (Union, types.UnionType)
if sys.version_info >= (3, 11):
    from typing import NotRequired, Required

    _REQUIRED: Tuple[Any, ...] = (Required, NotRequired)
else:
    _REQUIRED = ()

_PLAIN: Dict[Any, str] = {str: "string", int: "integer", float: "number", bool: "boolean", type(None): "null"}


def of_type(hint: Any) -> Dict[str, Any]:
    """The schema of a type: plain types, lists, dicts, tuples, unions, literals, enums, dataclasses, typed dicts, pydantic
    models, and `Annotated[type, "what it means"]`."""
    if hint is Any or hint is inspect.Parameter.empty:
        return {}
    if hint in _PLAIN:
        return {"type": _PLAIN[hint]}
    origin, arguments = get_origin(hint), get_args(hint)
    if hasattr(hint, "__metadata__"):
        schema = of_type(arguments[0])
        for said in hint.__metadata__:
            if isinstance(said, str):
                schema["description"] = said
            elif isinstance(said, dict):
                schema.update(said)
        return schema
    if origin in _REQUIRED:
        return of_type(arguments[0])
    if origin in _UNIONS:
        choices = [of_type(choice) for choice in arguments]
        names = [choice.get("type") for choice in choices if list(choice) == ["type"]]
        return {"type": names} if len(names) == len(choices) else {"anyOf": choices}
    if origin is typing.Literal:
        kinds = {type(value) for value in arguments}
        schema = {"enum": list(arguments)}
        if len(kinds) == 1 and next(iter(kinds)) in _PLAIN:
            schema["type"] = _PLAIN[next(iter(kinds))]
        return schema
    base = origin or hint
    if not isinstance(base, type):
        raise TypeError(f"no JSON Schema for {hint!r}; use a plain type, or pass `parameters` yourself")
    if hasattr(base, "model_json_schema"):
        return dict(base.model_json_schema())
    if issubclass(base, enum.Enum):
        return {"enum": [member.value for member in base]}
    if dataclasses.is_dataclass(base):
        hints = get_type_hints(base, include_extras=True)
        missing = dataclasses.MISSING
        fields = dataclasses.fields(base)
        required = [f.name for f in fields if f.default is missing and f.default_factory is missing]
        return _object({field.name: of_type(hints[field.name]) for field in fields}, required)
    if hasattr(base, "__required_keys__"):
        hints = get_type_hints(base, include_extras=True)
        required = [name for name in hints if name in base.__required_keys__]
        return _object({name: of_type(hint) for name, hint in hints.items()}, required)
    if issubclass(base, tuple) and arguments and arguments[-1] is not Ellipsis:
        return {"type": "array", "prefixItems": [of_type(a) for a in arguments], "minItems": len(arguments), "maxItems": len(arguments)}
    if issubclass(base, (list, tuple, set, frozenset)) or base.__name__ in ("Sequence", "Iterable", "Collection"):
        schema = {"type": "array", "items": of_type(arguments[0]) if arguments else {}}
        if issubclass(base, (set, frozenset)):
            schema["uniqueItems"] = True
        return schema
    if issubclass(base, dict) or base.__name__ in ("Mapping", "MutableMapping"):
        schema = {"type": "object"}
        if len(arguments) == 2 and arguments[1] is not Any:
            schema["additionalProperties"] = of_type(arguments[1])
        return schema
    raise TypeError(f"no JSON Schema for {hint!r}; use a plain type, or pass `parameters` yourself")


def of_parameters(function: Callable[..., Any], skip: Callable[[Any], bool]) -> Tuple[Dict[str, Any], Dict[str, Any], List[str]]:
    """The schema of a function's parameters, their types by name, and the names of those that `skip` says are not the model's.
    Descriptions come from `Annotated` and from the section "Args:" of the docstring."""
    hints = get_type_hints(function, include_extras=True)
    said = _argument_lines(inspect.getdoc(function) or "")
    properties: Dict[str, Any] = {}
    types_by_name: Dict[str, Any] = {}
    required: List[str] = []
    skipped: List[str] = []
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD, parameter.POSITIONAL_ONLY):
            raise TypeError(f"parameter {parameter} of {function.__name__} cannot be given by name; name each parameter of a tool")
        hint = hints.get(parameter.name, Any)
        if skip(hint):
            skipped.append(parameter.name)
            continue
        schema = of_type(hint)
        if parameter.name in said:
            schema.setdefault("description", said[parameter.name])
        if parameter.default is parameter.empty:
            required.append(parameter.name)
        else:
            default = parameter.default
            if isinstance(default, (str, int, float, bool)):
                schema.setdefault("default", default)
        properties[parameter.name] = schema
        types_by_name[parameter.name] = hint
    return _object(properties, required), types_by_name, skipped


def summary(function: Callable[..., Any]) -> str:
    """The docstring up to its first section."""
    text = inspect.getdoc(function) or ""
    return re.split(r"\n\s*(?:Args|Arguments|Parameters|Returns|Raises|Yields):\s*\n", "\n" + text, maxsplit=1)[0].strip()


def convert(hint: Any, value: Any) -> Any:
    """A value of JSON as the type asks for it: enums, dataclasses, tuples, sets and pydantic models are made of it."""
    if hint is Any or hint in _PLAIN:
        return float(value) if hint is float and type(value) is int else value
    origin, arguments = get_origin(hint), get_args(hint)
    if hasattr(hint, "__metadata__") or origin in _REQUIRED:
        return convert(arguments[0], value)
    if origin in _UNIONS:
        if value is None:
            return None
        choices = [choice for choice in arguments if choice is not type(None)]
        for choice in choices:
            try:
                return convert(choice, value)
            except (TypeError, ValueError, KeyError):
                continue
        return value
    base = origin or hint
    if not isinstance(base, type):
        return value
    if hasattr(base, "model_validate"):
        return base.model_validate(value)
    if issubclass(base, enum.Enum):
        return base(value)
    if dataclasses.is_dataclass(base):
        hints = get_type_hints(base, include_extras=True)
        return base(**{name: convert(hints[name], part) for name, part in value.items()})
    if issubclass(base, (list, set, frozenset)) and arguments:
        return base(convert(arguments[0], part) for part in value)
    if issubclass(base, (set, frozenset)):
        return base(value)
    if issubclass(base, tuple):
        if len(arguments) == 2 and arguments[1] is Ellipsis:
            return tuple(convert(arguments[0], part) for part in value)
        return tuple(convert(h, part) for h, part in zip(arguments, value)) if arguments else tuple(value)
    if issubclass(base, dict) and len(arguments) == 2 and isinstance(value, dict):
        return {key: convert(arguments[1], part) for key, part in value.items()}
    return value


def _object(properties: Dict[str, Any], required: List[str]) -> Dict[str, Any]:
    schema: Dict[str, Any] = {"type": "object", "properties": properties}
    if required:
        schema["required"] = required
    return schema


def _argument_lines(doc: str) -> Dict[str, str]:
    """`name: what it is` lines below "Args:"; deeper lines go on with the one above."""
    found: Dict[str, str] = {}
    section = re.search(r"^(?:Args|Arguments|Parameters):\s*\n((?:[ \t]+.*\n?|\s*\n)*)", doc, re.M)
    name = None
    for line in section.group(1).splitlines() if section else []:
        match = re.match(r"\s+\*{0,2}(\w+)\s*(?:\([^)]*\))?:\s*(.*)", line)
        if match:
            name = match.group(1)
            found[name] = match.group(2).strip()
        elif name and line.strip():
            found[name] += " " + line.strip()
    return found
