"""Promises: pieces that stream, and a value that is made once. And the context that they are made in.

The pieces lie in sequences of the engine: each reader gets them from the first one on, whenever it comes, and what streams is
flattened there. Here are only the Python functions that make them.
"""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import logging
import warnings
from types import TracebackType
from typing import (
    Any,
    AsyncIterator,
    Awaitable,
    Callable,
    ClassVar,
    Coroutine,
    Dict,
    Generator,
    Generic,
    Iterable,
    List,
    Optional,
    Set,
    Tuple,
    Type,
    TypeVar,
    Union,
)

from .. import _native
from ..errors import UnsupportedError
from . import frozen
from .errors import AppenderClosedError, AppenderNotOpenError, FunctionNotProvidedError, NoActiveContextError
from .frozen import NO_VALUE, Unset

T = TypeVar("T")
P = TypeVar("P")
ContextT = TypeVar("ContextT", bound="PromisingContext")
AppenderT = TypeVar("AppenderT", bound="Appender")
StreamT = TypeVar("StreamT", bound="StreamAppender[Any]")
Handler = Callable[["Promise[Any]", Any], Awaitable[None]]
Flag = Union[bool, Unset]

#: One for each event loop that is open: sequences of the same loop flatten one another.
_crews: Dict[asyncio.AbstractEventLoop, _native.Crew] = {}


def crew() -> _native.Crew:
    """Where sequences of the running event loop are flattened."""
    loop = asyncio.get_running_loop()
    found = _crews.get(loop)
    if found is None:
        for other in [other for other in _crews if other.is_closed()]:
            del _crews[other]
        found = _crews[loop] = _native.Crew(loop)
        try:
            loop.add_reader(found.fileno(), found.run)
        except UnsupportedError:
            pass  # Then other threads cannot add to what this one reads.
    return found


class PromisingContext:
    """What promises have in common: their defaults, the tasks that make them, and who is told when one is resolved."""

    logger: logging.Logger = logging.getLogger("thalweg.crew")

    _current: ClassVar[contextvars.ContextVar[Optional["PromisingContext"]]] = contextvars.ContextVar("promising", default=None)

    def __init__(
        self,
        *,
        start_everything_soon_by_default: bool = True,
        appenders_capture_errors_by_default: bool = False,
        longer_hash_keys: Flag = NO_VALUE,
        logger: Optional[logging.Logger] = None,
        log_level_for_errors: int = logging.ERROR,
        on_promise_resolved: Union[Handler, Iterable[Handler]] = (),
    ) -> None:
        self.parent_ctx = self._current.get()
        self.start_everything_soon_by_default = start_everything_soon_by_default
        self.appenders_capture_errors_by_default = appenders_capture_errors_by_default
        self.longer_hash_keys = longer_hash_keys
        self.log_level_for_errors = log_level_for_errors
        self.on_promise_resolved_handlers: List[Handler] = []
        for handler in [on_promise_resolved] if callable(on_promise_resolved) else on_promise_resolved:
            self.on_promise_resolved(handler)
        self.child_tasks: Set[asyncio.Task[Any]] = set()
        if logger is not None:
            self.logger = logger
        self._before: Optional[contextvars.Token[Optional[PromisingContext]]] = None

    @classmethod
    def get_current(cls: Type[ContextT]) -> ContextT:
        """The one that is active."""
        current = cls._current.get()
        if current is None:
            raise NoActiveContextError(f"no {cls.__name__} is active; is there an `async with {cls.__name__}():`?")
        if not isinstance(current, cls):
            raise cls._wrong(current)
        return current

    @classmethod
    def _wrong(cls, current: PromisingContext) -> Exception:
        return TypeError(f"the active context is a {type(current).__name__}, not a {cls.__name__}")

    def on_promise_resolved(self, handler: Handler) -> Handler:
        """Has an async function called with each promise that is resolved, and its value or error. A decorator."""
        self.on_promise_resolved_handlers.append(_checked(handler, "on_promise_resolved"))
        return handler

    def run(self, awaitable: Awaitable[T]) -> T:
        """Runs it in this context, on the event loop that is set or a new one, until all that was started is over."""
        loop: Optional[asyncio.AbstractEventLoop] = None
        with warnings.catch_warnings():
            # Some versions of Python warn where there is none, some raise.
            warnings.simplefilter("ignore", DeprecationWarning)
            try:
                loop = asyncio.get_event_loop()
            except RuntimeError:
                pass
        if loop is None or loop.is_closed():
            loop = asyncio.new_event_loop()
            asyncio.set_event_loop(loop)
        everything = self.arun(awaitable)
        return loop.run_until_complete(everything)

    async def arun(self, awaitable: Awaitable[T]) -> T:
        """Runs it in this context."""
        async with self:
            return await awaitable

    def start_soon(self, awaitable: Awaitable[T], suppress_errors: bool = True) -> asyncio.Task[Optional[T]]:
        """Starts it as a task that the context waits for at its end. Errors are logged once."""
        if not inspect.isawaitable(awaitable):
            raise TypeError(f"an awaitable is wanted, not {type(awaitable).__name__}")
        return self._start(self._guarded(awaitable, suppress_errors))

    async def _guarded(self, awaitable: Awaitable[T], suppress_errors: bool) -> Optional[T]:
        try:
            return await awaitable
        except Exception as error:
            self._log_once(error)
            if not suppress_errors:
                raise
        except BaseException:
            if not suppress_errors:
                raise
        return None

    def _start(self, coroutine: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        task = asyncio.get_running_loop().create_task(coroutine)
        self.child_tasks.add(task)
        task.add_done_callback(self.child_tasks.discard)
        return task

    async def agather(self, *awaitables: Awaitable[Any], return_exceptions: bool = True) -> Tuple[Any, ...]:
        """What all of them give; an exception in its place."""
        return tuple(await asyncio.gather(*awaitables, return_exceptions=return_exceptions))

    async def aflush_tasks(self) -> None:
        """Waits until nothing runs any more."""
        while self.child_tasks:
            running = list(self.child_tasks)
            await self.agather(*running)
            # Not left to their callbacks: where all are over there is no switch at which these would be called.
            self.child_tasks.difference_update(running)

    def activate(self: ContextT) -> ContextT:
        """Makes it the active one, from here on."""
        if self._before is not None:
            raise RuntimeError(f"this {type(self).__name__} is active already, and can only be left")
        self._before = self._current.set(self)
        return self

    async def afinalize(self) -> None:
        """Waits for all that was started, and makes the context before it the active one."""
        await self.aflush_tasks()
        if self._before is not None:
            self._current.reset(self._before)
            self._before = None

    async def __aenter__(self: ContextT) -> ContextT:
        return self.activate()

    async def __aexit__(self, *_: object) -> None:
        await self.afinalize()

    def __enter__(self) -> None:
        raise RuntimeError(f"use `async with {type(self).__name__}()`")

    def __exit__(self, *_: object) -> None: ...

    def _is_watched(self) -> bool:
        """Whether somebody is to be told of promises that are resolved."""
        context: Optional[PromisingContext] = self
        while context is not None:
            if context.on_promise_resolved_handlers:
                return True
            context = context.parent_ctx
        return False

    def _tell(self, promise: Promise[Any], value: Any) -> None:
        context: Optional[PromisingContext] = self
        while context is not None:
            for handler in context.on_promise_resolved_handlers:
                context.start_soon(handler(promise, value))
            context = context.parent_ctx

    def _log_once(self, error: BaseException, quietly: bool = False) -> None:
        """Logs an error unless it was logged before; `quietly`, it only counts as logged."""
        level = logging.DEBUG
        if not getattr(error, "_thalweg_is_logged", False):
            try:
                error._thalweg_is_logged = True  # type: ignore[attr-defined]
            except AttributeError:
                pass
            if not quietly:
                level = self.log_level_for_errors
        self.logger.log(level, "an error in a background task", exc_info=error)


def _checked(handler: Any, name: str) -> Any:
    if not callable(handler):
        raise ValueError(f"a handler of `{name}` must be callable")
    if not inspect.iscoroutinefunction(handler) and not inspect.iscoroutinefunction(getattr(handler, "__call__", None)):
        raise ValueError(f"a handler of `{name}` must be async")
    return handler


def _context_says_longer() -> Any:
    context = PromisingContext._current.get()
    return NO_VALUE if context is None else context.longer_hash_keys


frozen._longer_hash_keys = _context_says_longer


class Promise(Generic[T]):
    """A value that is made once; each `await` gives the same, or raises the same."""

    _result: Any = NO_VALUE
    _task: Optional[asyncio.Task[Any]] = None

    def __init__(
        self,
        *,
        start_soon: Flag = NO_VALUE,
        resolver: Optional[Callable[[Any], Awaitable[T]]] = None,
        prefill_result: Any = NO_VALUE,
    ) -> None:
        if prefill_result is not NO_VALUE and resolver is not None:
            raise ValueError("a promise has a `resolver` or a `prefill_result`, not both")
        self._context = context = PromisingContext.get_current()
        self._resolver = resolver
        if prefill_result is not NO_VALUE:
            self._settle(prefill_result)
        elif context.start_everything_soon_by_default if isinstance(start_soon, Unset) else start_soon:
            self._begin()

    def _begin(self) -> None:
        """Makes the value in a task, once."""
        if self._task is None:
            self._task = self._context._start(self._make())

    async def _make(self) -> None:
        try:
            self._settle(await self._aresolver())
        except BaseException as error:
            self._settle(error)
            if isinstance(error, Exception):
                self._context._log_once(error)
            else:
                raise

    async def _aresolver(self) -> T:
        if self._resolver is None:
            raise FunctionNotProvidedError("a promise needs a `resolver`")
        return await self._resolver(self)

    def _settle(self, result: Any) -> Any:
        """The first value counts."""
        if self._result is NO_VALUE:
            self._result = result
            if self._context._is_watched():
                self._context._tell(self, result)
        return self._result

    async def aresolve(self) -> T:
        """The value."""
        return await self

    async def _wait(self) -> None:
        """Waits until it is settled; who is cancelled while waiting does not take the others along."""
        self._begin()
        assert self._task is not None
        await asyncio.wait([self._task])
        if self._result is NO_VALUE:
            self._settle(asyncio.CancelledError("cancelled before the end"))

    def __await__(self) -> Generator[Any, None, T]:
        if self._result is NO_VALUE:
            yield from self._wait().__await__()
        result = self._result
        if isinstance(result, BaseException):
            raise result
        return result  # type: ignore[no-any-return]


class StreamedPromise(Promise[T], Generic[P, T]):
    """Pieces that stream, and the value that is made of them. `async for` gives all pieces, as often as you like."""

    _pieces: Optional[_native.Sequence] = None

    def __init__(
        self,
        *,
        streamer: Optional[Callable[[Any], AsyncIterator[P]]] = None,
        prefill_pieces: Any = NO_VALUE,
        resolver: Optional[Callable[[Any], Awaitable[T]]] = None,
        prefill_result: Any = NO_VALUE,
        start_soon: Flag = NO_VALUE,
    ) -> None:
        if prefill_pieces is not NO_VALUE and streamer is not None:
            raise ValueError("a promise has a `streamer` or `prefill_pieces`, not both")
        context = PromisingContext.get_current()
        soon = context.start_everything_soon_by_default if isinstance(start_soon, Unset) else start_soon
        if prefill_pieces is not NO_VALUE:
            self._pieces = _filled(prefill_pieces)
        elif isinstance(streamer, StreamAppender):
            self._pieces = streamer._pieces
        elif streamer is not None:
            self._stream(context, streamer, soon)
        super().__init__(start_soon=soon, resolver=resolver, prefill_result=prefill_result)

    def _stream(self, context: PromisingContext, streamer: Callable[[Any], AsyncIterator[P]], soon: bool) -> None:
        """Has the pieces made by a task, now or when somebody reads first."""

        async def produce() -> None:
            pieces = self._pieces
            assert pieces is not None
            try:
                async for piece in streamer(self):
                    _append(pieces, piece)
            except BaseException as error:
                pieces.append_error(error)
                if not isinstance(error, Exception):
                    raise
                context.logger.debug("an error while a promise was streamed", exc_info=True)
            finally:
                pieces.close()

        if soon:
            self._pieces = _native.Sequence(crew())
            context._start(produce())
        else:
            within = contextvars.copy_context()
            self._pieces = _native.Sequence(crew(), lambda: within.run(context._start, produce()))

    def __aiter__(self) -> AsyncIterator[P]:
        if self._pieces is None:
            self._pieces = self._made_of_nothing()
        return self._pieces.__aiter__()

    def _made_of_nothing(self) -> _native.Sequence:
        pieces = _native.Sequence(crew())
        pieces.append_error(FunctionNotProvidedError("a promise needs a `streamer`"))
        pieces.close()
        return pieces

    def __call__(self, *_: object) -> AsyncIterator[P]:
        """So that it can stream another promise."""
        return self.__aiter__()


class Appender:
    """What is written from outside, within a `with` block or after `open()`.

    With `capture_errors` an error in the block becomes a piece and is swallowed; without, the pieces just end, and it is raised.
    """

    _noun: ClassVar[str] = "appender"

    def __init__(
        self,
        capture_errors: Flag = NO_VALUE,
        pieces: Optional[_native.Sequence] = None,
        context: Optional[PromisingContext] = None,
    ) -> None:
        self._context = context = context or PromisingContext.get_current()
        self._captures = context.appenders_capture_errors_by_default if isinstance(capture_errors, Unset) else capture_errors
        self._pieces = _native.Sequence(crew()) if pieces is None else pieces
        self._was_open = False
        self._is_closed = False

    @property
    def was_open(self) -> bool:
        """Whether it was ever opened."""
        return self._was_open

    @property
    def is_open(self) -> bool:
        """Whether it is open now."""
        return self._was_open and not self._is_closed

    def _check_open(self) -> None:
        if not self._was_open:
            raise AppenderNotOpenError(f"append within a `with` block of the {type(self).__name__}, or call `open()` before")
        if self._is_closed:
            raise AppenderClosedError(f"the {type(self).__name__} was closed before")

    def open(self: AppenderT) -> AppenderT:
        """Opens it; a `with` block does it as well."""
        if self._is_closed:
            raise AppenderClosedError(f"once closed, a {type(self).__name__} cannot be opened again")
        self._was_open = True
        return self

    def close(self, exc_value: Optional[BaseException] = None) -> bool:
        """No more will come. Gives whether the error, if there was one, is captured."""
        captured = self._captures and not isinstance(exc_value, AppenderClosedError)
        if exc_value is not None and captured:
            if self._is_closed:
                self._context.logger.log(
                    self._context.log_level_for_errors, f"an error came after the {self._noun} was closed", exc_info=exc_value
                )
            else:
                self._pieces.append_error(exc_value)
        self._is_closed = True
        self._pieces.close()
        return captured

    def __enter__(self: AppenderT) -> AppenderT:
        return self.open()

    def __exit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> bool:
        return self.close(error)


class StreamAppender(Appender, Generic[P]):
    """Streams into a promise what is appended to it."""

    def append(self: StreamT, piece: Any) -> StreamT:
        """Adds a piece; readers have it at once. An exception is raised to each of them at this place."""
        if not self._was_open or self._is_closed:
            self._check_open()
        _append(self._pieces, piece)
        return self

    def __aiter__(self) -> AsyncIterator[P]:
        return self._pieces.__aiter__()

    def __call__(self, *_: object) -> AsyncIterator[P]:
        return self.__aiter__()


def _append(pieces: _native.Sequence, piece: Any) -> None:
    if isinstance(piece, BaseException):
        pieces.append_error(piece)
    else:
        pieces.append(piece)


def _filled(pieces: Iterable[Any]) -> _native.Sequence:
    filled = _native.Sequence(crew())
    for piece in pieces:
        _append(filled, piece)
    filled.close()
    return filled
