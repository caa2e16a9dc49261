"""Calls of the engine into the program: where its functions run, and what becomes of their answers."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
from typing import Any, Awaitable, Callable, Optional, Set

from . import _native


class ToolError(Exception):
    """Raised in a tool, its text goes to the model as it stands; of other exceptions the model also sees the class."""


class Scope:
    """Where the functions of an agent run: the event loop and the context variables of the last prompt."""

    loop: Optional[asyncio.AbstractEventLoop] = None
    context: Optional[contextvars.Context] = None

    def enter(self) -> None:
        """Takes over those of the caller."""
        try:
            self.loop = asyncio.get_running_loop()
        except RuntimeError:
            self.loop = None
        self.context = contextvars.copy_context()

    def copy(self) -> contextvars.Context:
        """The context variables for one call."""
        return contextvars.copy_context() if self.context is None else self.context.copy()


def serve(call: _native.Call, scope: Scope, work: Callable[[], Any], text: Callable[[Any], str]) -> None:
    """Does `work` and answers the call with the `text` of what it gives; on a thread of the call's own.

    Something to be awaited goes on on the event loop of the prompt, or on one of its own where there is none, and is cancelled
    with the call.
    """
    try:
        context = scope.copy()
        made = context.run(work)
        if not inspect.isawaitable(made):
            call.answer(text(made))
        elif scope.loop is not None and scope.loop.is_running():
            scope.loop.call_soon_threadsafe(_go_on, call, made, text, scope.loop, context=context)
        else:
            context.run(asyncio.run, _awaited(call, made, text))
    except BaseException as error:
        # Also SystemExit: it would end a thread that is not ours.
        call.fail(why(error))


async def _awaited(call: _native.Call, made: Awaitable[Any], text: Callable[[Any], str]) -> None:
    loop = asyncio.get_running_loop()
    task = asyncio.current_task()
    assert task is not None
    cancel = task.cancel

    def on_cancel() -> None:
        try:
            loop.call_soon_threadsafe(cancel)
        except RuntimeError:
            pass  # The loop is closed, and the task gone.

    call.on_cancel(on_cancel)
    try:
        answer = text(await made)
    except asyncio.CancelledError as error:
        call.fail(str(error) or "cancelled")
    except Exception as error:
        call.fail(why(error))
    else:
        call.answer(answer)


def _go_on(call: _native.Call, made: Awaitable[Any], text: Callable[[Any], str], loop: asyncio.AbstractEventLoop) -> None:
    task = loop.create_task(_awaited(call, made, text))
    # The loop keeps tasks weakly only.
    _tasks.add(task)
    task.add_done_callback(_tasks.discard)


def why(error: BaseException) -> str:
    """What the engine is told of an exception."""
    text = str(error)
    if isinstance(error, ToolError) and text:
        return text
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


_tasks: Set[asyncio.Task[Any]] = set()
