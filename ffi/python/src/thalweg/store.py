"""Store: conversations kept in one file."""

from __future__ import annotations

import json
import os
import threading
from typing import Any, Dict, List, Optional, Sequence, Union

from . import _native

Json = Dict[str, Any]

#: Stands for the message that a session goes on from.
LAST = object()


class Store:
    """A file of conversations that any number of processes use at once. What was stored is never changed: a conversation that goes on
    from an earlier message becomes a branch.

    `Agent.keep` has an agent's conversation stored as it goes on. In the place of a session's id its beginning will do, or "last" for the
    one that was used last. The methods wait for the disk; they may be called from any thread. Without a path it is gone with the object.
    """

    def __init__(self, path: Union[str, os.PathLike[str]] = ":memory:") -> None:
        self._native = _native.Store(os.fspath(path))
        self._lock = threading.Lock()

    def close(self) -> None:
        """Closes the file; agents that keep their conversations in it go on doing so."""
        with self._lock:
            self._native.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def create(self, *, title: Optional[str] = None, model: Optional[str] = None, system: Optional[str] = None) -> str:
        """Begins a session, and gives its id."""
        session: str = self._ask("create", title=title, model=model, system=system)["session"]
        return session

    def append(self, session: str, messages: Sequence[Json], parent: Union[int, None, object] = LAST) -> List[int]:
        """Stores messages behind the last one, or behind that with the number `parent`, which may be None for the beginning; gives their
        numbers. They are on the disk then."""
        request: Json = {"session": session, "messages": list(messages)}
        if parent is not LAST:
            request["parent"] = parent
        stored: List[int] = self._request({"append": request})["messages"]
        return stored

    def sessions(self, limit: Optional[int] = None) -> List[Json]:
        """The sessions, those used last first: {"id", "title", "model", "created_us", "updated_us", "messages", "branches"}."""
        sessions: List[Json] = self._ask("sessions", limit=limit)["sessions"]
        return sessions

    def read(self, session: str = "last", *, at: Optional[int] = None, all: bool = False) -> Json:
        """A conversation up to message `at`, or up to where it goes on, or all branches of it: {"session", "about", "created_us", "head",
        "leaves", "messages"}, where a message is {"id", "parent", "time_us", "message"}."""
        return self._ask("read", session=session, at=at, all=all)

    def branch(self, session: str, at: Optional[int]) -> None:
        """Has a session go on from message `at`, or from nothing; what came behind it stays as a branch."""
        self._ask("branch", session=session, at=at)

    def search(self, words: str, limit: Optional[int] = None) -> List[Json]:
        """The messages that hold all words, the best first: {"session", "message", "role", "snippet"}. `"two words"` in quotes stand together,
        `begin*` is the beginning of one."""
        hits: List[Json] = self._ask("search", words=words, limit=limit)["hits"]
        return hits

    def export(self, session: str = "last", format: str = "json_lines") -> str:
        """A session with all its branches as "json_lines" or "markdown"."""
        text: str = self._ask("export", session=session, format=format)["text"]
        return text

    def import_(self, text: str) -> List[str]:
        """Stores what `export` gave, or Markdown with a heading for each speaker, and gives the ids."""
        sessions: List[str] = self._ask("import", text=text)["sessions"]
        return sessions

    def delete(self, session: str) -> None:
        """Deletes a session with all its branches."""
        self._ask("delete", session=session)

    def _ask(self, what: str, **given: Any) -> Json:
        return self._request({what: {key: value for key, value in given.items() if value is not None}})

    def _request(self, request: Json) -> Json:
        # Not to be closed meanwhile.
        with self._lock:
            answer: Json = json.loads(self._native.ask(json.dumps(request)))
        return answer
