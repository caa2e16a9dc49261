"""An agent with two tools, one plain and one asynchronous, and all that happens while it works.

    python examples/weather.py [BASE_URL]

With a base URL, such as that of `thalweg replay ffi/scenarios/*.jsonl` with /v1, it needs no key.
"""

import asyncio
import sys

from thalweg import Agent, ToolContext, tool


@tool
async def get_weather(city: str, call: ToolContext) -> str:
    """The weather in a city.

    Args:
        city: its name
    """
    call.progress("asking", 0.5)
    await asyncio.sleep(0.1)
    return f"It is sunny in {city}, 21 °C."


@tool
def multiply(a: int, b: int) -> int:
    """The product of two numbers."""
    return a * b


async def main() -> None:
    if len(sys.argv) > 1:
        agent = Agent("hand-written-1", base_url=sys.argv[1], api_key="none", tools=[get_weather, multiply])
    else:
        agent = Agent("openai/gpt-4o-mini", tools=[get_weather, multiply])
    async with agent.prompt("What is the weather in Paris, and what is 6 times 7?") as run:
        async for event in run:
            if event.type == "text_delta":
                print(event.text, end="", flush=True)
            elif event.type.startswith("tool_execution"):
                print(f"\n[{event.type}] {event.text}", flush=True)
    result = await run
    print(f"\n{result.usage}")


asyncio.run(main())
