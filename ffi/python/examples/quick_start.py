"""A question and its answer.

    python examples/quick_start.py

The key comes from OPENROUTER_API_KEY.
"""

import asyncio

from thalweg import Agent

agent = Agent(
    "anthropic/claude-3.5-sonnet",
    provider="openrouter",
    system="You are a helpful assistant.",
    session="my-session",
)


async def main() -> None:
    result = await agent.prompt("What is the capital of France?")
    print(result.text)


asyncio.run(main())
