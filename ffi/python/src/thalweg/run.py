"""Run: all turns of one prompt, going on or over."""

from __future__ import annotations

import asyncio
import json
from typing import Any, AsyncGenerator, AsyncIterator, Dict, Generator, Iterator, Optional

from . import _native
from ._native import Event
from .engine import Engine
from .errors import Error
from .result import Result


class Texts:
    """The text of a run, piece by piece: for `for` and for `async for`, from the beginning each time."""

    __slots__ = ("_run", "_holds_back")

    def __init__(self, run: Run, holds_back: bool = False) -> None:
        self._run = run
        self._holds_back = holds_back

    def __iter__(self) -> Iterator[str]:
        return self._run._native.reader(_native.ONLY_TEXT, self._holds_back)

    def __aiter__(self) -> AsyncIterator[str]:
        texts: AsyncIterator[str] = self._run._stream(_native.ONLY_TEXT, self._holds_back)
        return texts

    def hold_back(self) -> Texts:
        """The same, with the run waiting for each iteration, as `Run.hold_back` has it."""
        return Texts(self._run, True)


class Events:
    """The events of a run that waits for who reads them."""

    __slots__ = ("_run",)

    def __init__(self, run: Run) -> None:
        self._run = run

    def __iter__(self) -> Iterator[Event]:
        return self._run._native.reader(_native.ALL_EVENTS, True)

    def __aiter__(self) -> AsyncIterator[Event]:
        events: AsyncIterator[Event] = self._run._stream(_native.ALL_EVENTS, True)
        return events


class Run:
    """All turns of one prompt, going on or over.

    Iterate it for its events, with `for` or with `async for`, as often as you like: each iteration begins with the first event,
    also when the run is long over. `run.texts` gives only the text. `run.result()` waits for the end, `await run` as well. A run
    that failed raises its error at the end of an iteration and from both; one that you aborted just ends its iterations.

    A run goes on in the background. It is aborted when nothing holds it and its iterators any more, and at the end of a `with`
    block.
    """

    __slots__ = ("_native", "_engine", "_is_kept", "__weakref__")

    def __init__(self, native: _native.Run, engine: Engine, is_kept: bool = False) -> None:
        self._native = native
        self._engine = engine
        self._is_kept = is_kept

    def __iter__(self) -> Iterator[Event]:
        return self._native.reader(_native.ALL_EVENTS, False)

    def __aiter__(self) -> AsyncIterator[Event]:
        events: AsyncIterator[Event] = self._stream(_native.ALL_EVENTS)
        return events

    @property
    def texts(self) -> Texts:
        """The text of its replies, piece by piece."""
        return Texts(self)

    def hold_back(self) -> Events:
        """Its events, as iterating the run gives them, with the run waiting for each iteration, down to the socket: nothing more is read from
        the server while the iteration is further behind than `ahead_bytes_max` of the agent's `log`. It misses nothing then, whatever the log
        forgets. It must go on, or be dropped, or the run does not end."""
        return Events(self)

    @property
    def partial(self) -> Optional[Dict[str, Any]]:
        """The reply that is coming in, as far as it came, put together when it is asked for; None while none comes in."""
        message: Optional[Dict[str, Any]] = json.loads(self._native.partial())
        return message

    def abort(self) -> None:
        """Stops the run: its socket is closed, running tools are told, what came is kept. Returns at once; from any thread."""
        self._native.abort()

    @property
    def is_over(self) -> bool:
        """Whether it has ended, in whatever way."""
        return self._native.is_over

    def result(self, timeout: Optional[float] = None) -> Result:
        """Waits for the end, and gives what came of it; a failed run raises its error, which has the partial result.

        Raises the built-in TimeoutError when it goes on for longer than `timeout` seconds.
        """
        if not self._wait(timeout, raising=True):
            raise TimeoutError(f"the run goes on after {timeout} s")
        return self._result()

    def __await__(self) -> Generator[Any, None, Result]:
        return self._finished().__await__()

    def _wait(self, timeout: Optional[float], raising: bool = False) -> bool:
        wait = _native.FOREVER if timeout is None else min(max(round(timeout * 1000), 0), _native.FOREVER - 1)
        try:
            return self._native.wait(wait)
        except Error:
            if raising:
                raise
            return True

    async def _ended(self) -> None:
        try:
            async for _ in self._stream(_native.NOTHING):
                pass
        except Error:
            pass  # For those who ask what came of it.

    async def _finished(self) -> Result:
        try:
            async for _ in self._stream(_native.NOTHING):
                pass
        except asyncio.CancelledError:
            self.abort()
            raise
        await self._stored()
        self._native.wait(0)
        return self._result()

    async def _stored(self) -> None:
        """Waits until what it said is on the disk, if it is kept."""
        if self._is_kept:
            await asyncio.get_running_loop().run_in_executor(None, self._wait, None)

    def _result(self) -> Result:
        text = self._native.result()
        assert text is not None, "the run is over"
        return Result(json.loads(text))

    def _stream(self, what: int, holds_back: bool = False) -> Any:
        loop = asyncio.get_running_loop()
        if holds_back:
            # The drain of an engine takes what has come at once: this one has a descriptor of its own.
            return _read_on(self._native.reader(what, True), loop)
        self._engine._attach(loop)
        return self._native.stream(loop, what)

    def __enter__(self) -> Run:
        return self

    def __exit__(self, *_: object) -> None:
        self.abort()

    async def __aenter__(self) -> Run:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.abort()


async def _read_on(reader: _native.Reader, loop: asyncio.AbstractEventLoop) -> AsyncGenerator[Any, None]:
    """What a reader gives, batch by batch, each when the one before was taken."""
    while True:
        batch = reader.read()
        if batch is None:
            return
        for piece in batch:
            yield piece
        if not batch:
            await _readable(reader.fileno(), loop)


async def _readable(fd: int, loop: asyncio.AbstractEventLoop) -> None:
    waiter = loop.create_future()

    def ready() -> None:
        if not waiter.done():
            waiter.set_result(None)

    loop.add_reader(fd, ready)
    try:
        await waiter
    finally:
        loop.remove_reader(fd)
