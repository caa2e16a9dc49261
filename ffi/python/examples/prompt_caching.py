"""Two turns of a conversation whose beginning the provider keeps in its cache.

    python examples/prompt_caching.py
"""

from thalweg import Agent

agent = Agent(
    "anthropic/claude-3.5-sonnet",
    provider="openrouter",
    system="You know this book by heart: …",
    cache="short",
    session="my-session",
)
for question in ("Who is the hero?", "And who tells the story?"):
    result = agent.prompt(question).result()
    print(result.text)
    print(f"{result.usage.get('cache_read_tokens', 0)} tokens came from the cache")
