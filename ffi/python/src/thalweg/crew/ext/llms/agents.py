"""Agents that ask a model of any provider: each call is one request, and the reply is one message that streams."""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, Optional, Tuple, Type, Union

from .... import agent as engine_agent
from ...frozen import NO_VALUE, Frozen, Unset
from ...message_promise import MessagePromise, MessageTokenAppender
from ...messages import TextMessage
from ...miniagents import InteractionContext, MiniAgent, MiniAgents, miniagent
from ..history import markdown_llm_logger_agent
from .messages import AssistantMessage, PromptLogMessage, message_to_llm_dict


class OpenAIMessage(AssistantMessage):
    """Said by a model of OpenAI."""


class AnthropicMessage(AssistantMessage):
    """Said by a model of Anthropic."""


class LLMAgent:
    """An agent that asks a model. Make one of your own of a subclass with `provider`, or take `ModelAgent` with "provider/model".

    `system` goes with the request. `tools` are functions, as an `Agent` of thalweg takes them, that the model may call: they run, and the
    reply has what it says before and behind. Any other argument is an option of `thalweg.Agent`, such as `temperature`, or goes as it is
    into the body of the request. What comes with the reply, such as `usage` and `stop_reason`, becomes fields of the message.
    """

    provider: Optional[str] = None
    message_class: Type[TextMessage] = AssistantMessage

    def __init__(
        self,
        ctx: InteractionContext,
        model: str,
        stream: Union[bool, Unset] = NO_VALUE,
        system: Optional[str] = None,
        response_metadata: Union[Frozen, Mapping[str, Any], None] = None,
        response_message_class: Optional[Type[TextMessage]] = None,
        llm_logger_agent: Union[MiniAgent, bool, Unset] = NO_VALUE,
        tools: Tuple[Any, ...] = (),
        **options: Any,
    ) -> None:
        context = MiniAgents.get_current()
        self.ctx = ctx
        self.model = model
        self.stream = context.stream_llm_tokens_by_default if isinstance(stream, Unset) else stream
        self.system = system
        self.response_metadata = dict(response_metadata or {})
        self.response_message_class = response_message_class or self.message_class
        self.logger = context.llm_logger_agent if isinstance(llm_logger_agent, Unset) else llm_logger_agent
        self.tools = tools
        self.options = options

    async def __call__(self) -> None:
        prompt = await self.prompt()
        with MessageTokenAppender(capture_errors=True) as appender:
            reply = self.response_message_class.promise(
                start_soon=False,
                message_token_streamer=appender,
                **{"model": self.model, "agent_alias": self.ctx.this_agent.alias, **self.response_metadata},
            )
            self.ctx.reply(reply)
            # Only the tokens are still to come: whoever waits for the last message waits no longer.
            await self.ctx.afinish_early()
            self._log(prompt, reply)
            await self.answer(prompt, appender)

    async def prompt(self) -> List[Dict[str, Any]]:
        """The messages as the model is told them, without `system`."""
        return [message_to_llm_dict(message) for message in await self.ctx.message_promises]

    async def answer(self, prompt: List[Dict[str, Any]], appender: MessageTokenAppender) -> None:
        """Asks the model, and appends what it says."""
        systems = [said["content"] for said in prompt if said["role"] == "system"]
        said = [_canonical(one) for one in prompt if one["role"] != "system"]
        # What the user said last is the prompt, and what came before it the conversation.
        behind = next((at for at in range(len(said), 0, -1) if said[at - 1]["role"] != "user"), 0)
        if self.system:
            systems.append(self.system)
        agent = engine_agent.Agent(
            self.model if self.provider is None or "base_url" in self.options else f"{self.provider}/{self.model}",
            tools=self.tools,
            system="\n\n".join(systems) or None,
            messages=said[:behind],
            **self._known_options(),
        )
        run = agent.prompt(said[behind:] or None)
        try:
            if self.stream:
                async for piece in run.texts:
                    appender.append(piece)
            result = await run
        finally:
            run.abort()
        if not self.stream:
            appender.append(result.text)
        fields = appender.auxiliary_field_collector
        fields["role"] = "assistant"
        fields["usage"] = result.usage
        fields["stop_reason"] = result.stop_reason

    def _known_options(self) -> Dict[str, Any]:
        known = engine_agent.Agent.__init__.__kwdefaults__ or {}
        options = {name: _thawed(value) for name, value in self.options.items() if name in known}
        extra = {name: _thawed(value) for name, value in self.options.items() if name not in known}
        if extra:
            options["extra"] = {**(options.get("extra") or {}), **extra}
        if self.provider is not None and "base_url" in options:
            options.setdefault("provider", self.provider)
        return options

    def _log(self, prompt: List[Dict[str, Any]], reply: MessagePromise) -> None:
        if not self.logger:
            return
        said = list(prompt)
        if self.system:
            said.append({"role": "system", "content": self.system})
        logger = markdown_llm_logger_agent if self.logger is True else self.logger
        assert isinstance(logger, MiniAgent)
        request = {"agent_alias": self.ctx.this_agent.alias, "model": self.model, "stream": self.stream}
        shown = {name: value for name, value in self.options.items() if name in SHOWN}
        logger.trigger([[PromptLogMessage(**one) for one in said], reply], request_metadata={**request, **shown})


class OpenAI(LLMAgent):
    """Asks a model of OpenAI."""

    provider = "openai"
    message_class = OpenAIMessage


class Anthropic(LLMAgent):
    """Asks a model of Anthropic."""

    provider = "anthropic"
    message_class = AnthropicMessage


#: Asks any model: `ModelAgent.fork(model="provider/model")`.
ModelAgent = miniagent(LLMAgent, alias="MODEL_AGENT")
#: `OpenAIAgent.fork(model="gpt-4o-mini")`.
OpenAIAgent = miniagent(OpenAI, alias="OPENAI_AGENT")
#: `AnthropicAgent.fork(model="claude-sonnet-4-5")`.
AnthropicAgent = miniagent(Anthropic, alias="ANTHROPIC_AGENT")


#: Options that a log shows; keys and live objects are not among them.
SHOWN = ("max_tokens", "temperature", "top_p", "top_k", "seed", "stop", "thinking", "base_url")


def _canonical(said: Dict[str, Any]) -> Dict[str, Any]:
    role = said["role"] if said["role"] in ("user", "assistant") else "user"
    return {"role": role, "content": [{"type": "text", "text": said["content"]}]}


def _thawed(value: Any) -> Any:
    """What was frozen, as plain dicts and lists."""
    if isinstance(value, Frozen):
        return {name: _thawed(one) for name, one in value.as_kwargs().items()}
    return [_thawed(one) for one in value] if isinstance(value, tuple) else value
