"""Listening to all that happens, beside the program that prompts.

    python examples/on_event.py
"""

from thalweg import Agent, Event

agent = Agent("openai/gpt-4o-mini", provider="openrouter")


def on_event(event: Event) -> None:
    print(f"Event: {event.type}")


unsubscribe = agent.subscribe(on_event)
agent.prompt("Say hello.")
agent.wait_for_idle()
unsubscribe()
agent.prompt("Say it again, to nobody.").result()
