"""PyPI's tiny-agent-os, unmodified, on thalweg."""

import asyncio
import gc
import importlib
import subprocess
import sys
import unittest

try:
    import tinyagent
except ModuleNotFoundError:
    tinyagent = None

import thalweg.tinyagent as binding
from support import Endless, Loopback, Replay, scenario

USAGE = {"input", "output", "cache_read", "cache_write", "total_tokens", "cost"}


def model_of(base_url, **more):
    return {"id": "hand-written-1", "provider": "openai", "api": "openai-completions", "base_url": base_url + "/chat/completions", **more}


def context_of(prompt, **more):
    return {"system_prompt": "", "messages": [{"role": "user", "content": [{"type": "text", "text": prompt}]}], **more}


class Binding(unittest.TestCase):
    """The functions, without the package."""

    @classmethod
    def setUpClass(cls):
        cls.server = Replay()

    @classmethod
    def tearDownClass(cls):
        cls.server.close()

    def stream(self, prompt, **context):
        return binding.openai_completions_stream(
            model_of(self.server.base_url), context_of(prompt, **context), {"api_key": "anything"}
        )

    def test_binding_has_all_its_names(self):
        for name in ("_alchemy", "tinyagent._alchemy", "alchemy_llm_py"):
            module = importlib.import_module(name)
            self.assertIs(module.openai_completions_stream, binding.openai_completions_stream)
            self.assertIs(module.collect_openai_completions, binding.collect_openai_completions)

    def test_events_of_a_text_have_the_shapes_of_the_original(self):
        said = scenario("text")
        collected = binding.collect_openai_completions(
            model_of(self.server.base_url), context_of(said["prompt"]), {"api_key": "anything"}
        )
        events = collected["events"]
        kinds = [event["type"] for event in events]
        self.assertEqual(kinds, ["start", "text_start"] + ["text_delta"] * said["expect"]["text_deltas"] + ["text_end", "done"])
        self.assertEqual("".join(event["delta"] for event in events if event["type"] == "text_delta"), said["expect"]["text"])
        self.assertTrue(all(event["partial"]["role"] == "assistant" for event in events[:-1]))
        self.assertTrue(all(event["content_index"] == 0 for event in events[1:-1]))
        message = collected["final_message"]
        self.assertEqual(events[-1], {"type": "done", "reason": "stop", "message": message})
        self.assertEqual(message["content"], [{"type": "text", "text": said["expect"]["text"]}])
        self.assertEqual(set(message["usage"]), USAGE)
        self.assertEqual((message["usage"]["input"], message["usage"]["output"], message["usage"]["total_tokens"]), (12, 15, 27))
        self.assertEqual((message["provider"], message["model"], message["api"]), ("openai", "hand-written-1", "openai-completions"))

    def test_thinking_has_the_name_of_its_field_as_signature(self):
        said = scenario("thinking")
        message = self.stream(said["prompt"]).result()
        thinking = {"type": "thinking", "thinking": said["expect"]["thinking"], "thinking_signature": "reasoning_content"}
        self.assertEqual(message["content"], [thinking, {"type": "text", "text": said["expect"]["text"]}])

    def test_interleaved_tool_calls_keep_their_arguments_and_are_not_run(self):
        said = scenario("two tools")
        tools = [{key: tool[key] for key in ("name", "description", "parameters")} for tool in said["tools"]]
        handle = self.stream(said["prompt"], tools=tools)
        ended = []
        while (event := handle.next_event()) is not None:
            if event["type"] == "tool_call_end":
                ended.append(event["tool_call"])
        self.assertEqual([{"name": call["name"], "arguments": call["arguments"]} for call in ended], said["expect"]["tool_calls"])
        self.assertEqual(handle.result()["stop_reason"], "tool_calls")
        self.assertIsNone(handle.next_event())

    def test_error_keeps_what_the_provider_said(self):
        refused = self.stream("a prompt that no recording answers")
        event = refused.next_event()
        self.assertEqual((event["type"], event["reason"]), ("error", "error"))
        self.assertIn("no recording answers this prompt", event["error"]["error_message"])
        self.assertEqual(refused.result()["stop_reason"], "error")

    def test_what_cannot_start_says_so(self):
        with self.assertRaisesRegex(RuntimeError, "failed to start openai-completions stream"):
            binding.openai_completions_stream(model_of("nowhere"), context_of("hi"), {"api_key": "anything"})

    def test_dropped_handle_closes_its_socket(self):
        server = Endless()
        handle = binding.openai_completions_stream(model_of(server.base_url), context_of("go"), {"api_key": "x"})
        self.assertEqual(handle.next_event()["type"], "start")
        del handle
        gc.collect()
        self.assertTrue(server.closed.wait(5))
        server.close()

    def test_aborted_handle_ends_with_what_came(self):
        server = Endless()
        handle = binding.openai_completions_stream(model_of(server.base_url), context_of("go"), {"api_key": "x"})
        while handle.next_event()["type"] != "text_delta":
            pass
        handle.abort()
        message = handle.result()
        self.assertEqual(message["stop_reason"], "aborted")
        self.assertTrue(message["content"][0]["text"].startswith("on "))
        self.assertTrue(server.closed.wait(5))
        server.close()


@unittest.skipIf(tinyagent is None, "tiny-agent-os is not installed")
class Package(unittest.TestCase):
    """The real package."""

    def setUp(self):
        from tinyagent import alchemy_provider, rust_binding_provider

        self.server = Replay()
        self.endless = Endless()
        self.adapters = [
            (alchemy_provider.OpenAICompatModel, alchemy_provider.stream_alchemy_openai_completions),
            (rust_binding_provider.RustBindingModel, rust_binding_provider.stream_rust_binding),
        ]

    def tearDown(self):
        self.server.close()
        self.endless.close()

    def agent(self, base_url, adapter=0, tools=()):
        make, stream = self.adapters[adapter]
        agent = tinyagent.Agent(tinyagent.AgentOptions(stream_fn=stream, get_api_key=lambda _: "anything"))
        agent.set_model(make(provider="openai", id="hand-written-1", base_url=base_url + "/chat/completions"))
        agent.set_tools(list(tools))
        return agent

    def test_text_and_thinking_through_both_adapters(self):
        async def main(adapter):
            agent = self.agent(self.server.base_url, adapter)
            deltas = [piece async for piece in agent.stream_text(scenario("text")["prompt"])]
            self.assertEqual("".join(deltas), scenario("text")["expect"]["text"])
            self.assertEqual(len(deltas), scenario("text")["expect"]["text_deltas"])
            agent = self.agent(self.server.base_url, adapter)
            message = await agent.prompt(scenario("thinking")["prompt"])
            self.assertEqual(message.content[0].thinking, scenario("thinking")["expect"]["thinking"])
            self.assertEqual(message.content[1].text, scenario("thinking")["expect"]["text"])
            self.assertEqual(message.stop_reason, "stop")

        for adapter in range(len(self.adapters)):
            with self.subTest(adapter):
                asyncio.run(main(adapter))

    def test_tools_are_run_by_the_package_and_their_results_sent_back(self):
        said = scenario("two tools")
        called = []

        def tool_of(spec):
            async def execute(tool_call_id, arguments, signal, on_update):
                called.append({"name": spec["name"], "arguments": dict(arguments)})
                text = tinyagent.TextContent(text=spec["answer"])
                return tinyagent.AgentToolResult(content=[text])

            return tinyagent.AgentTool(
                name=spec["name"], description=spec["description"], parameters=spec["parameters"], execute=execute
            )

        async def main():
            agent = self.agent(self.server.base_url, tools=[tool_of(spec) for spec in said["tools"]])
            kinds = []
            agent.subscribe(lambda event: kinds.append(event.type))
            message = await agent.prompt(said["prompt"])
            return tinyagent.extract_text(message), kinds, [each.role for each in agent.state.messages]

        text, kinds, roles = asyncio.run(main())
        self.assertEqual(text, said["expect"]["text"])
        self.assertEqual(called, said["expect"]["tool_calls"])
        self.assertEqual(roles, ["user", "assistant", "tool_result", "tool_result", "assistant"])
        self.assertEqual(kinds.count("turn_start"), said["expect"]["turns"])
        self.assertEqual(kinds[-1], "agent_end")

    def test_abort_closes_the_socket_and_keeps_what_came(self):
        async def main():
            agent = self.agent(self.endless.base_url)
            task = asyncio.ensure_future(agent.prompt("go on"))
            await asyncio.sleep(0.3)
            agent.abort()
            message = await asyncio.wait_for(task, 5)
            self.assertEqual(message.stop_reason, "aborted")
            self.assertTrue(tinyagent.extract_text(message).startswith("on on"))

        asyncio.run(main())
        self.assertTrue(self.endless.closed.wait(5))

    def test_cancelled_task_closes_the_socket(self):
        async def main():
            agent = self.agent(self.endless.base_url)
            task = asyncio.ensure_future(agent.prompt("go on"))
            await asyncio.sleep(0.3)
            task.cancel()
            with self.assertRaises(asyncio.CancelledError):
                await task
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(None, self.endless.closed.wait, 5)

        self.assertTrue(asyncio.run(main()))

    def test_prompt_caching_is_on_the_wire(self):
        server = Loopback(lambda body: "yes")
        self.addCleanup(server.close)
        make, stream = self.adapters[0]

        async def main():
            options = tinyagent.AgentOptions(stream_fn=stream, get_api_key=lambda _: "anything", enable_prompt_caching=True)
            agent = tinyagent.Agent(options)
            agent.set_system_prompt("a long text")
            url = server.base_url + "/chat/completions"
            agent.set_model(make(provider="openrouter", id="anthropic/claude-3.5-sonnet", base_url=url))
            await agent.prompt("one")
            return await agent.prompt("two")

        message = asyncio.run(main())
        self.assertEqual(message.usage["cache_read"], 4)
        for _, _, body in server.requests:
            self.assertEqual(body["messages"][0]["content"][0]["cache_control"], {"type": "ephemeral"})
            self.assertEqual(body["cache_control"], {"type": "ephemeral"})

    def test_hung_streams_hold_up_nobody(self):
        said = scenario("text")
        silent = Endless(interval=20)
        self.addCleanup(silent.close)

        async def main():
            hung = [asyncio.ensure_future(self.agent(silent.base_url).prompt("go on")) for _ in range(100)]
            await asyncio.sleep(0.2)
            agent = self.agent(self.server.base_url)
            message = await asyncio.wait_for(agent.prompt(said["prompt"]), 5)
            for task in hung:
                task.cancel()
            await asyncio.gather(*hung, return_exceptions=True)
            return tinyagent.extract_text(message)

        self.assertEqual(asyncio.run(main()), said["expect"]["text"])

    def test_import_may_come_before_that_of_the_package(self):
        program = (
            "import thalweg.tinyagent, sys\n"
            "from tinyagent import alchemy_provider\n"
            "assert alchemy_provider._get_alchemy_module() is sys.modules['alchemy_llm_py']\n"
        )
        for first in ("", "import tinyagent.alchemy_provider\n"):
            subprocess.run([sys.executable, "-c", first + program], check=True, timeout=60)


if __name__ == "__main__":
    unittest.main()
