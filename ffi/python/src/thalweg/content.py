"""Content of prompts beside text: images and documents."""

from __future__ import annotations

import base64
import mimetypes
import os
from pathlib import Path
from typing import Any, Dict, Optional, Union

Json = Dict[str, Any]
Source = Union[str, "os.PathLike[str]", bytes]


def image(source: Source, media_type: Optional[str] = None) -> Json:
    """An image for a prompt: its URL, the path of its file, or its bytes, whose `media_type` is seen by their beginning."""
    return _block("image", source, media_type)


def document(source: Source, media_type: Optional[str] = None, name: Optional[str] = None) -> Json:
    """A document for a prompt, such as a PDF: its URL, the path of its file, or its bytes with their `media_type`."""
    block = _block("document", source, media_type)
    if name is None and "url" not in block and not isinstance(source, bytes):
        name = Path(source).name
    if name is not None:
        block["name"] = name
    return block


def _block(kind: str, source: Source, media_type: Optional[str]) -> Json:
    if isinstance(source, str) and source.startswith(("http://", "https://")):
        return {"type": kind, "url": source}
    if isinstance(source, bytes):
        data = source
    else:
        data = Path(source).read_bytes()
        media_type = media_type or mimetypes.guess_type(str(source))[0]
    media_type = media_type or next((known for start, known in _BEGINNINGS if data.startswith(start)), None)
    if media_type is None:
        raise ValueError(f"the media type of the {kind} is not to be seen; give it as `media_type`")
    return {"type": kind, "media_type": media_type, "data": base64.b64encode(data).decode("ascii")}


_BEGINNINGS = (
    (b"\x89PNG", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF8", "image/gif"),
    (b"RIFF", "image/webp"),
    (b"%PDF", "application/pdf"),
)
