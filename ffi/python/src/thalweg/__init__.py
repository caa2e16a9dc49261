"""A streaming engine for LLM agents.

    from thalweg import Agent

    for piece in Agent("openai/gpt-4o-mini").prompt("Why is the sky blue?").texts:
        print(piece, end="", flush=True)

The work is done by libthalweg, outside of the GIL; this package turns its batches of events into Python objects.
"""

from ._native import VERSION as __version__
from ._native import Event
from .agent import Agent
from .calls import ToolError
from .client import Client
from .content import document, image
from .engine import Engine, default_engine
from .errors import (
    Aborted,
    ConnectionFailed,
    Error,
    FailedError,
    InvalidError,
    ProtocolError,
    RejectedError,
    RemoteError,
    StateError,
    TimedOut,
    UnsupportedError,
    VersionError,
)
from .result import Result
from .run import Events, Run, Texts
from .store import Store
from .tool import Tool, ToolContext, tool

__all__ = [
    "Aborted",
    "Agent",
    "Client",
    "ConnectionFailed",
    "Engine",
    "Error",
    "Event",
    "Events",
    "FailedError",
    "InvalidError",
    "ProtocolError",
    "RejectedError",
    "RemoteError",
    "Result",
    "Run",
    "StateError",
    "Store",
    "Texts",
    "TimedOut",
    "Tool",
    "ToolContext",
    "ToolError",
    "UnsupportedError",
    "VersionError",
    "__version__",
    "default_engine",
    "document",
    "image",
    "tool",
]
