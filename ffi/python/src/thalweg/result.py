"""Result: what came of a run."""

from __future__ import annotations

from typing import Any, Dict, List, Optional

Json = Dict[str, Any]


class Result:
    """What came of a run, complete or as far as it came."""

    __slots__ = ("json",)

    def __init__(self, json: Json) -> None:
        #: Everything, as `thw_run_result` of the C library gives it.
        self.json = json

    @property
    def message(self) -> Optional[Json]:
        """The last reply; None when none came."""
        message: Optional[Json] = self.json["message"]
        return message

    @property
    def messages(self) -> List[Json]:
        """What the run added to the conversation, the prompt among it."""
        messages: List[Json] = self.json["messages"]
        return messages

    @property
    def text(self) -> str:
        """The text of the last reply."""
        return self._content("text", "text")

    @property
    def thinking(self) -> str:
        """The thinking of the last reply."""
        return self._content("thinking", "text")

    @property
    def stop_reason(self) -> Optional[str]:
        """Why the last reply ended: "stop", "length", "tool_use", "stop_sequence", "content_filter", … ; None when it did not."""
        reason = (self.message or {}).get("stop_reason")
        return reason and reason["mapped"]

    @property
    def usage(self) -> Json:
        """Tokens of all turns."""
        usage: Json = self.json["usage"]
        return usage

    @property
    def cost(self) -> Optional[Json]:
        """Dollars of all turns: {"input", "output", "cache_read", "cache_write", "total"}, with "is_partial" where something is missing; None
        where neither the provider nor a table knows the price."""
        return self.json.get("cost")

    @property
    def reason(self) -> Optional[str]:
        """Why the run ended: "complete", "length", "waiting_for_approval", "max_turns", "aborted", "error", …"""
        return self.json.get("reason")

    @property
    def stats(self) -> Json:
        """Requests, bytes, events and times."""
        stats: Json = self.json["stats"]
        return stats

    @property
    def error(self) -> Optional[Json]:
        """Why the run failed; None if it did not."""
        error: Optional[Json] = self.json["error"]
        return error

    def _content(self, kind: str, key: str) -> str:
        blocks = (self.message or {}).get("content", [])
        return "".join(block.get(key, "") for block in blocks if block["type"] == kind)

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return f"<Result {self.stop_reason} {self.text!r}>"
