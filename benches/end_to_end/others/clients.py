"""One client in Python: `clients.py NAME work=… url=… …`, as the programs in Rust. Prints figures as `name=value`."""

import asyncio
import json
import os
import resource
import sys
import time

PROMPT = "Tell me of the river."
MODEL = "gpt-4o-mini"
TOOL = "add_one"
TOOL_PARAMETERS = {
    "type": "object",
    "properties": {"n": {"type": "integer", "description": "A number."}},
    "required": ["n"],
}


class OpenAi:
    """openai, its async client."""

    def __init__(self, url):
        import openai

        http = openai.DefaultAsyncHttpxClient(limits=openai.DEFAULT_CONNECTION_LIMITS.__class__(max_connections=None))
        self.client = openai.AsyncOpenAI(base_url=url, api_key="none", http_client=http, max_retries=0)

    async def ask(self, take):
        messages = [{"role": "user", "content": PROMPT}]
        async for chunk in await self.client.chat.completions.create(model=MODEL, messages=messages, stream=True):
            if chunk.choices and chunk.choices[0].delta.content:
                take(chunk.choices[0].delta.content)

    async def run_turns(self, mark):
        messages = [{"role": "user", "content": PROMPT}]
        tools = [{"type": "function", "function": {"name": TOOL, "description": "The next number.", "parameters": TOOL_PARAMETERS}}]
        while True:
            call = None
            create = self.client.chat.completions.create
            async for chunk in await create(model=MODEL, messages=messages, tools=tools, stream=True):
                for part in (chunk.choices and chunk.choices[0].delta.tool_calls) or []:
                    if call is None:
                        call = {"id": part.id, "type": "function", "function": {"name": part.function.name, "arguments": ""}}
                    call["function"]["arguments"] += part.function.arguments or ""
            if call is None:
                return
            mark()
            result = str(json.loads(call["function"]["arguments"])["n"] + 1)
            messages.append({"role": "assistant", "content": None, "tool_calls": [call]})
            messages.append({"role": "tool", "tool_call_id": call["id"], "content": result})


class LiteLlm:
    """litellm, its async function."""

    def __init__(self, url):
        import litellm

        self.url, self.complete = url, litellm.acompletion

    async def ask(self, take):
        messages = [{"role": "user", "content": PROMPT}]
        reply = await self.complete(model=f"openai/{MODEL}", api_base=self.url, api_key="none", messages=messages, stream=True)
        async for chunk in reply:
            if chunk.choices and chunk.choices[0].delta.content:
                take(chunk.choices[0].delta.content)


class TinyAgent:
    """tiny-agent-os with the binding that its wheel brings."""

    def __init__(self, url):
        self.url = url

    def agent(self):
        import tinyagent
        from tinyagent.alchemy_provider import OpenAICompatModel, stream_alchemy_openai_completions

        options = tinyagent.AgentOptions(stream_fn=stream_alchemy_openai_completions, get_api_key=lambda _: "none")
        agent = tinyagent.Agent(options)
        agent.set_model(OpenAICompatModel(provider="openai", id=MODEL, base_url=self.url + "/chat/completions"))
        return agent

    async def ask(self, take):
        async for piece in self.agent().stream_text(PROMPT):
            take(piece)

    async def run_turns(self, mark):
        import tinyagent

        async def add_one(tool_call_id, arguments, signal, on_update):
            mark()
            return tinyagent.AgentToolResult(content=[tinyagent.TextContent(text=str(arguments["n"] + 1))])

        tool = tinyagent.AgentTool(
            name=TOOL, label=TOOL, description="The next number.", parameters=TOOL_PARAMETERS, execute=add_one
        )
        agent = self.agent()
        agent.set_tools([tool])
        await agent.prompt_text(PROMPT)


CLIENTS = {"openai-python": OpenAi, "litellm": LiteLlm, "tiny-agent-os": TinyAgent}


def text_hash(text):
    value = 0xCBF29CE484222325
    for byte in text.encode():
        value = (value ^ byte) * 0x100000001B3 % 2**64
    return value


def resident():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmRSS:"))


async def replies(client, arguments):
    streams, deltas = int(arguments["streams"]), int(arguments["deltas"])
    before, cpu, wall = resident(), time.process_time(), time.perf_counter()

    async def one():
        pieces = []
        await client.ask(pieces.append)
        return "".join(pieces)

    texts = await asyncio.gather(*(one() for _ in range(streams)))
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    for text in texts:
        assert len(text.encode()) == int(arguments["text_bytes"]), "bytes of text"
        assert text_hash(text) == int(arguments["text_hash"]), "the text itself"
    print(f"rate={deltas * streams / wall}")
    print(f"cpu_us={cpu * 1e6 / deltas / streams}")
    print(f"rss={peak}")
    print(f"rss_stream={(peak - before) / streams}")


async def paced(client, arguments):
    streams, window = int(arguments["streams"]), int(arguments["window_ms"]) / 1000
    counts, delays, measures, before = [0] * streams, [], False, resident()

    async def one(number):
        def take(piece):
            counts[number] += 1
            if measures:
                delays.append(time.clock_gettime(time.CLOCK_MONOTONIC) * 1e6 - int(piece))

        await client.ask(take)

    tasks = [asyncio.create_task(one(number)) for number in range(streams)]
    limit = time.monotonic() + 60
    while not all(counts):
        assert time.monotonic() < limit, "not all streams answer"
        await asyncio.sleep(0.02)
    await asyncio.sleep(1.2)
    cpu, wall, already, measures = time.process_time(), time.monotonic(), counts.copy(), True
    await asyncio.sleep(window)
    measures = False
    cpu, wall = time.process_time() - cpu, time.monotonic() - wall
    served = [after - before for after, before in zip(counts, already)]
    delays.sort()
    print(f"cpu_us={cpu * 1e6 / max(sum(served), 1)}")
    print(f"core={cpu / wall}")
    print(f"least={min(served)}")
    print(f"least_a_second={min(served) / wall}")
    print(f"rss_stream={(resident() - before) / streams}")
    print(f"delay_p50_us={delays[len(delays) // 2]}")
    print(f"delay_p99_us={delays[len(delays) * 99 // 100]}", flush=True)
    # The streams have no end, and nobody has to close each.
    os._exit(0)


async def turns(client, arguments):
    marks = []
    await client.run_turns(lambda: marks.append((time.process_time(), time.perf_counter())))
    assert len(marks) == int(arguments["turns"]), f"{len(marks)} turns"
    cpu = [(after[0] - before[0]) * 1e6 for before, after in zip(marks, marks[1:])]
    wall = [(after[1] - before[1]) * 1e6 for before, after in zip(marks, marks[1:])]
    around = lambda values, turn: sorted(values[max(turn - 10, 0) : turn])[5]
    print(f"turn_cpu_us_20={around(cpu, 20)}")
    print(f"turn_cpu_us_last={around(cpu, len(cpu))}")
    print(f"turn_cpu_us_mean={sum(cpu) / len(cpu)}")
    print(f"turn_us_last={around(wall, len(wall))}")
    print(f"rss={resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}")


def main():
    arguments = dict(argument.split("=", 1) for argument in sys.argv[2:])
    work = {"replies": replies, "paced": paced, "turns": turns}[arguments["work"]]

    async def run():
        await work(CLIENTS[sys.argv[1]](arguments["url"]), arguments)

    asyncio.run(run())


if __name__ == "__main__":
    main()
