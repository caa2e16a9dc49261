"""Engine: threads and connections, shared by many agents."""

from __future__ import annotations

import asyncio
import atexit
import json
import os
import threading
import weakref
from typing import Any, Dict, List, Optional

from . import _native
from .errors import StateError


class Engine:
    """Threads and connections that agents share; most programs need only the default one.

    Times are seconds; 0 stands for no limit. `threads` read sockets and decode, outside of the GIL: one is enough for thousands
    of streams. The streams of one engine are drained by one event loop at a time.

    `runs_max` runs go on at the same time, 100,000 if not said; their events take `log_bytes_max` bytes, 8 GiB, also of runs that are over
    and held, and `kept_bytes_max` of what was freed are kept for the next one. One event of a reply has `event_bytes_max` bytes, 32 MiB, and
    JSON of the depth `nesting_max`, 128, at most.
    """

    def __init__(
        self,
        *,
        threads: Optional[int] = None,
        connect_timeout: Optional[float] = None,
        first_byte_timeout: Optional[float] = None,
        idle_timeout: Optional[float] = None,
        total_timeout: Optional[float] = None,
        http2: Optional[bool] = None,
        proxy: Optional[str] = None,
        ca_files: Optional[List[str]] = None,
        user_agent: Optional[str] = None,
        runs_max: Optional[int] = None,
        log_bytes_max: Optional[int] = None,
        kept_bytes_max: Optional[int] = None,
        event_bytes_max: Optional[int] = None,
        nesting_max: Optional[int] = None,
    ) -> None:
        options: Dict[str, Any] = {
            "threads": threads,
            "connect_timeout_ms": _milliseconds(connect_timeout),
            "first_byte_timeout_ms": _milliseconds(first_byte_timeout),
            "idle_timeout_ms": _milliseconds(idle_timeout),
            "total_timeout_ms": _milliseconds(total_timeout),
            "http2": http2,
            "proxy": proxy,
            "ca_files": ca_files,
            "user_agent": user_agent,
            "runs_max": runs_max,
            "log_bytes_max": log_bytes_max,
            "kept_bytes_max": kept_bytes_max,
            "event_bytes_max": event_bytes_max,
            "nesting_max": nesting_max,
        }
        self._native = _native.Engine(json.dumps({key: value for key, value in options.items() if value is not None}))
        self._loop: Optional[asyncio.AbstractEventLoop] = None
        self._lock = threading.Lock()
        _engines.add(self)

    def load_plugin(self, path: str) -> None:
        """Loads a plugin by its absolute path, for agents made from now on. Its code runs in this process."""
        self._native.load_plugin(os.fspath(path))

    @property
    def budgets(self) -> Dict[str, Dict[str, Any]]:
        """The budgets that agents of this engine share, by name: {"tokens": {"limit", "spent", "reserved", "left"}, "dollars": {…}}."""
        budgets: Dict[str, Dict[str, Any]] = json.loads(self._native.budgets())
        return budgets

    def forget_budget(self, name: str) -> None:
        """Forgets a budget: agents that have it keep to it, and the next one that names it begins anew."""
        self._native.forget_budget(name)

    def close(self) -> None:
        """Ends all its runs and threads. Waits for tools that are running."""
        loop, self._loop = self._loop, None
        if loop is not None and not loop.is_closed():
            try:
                loop.remove_reader(self._native.fileno())
            except RuntimeError:
                pass  # A loop that is just ending.
        self._native.close()

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _attach(self, loop: asyncio.AbstractEventLoop) -> None:
        """Has `loop` drain the streams of this engine."""
        with self._lock:
            before = self._loop
            if before is loop:
                return
            fd = self._native.fileno()
            if before is not None and not before.is_closed():
                if before.is_running():
                    raise StateError("another event loop drains this engine; make an Engine for each loop")
                before.remove_reader(fd)
            loop.add_reader(fd, self._native.drain)
            self._loop = loop


def default_engine() -> Engine:
    """The engine of agents that name none; made when it is first needed, and anew after a fork."""
    global _default
    with _lock:
        if _default is None:
            _default = Engine()
        return _default


def _milliseconds(seconds: Optional[float]) -> Optional[int]:
    return None if seconds is None else max(0, round(seconds * 1000))


def _close_all() -> None:
    # Before the interpreter goes: the engine's threads call tools.
    for engine in list(_engines):
        engine.close()


def _forget() -> None:
    # In the child of a fork the threads of the engine are missing.
    global _default, _lock
    _default, _lock = None, threading.Lock()


_engines: weakref.WeakSet[Engine] = weakref.WeakSet()
_default: Optional[Engine] = None
_lock = threading.Lock()
atexit.register(_close_all)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
