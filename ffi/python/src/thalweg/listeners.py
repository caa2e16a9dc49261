"""Listeners: functions of the program that are told of each event."""

from __future__ import annotations

import asyncio
import inspect
import sys
import threading
from typing import Any, Callable, List, Optional, Set

from ._native import Event
from .errors import Error
from .run import Run

Listener = Callable[[Event], Any]


class Listeners:
    """Those of an agent, and who tells them: a task, or a thread where there is no event loop."""

    def __init__(self) -> None:
        self._all: List[Listener] = []
        self._tasks: Set[asyncio.Task[None]] = set()
        self._threads: Set[threading.Thread] = set()

    def add(self, listener: Listener) -> Callable[[], None]:
        """Adds one; gives the function that takes it away."""
        self._all.append(listener)

        def unsubscribe() -> None:
            if listener in self._all:
                self._all.remove(listener)

        return unsubscribe

    def follow(self, run: Run, loop: Optional[asyncio.AbstractEventLoop]) -> None:
        """Tells them all of a run."""
        if not self._all:
            return
        if loop is not None:
            task = loop.create_task(self._tell_async(run))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        else:
            thread = threading.Thread(target=self._tell, args=(run,), name="thalweg listeners", daemon=True)
            self._threads.add(thread)
            thread.start()

    def wait(self, timeout: Optional[float]) -> bool:
        """Waits for the threads; False when that takes longer."""
        for thread in list(self._threads):
            if thread is not threading.current_thread():
                thread.join(timeout)
                if thread.is_alive():
                    return False
        return True

    async def idle(self) -> None:
        """Waits for the tasks."""
        current = asyncio.current_task()
        for task in [task for task in self._tasks if task is not current]:
            await asyncio.wait([task])

    def _tell(self, run: Run) -> None:
        try:
            for event in run:
                for listener in list(self._all):
                    try:
                        told = listener(event)
                        if inspect.isawaitable(told):
                            asyncio.run(_whole(told))
                    except Exception:
                        sys.excepthook(*sys.exc_info())
        except Error:
            pass  # For those who ask what came of it.
        finally:
            self._threads.discard(threading.current_thread())

    async def _tell_async(self, run: Run) -> None:
        try:
            async for event in run:
                for listener in list(self._all):
                    try:
                        told = listener(event)
                        if inspect.isawaitable(told):
                            await told
                    except Exception as error:
                        context = {"message": "a listener of an agent failed", "exception": error}
                        asyncio.get_running_loop().call_exception_handler(context)
        except Error:
            pass


async def _whole(told: Any) -> Any:
    return await told
