"""The same agents by openai-agents, over models that answer offline. It runs async; `run_sync` waits for that."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

from harness.measure import LOOP

from workloads.graphs import expect

try:
    from agents import Agent, Model, ModelResponse, ModelSettings, ModelTracing, RunConfig, Runner, Usage, function_tool
    from agents.tool_context import ToolContext
    from openai.types.responses import (
        Response,
        ResponseCompletedEvent,
        ResponseFunctionToolCall,
        ResponseOutputMessage,
        ResponseOutputText,
        ResponseTextDeltaEvent,
    )
except ImportError:  # it is a peer that may be absent: then nothing below is used
    if not TYPE_CHECKING:
        Model = object


def text(words: str) -> ResponseOutputMessage:
    part = ResponseOutputText(text=words, type="output_text", annotations=[])
    return ResponseOutputMessage(id="m", content=[part], role="assistant", status="completed", type="message")


def completed(output: list[Any]) -> ResponseCompletedEvent:
    response = Response(
        id="r", created_at=0, model="m", object="response", output=output, parallel_tool_calls=True, tool_choice="auto",
        tools=[],
    )  # fmt: skip
    return ResponseCompletedEvent(response=response, sequence_number=0, type="response.completed")


class Offline(Model):
    """A model without a provider."""

    def output(self, input: Any) -> list[Any]:
        raise NotImplementedError

    async def get_response(self, system_instructions: Any, input: Any, *args: Any, **kwargs: Any) -> ModelResponse:
        return ModelResponse(output=self.output(input), usage=Usage(), response_id=None)

    async def stream_response(
        self, system_instructions: Any, input: Any, *args: Any, **kwargs: Any
    ) -> AsyncIterator[Any]:
        yield completed(self.output(input))


class Caller(Offline):
    """See `models.Caller`."""

    def __init__(self, turns: int, calls: int) -> None:
        self.turns, self.calls = turns, calls

    def output(self, input: Any) -> list[Any]:
        turn = len(input) // (2 * self.calls)
        if turn == self.turns:
            return [text("done")]
        arguments = json.dumps({"left": turn, "right": 1})
        return [
            ResponseFunctionToolCall(
                name="add", arguments=arguments, call_id=f"{turn}-{index}", id=f"f{turn}-{index}", type="function_call"
            )
            for index in range(self.calls)
        ]


class Words(Offline):
    """See `models.Words`."""

    hold: Any = None

    def __init__(self, number: int) -> None:
        self.number = number

    async def stream_response(
        self, system_instructions: Any, input: Any, *args: Any, **kwargs: Any
    ) -> AsyncIterator[Any]:
        for index in range(self.number):
            yield ResponseTextDeltaEvent(
                content_index=0, delta="word ", item_id="m", logprobs=[], output_index=0, sequence_number=index,
                type="response.output_text.delta",
            )  # fmt: skip
            if index == 0 and self.hold:
                await self.hold.wait()
        yield completed([text("word " * self.number)])


async def add(left: int, right: int) -> int:
    """Add two numbers."""
    return left + right


class OpenAICaller:
    """See `agents.GraphCaller`."""

    updates = None
    """It streams in async code only."""

    def __init__(self, turns: int, calls: int) -> None:
        self.model = Caller(turns, calls)
        self.add = function_tool(add)
        self.agent = Agent(name="agent", model=self.model, tools=[self.add])
        self.turns = turns
        self.items = turns * 2 * calls + 1

    def bare(self) -> None:
        LOOP.run_until_complete(self.abare())

    async def abare(self) -> None:
        history: list[Any] = [{"role": "user", "content": "go"}]
        while True:
            answer = await self.model.get_response(
                None, history, ModelSettings(), [self.add], None, [], ModelTracing.DISABLED,
                previous_response_id=None, conversation_id=None, prompt=None,
            )  # fmt: skip
            history += answer.output
            calls = [item for item in answer.output if item.type == "function_call"]
            if not calls:
                break
            for call in calls:
                context = ToolContext(
                    None, tool_name=call.name, tool_call_id=call.call_id, tool_arguments=call.arguments
                )
                output = await self.add.on_invoke_tool(context, call.arguments)
                history.append({"type": "function_call_output", "call_id": call.call_id, "output": str(output)})
        expect(len(history) - 1, self.items)

    def invoke(self) -> None:
        result = Runner.run_sync(self.agent, "go", max_turns=self.turns + 1, run_config=untraced())
        expect(len(result.new_items), self.items)

    async def ainvoke(self) -> None:
        result = await Runner.run(self.agent, "go", max_turns=self.turns + 1, run_config=untraced())
        expect(len(result.new_items), self.items)

    async def aupdates(self) -> None:
        result = Runner.run_streamed(self.agent, "go", max_turns=self.turns + 1, run_config=untraced())
        items = 0
        async for event in result.stream_events():
            items += event.type == "run_item_stream_event"
        expect(items, self.items)


class OpenAISpeaker:
    """See `agents.GraphSpeaker`."""

    tokens = bare = None

    def __init__(self, number: int) -> None:
        self.model = Words(number)
        self.agent = Agent(name="agent", model=self.model)

    def abare(self) -> AsyncIterator[Any]:
        return self.model.stream_response(
            None, "a joke", ModelSettings(), [], None, [], ModelTracing.DISABLED, previous_response_id=None,
            conversation_id=None, prompt=None,
        )  # fmt: skip

    async def atokens(self) -> AsyncIterator[Any]:
        result = Runner.run_streamed(self.agent, "a joke", run_config=untraced())
        async for event in result.stream_events():
            if event.type == "raw_response_event" and event.data.type == "response.output_text.delta":
                yield event.data


def untraced() -> RunConfig:
    return RunConfig(tracing_disabled=True)
