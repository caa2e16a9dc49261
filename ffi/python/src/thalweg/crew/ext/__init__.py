"""Ready-made agents."""

from .aggregators import AWAIT, CLEAR, agent_chain, agent_loop, console_user_agent, dialog_loop, prompt_agent, user_agent
from .console import console_input_agent, console_output_agent, file_output_agent
from .history import MarkdownHistoryAgent, in_memory_history_agent, markdown_llm_logger_agent

__all__ = [
    "AWAIT",
    "CLEAR",
    "MarkdownHistoryAgent",
    "agent_chain",
    "agent_loop",
    "console_input_agent",
    "console_output_agent",
    "console_user_agent",
    "dialog_loop",
    "file_output_agent",
    "in_memory_history_agent",
    "markdown_llm_logger_agent",
    "prompt_agent",
    "user_agent",
]
