"""MiniMax, whose servers are two: one for China, one for everyone else.

    python examples/minimax.py

Keys come from MINIMAX_API_KEY and MINIMAX_CN_API_KEY.
"""

from thalweg import Agent

everywhere = Agent("MiniMax-M2.5", provider="minimax")
china = Agent("MiniMax-M2.5", provider="minimax-cn")
for agent in (everywhere, china):
    result = agent.prompt("Hello from where?").result()
    print(result.thinking, "→", result.text)
