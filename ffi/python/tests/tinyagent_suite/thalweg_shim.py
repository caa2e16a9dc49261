"""A pytest plugin that puts thalweg below TinyAgent's own tests, before they import anything.

- The binding that TinyAgent streams through is `thalweg.tinyagent`.
- `execute_tool_calls` has the engine run the tools of a message: a run whose reply is that message. What is left to this file is
  to say it in TinyAgent's words: its events in its order (ends wait for those before them, each with its message behind it), its
  result objects with their `details`, and one look at the steering queue.
- Usage is read as `thalweg.tinyagent` reads it.

Everything else stays TinyAgent's; `run` says of each file what that means.
"""

import json

import thalweg.tinyagent as binding
import tinyagent.agent_loop
import tinyagent.agent_tool_execution as execution
import tinyagent.caching
from thalweg import Agent, Tool, ToolContext, ToolError
from tinyagent.agent_types import (
    AgentToolResult,
    MessageEndEvent,
    MessageStartEvent,
    TextContent,
    ToolCallContent,
    ToolExecutionEndEvent,
    ToolExecutionStartEvent,
    ToolExecutionUpdateEvent,
    ToolResultMessage,
)

ran = {"tool calls": 0, "usages": 0}


async def execute_tool_calls(tools, assistant_message, signal, stream, get_steering_messages=None):
    """Runs the tools of a message on the engine."""
    calls = {call.id: call for call in assistant_message.content if isinstance(call, ToolCallContent)}
    if not calls:
        return execution.ToolExecutionResult()
    results = {}

    def reply(request):
        # The second request brings the results, and they are all that is wanted.
        if request["messages"][-1]["role"] != "tool":
            for call in calls.values():
                yield {"type": "tool_call", "id": call.id, "name": call.name, "arguments": json.dumps(call.arguments)}

    agent = Agent("played", stream=reply, tools=[_tool(tool, signal, results) for tool in tools or ()])
    ended, waiting = {}, list(calls)
    async with agent.prompt("go") as run:
        async for event in run:
            if not event.type.startswith("tool_execution"):
                continue
            said = json.loads(event.text)
            call = calls[said["tool_call_id"]]
            about = {"tool_call_id": call.id, "tool_name": call.name}
            if event.type == "tool_execution_start":
                stream.push(ToolExecutionStartEvent(**about, args=call.arguments))
            elif event.type == "tool_execution_update":
                partial = AgentToolResult(content=[TextContent(text=said["partial_result"])])
                stream.push(ToolExecutionUpdateEvent(**about, args=call.arguments, partial_result=partial))
            else:
                ran["tool calls"] += 1
                ended[call.id] = _result(said, results.get(call.id)), said["is_error"]
            while waiting and waiting[0] in ended:
                _tell(stream, calls[waiting[0]], *ended[waiting.pop(0)])
    messages = [_message(calls[id], *ended[id]) for id in calls]
    steering = await get_steering_messages() if get_steering_messages else None
    return execution.ToolExecutionResult(tool_results=messages, steering_messages=steering or None)


def _tool(tool, signal, results):
    async def execute(thalweg_call: ToolContext, **arguments):
        if tool.execute is None:
            raise ToolError(f"Tool {tool.name} has no execute function")

        def on_update(partial):
            thalweg_call.progress("".join(block.text or "" for block in partial.content))

        result = await tool.execute(thalweg_call.call_id, arguments, signal, on_update)
        results[thalweg_call.call_id] = result
        return "".join(block.text or "" for block in result.content if isinstance(block, TextContent))

    return Tool(execute, name=tool.name, description=tool.description, parameters=tool.parameters or {"type": "object"})


def _result(said, kept):
    if kept is not None and not said["is_error"]:
        return kept
    text = "".join(block.get("text", "") for block in said["result"]["content"])
    return AgentToolResult(content=[TextContent(text=text)])


def _message(call, result, is_error):
    return ToolResultMessage(
        tool_call_id=call.id, tool_name=call.name, content=result.content, details=result.details, is_error=is_error
    )


def _tell(stream, call, result, is_error):
    stream.push(ToolExecutionEndEvent(tool_call_id=call.id, tool_name=call.name, result=result, is_error=is_error))
    message = _message(call, result, is_error)
    stream.push(MessageStartEvent(message=message))
    stream.push(MessageEndEvent(message=message))


def _usage_of(raw):
    ran["usages"] += 1
    return binding._usage({"raw": raw})


execution.execute_tool_calls = execute_tool_calls
tinyagent.agent_loop.execute_tool_calls = execute_tool_calls
tinyagent.caching._build_usage_dict = _usage_of


def pytest_terminal_summary(terminalreporter):
    terminalreporter.write_line(f"ran on thalweg: {ran['tool calls']} tool calls, {ran['usages']} usages")
