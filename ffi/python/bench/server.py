"""A provider that answers at once: `model` says how many deltas, as in "deltas-20000".

    python server.py [PORT]

Each event is one HTTP chunk of about 320 bytes with 1 to 6 letters of text, as OpenAI sends them; the reply is made once and written
whole, so the server costs little beside its clients. Prints its address.
"""

import asyncio
import json
import re
import sys

WORDS = ["The", " sky", " is", " blue", ",", " says", " Ray", "leigh", ".", " Light"]
replies = {}


def text_bytes(deltas):
    """Length of the text that a client must have in the end."""
    return sum(len(WORDS[number % len(WORDS)]) for number in range(deltas))


def event(delta, finish=None):
    chunk = {
        "id": "chatcmpl-9XkQ2mVt7LrYbN4eHc1JwZ0sKdFg",
        "object": "chat.completion.chunk",
        "created": 1795248000,
        "model": "gpt-4o-mini-2024-07-18",
        "service_tier": "default",
        "system_fingerprint": "fp_5da84a9d17",
        "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}],
        "usage": None,
        "obfuscation": "aB3xK9mQ2",
    }
    return b"data: " + json.dumps(chunk, separators=(",", ":")).encode() + b"\n\n"


def reply(deltas):
    if deltas not in replies:
        events = [event({"role": "assistant", "content": "", "refusal": None})]
        events += [event({"content": WORDS[number % len(WORDS)]}) for number in range(deltas)]
        usage = {"prompt_tokens": 9, "completion_tokens": deltas, "total_tokens": deltas + 9}
        last = {"id": "chatcmpl-9XkQ2mVt7LrYbN4eHc1JwZ0sKdFg", "object": "chat.completion.chunk", "created": 1795248000,
                "model": "gpt-4o-mini-2024-07-18", "choices": [], "usage": usage}
        events += [event({}, "stop"), b"data: " + json.dumps(last).encode() + b"\n\n", b"data: [DONE]\n\n"]
        head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
        replies[deltas] = head + b"".join(b"%x\r\n%b\r\n" % (len(each), each) for each in events) + b"0\r\n\r\n"
    return replies[deltas]


async def serve(reader, writer):
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(re.search(rb"content-length: *(\d+)", head, re.I).group(1))
            body = await reader.readexactly(length)
            writer.write(reply(int(re.search(rb"deltas-(\d+)", body).group(1))))
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


async def main():
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 0
    server = await asyncio.start_server(serve, "127.0.0.1", port, backlog=2048)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
