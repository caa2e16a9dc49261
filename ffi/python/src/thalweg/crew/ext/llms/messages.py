"""Messages of a conversation with a model, by who speaks."""

from __future__ import annotations

from typing import Any, Dict, Optional, Tuple

from ...messages import Message, TextMessage


class LLMMessage(TextMessage):
    """Something said to a model or by one."""

    role: str


class UserMessage(LLMMessage):
    """Said by a user."""

    role: str = "user"


class SystemMessage(LLMMessage):
    """Said by the program."""

    role: str = "system"


class AssistantMessage(LLMMessage):
    """Said by a model."""

    role: str = "assistant"
    model: Optional[str] = None
    agent_alias: Optional[str] = None


class EmbeddingMessage(Message):
    """A vector that stands for a text."""

    embedding: Tuple[float, ...]


class PromptLogMessage(LLMMessage):
    """Part of a prompt, in a log."""


def message_to_llm_dict(message: Message, default_role: str = "user") -> Dict[str, Any]:
    """A message as models are told it."""
    role = message.get("role")
    if role is None:
        return {"role": default_role, "content": str(message)}
    content = message.get("content") if message.get("content_template") is None else None
    return {"role": role, "content": str(message) if content is None else content}
