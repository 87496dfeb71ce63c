"""The `messages` mode: what models stream, and the messages that nodes return."""

from __future__ import annotations

from typing import Any

from langchain_core.messages import AIMessage, HumanMessage, RemoveMessage, ToolMessage
from langchain_core.runnables import RunnableLambda

from ..models import Calling, Failing, Marked, Whole, Words
from ..program import Turn, program
from ..roots import Kit
from .spec import Joke, asking

ICE_CREAM = Turn({"topic": "ice cream"})
HELLO = Turn({"messages": [HumanMessage("hi", id="h1")]})


@program(ICE_CREAM)
def model_marks_its_last_chunk(kit: Kit) -> Any:
    return kit.chain(Joke, ask=asking(Marked(), "joke")).compile()


@program(ICE_CREAM)
def model_without_streaming(kit: Kit) -> Any:
    return kit.chain(Joke, ask=asking(Whole(), "joke")).compile()


@program(ICE_CREAM)
def streaming_switched_off(kit: Kit) -> Any:
    return kit.chain(Joke, ask=asking(Words(disable_streaming=True), "joke")).compile()


@program(ICE_CREAM)
def streaming_switched_off_for_tool_calls(kit: Kit) -> Any:
    return kit.chain(Joke, ask=asking(Words(disable_streaming="tool_calling"), "joke")).compile()


@program(ICE_CREAM)
def model_tagged_nostream(kit: Kit) -> Any:
    return kit.chain(Joke, ask=asking(Words(tags=["nostream"]), "joke")).compile()


@program(ICE_CREAM)
def model_bound_with_tags(kit: Kit) -> Any:
    return kit.chain(Joke, ask=asking(Words().with_config(tags=["joke", "x"], metadata={"m": 1}), "joke")).compile()


@program(ICE_CREAM)
def model_breaks_after_a_word(kit: Kit) -> Any:
    return kit.chain(Joke, ask=asking(Failing(), "joke")).compile()


@program(ICE_CREAM)
def model_streamed_by_the_node(kit: Kit) -> Any:
    def ask(state: Joke) -> Any:
        return {"joke": "".join(str(chunk.content) for chunk in Words().stream("joke"))}

    return kit.chain(Joke, ask=ask).compile()


@program(ICE_CREAM, drivers=("async",))
def model_astreamed_by_the_node(kit: Kit) -> Any:
    async def ask(state: Joke) -> Any:
        return {"joke": "".join([str(chunk.content) async for chunk in Words().astream("joke")])}

    return kit.StateGraph(Joke).add_node("ask", ask).add_edge(kit.START, "ask").compile()


@program(ICE_CREAM)
def model_in_a_runnable_sequence(kit: Kit) -> Any:
    sequence = RunnableLambda(lambda state: state["topic"]) | Words() | (lambda answer: {"joke": answer.content})
    builder = kit.StateGraph(Joke).add_node("ask", sequence)
    return builder.add_edge(kit.START, "ask").add_edge("ask", kit.END).compile()


@program(
    Turn({"topic": "ice cream"}, {"metadata": {"mm": 1}, "tags": ["runtag"], "configurable": {"other": "o"}}),
    saved=True,
    differences=("user's keys in a checkpoint's config",),
)
def config_of_the_user(kit: Kit) -> Any:
    return kit.chain(Joke, ask=asking(Words(), "joke")).compile(checkpointer=kit.InMemorySaver())


@program(HELLO)
def answer_goes_into_the_state(kit: Kit) -> Any:
    return kit.chain(kit.MessagesState, call=lambda state: {"messages": [Words().invoke(state["messages"])]}).compile()


@program(HELLO)
def answer_is_one_message_not_a_list(kit: Kit) -> Any:
    return kit.chain(kit.MessagesState, call=lambda state: {"messages": Words().invoke(state["messages"])}).compile()


@program(HELLO, Turn({"messages": "and again"}), saved=True)
def conversation(kit: Kit) -> Any:
    def call(state: Any) -> Any:
        return {"messages": Words(answer=f"answer {len(state['messages'])}").invoke(state["messages"])}

    return kit.chain(kit.MessagesState, call=call).compile(checkpointer=kit.InMemorySaver())


@program(HELLO)
def messages_made_by_a_node(kit: Kit) -> Any:
    made = [AIMessage("static"), HumanMessage("h", id="mine"), ToolMessage("t", tool_call_id="1")]
    return kit.chain(kit.MessagesState, static=lambda state: {"messages": made}).compile()


@program(HELLO)
def message_seen_before_is_not_told_again(kit: Kit) -> Any:
    def first(state: Any) -> Any:
        return {"messages": [*state["messages"], AIMessage("new", id="n")]}

    def second(state: Any) -> Any:
        return {"messages": [state["messages"][-1], AIMessage("newer", id="m")]}

    return kit.chain(kit.MessagesState, first=first, second=second).compile()


@program(HELLO)
def one_id_said_twice(kit: Kit) -> Any:
    def first(state: Any) -> Any:
        return {"messages": [AIMessage("dup 1", id="dup"), AIMessage("dup 2", id="dup")]}

    return kit.chain(kit.MessagesState, first=first).compile()


@program(HELLO)
def messages_replaced_and_removed(kit: Kit) -> Any:
    def replace(state: Any) -> Any:
        return {"messages": [HumanMessage("changed", id="h1"), AIMessage("two", id="a2")]}

    def remove(state: Any) -> Any:
        return {"messages": [RemoveMessage(id="h1")]}

    def clear(state: Any) -> Any:
        return {"messages": [RemoveMessage(id=kit.REMOVE_ALL_MESSAGES), AIMessage("only", id="a3")]}

    return kit.chain(kit.MessagesState, replace=replace, remove=remove, clear=clear).compile()


@program(HELLO, differences=("merge that fails",))
def removing_what_is_not_there(kit: Kit) -> Any:
    return kit.chain(kit.MessagesState, remove=lambda state: {"messages": [RemoveMessage(id="zz")]}).compile()


@program(HELLO)
def message_from_a_command(kit: Kit) -> Any:
    def act(state: Any) -> Any:
        return kit.Command(update={"messages": [AIMessage("from a command", id="c")]})

    return kit.chain(kit.MessagesState, act=act).compile()


@program(HELLO)
def tool_call_streamed(kit: Kit) -> Any:
    def tools(state: Any) -> Any:
        call = state["messages"][-1].tool_calls[0]
        return {"messages": [ToolMessage(f"saw {call['args']['at']}", tool_call_id=call["id"])]}

    return kit.chain(
        kit.MessagesState, call=lambda state: {"messages": [Calling().invoke(state["messages"])]}, tools=tools
    ).compile()


@program(HELLO)
def message_pushed(kit: Kit) -> Any:
    def push(state: Any) -> Any:
        kit.push_message(AIMessage("pushed", id="p"))
        return {"messages": [AIMessage("returned", id="r")]}

    return kit.chain(kit.MessagesState, push=push).compile()


@program(HELLO, subgraphs=True, differences=("tokens for nobody",))
def model_in_a_subgraph(kit: Kit) -> Any:
    inner = kit.chain(kit.MessagesState, ask=lambda state: {"messages": [Words().invoke(state["messages"])]})
    outer = kit.StateGraph(kit.MessagesState).add_node("sub", inner.compile())
    return outer.add_edge(kit.START, "sub").add_edge("sub", kit.END).compile()


@program(HELLO)
def node_tagged_in_its_metadata(kit: Kit) -> Any:
    builder = kit.StateGraph(kit.MessagesState)
    builder.add_node("say", kit.node(lambda state: {"messages": [AIMessage("m", id="m")]}), metadata={"kind": "talk"})
    return builder.add_edge(kit.START, "say").compile()
