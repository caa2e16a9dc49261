"""A person talks to a model, and the conversation is kept in a file: crew_dialog.py MODEL [BASE_URL] [FILE].

MODEL is "provider/model"; the key is read from the environment, as for any agent. "exit" or Ctrl-C ends it.
"""

import sys
from typing import Any, Dict

from thalweg.crew import MiniAgents
from thalweg.crew.ext import MarkdownHistoryAgent, console_user_agent, dialog_loop
from thalweg.crew.ext.llms import ModelAgent, SystemMessage


async def main(model: str, base_url: str = "", file: str = "CHAT.md") -> None:
    server: Dict[str, Any] = {"base_url": base_url} if base_url else {}
    await dialog_loop.trigger(
        SystemMessage("Answer in one sentence."),
        user_agent=console_user_agent.fork(history_agent=MarkdownHistoryAgent.fork(history_md_file=file)),
        assistant_agent=ModelAgent.fork(model=model, max_tokens=1000, **server),
    )


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    MiniAgents().run(main(*sys.argv[1:]))
