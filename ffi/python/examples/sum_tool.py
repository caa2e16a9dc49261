"""A tool that adds, and a hook that sees each call before it is made.

    python examples/sum_tool.py
"""

from typing import Any, Dict

from thalweg import Agent, tool


@tool(name="sum")
def add(a: float, b: float) -> float:
    """Add two numbers."""
    return a + b


def before(call: Dict[str, Any]) -> None:
    print(f"{call['tool_name']}{tuple(call['args'].values())}")


agent = Agent(
    "openai/gpt-4o-mini",
    provider="openrouter",
    tools=[add],
    before_tool_call=before,
)
print(agent.prompt("What is 19.5 and 22.5?").result().text)
