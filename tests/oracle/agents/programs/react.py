"""The agent of older code, `create_react_agent`."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from typing import Annotated, Any

from langchain_core.messages import HumanMessage, RemoveMessage, SystemMessage, ToolMessage
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import RunnableLambda
from pydantic import BaseModel, create_model
from typing_extensions import NotRequired, TypedDict

from headrace.agents.history import UNANSWERED

from ...differences import Difference, resumed_limit
from ...program import Session, Turn
from ...roots import REFERENCE, Kit
from ..compare import WORDS_OF_ERRORS, agent, answer, ask, calling, scripted
from ..parts import ONE, OTHER, add, direct, fail, mirror, tool_of

Build = Callable[[Kit], Any]

HI = ask("hi")
ON = Turn(None, resumed_limit(50))


class Person(BaseModel):
    """Somebody."""

    name: str


def older(*turns: Any, differences: Any = (), **facts: Any) -> Callable[[Build], Build]:
    return agent(*turns, differences=["input of a tool's task", *differences], **facts)


def react(kit: Kit, *arguments: Any, **options: Any) -> Any:
    """The agent; the reference says that there is a newer one, and of some arguments that they are deprecated."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return kit.create_react_agent(*arguments, **options)


@older(HI, shapes=True)
def react_plain_answer(kit: Kit) -> Any:
    return react(kit, scripted("hello to you"), [])


@older(HI, shapes=True)
def react_parallel_calls(kit: Kit) -> Any:
    return react(kit, scripted(calling(ONE, OTHER), "3 and 7"), [add])


@older(HI, shapes=True)
def react_parallel_calls_in_version_1(kit: Kit) -> Any:
    return react(kit, scripted(calling(ONE, OTHER), "3 and 7"), [add], version="v1")


@older(HI, differences=["failing tool"])
def react_failing_tool(kit: Kit) -> Any:
    return react(kit, scripted(calling(("fail", {"at": "luck"})), "no luck"), [fail])


@older(HI, differences=["failing tool"])
def react_failing_tool_in_version_1(kit: Kit) -> Any:
    return react(kit, scripted(calling(("fail", {"at": "luck"}), ONE), "no luck"), [fail, add], version="v1")


@older(HI, differences=[WORDS_OF_ERRORS])
def react_errors_as_the_node_for_tools_has_them(kit: Kit) -> Any:
    node = kit.ToolNode([fail, add], handle_tool_errors=True)
    return react(kit, scripted(calling(("fail", {"at": "luck"}), ONE), "no luck"), node)


@older(HI)
def react_errors_in_own_words(kit: Kit) -> Any:
    node = kit.ToolNode([fail], handle_tool_errors="bad luck")
    return react(kit, scripted(calling(("fail", {"at": "luck"})), "no luck"), node)


@older(HI)
def react_direct_answer(kit: Kit) -> Any:
    return react(kit, scripted(calling(("direct", {"at": "x"}))), [direct, add])


@older(HI)
def react_direct_answer_in_version_1(kit: Kit) -> Any:
    return react(kit, scripted(calling(("direct", {"at": "x"}))), [direct, add], version="v1")


@older(HI, differences=["one direct answer of several"])
def react_a_direct_answer_among_others(kit: Kit) -> Any:
    return react(kit, scripted(calling(("direct", {"at": "x"}), ONE), "both"), [direct, add])


@older(HI, differences=[WORDS_OF_ERRORS])
def react_unknown_tool(kit: Kit) -> Any:
    return react(kit, scripted(calling(("guess", {})), "sorry"), [add])


@older(HI, differences=[WORDS_OF_ERRORS])
def react_bad_arguments(kit: Kit) -> Any:
    return react(kit, scripted(calling(("add", {"a": "one"}), OTHER), "sorry"), [add])


@older(HI)
def react_prompt_as_text(kit: Kit) -> Any:
    return react(kit, scripted(mirror), [add], prompt="be brief")


@older(HI)
def react_prompt_as_a_message(kit: Kit) -> Any:
    return react(kit, scripted(mirror), [add], prompt=SystemMessage("be brief"))


@older(HI)
def react_prompt_as_a_function(kit: Kit) -> Any:
    def prompt(state: Any) -> Any:
        return [SystemMessage(f"there are {len(state['messages'])}"), *state["messages"]]

    return react(kit, scripted(calling(ONE), mirror), [add], prompt=kit.node(prompt))


@older(ask("hi", context={"user": "me"}))
def react_prompt_that_knows_the_config(kit: Kit) -> Any:
    def prompt(state: Any, config: Any) -> Any:
        return [SystemMessage(f"{sorted(config['metadata'])[-1]}"), *state["messages"]]

    prompt.__annotations__["config"] = __import__("langchain_core.runnables", fromlist=["x"]).RunnableConfig
    return react(kit, scripted(mirror), [add], prompt=prompt, context_schema=dict)


@older(HI)
def react_prompt_as_a_runnable(kit: Kit) -> Any:
    prompt = ChatPromptTemplate.from_messages([("system", "be brief"), ("placeholder", "{messages}")])
    return react(kit, scripted(mirror), [add], prompt=prompt)


@older(HI)
def react_prompt_as_a_lambda(kit: Kit) -> Any:
    return react(kit, scripted(mirror), [add], prompt=RunnableLambda(lambda state: state["messages"] * 2))


@older(HI, differences=["messages for the model alone"])
def react_messages_for_the_model_alone(kit: Kit) -> Any:
    def shorten(state: Any) -> Any:
        return {"llm_input_messages": [HumanMessage(f"only this, of {len(state['messages'])}", id="only")]}

    return react(kit, scripted(calling(ONE), mirror), [add], pre_model_hook=kit.node(shorten))


@older(HI, differences=["messages for the model alone"])
def react_messages_for_the_model_alone_and_a_prompt(kit: Kit) -> Any:
    def shorten(state: Any) -> Any:
        return {"llm_input_messages": [HumanMessage("only this", id="only")]}

    return react(kit, scripted(mirror), [add], pre_model_hook=kit.node(shorten), prompt="be brief")


@older(HI)
def react_other_messages(kit: Kit) -> Any:
    def forget(state: Any) -> Any:
        return {"messages": [RemoveMessage(kit.REMOVE_ALL_MESSAGES), HumanMessage("new", id="new")]}

    return react(kit, scripted(mirror), [add], pre_model_hook=kit.node(forget))


@older(HI)
def react_post_model_hook(kit: Kit) -> Any:
    def look(state: Any) -> Any:
        kit.get_stream_writer()({"by": "post_model_hook", "messages": len(state["messages"])})
        return {}

    return react(kit, scripted(calling(ONE, OTHER), mirror), [add], post_model_hook=kit.node(look))


@older(HI, differences=["hook after the model in version 1"])
def react_post_model_hook_in_version_1(kit: Kit) -> Any:
    def look(state: Any) -> Any:
        return {"messages": []}

    return react(kit, scripted(calling(ONE, OTHER), mirror), [add], post_model_hook=kit.node(look), version="v1")


@older(HI)
def react_post_model_hook_that_answers_a_call(kit: Kit) -> Any:
    def refuse(state: Any) -> Any:
        calls = getattr(state["messages"][-1], "tool_calls", [])[:1]
        return {"messages": [ToolMessage("no", tool_call_id=call["id"], id="no", name="add") for call in calls]}

    return react(kit, scripted(calling(ONE, OTHER), mirror), [add], post_model_hook=kit.node(refuse))


@older(HI)
def react_both_hooks_and_an_object(kit: Kit) -> Any:
    def nothing(state: Any) -> Any:
        return {}

    model = scripted(calling(ONE), "it is Ada", calling(("Person", {"name": "Ada"})))
    hook = kit.node(nothing)
    return react(kit, model, [add], pre_model_hook=hook, post_model_hook=hook, response_format=Person)


@older(HI, shapes=True)
def react_object(kit: Kit) -> Any:
    return react(kit, scripted("it is Ada", calling(("Person", {"name": "Ada"}))), [add], response_format=Person)


@older(HI)
def react_object_with_a_prompt(kit: Kit) -> Any:
    def described(messages: list[Any]) -> Any:
        return calling(("Person", {"name": mirror(messages)}))

    return react(kit, scripted("it is Ada", described), [add], response_format=("say who", Person))


@older(HI)
def react_object_by_a_json_schema(kit: Kit) -> Any:
    schema = {
        "title": "Person",
        "description": "Somebody.",
        "type": "object",
        "properties": {"name": {"type": "string"}},
    }
    return react(kit, scripted("it is Ada", calling(("Person", {"name": "Ada"}))), [add], response_format=schema)


@older(HI)
def react_model_by_a_function(kit: Kit) -> Any:
    model = scripted(calling(ONE), mirror)

    def choose(state: Any, runtime: Any) -> Any:
        return model.bind_tools([add])

    return react(kit, kit.node(choose), [add])


@older(HI)
def react_model_with_tools_of_its_own(kit: Kit) -> Any:
    return react(kit, scripted(calling(ONE), mirror).bind_tools([add]), [add])


@older(Turn({"messages": [HumanMessage("hi", id="hi")], "user": "me"}))
def react_more_state(kit: Kit) -> Any:
    messages = Annotated[list[Any], kit.add_messages]
    fields = {"messages": messages, "remaining_steps": NotRequired[kit.RemainingSteps], "user": str}
    state: Any = TypedDict("State", fields)  # type: ignore[misc] # made at run time

    def who(state: Any) -> str:
        """Who?"""
        return str(state["user"])

    def prompt(state: Any) -> Any:
        return [SystemMessage(state["user"]), *state["messages"]]

    tools = [tool_of(who, state=Annotated[dict[str, Any], kit.InjectedState])]
    return react(kit, scripted(calling(("who", {})), mirror), tools, state_schema=state, prompt=kit.node(prompt))


@older(Turn({"messages": [HumanMessage("hi", id="hi")], "user": "me"}))
def react_pydantic_state(kit: Kit) -> Any:
    messages = Annotated[list[Any], kit.add_messages]
    state = create_model("State", messages=(messages, ...), remaining_steps=(kit.RemainingSteps, 25), user=(str, ...))

    def prompt(state: Any) -> Any:
        return [SystemMessage(state.user), *state.messages]

    return react(kit, scripted(calling(ONE), mirror), [add], state_schema=state, prompt=kit.node(prompt))


@older(Turn({"messages": "hi"}, {"recursion_limit": 2}), differences=["words when steps run out"])
def react_out_of_steps(kit: Kit) -> Any:
    return react(kit, scripted(*[calling(ONE, first=number) for number in range(5)]), [add])


@older(Turn({"messages": "hi"}, {"recursion_limit": 5}), differences=["words when steps run out", "limit met exactly"])
def react_out_of_steps_later(kit: Kit) -> Any:
    return react(kit, scripted(*[calling(ONE, first=number) for number in range(5)]), [add])


@older(HI, ON, saved=True)
def react_a_pause_before_the_tools(kit: Kit) -> Any:
    return react(
        kit, scripted(calling(ONE, OTHER), "3"), [add], checkpointer=kit.InMemorySaver(), interrupt_before=["tools"]
    )


@older(HI, ON, saved=True)
def react_a_pause_before_the_tools_in_version_1(kit: Kit) -> Any:
    saver = kit.InMemorySaver()
    return react(
        kit, scripted(calling(ONE, OTHER), "3"), [add], checkpointer=saver, interrupt_before=["tools"], version="v1"
    )


@older(HI, ON, saved=True)
def react_a_pause_after_the_agent(kit: Kit) -> Any:
    return react(kit, scripted(calling(ONE), "3"), [add], checkpointer=kit.InMemorySaver(), interrupt_after=["agent"])


@older(HI, ask("and now?"), saved=True)
def react_a_conversation(kit: Kit) -> Any:
    return react(kit, scripted(calling(ONE), "3", mirror), [add], checkpointer=kit.InMemorySaver())


@older(HI, Turn(answer("yes").input, resumed_limit(50)), saved=True)
def react_a_tool_that_asks(kit: Kit) -> Any:
    def sure(at: str) -> str:
        """Ask the user."""
        return f"{at}: {kit.interrupt({'sure of': at})}"

    return react(
        kit, scripted(calling(("sure", {"at": "x"})), mirror), [tool_of(sure)], checkpointer=kit.InMemorySaver()
    )


@older(HI, subgraphs=True, differences=["name of an older agent", "place of a tool's answer"])
def react_named_as_a_node(kit: Kit) -> Any:
    inner = react(kit, scripted(calling(ONE), "3"), [add], name="adder")
    builder = kit.StateGraph(kit.MessagesState).add_node("inner", inner)
    return builder.add_edge(kit.START, "inner").add_edge("inner", kit.END).compile()


@older(Turn({"messages": [HumanMessage("hi"), calling(ONE), ("user", "and?")]}), differences=["unanswered call"])
def react_an_unanswered_call_in_the_input(kit: Kit) -> Any:
    return react(kit, scripted(mirror), [add])


def answered_there(session: Session) -> Any:
    """A history with a call that nobody answered; with our answer where the reference is asked."""
    answer = ToolMessage(UNANSWERED, name="add", tool_call_id="c1", status="error")
    mended = [answer] if session.kit.root is REFERENCE else []
    return {"messages": [HumanMessage("hi"), calling(ONE), *mended, ("user", "and?")]}


def said(lines: list[str]) -> list[str]:
    """What the model says and the state at the end; ids are given in another order."""
    *_, end = [line for line in lines if line.startswith("() values")] or [""]
    told = [line for line in lines if line.startswith(("() messages", "=="))]
    return [re.sub(r"#\d+", "#", line) for line in [*told, end]]


@older(Turn(answered_there), differences=[Difference("When our answer comes into the history.", said, both=True)])
def react_an_unanswered_call_is_as_one_that_was_answered(kit: Kit) -> Any:
    return react(kit, scripted(mirror), [add])
