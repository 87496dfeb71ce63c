"""Agents as they are used without middleware: answers, calls of tools, forms of input, threads, subgraphs."""

from __future__ import annotations

from typing import Annotated, Any

from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage, SystemMessage, ToolMessage
from langchain_core.messages.tool import tool_call_chunk
from langchain_core.tools import InjectedToolCallId, tool
from typing_extensions import TypedDict

from ...program import Turn, Update
from ...roots import Kit
from ..compare import WORDS_OF_ERRORS, agent, answer, ask, calling, scripted
from ..parts import ONE, OTHER, add, direct, fail, mirror, tool_of

HI = ask("hi")


@agent(HI, shapes=True)
def plain_answer(kit: Kit) -> Any:
    return kit.agents.create_agent(scripted("hello to you"))


@agent(HI)
def an_answer_without_tools_although_there_are_some(kit: Kit) -> Any:
    return kit.agents.create_agent(scripted("hello to you"), [add])


@agent(HI, shapes=True)
def one_call(kit: Kit) -> Any:
    return kit.agents.create_agent(scripted(calling(ONE), "it is 3"), [add])


@agent(HI, shapes=True)
def parallel_calls(kit: Kit) -> Any:
    return kit.agents.create_agent(scripted(calling(ONE, OTHER), "3 and 7"), [add])


@agent(HI)
def calls_and_words(kit: Kit) -> Any:
    return kit.agents.create_agent(scripted(calling(ONE, text="let me see"), calling(OTHER, first=2), "7"), [add])


@agent(HI)
def a_function_as_a_tool(kit: Kit) -> Any:
    def double(x: int) -> int:
        """Double it."""
        return 2 * x

    return kit.agents.create_agent(scripted(calling(("double", {"x": 2})), "4"), [double])


@agent(HI, drivers=("async",))
def a_coroutine_as_a_tool(kit: Kit) -> Any:
    async def double(x: int) -> int:
        """Double it."""
        return 2 * x

    return kit.agents.create_agent(scripted(calling(("double", {"x": 2})), "4"), [double])


@agent(HI, differences=["failing tool", WORDS_OF_ERRORS])
def failing_tool(kit: Kit) -> Any:
    return kit.agents.create_agent(scripted(calling(("fail", {"at": "luck"})), "no luck"), [fail])


@agent(HI)
def direct_answer(kit: Kit) -> Any:
    return kit.agents.create_agent(scripted(calling(("direct", {"at": "x"}))), [direct, add])


@agent(HI)
def two_direct_answers(kit: Kit) -> Any:
    calls = calling(("direct", {"at": "x"}), ("direct", {"at": "y"}))
    return kit.agents.create_agent(scripted(calls), [direct, add])


@agent(HI)
def a_direct_answer_among_others(kit: Kit) -> Any:
    return kit.agents.create_agent(scripted(calling(("direct", {"at": "x"}), ONE), "both"), [direct, add])


@agent(HI)
def a_direct_answer_after_others(kit: Kit) -> Any:
    return kit.agents.create_agent(scripted(calling(ONE), calling(("direct", {"at": "x"}), first=2)), [direct, add])


@agent(HI, differences=["refused direct call", WORDS_OF_ERRORS])
def a_direct_call_with_bad_arguments(kit: Kit) -> Any:
    return kit.agents.create_agent(scripted(calling(("direct", {"for": "x"})), "well then"), [direct, add])


@agent(HI, differences=[WORDS_OF_ERRORS])
def unknown_tool(kit: Kit) -> Any:
    return kit.agents.create_agent(scripted(calling(("guess", {})), "sorry"), [add])


@agent(HI, differences=["call without tools"])
def a_call_although_there_are_no_tools(kit: Kit) -> Any:
    return kit.agents.create_agent(scripted(calling(("guess", {}))))


@agent(HI, differences=[WORDS_OF_ERRORS])
def bad_arguments(kit: Kit) -> Any:
    return kit.agents.create_agent(scripted(calling(("add", {"a": "one"}), OTHER), "sorry"), [add])


@agent(HI, differences=["half a call", WORDS_OF_ERRORS])
def broken_arguments(kit: Kit) -> Any:
    chunk = tool_call_chunk(name="add", args='{"a": 1, "b"', id="c1", index=0)
    broken = AIMessageChunk(content="", tool_call_chunks=[chunk])
    return kit.agents.create_agent(scripted([broken], "sorry"), [add])


@agent(HI)
def a_tool_that_changes_the_state(kit: Kit) -> Any:
    class State(kit.agents.AgentState):  # type: ignore[name-defined,misc]
        found: str

    @tool
    def find(at: str, call: Annotated[str, InjectedToolCallId]) -> Any:
        """Find it."""
        return kit.Command(update={"found": at, "messages": [ToolMessage("found", tool_call_id=call)]})

    model = scripted(calling(("find", {"at": "home"}), ONE), "ok")
    return kit.agents.create_agent(model, [find, add], state_schema=State)


@agent(HI)
def a_tool_with_an_artifact(kit: Kit) -> Any:
    @tool(response_format="content_and_artifact")
    def look(at: str) -> Any:
        """Look."""
        return f"saw {at}", {"at": at}

    return kit.agents.create_agent(scripted(calling(("look", {"at": "sky"})), "ok"), [look])


@agent(HI)
def a_tool_with_content_blocks(kit: Kit) -> Any:
    @tool
    def look(at: str) -> Any:
        """Look."""
        return [{"type": "text", "text": at}]

    return kit.agents.create_agent(scripted(calling(("look", {"at": "sky"})), "ok"), [look])


@agent(HI)
def a_tool_that_returns_a_dict(kit: Kit) -> Any:
    @tool
    def look(at: str) -> Any:
        """Look."""
        return {"at": at, "ä": [1, None]}

    return kit.agents.create_agent(scripted(calling(("look", {"at": "sky"})), "ok"), [look])


@agent(HI)
def a_tool_that_tells_on_the_way(kit: Kit) -> Any:
    def look(at: str, runtime: Any) -> str:
        """Look."""
        kit.get_stream_writer()({"by": "tools", "what": at})
        runtime.stream_writer({"by": "tools", "call": runtime.tool_call_id})
        runtime.emit_output_delta("a part")
        return at

    model = scripted(calling(("look", {"at": "sky"})), "ok")
    return kit.agents.create_agent(model, [tool_of(look, runtime=kit.ToolRuntime)])


@agent(HI)
def a_tool_that_reads_the_state(kit: Kit) -> Any:
    def count(runtime: Any) -> str:
        """Count."""
        return f"{sorted(runtime.state)} {len(runtime.state['messages'])} {runtime.context}"

    def other(state: Any, messages: Any) -> str:
        """Count."""
        return f"{sorted(state)} {len(messages)}"

    some = Annotated[list[Any], kit.InjectedState("messages")]
    tools = [
        tool_of(count, runtime=kit.ToolRuntime),
        tool_of(other, state=Annotated[dict[str, Any], kit.InjectedState], messages=some),
    ]
    return kit.agents.create_agent(scripted(calling(("count", {}), ("other", {})), "ok"), tools)


@agent(Turn({"messages": "hi"}), Turn({"messages": ["one", "two"]}), Turn({"messages": ("user", "hi")}))
def a_string_as_input(kit: Kit) -> Any:
    return kit.agents.create_agent(scripted(mirror, mirror, mirror))


@agent(
    Turn({"messages": [("user", "hi"), ("ai", "yes?"), ("human", "go")]}),
    Turn({"messages": [HumanMessage("hi", id="m1"), {"role": "assistant", "content": "yes?"}]}),
    Turn({"messages": HumanMessage("alone")}),
    Turn({"messages": [SystemMessage("be brief"), {"type": "human", "content": "hi"}]}),
)
def messages_in_many_forms(kit: Kit) -> Any:
    return kit.agents.create_agent(scripted(mirror, mirror, mirror, mirror))


@agent(HI)
def system_prompt(kit: Kit) -> Any:
    return kit.agents.create_agent(scripted(mirror), system_prompt="be brief")


@agent(HI)
def system_message(kit: Kit) -> Any:
    return kit.agents.create_agent(scripted(mirror), system_prompt=SystemMessage("be brief", id="s"))


@agent(HI, Turn({"messages": [HumanMessage("hi", name="me")]}))
def named_agent(kit: Kit) -> Any:
    return kit.agents.create_agent(scripted(calling(ONE), "3", "4"), [add], name="adder")


@agent(Turn({"messages": [HumanMessage("hi")], "user": "me", "log": ["asked"]}))
def more_state(kit: Kit) -> Any:
    class State(kit.agents.AgentState):  # type: ignore[name-defined,misc]
        user: str
        log: Annotated[list[str], list.__add__]

    return kit.agents.create_agent(scripted("hello"), state_schema=State)


@agent(ask("hi", context={"user": "me"}))
def context(kit: Kit) -> Any:
    class Context(TypedDict):
        user: str

    def who(runtime: Any) -> str:
        """Who?"""
        return f"{runtime.context['user']}"

    tools = [tool_of(who, runtime=kit.ToolRuntime)]
    return kit.agents.create_agent(scripted(calling(("who", {})), "ok"), tools, context_schema=Context)


@agent(HI, saved=True)
def a_pause_before_the_tools(kit: Kit) -> Any:
    return kit.agents.create_agent(
        scripted(calling(ONE, OTHER), "3"), [add], checkpointer=kit.InMemorySaver(), interrupt_before=["tools"]
    )


@agent(HI, Turn(None), saved=True)
def on_after_a_pause_before_the_tools(kit: Kit) -> Any:
    return a_pause_before_the_tools(kit)


@agent(HI, Turn(None), Turn(None), saved=True)
def pauses_after_the_model(kit: Kit) -> Any:
    return kit.agents.create_agent(
        scripted(calling(ONE), "3"), [add], checkpointer=kit.InMemorySaver(), interrupt_after=["model"]
    )


@agent(HI, ask("and now?"), saved=True, shapes=True, differences=["models stream for mode tools"])
def a_conversation(kit: Kit) -> Any:
    return kit.agents.create_agent(scripted(calling(ONE), "3", mirror), [add], checkpointer=kit.InMemorySaver())


@agent(HI, Update({"messages": [AIMessage("no", id="x")]}), ask("and now?"), saved=True)
def an_edited_conversation(kit: Kit) -> Any:
    return kit.agents.create_agent(scripted("one", mirror), checkpointer=kit.InMemorySaver())


def asking(kit: Kit) -> Any:
    @tool
    def sure(at: str) -> str:
        """Ask the user."""
        return f"{at}: {kit.interrupt({'sure of': at})}"

    return sure


@agent(HI, answer("yes"), saved=True)
def a_tool_that_asks(kit: Kit) -> Any:
    model = scripted(calling(("sure", {"at": "x"})), mirror)
    return kit.agents.create_agent(model, [asking(kit), add], checkpointer=kit.InMemorySaver())


@agent(
    HI,
    Turn(
        lambda session: session.kit.Command(resume={one.id: f"yes {one.value}" for one in session.state().interrupts})
    ),
    saved=True,
)
def two_tools_that_ask(kit: Kit) -> Any:
    model = scripted(calling(("sure", {"at": "x"}), ("sure", {"at": "y"}), ONE), mirror)
    return kit.agents.create_agent(model, [asking(kit), add], checkpointer=kit.InMemorySaver())


def inside(kit: Kit, agent: Any) -> Any:
    builder = kit.StateGraph(kit.MessagesState).add_node("inner", agent)
    return builder.add_edge(kit.START, "inner").add_edge("inner", kit.END).compile()


@agent(HI, subgraphs=True, differences=["place of a tool's answer"])
def an_agent_as_a_node(kit: Kit) -> Any:
    return inside(kit, kit.agents.create_agent(scripted(calling(ONE, OTHER), "3 and 7"), [add]))


@agent(HI, subgraphs=True, differences=["place of a tool's answer"])
def a_named_agent_as_a_node(kit: Kit) -> Any:
    return inside(kit, kit.agents.create_agent(scripted(calling(ONE), "3"), [add], name="adder"))


@agent(HI, subgraphs=True, differences=["place of a tool's answer"])
def an_agent_as_a_tool(kit: Kit) -> Any:
    inner = kit.agents.create_agent(scripted(calling(ONE), "3"), [add], name="inner")

    @tool
    def solve(task: str) -> str:
        """Let somebody else do it."""
        return str(inner.invoke({"messages": [HumanMessage(task, id="task")]})["messages"][-1].text)

    @tool("solve")
    async def asolve(task: str) -> str:
        """Let somebody else do it."""
        done = await inner.ainvoke({"messages": [HumanMessage(task, id="task")]})
        return str(done["messages"][-1].text)

    model = scripted(calling(("solve", {"task": "1 + 2"})), "it is 3")
    return kit.agents.create_agent(model, [asolve if kit.coroutines else solve])


@agent(HI)
def a_model_that_fails(kit: Kit) -> Any:
    return kit.agents.create_agent(scripted(ConnectionError("the line is dead")), [add])


@agent(HI)
def a_model_that_fails_in_mid_stream(kit: Kit) -> Any:
    return kit.agents.create_agent(scripted(["well ", ConnectionError("the line is dead")]), [add])


@agent(Turn({"messages": "hi"}, {"recursion_limit": 3}))
def too_many_turns(kit: Kit) -> Any:
    return kit.agents.create_agent(scripted(*[calling(ONE, first=number) for number in range(9)]), [add])


@agent(HI)
def a_model_that_does_not_stream(kit: Kit) -> Any:
    return kit.agents.create_agent(scripted(calling(ONE), "it is 3", disable_streaming=True), [add])


@agent(HI, differences=["silent model"])
def a_silent_model(kit: Kit) -> Any:
    return kit.agents.create_agent(scripted(calling(ONE), "it is 3", tags=["nostream"]), [add])


@agent(HI)
def a_model_with_a_tag(kit: Kit) -> Any:
    return kit.agents.create_agent(scripted("hello", tags=["mine"]))


@agent(HI)
def usage_and_reasoning(kit: Kit) -> Any:
    message = AIMessage(
        [{"type": "reasoning", "reasoning": "hm", "index": 0}, {"type": "text", "text": "so", "index": 1}],
        usage_metadata={"input_tokens": 3, "output_tokens": 4, "total_tokens": 7},
        response_metadata={"finish_reason": "stop"},
    )
    return kit.agents.create_agent(scripted(message))
