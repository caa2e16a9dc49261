"""Agents made of agents: a chain, a loop, a dialog, a prompt, a user."""

from __future__ import annotations

from typing import Any, Iterable, Optional, Tuple, Union

from ..messages import Message
from ..miniagents import InteractionContext, MiniAgent, miniagent
from ..sequence import MessageSequencePromise
from .console import console_input_agent, console_output_agent
from .history import in_memory_history_agent

#: In a chain or a loop: waits until all that came before is there.
AWAIT = "AWAIT"
#: In a chain or a loop: throws away what came before.
CLEAR = "CLEAR"

Step = Union[MiniAgent, str, None]


@miniagent
async def agent_chain(ctx: InteractionContext, agents: Iterable[Step]) -> None:
    """Hands its messages from agent to agent, and replies with what the last one gives. None is left out."""
    ctx.reply(await _through(tuple(agents), ctx.message_promises))


@miniagent
async def agent_loop(ctx: InteractionContext, agents: Iterable[Step], raise_keyboard_interrupt: bool = True) -> None:
    """Goes through the agents again and again, each turn with what the last one gave, until one of them fails. KeyboardInterrupt
    ends it, in peace if it is not to be raised."""
    steps = tuple(agents)
    if AWAIT not in steps or not any(isinstance(step, MiniAgent) for step in steps):
        raise ValueError("a loop needs an agent and an AWAIT: it would start turns for ever without running them")
    messages: Any = ctx.message_promises
    try:
        while True:
            messages = await _through(steps, messages)
    except KeyboardInterrupt:
        if raise_keyboard_interrupt:
            raise


@miniagent
async def prompt_agent(
    ctx: InteractionContext,
    target_agent: MiniAgent,
    prompt_prefix: Union[Message, Tuple[Message, ...]] = (),
    prompt_suffix: Union[Message, Tuple[Message, ...]] = (),
    **target_kwargs: Any,
) -> None:
    """Calls an agent with more messages before and behind its own."""
    ctx.reply(target_agent.trigger([prompt_prefix, ctx.message_promises, prompt_suffix], **target_kwargs))


@miniagent
async def user_agent(
    ctx: InteractionContext,
    output_agent: Optional[MiniAgent],
    input_agent: Optional[MiniAgent],
    history_agent: Optional[MiniAgent] = in_memory_history_agent,
) -> None:
    """A user: shows the messages, asks for the next one, and replies with all that was said."""
    history = history_agent and history_agent.fork(return_full_history=True)
    ctx.reply(agent_chain.trigger(ctx.message_promises, agents=[output_agent, input_agent, history]))


console_user_agent = user_agent.fork(input_agent=console_input_agent, output_agent=console_output_agent)


@miniagent
async def dialog_loop(
    ctx: InteractionContext,
    user_agent: Optional[MiniAgent],
    assistant_agent: Optional[MiniAgent],
    prompt_at_the_end: bool = True,
) -> None:
    """Lets a user and an assistant talk. What it is sent itself is a prompt for the assistant, which the user does not see."""
    prompt = await ctx.message_promises
    if prompt:
        before, behind = ((), prompt) if prompt_at_the_end else (prompt, ())
        assistant_agent = prompt_agent.fork(target_agent=assistant_agent, prompt_prefix=before, prompt_suffix=behind)
    ctx.reply(agent_loop.trigger(agents=[user_agent, AWAIT, assistant_agent], raise_keyboard_interrupt=False))


async def _through(steps: Tuple[Step, ...], messages: Any) -> Any:
    for step in steps:
        if step is None:
            continue
        if isinstance(step, MiniAgent):
            messages = step.trigger(messages)
        elif step == AWAIT:
            # What the chain was given may be there already.
            messages = await messages if isinstance(messages, MessageSequencePromise) else messages
        elif step == CLEAR:
            messages = None
        else:
            raise ValueError(f"neither an agent nor AWAIT or CLEAR: {step!r}")
    return messages
