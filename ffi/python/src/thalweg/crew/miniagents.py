"""Agents: async functions from messages to replies, that call each other."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import re
import warnings
from typing import (
    Any,
    Awaitable,
    Callable,
    ClassVar,
    Dict,
    Iterable,
    List,
    Mapping,
    Optional,
    Set,
    Tuple,
    TypeVar,
    Union,
    overload,
)

from .. import _native
from .errors import NoActiveContextError, WrongActiveContextError
from .frozen import NO_VALUE, Frozen, Unset
from .message_promise import MessagePromise
from .messages import ErrorMessage, Message, StrictMessage, TextMessage, TextToken, Token
from .promising import Flag, Promise, PromisingContext, _checked, crew
from .sequence import (
    MessageSequence,
    MessageSequenceAppender,
    MessageSequencePromise,
    SafeMessageSequencePromise,
)

__all__ = [
    "AgentCall",
    "AgentCallNode",
    "AgentInteractionNode",
    "AgentReplyNode",
    "ErrorMessage",
    "Frozen",
    "InteractionContext",
    "Message",
    "MessagePromise",
    "MessageSequence",
    "MessageSequenceAppender",
    "MessageSequencePromise",
    "MiniAgent",
    "MiniAgents",
    "StrictMessage",
    "TextMessage",
    "TextToken",
    "Token",
    "miniagent",
]

T = TypeVar("T")
PersistHandler = Callable[[List[Message]], Awaitable[None]]


class MiniAgents(PromisingContext):
    """The context that agents live in: `MiniAgents().run(main())`, or `async with MiniAgents():`, or `activate()` and `afinalize()`."""

    def __init__(
        self,
        *,
        stream_llm_tokens_by_default: bool = True,
        llm_logger_agent: Union[MiniAgent, bool] = False,
        on_persist_messages: Union[PersistHandler, Iterable[PersistHandler]] = (),
        errors_as_messages: bool = False,
        error_tracebacks_in_messages: bool = False,
        log_reduced_tracebacks: bool = True,
        await_reply_persistence_before_agent_finish: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.stream_llm_tokens_by_default = stream_llm_tokens_by_default
        self.llm_logger_agent = llm_logger_agent
        self.errors_as_messages = errors_as_messages
        self.error_tracebacks_in_messages = error_tracebacks_in_messages
        self.log_reduced_tracebacks = log_reduced_tracebacks
        self.await_reply_persistence_before_agent_finish = await_reply_persistence_before_agent_finish
        self.on_persist_messages_handlers: List[PersistHandler] = []
        for handler in [on_persist_messages] if callable(on_persist_messages) else on_persist_messages:
            self.on_persist_messages(handler)
        self._child_agent_calls: Set[AgentCall] = set()

    @classmethod
    def _wrong(cls, current: PromisingContext) -> Exception:
        return WrongActiveContextError(f"the active context is a {type(current).__name__}, not a {cls.__name__}")

    def run_agent(self, agent: MiniAgent, messages: Any = None, **kwargs: Any) -> Tuple[Message, ...]:
        """Runs one agent in this context, and gives its replies."""

        async def main() -> Tuple[Message, ...]:
            replies = agent.trigger(messages, **kwargs)
            return await replies

        return self.run(main())

    def on_persist_messages(self, handler: PersistHandler) -> PersistHandler:
        """Has an async function called with messages that are to be persisted, each once, those within before. A decorator."""
        handler = _checked(handler, "on_persist_messages")
        handlers = self.on_persist_messages_handlers
        if not handlers:
            self.on_promise_resolved_handlers.insert(0, self._persist)
        handlers.append(handler)
        return handler

    async def _persist(self, _: Promise[Any], value: Any) -> None:
        if isinstance(value, Message):
            await self.apersist_messages(value, parallelise_handlers=True)

    async def apersist_messages(
        self,
        message_or_messages: Union[Message, Iterable[Message]],
        extend_with_sub_messages: bool = True,
        parallelise_handlers: bool = False,
        raise_on_error: bool = True,
    ) -> List[Message]:
        """Persists messages that were not yet, with those within, and gives those that were new. It is done by itself for each
        message that is resolved."""
        given = [message_or_messages] if isinstance(message_or_messages, Message) else list(message_or_messages)
        wanted: List[Message] = []
        for message in given:
            if not isinstance(message, Message):
                raise ValueError(f"only messages are persisted, not a {type(message).__name__}")
            if extend_with_sub_messages and not message.persistence_not_needed:
                wanted.extend(message.sub_messages())
            wanted.append(message)
        handlers = self.on_persist_messages_handlers
        new: List[Message] = []
        locks: List[asyncio.Lock] = []
        try:
            for message in wanted:
                if message.persistence_not_needed or any(message is other for other in new):
                    continue
                lock = message._lock
                await lock.acquire()
                locks.append(lock)
                # Somebody else may have had the lock.
                if not message.persistence_not_needed:
                    new.append(message)
            if parallelise_handlers:
                running = [self.start_soon(handler(new), suppress_errors=False) for handler in handlers]
                await self.agather(*running, return_exceptions=not raise_on_error)
            else:
                for handler in handlers:
                    try:
                        await handler(new)
                    except Exception:
                        if raise_on_error:
                            raise
                        self.logger.debug("messages could not be persisted", exc_info=True)
            return new
        finally:
            for message in new:
                message._is_persisted = True
            for lock in locks:
                lock.release()

    async def afinalize(self) -> None:
        for call in list(self._child_agent_calls):
            call.finish()
        await super().afinalize()


class MiniAgent(Frozen):
    """An agent: a name, the function or class that it is, and what it is configured with."""

    alias: str

    def __init__(
        self,
        func_or_class: Callable[..., Any],
        *,
        alias: Optional[str] = None,
        description: Optional[str] = None,
        normalize_func_or_class_name: bool = True,
        normalize_spaces_in_docstring: bool = True,
        await_reply_persistence: Flag = NO_VALUE,
        interaction_metadata: Union[Mapping[str, Any], Frozen, None] = None,
        non_freezable_kwargs: Optional[Mapping[str, Any]] = None,
        **kwargs_to_freeze: Any,
    ) -> None:
        if not callable(func_or_class):
            raise ValueError("an agent is a function or a class that can be called")
        if alias is None:
            alias = str(getattr(func_or_class, "__name__", type(func_or_class).__name__))
            if normalize_func_or_class_name:
                alias = _shouted(alias)
        if description is None:
            description = _documentation(func_or_class, on_one_line=normalize_spaces_in_docstring)
        super().__init__(alias=alias)
        self._description = description and description.format(AGENT_ALIAS=alias)
        self._metadata = Frozen(**dict(interaction_metadata or {}))
        self._function = func_or_class
        self._waits_until_persisted = await_reply_persistence
        frozen = Frozen(**kwargs_to_freeze)
        self._frozen_kwargs, self._live_kwargs = frozen.as_kwargs(), dict(non_freezable_kwargs or {})
        self._kwargs = {**self._frozen_kwargs, **self._live_kwargs}

    @property
    def __name__(self) -> str:
        return self.alias

    @property
    def description(self) -> Optional[str]:
        """What its documentation says."""
        description: Optional[str] = self._description
        return description

    @property
    def interaction_metadata(self) -> Frozen:
        """What stands in the nodes of its calls."""
        metadata: Frozen = self._metadata
        return metadata

    @property
    def wrapped_func_or_class(self) -> Callable[..., Any]:
        """The function or class that it is."""
        function: Callable[..., Any] = self._function
        return function

    def __eq__(self, other: object) -> bool:
        return self is other

    def __hash__(self) -> int:
        return id(self)

    def trigger(
        self,
        messages: Any = None,
        *,
        start_soon: Flag = NO_VALUE,
        errors_as_messages: Flag = NO_VALUE,
        **kwargs_to_freeze: Any,
    ) -> MessageSequencePromise:
        """Calls it with whatever can stand for messages, and gives the promise of its replies at once."""
        call = self.initiate_call(start_soon=start_soon, errors_as_messages=errors_as_messages, **kwargs_to_freeze)
        if messages is not None:
            call.send_message(messages)
        return call.reply_sequence()

    def initiate_call(
        self, *, start_soon: Flag = NO_VALUE, errors_as_messages: Flag = NO_VALUE, **kwargs_to_freeze: Any
    ) -> AgentCall:
        """Begins a call to which messages are sent one after the other, while its replies may be read."""
        context = MiniAgents.get_current()
        soon = context.start_everything_soon_by_default if isinstance(start_soon, Unset) else start_soon
        safe = context.errors_as_messages if isinstance(errors_as_messages, Unset) else errors_as_messages
        # Checked and frozen now, not when it runs.
        kwargs = Frozen(**kwargs_to_freeze).as_kwargs() if kwargs_to_freeze else kwargs_to_freeze
        return AgentCall(self, context, kwargs, soon, safe)

    def fork(
        self,
        alias: Optional[str] = None,
        description: Optional[str] = None,
        *,
        interaction_metadata: Union[Mapping[str, Any], Frozen, None] = None,
        non_freezable_kwargs: Optional[Mapping[str, Any]] = None,
        **kwargs_to_freeze: Any,
    ) -> MiniAgent:
        """The same agent with more of its arguments given."""
        return MiniAgent(
            self._function,
            alias=alias or self.alias,
            description=description or self._description,
            normalize_spaces_in_docstring=False,
            await_reply_persistence=self._waits_until_persisted,
            interaction_metadata={**self._metadata.as_kwargs(), **dict(interaction_metadata or {})},
            non_freezable_kwargs={**self._live_kwargs, **(non_freezable_kwargs or {})},
            **self._frozen_kwargs,
            **kwargs_to_freeze,
        )


@overload
def miniagent(func_or_class: Callable[..., Any], **options: Any) -> MiniAgent: ...
@overload
def miniagent(func_or_class: None = None, **options: Any) -> Callable[[Callable[..., Any]], MiniAgent]: ...
def miniagent(
    func_or_class: Optional[Callable[..., Any]] = None, **options: Any
) -> Union[MiniAgent, Callable[[Callable[..., Any]], MiniAgent]]:
    """Makes an agent of an async function `f(ctx, **kwargs)`, or of a class that is made with `ctx=` and these and then called. A plain
    function will do where nothing is waited for; it runs on the event loop too.

    With arguments it is a decorator as well: `@miniagent(alias="ECHO", limit=3)`. What is no option of `MiniAgent` is given to the
    function.
    """
    if func_or_class is not None:
        return MiniAgent(func_or_class, **options)
    return lambda decorated: MiniAgent(decorated, **options)


class InteractionContext:
    """What an agent sees of one call: the messages, and where it replies."""

    _current: ClassVar[contextvars.ContextVar[Optional["InteractionContext"]]] = contextvars.ContextVar("interaction", default=None)

    def __init__(
        self,
        this_agent: MiniAgent,
        message_promises: MessageSequencePromise,
        reply_streamer: MessageSequenceAppender,
        miniagents: Optional[MiniAgents] = None,
    ) -> None:
        self.this_agent = this_agent
        self.message_promises = message_promises
        self.miniagents = MiniAgents.get_current() if miniagents is None else miniagents
        self._parent = self._current.get()
        self._replies = reply_streamer
        self._to_wait_for: List[Awaitable[Any]] = []
        self._child_agent_calls: Set[AgentCall] = set()
        #: Calls of this agent that are not over: they end with it when it is cancelled.
        self._running: Set[AgentCall] = set()

    @property
    def messages(self) -> MessageSequencePromise:
        """The messages that it was sent."""
        return self.message_promises

    @classmethod
    def get_current(cls) -> InteractionContext:
        """That of the agent that runs."""
        current = cls._current.get()
        if current is None:
            raise NoActiveContextError("no agent runs here")
        return current

    def get_agent_trace(self) -> List[MiniAgent]:
        """This agent, and who called it, innermost first."""
        trace = []
        context: Optional[InteractionContext] = self
        while context is not None:
            trace.append(context.this_agent)
            context = context._parent
        return trace

    def reply(self, messages: Any, out_of_order: bool = False) -> InteractionContext:
        """Replies with whatever can stand for messages, behind what was replied before. Returns at once, whenever it will be there."""
        self._replies.append(messages, out_of_order=out_of_order)
        return self

    def reply_out_of_order(self, messages: Any) -> InteractionContext:
        """Replies as soon as it is there, not waiting for what was replied before."""
        self._replies.append(messages, out_of_order=True)
        return self

    def make_sure_to_wait(self, awaitable: Awaitable[Any], start_soon_if_coroutine: bool = True) -> None:
        """Has the agent wait for it before its replies end."""
        starts = start_soon_if_coroutine and asyncio.iscoroutine(awaitable)
        self._to_wait_for.append(self.miniagents.start_soon(awaitable) if starts else awaitable)

    async def await_now(self, suppress_deadlock_warning: bool = False) -> None:
        """Waits for all that was given to `make_sure_to_wait`."""
        unfinished = [call for call in self._child_agent_calls if not call.is_finished]
        if unfinished and not suppress_deadlock_warning:
            warnings.warn(
                "a call to an agent is not finished: who waits for its replies, and it for more messages, wait for ever; "
                "call `finish()` or `reply_sequence()` before",
                RuntimeWarning,
                stacklevel=2,
            )
        if self._to_wait_for:
            await self.miniagents.agather(*self._to_wait_for)

    async def afinish_early(self, make_sure_to_wait: bool = True) -> None:
        """Ends the replies, while the agent runs on."""
        if make_sure_to_wait:
            await self.await_now()
        self._replies.close()


class AgentCall:
    """A call to an agent that is still being made. It is finished when the agent that makes it is over."""

    def __init__(self, agent: MiniAgent, context: MiniAgents, kwargs: Dict[str, Any], soon: bool, safe: bool) -> None:
        self.agent = agent
        self._context = context
        self._kwargs = kwargs
        self._safe = safe
        crew_ = crew()
        self._messages = MessageSequenceAppender(False, _native.Sequence(crew_), context).open()
        self._task: Optional[asyncio.Task[None]] = None
        if soon:
            pieces = _native.Sequence(crew_)
        else:
            within = contextvars.copy_context()
            pieces = _native.Sequence(crew_, lambda: within.run(self._start))
        self._sent = MessageSequencePromise(self._messages._pieces, False, context)
        self._answer = MessageSequenceAppender(True, pieces, context).open()
        self._replies: MessageSequencePromise = (SafeMessageSequencePromise if safe else _Replies)(pieces, soon, context)
        parent = InteractionContext._current.get()
        if isinstance(self._replies, SafeMessageSequencePromise) and context.error_tracebacks_in_messages:
            self._replies._trace = (agent, *(parent.get_agent_trace() if parent else ()))
        self._siblings = context._child_agent_calls if parent is None else parent._child_agent_calls
        self._siblings.add(self)
        self._running = None if parent is None else parent._running
        if self._running is not None:
            self._running.add(self)
        if soon:
            self._start()
        if isinstance(self._replies, _Replies):
            self._replies._call = self

    def _start(self) -> None:
        self._task = self._context._start(self._run())

    async def _run(self) -> None:
        agent, answer = self.agent, self._answer
        ctx = InteractionContext(agent, self._sent, answer, self._context)
        # A task has its own variables: nothing is to be put back.
        InteractionContext._current.set(ctx)
        try:
            try:
                kwargs = {**agent._kwargs, **self._kwargs} if self._kwargs else agent._kwargs
                if isinstance(agent._function, type):
                    running = agent._function(ctx=ctx, **kwargs)()
                else:
                    running = agent._function(ctx, **kwargs)
                # A plain function is over now.
                if inspect.isawaitable(running):
                    await running
            finally:
                for call in list(ctx._child_agent_calls):
                    call.finish()
                if ctx._to_wait_for:
                    await ctx.await_now()
        except Exception as error:
            self._context._log_once(error, quietly=self._safe)
            answer.close(error)
        except BaseException as error:
            answer.close(error)
            # Of the program: Ctrl-C, for instance, is told to whoever reads the replies, as an error is.
            if isinstance(error, asyncio.CancelledError):
                for call in list(ctx._running):
                    call.cancel()
                raise
        finally:
            if self._running is not None:
                self._running.discard(self)
        if self._context._is_watched():
            await self._remember()
        answer.close()
        # Nothing is left to be cancelled, and this way nothing waits for the collector.
        if isinstance(self._replies, _Replies):
            self._replies._call = None

    async def _remember(self) -> None:
        """Makes the nodes of the graph: what was asked, and what was replied."""
        context, agent = self._context, self.agent
        wanted = agent._waits_until_persisted
        if context.await_reply_persistence_before_agent_finish if isinstance(wanted, Unset) else wanted:
            self._answer._pieces.close()
            replies: List[Message] = []
            async for promise in MessageSequencePromise(self._answer._pieces):
                replies.append(await promise)
            await context.apersist_messages(replies)

        async def asked(_: Promise[Any]) -> AgentCallNode:
            metadata = {**agent._metadata.as_kwargs(), **self._kwargs}
            return AgentCallNode(messages=await self._sent, agent=agent, **metadata)

        async def replied(_: Promise[Any]) -> AgentReplyNode:
            everything = await self._replies
            return AgentReplyNode(replies=everything, agent=agent, agent_call=await call, **agent._metadata.as_kwargs())

        call: Promise[AgentCallNode] = Promise(start_soon=True, resolver=asked)
        Promise(start_soon=True, resolver=replied)

    def send_message(self, messages: Any, out_of_order: bool = False) -> AgentCall:
        """Sends whatever can stand for messages, behind what was sent before."""
        self._messages.append(messages, out_of_order=out_of_order)
        return self

    def send_out_of_order(self, messages: Any) -> AgentCall:
        """Sends it as soon as it is there, not waiting for what was sent before."""
        self._messages.append(messages, out_of_order=True)
        return self

    def reply_sequence(self, finish_call: bool = True) -> MessageSequencePromise:
        """The promise of the replies; no more can be sent unless `finish_call` is false."""
        if finish_call:
            self.finish()
        return self._replies

    def finish(self) -> AgentCall:
        """No more will be sent."""
        self._messages.close()
        self._siblings.discard(self)
        return self

    def cancel(self) -> None:
        """Stops the agent where it waits, and those that it called; whoever reads gets an error behind the replies that there are."""
        if self._task is not None:
            self._task.cancel()
        self._answer._pieces.cancel()

    @property
    def is_finished(self) -> bool:
        """Whether no more can be sent."""
        return not self._messages.is_open


class _Replies(MessageSequencePromise):
    """The replies of a call, that end it when they are cancelled."""

    _call: Optional[AgentCall] = None

    def cancel(self) -> None:
        if self._call is not None:
            self._call.cancel()
        super().cancel()


class AgentInteractionNode(Message):
    """A node of the graph of calls."""

    agent: MiniAgent


class AgentCallNode(AgentInteractionNode):
    """What an agent was asked."""

    messages: Tuple[Message, ...]


class AgentReplyNode(AgentInteractionNode):
    """What it replied."""

    agent_call: AgentCallNode
    replies: Tuple[Message, ...]


def _documentation(function: Callable[..., Any], on_one_line: bool) -> Optional[str]:
    """What its documentation says."""
    text = function.__doc__
    return re.sub(r"\s+", " ", text).strip() if text and on_one_line else text


def _shouted(name: str) -> str:
    """A name as those of agents are: `OpenAIAgent` is OPENAI_AGENT."""
    return re.sub(r"(?<=.)(?=[A-Z][a-z])|(?<=[a-z])(?=[A-Z]+$)", "_", name).upper()
