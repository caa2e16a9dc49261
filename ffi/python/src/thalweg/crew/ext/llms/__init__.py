"""Agents that ask a model, and the messages that they speak in."""

from .agents import AnthropicAgent, AnthropicMessage, LLMAgent, ModelAgent, OpenAIAgent, OpenAIMessage
from .messages import (
    AssistantMessage,
    EmbeddingMessage,
    LLMMessage,
    PromptLogMessage,
    SystemMessage,
    UserMessage,
    message_to_llm_dict,
)

__all__ = [
    "AnthropicAgent",
    "AnthropicMessage",
    "AssistantMessage",
    "EmbeddingMessage",
    "LLMAgent",
    "LLMMessage",
    "ModelAgent",
    "OpenAIAgent",
    "OpenAIMessage",
    "PromptLogMessage",
    "SystemMessage",
    "UserMessage",
    "message_to_llm_dict",
]
