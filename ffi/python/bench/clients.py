"""One client in one process: `python clients.py NAME URL DELTAS STREAMS`. Prints processor time a delta, in µs.

Processor time of the whole process, all threads and the kernel's part included, after one warm-up. Each client assembles the text, and
its length is checked.
"""

import asyncio
import json
import resource
import sys
import time

from server import text_bytes

PROMPT = "go"


def thalweg_texts(url, deltas, streams):
    import thalweg

    agent = thalweg.Agent(f"deltas-{deltas}", base_url=url + "/v1", api_key="none")

    def once():
        agent.messages = []
        pieces = []
        for piece in agent.prompt(PROMPT).texts:
            pieces.append(piece)
        return len("".join(pieces))

    return once


def thalweg_events(url, deltas, streams):
    import thalweg

    agent = thalweg.Agent(f"deltas-{deltas}", base_url=url + "/v1", api_key="none")

    def once():
        agent.messages = []
        pieces = []
        for event in agent.prompt(PROMPT):
            if event.kind == 2:
                pieces.append(event.text)
        return len("".join(pieces))

    return once


def concurrently(one, streams):
    async def main():
        return sum(await asyncio.gather(*(one() for _ in range(streams))))

    return main


def thalweg_async(url, deltas, streams):
    import thalweg

    async def one():
        pieces = []
        agent = thalweg.Agent(f"deltas-{deltas}", base_url=url + "/v1", api_key="none")
        async for piece in agent.prompt(PROMPT).texts:
            pieces.append(piece)
        return len("".join(pieces))

    return concurrently(one, streams)


def thalweg_async_events(url, deltas, streams):
    import thalweg

    async def one():
        pieces = []
        agent = thalweg.Agent(f"deltas-{deltas}", base_url=url + "/v1", api_key="none")
        async for event in agent.prompt(PROMPT):
            if event.kind == 2:
                pieces.append(event.text)
        return len("".join(pieces))

    return concurrently(one, streams)


BODY = {"stream": True, "messages": [{"role": "user", "content": PROMPT}]}


def aiohttp_orjson(url, deltas, streams):
    import aiohttp
    import orjson

    body = orjson.dumps({"model": f"deltas-{deltas}", **BODY})

    async def one(session):
        pieces = []
        async with session.post(url + "/v1/chat/completions", data=body) as response:
            async for line in response.content:
                if line.startswith(b"data: {"):
                    choices = orjson.loads(line[6:])["choices"]
                    if choices and (text := choices[0]["delta"].get("content")):
                        pieces.append(text)
        return len("".join(pieces))

    async def main():
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=None)) as session:
            return sum(await asyncio.gather(*(one(session) for _ in range(streams))))

    return main


def openai_sync(url, deltas, streams):
    import openai

    client = openai.OpenAI(base_url=url + "/v1", api_key="none")

    def once():
        pieces = []
        for chunk in client.chat.completions.create(model=f"deltas-{deltas}", **BODY):
            if chunk.choices and chunk.choices[0].delta.content:
                pieces.append(chunk.choices[0].delta.content)
        return len("".join(pieces))

    return once


def openai_async(url, deltas, streams):
    import httpx
    import openai

    async def one(client):
        pieces = []
        async for chunk in await client.chat.completions.create(model=f"deltas-{deltas}", **BODY):
            if chunk.choices and chunk.choices[0].delta.content:
                pieces.append(chunk.choices[0].delta.content)
        return len("".join(pieces))

    async def main():
        limits = httpx.Limits(max_connections=None)
        http = openai.DefaultAsyncHttpxClient(limits=limits, timeout=600)
        async with openai.AsyncOpenAI(base_url=url + "/v1", api_key="none", http_client=http, max_retries=0) as client:
            return sum(await asyncio.gather(*(one(client) for _ in range(streams))))

    return main


def tiny_agent(url, deltas, streams):
    import tinyagent
    from tinyagent.alchemy_provider import OpenAICompatModel, stream_alchemy_openai_completions

    async def one():
        model = OpenAICompatModel(provider="openai", id=f"deltas-{deltas}", base_url=url + "/v1/chat/completions")
        options = tinyagent.AgentOptions(stream_fn=stream_alchemy_openai_completions, get_api_key=lambda _: "none")
        agent = tinyagent.Agent(options)
        agent.set_model(model)
        pieces = []
        async for piece in agent.stream_text(PROMPT):
            pieces.append(piece)
        return len("".join(pieces))

    return concurrently(one, streams)


def tiny_agent_on_thalweg(url, deltas, streams):
    import thalweg.tinyagent

    return tiny_agent(url, deltas, streams)


def main():
    name, url, deltas, streams = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    run = globals()[name]

    def measured(deltas, streams):
        work = run(url, deltas, streams)
        is_async = asyncio.iscoroutinefunction(work)
        before, began = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
        seen = asyncio.run(work()) if is_async else work()
        after, ended = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
        assert seen == text_bytes(deltas) * streams, f"{seen} letters of {text_bytes(deltas) * streams}"
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        return cpu / (deltas * streams) * 1e6, (ended - began) / (deltas * streams) * 1e6

    measured(min(deltas, 200), 1)
    cpu, wall = measured(deltas, streams)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"client": name, "cpu_us": cpu, "wall_us": wall, "rss_mib": memory}))


if __name__ == "__main__":
    main()
