"""Agents that remember: in memory, in a Markdown file, and a log of what models were asked."""

from __future__ import annotations

import random
import re
from datetime import datetime
from pathlib import Path
from pprint import pformat
from typing import Callable, List, Optional, Tuple

from ..frozen import Frozen
from ..messages import Message, TextMessage
from ..miniagents import InteractionContext, miniagent
from ..utils import display_agent_trace, get_current_agent_trace

#: What `in_memory_history_agent` remembers unless it is given a list.
GLOBAL_MESSAGE_HISTORY: List[Message] = []

UNDERLINE = "=" * 40


@miniagent(non_freezable_kwargs={"message_list": GLOBAL_MESSAGE_HISTORY})
async def in_memory_history_agent(
    ctx: InteractionContext, message_list: List[Message], return_full_history: bool = False
) -> None:
    """Adds messages to a list. Hands them on, or replies with the whole list."""
    if not return_full_history:
        ctx.reply(ctx.message_promises)
    heard = await ctx.message_promises
    message_list.extend(heard)
    if return_full_history:
        ctx.reply(message_list)


class MarkdownHistory:
    """Adds messages to a Markdown file. Hands them on, or replies with all that the file has: a conversation goes on where it was left."""

    def __init__(
        self,
        ctx: InteractionContext,
        history_md_file: str = "CHAT.md",
        default_role: str = "assistant",
        return_full_history: bool = False,
        history_message_factory: Callable[..., Message] = TextMessage,
        append: bool = True,
        skip_empty: bool = True,
        ignore_no_history: bool = False,
    ) -> None:
        self.ctx = ctx
        self.file = Path(history_md_file)
        self.default_role = default_role
        self.return_full_history = return_full_history
        self.history_message_factory = history_message_factory
        self.append = append
        self.skip_empty = skip_empty
        self.ignore_no_history = ignore_no_history

    async def __call__(self) -> None:
        messages = self.ctx.message_promises
        if not self.return_full_history:
            self.ctx.reply(messages)
        self.file.parent.mkdir(parents=True, exist_ok=True)
        with self.file.open("a" if self.append else "w", buffering=1, encoding="utf-8") as out:
            async for promise in messages:
                known = promise.known_beforehand
                if known.get("no_history", False) and not self.ignore_no_history:
                    continue
                model = known.get("model") or ""
                role = known.get("role", self.default_role)
                out.write(f"\n{role}{model and f' / {model}'}\n{UNDERLINE}\n")
                async for token in promise:
                    out.write(str(token))
                out.write("\n")
        if self.return_full_history:
            history = [self._message(*section) for section in _sections(self.file.read_text(encoding="utf-8"))]
            self.ctx.reply([message for message in history if not self.skip_empty or str(message).strip()])

    def _message(self, role: str, model: Optional[str], content: str) -> Message:
        return self.history_message_factory(role=role, model=model, content=content)


MarkdownHistoryAgent = miniagent(MarkdownHistory, alias="MARKDOWN_HISTORY_AGENT")


@miniagent
async def markdown_llm_logger_agent(
    ctx: InteractionContext,
    log_folder: str = "llm_logs/",
    request_metadata: Optional[Frozen] = None,
    show_response_metadata: bool = True,
) -> None:
    """Writes a file for each request to a model: who asked, with what, the messages, and what came with the reply."""
    folder = Path(log_folder)
    folder.mkdir(parents=True, exist_ok=True)
    model = request_metadata.get("model") if request_metadata else None
    now = datetime.now().strftime("%Y%m%d_%H%M%S__%f")
    file = folder / f"{now}{f'__{model}' if model else ''}__{random.randint(0, 0xFFF):03x}.md".replace("/", "_")
    trace = [agent for agent in get_current_agent_trace() if agent is not ctx.this_agent]
    head = f"{display_agent_trace(trace)}\n\n" if trace else ""
    if request_metadata:
        head += f"```python\n{pformat(request_metadata.model_dump())}\n```\n"
    with file.open("x", encoding="utf-8") as out:
        out.write(head)
    await MarkdownHistoryAgent.trigger(ctx.message_promises, history_md_file=str(file), ignore_no_history=True)
    messages = await ctx.message_promises
    if messages and show_response_metadata:
        metadata = messages[-1].model_dump(exclude=set(messages[-1].non_metadata_fields()))
        with file.open("a", encoding="utf-8") as out:
            out.write(f"\n{'-' * 40}\n\n```python\n{pformat(metadata)}\n```\n")


def _sections(markdown: str) -> List[Tuple[str, Optional[str], str]]:
    """Role, model and text of what was said: sections under a heading of the first level that names a role."""
    lines = markdown.split("\n")
    heads: List[Tuple[int, int, str, Optional[str]]] = []
    fence = ""
    for at, line in enumerate(lines):
        mark = re.match(r" {0,3}(`{3,}|~{3,})", line)
        if fence:
            # Closed by a line of at least as many of the same marks, and nothing else.
            if mark and mark[1].startswith(fence) and not line.strip().strip(fence[0]):
                fence = ""
            continue
        if mark:
            fence = mark[1]
            continue
        if at > 0 and re.fullmatch(r" {0,3}=+[ \t]*", line) and (at == 1 or not lines[at - 2].strip()):
            start, title = at - 1, lines[at - 1]
        elif line.startswith("# "):
            start, title = at, line[2:].rstrip("# \t")
        else:
            continue
        role, slash, model = (part.strip() for part in title.partition("/"))
        if role.lower() in ("system", "user", "assistant") and not re.search(r"\s", model):
            heads.append((start, at + 1, role.lower(), model if slash else None))
    ends = [start for start, *_ in heads[1:]] + [len(lines)]
    return [(role, model, _without_empty_ends(lines[begin:end])) for (_, begin, role, model), end in zip(heads, ends)]


def _without_empty_ends(lines: List[str]) -> str:
    full = [at for at, line in enumerate(lines) if line.strip()]
    return "\n".join(lines[full[0] : full[-1] + 1]) if full else ""
