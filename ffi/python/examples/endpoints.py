"""One program, several servers that speak OpenAI's chat dialect.

    python examples/endpoints.py [BASE_URL]

With a base URL all of them are stood in for by one server.
"""

import sys
from typing import Optional

from thalweg import Agent

# The model as the server calls it, the server, and the provider whose habits it has.
ENDPOINTS = [
    ("gpt-4o-mini", "https://api.openai.com/v1", "openai"),
    ("moonshotai/kimi-k2.5", "https://openrouter.ai/api/v1", "openrouter"),
    ("Qwen/Qwen3-32B", "https://llm.chutes.ai/v1", "chutes"),
    ("local", "http://127.0.0.1:8080/v1", None),
]


def ask(model: str, base_url: str, provider: Optional[str]) -> str:
    # Headers go with each request; `api_key` would be given here if no environment variable had it.
    agent = Agent(model, base_url=base_url, provider=provider, headers={"X-Title": "endpoints"})
    return agent.prompt("What are you called?").result().text


for model, base_url, provider in ENDPOINTS:
    print(f"{model}: {ask(model, sys.argv[1] if len(sys.argv) > 1 else base_url, provider)}")
