"""Frozen: named values that never change, with a hash of what is in them.

The classes are plain ones: annotations name the fields, class attributes are their defaults, and any other field may be given
too. Hash keys are those of MiniAgents, digit by digit.
"""

from __future__ import annotations

import hashlib
import json
import typing
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from numbers import Number
from pathlib import Path
from typing import Any, Callable, ClassVar, Dict, Iterator, List, Mapping, Optional, Tuple, Type, Union
from uuid import UUID

#: Whether hash keys have 64 digits instead of 40 where no context says so.
LONGER_HASH_KEYS = False


class Unset:
    """The absence of a value, where None is one."""

    def __repr__(self) -> str:
        return "NO_VALUE"

    def __bool__(self) -> bool:
        raise TypeError("NO_VALUE is neither true nor false")


NO_VALUE = Unset()

#: What a context says about the length of hash keys; set by `promising`.
_longer_hash_keys: Callable[[], Any] = lambda: NO_VALUE

_SCALARS = (type(None), str, Number, bool, UUID, datetime, date, time, timedelta, Path, Enum, bytes, frozenset)

#: A field: its default or NO_VALUE, and the classes that its values may have, if that is all its annotation says.
_Field = Tuple[Any, Optional[Tuple[type, ...]]]


class FrozenError(ValueError):
    """A value of a frozen object is not allowed, missing, or was to be changed."""


class Frozen:
    """Named values that never change. Lists become tuples and dicts frozen objects; sets and objects of other classes are refused."""

    __slots__ = ("__dict__", "_private", "__weakref__")

    model_config: ClassVar[Mapping[str, Any]] = {}
    class_: str

    _fields: ClassVar[Dict[str, _Field]]

    def __init__(self, **values: Any) -> None:
        cls = type(self)
        fields = cls.__dict__.get("_fields") or _fields_of(cls)
        own = self.__dict__
        own["class_"] = cls.__name__
        for name, (default, classes) in fields.items():
            value = values.pop(name, NO_VALUE)
            if value is NO_VALUE:
                if default is NO_VALUE:
                    raise FrozenError(f"{cls.__name__} needs a value for `{name}`")
                own[name] = default
                continue
            if value.__class__ is not str:
                value = freeze(value, name, cls)
            if classes is not None and not isinstance(value, classes):
                wanted = " or ".join(one.__name__ for one in classes)
                raise FrozenError(f"`{name}` of {cls.__name__} is to be {wanted}, not {type(value).__name__}")
            own[name] = value
        if not values:
            return
        values.pop("class_", None)
        if values and cls.model_config.get("extra") == "forbid":
            raise FrozenError(f"{cls.__name__} has no field `{next(iter(values))}`")
        for name, value in values.items():
            own[name] = value if value.__class__ is str else freeze(value, name, cls)

    def __setattr__(self, name: str, value: Any) -> None:
        if not name.startswith("_"):
            raise FrozenError(f"{type(self).__name__} is frozen: `{name}` cannot be set")
        try:
            object.__getattribute__(self, "_private")[name] = value
        except AttributeError:
            object.__setattr__(self, "_private", {name: value})

    def __delattr__(self, name: str) -> None:
        raise FrozenError(f"{type(self).__name__} is frozen: `{name}` cannot be deleted")

    def __getattr__(self, name: str) -> Any:
        # Only asked for what is no field: a private value, or nothing.
        if name.startswith("_") and name != "_private":
            private = getattr(self, "_private", None)
            if private is not None and name in private:
                return private[name]
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def __iter__(self) -> Iterator[Tuple[str, Any]]:
        return iter(self.__dict__.items())

    def __eq__(self, other: object) -> bool:
        return self is other or (type(self) is type(other) and self.__dict__ == other.__dict__)

    def __hash__(self) -> int:
        return hash((type(self), tuple(self.__dict__.values())))

    def __reduce__(self) -> Tuple[Any, ...]:
        return (_restored, (type(self), dict(self.__dict__)))

    def __repr__(self) -> str:
        values = ", ".join(f"{name}={value!r}" for name, value in self)
        return f"{type(self).__name__}({values})"

    def __str__(self) -> str:
        return self.as_string

    def __getitem__(self, name: str) -> Any:
        try:
            return self.__dict__[name]
        except KeyError:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}") from None

    def __contains__(self, name: object) -> bool:
        return name in self.__dict__ if isinstance(name, str) else any(name == item for item in self)

    def __len__(self) -> int:
        return len(self.__dict__)

    def get(self, name: str, default: Any = None) -> Any:
        """The value under a name, or `default`."""
        return getattr(self, name, default)

    def keys(self) -> Tuple[str, ...]:
        """The names."""
        return tuple(self.__dict__)

    def values(self) -> Tuple[Any, ...]:
        """The values."""
        return tuple(self.__dict__.values())

    def as_kwargs(self) -> Dict[str, Any]:
        """The values as arguments of a call: all but the name of the class."""
        return {name: value for name, value in self if name != "class_"}

    def model_dump(self, *, exclude: Any = (), mode: str = "python") -> Dict[str, Any]:
        """The values as a dict, those within as well; with `mode="json"`, as JSON has them."""
        plain = _json_value if mode == "json" else _python_value
        return {name: plain(value) for name, value in self._shown() if name not in exclude}

    def model_dump_json(self) -> str:
        """All of it as JSON."""
        return json.dumps(self.model_dump(mode="json"), ensure_ascii=False, separators=(",", ":"))

    def model_copy(self, *, update: Optional[Mapping[str, Any]] = None) -> Any:
        """Another one with some values changed."""
        copy = type(self).__new__(type(self))
        copy.__dict__.update(self.__dict__)
        for name, value in (update or {}).items():
            copy.__dict__[name] = freeze(value, name, type(self))
        return copy

    def _shown(self) -> Iterator[Tuple[str, Any]]:
        return iter(self)

    @property
    def as_string(self) -> str:
        """What a model reads of it."""
        return self._as_string()

    def _as_string(self) -> str:
        return self.full_json

    @property
    def full_json(self) -> str:
        """All of it as JSON, with what lies within."""
        return self.model_dump_json()

    def serialize(self) -> Dict[str, Any]:
        """What is hashed, as a dict."""
        return self.model_dump(mode="json")

    @property
    def serialized(self) -> str:
        """What is hashed: sorted JSON."""
        return json.dumps(self.serialize(), sort_keys=True, ensure_ascii=False)

    @property
    def hash_key(self) -> str:
        """Hexadecimal digits that stand for its content: 40, or 64 if the context says so."""
        digits: Optional[str] = getattr(self, "_hash_key", None)
        if digits is None:
            digits = hashlib.sha256(self.serialized.encode("utf-8")).hexdigest()
            self._hash_key = digits
        longer = _longer_hash_keys()
        return digits if (LONGER_HASH_KEYS if longer is NO_VALUE else longer) else digits[:40]


def _restored(cls: Type[Frozen], values: Dict[str, Any]) -> Frozen:
    """One that was pickled or copied."""
    frozen = cls.__new__(cls)
    frozen.__dict__.update(values)
    return frozen


def freeze(value: Any, name: str, cls: type) -> Any:
    """The same, never to change; an error if that cannot be."""
    if isinstance(value, (tuple, list)):
        return tuple([freeze(one, name, cls) for one in value])
    if isinstance(value, dict):
        return Frozen(**value)
    if isinstance(value, _SCALARS) or isinstance(value, Frozen):
        return value
    raise FrozenError(f"`{name}` of {cls.__name__} cannot be frozen: it is of class {type(value).__name__}")


def _fields_of(cls: Type[Frozen]) -> Dict[str, _Field]:
    """The annotated fields, those of base classes first."""
    fields: Dict[str, _Field] = {}
    try:
        hints: Mapping[str, Any] = typing.get_type_hints(cls)
    except Exception:
        hints = {}  # A name that only a type checker knows: nothing is checked then.
    for base in reversed(cls.__mro__):
        for name in base.__dict__.get("__annotations__", ()):
            hint = hints.get(name)
            if name == "class_" or name.startswith("_") or typing.get_origin(hint) is ClassVar or hint is ClassVar:
                continue
            default = getattr(cls, name, NO_VALUE)
            if name == "model_config" or isinstance(default, property):
                continue
            if default is not NO_VALUE:
                default = freeze(default, name, cls)
            fields[name] = (default, _classes(hint))
    cls._fields = fields
    return fields


def _classes(hint: Any) -> Optional[Tuple[type, ...]]:
    if hint is float:
        return (float, int)
    if isinstance(hint, type) and hint is not object and typing.get_origin(hint) is None:
        return (hint,)
    if typing.get_origin(hint) is tuple:
        return (tuple,)
    if typing.get_origin(hint) is Union:
        parts = [_classes(part) for part in typing.get_args(hint)]
        if all(part is not None for part in parts):
            return tuple(one for part in parts if part for one in part)
    return None


def _python_value(value: Any) -> Any:
    if isinstance(value, Frozen):
        return value.model_dump()
    if isinstance(value, tuple):
        return tuple(_python_value(one) for one in value)
    return value


def _json_value(value: Any) -> Any:
    if value is None or isinstance(value, (str, bool, int, float)) and not isinstance(value, Enum):
        return value
    if isinstance(value, Frozen):
        return value.model_dump(mode="json")
    if isinstance(value, (tuple, frozenset)):
        return [_json_value(one) for one in value]
    if isinstance(value, Enum):
        return _json_value(value.value)
    if isinstance(value, bytes):
        return value.decode("utf-8")
    if isinstance(value, (datetime, time)):
        text = value.isoformat()
        return text[: -len("+00:00")] + "Z" if text.endswith("+00:00") else text
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, timedelta):
        return _duration(value)
    if isinstance(value, (UUID, Path, Decimal)):
        return str(value)
    return str(value)


def _duration(value: timedelta) -> str:
    """ISO 8601, as pydantic writes it."""
    sign, value = ("-", -value) if value < timedelta() else ("", value)
    minutes, seconds = divmod(value.seconds, 60)
    hours, minutes = divmod(minutes, 60)
    years, days = divmod(value.days, 365)
    parts: List[str] = [f"{years}Y" if years else "", f"{days}D" if days else ""]
    clock = f"{hours}H" if hours else ""
    clock += f"{minutes}M" if minutes else ""
    if value.microseconds:
        clock += f"{seconds}.{value.microseconds:06d}".rstrip("0") + "S"
    elif seconds or not (clock or years or days):
        clock += f"{seconds}S"
    return sign + "P" + "".join(parts) + (f"T{clock}" if clock else "")
