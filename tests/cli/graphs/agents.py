"""Agents: one whose calls a person decides on, one inside another, one whose answer is an object."""

from typing import Any

from langchain_core.messages import AIMessage
from langchain_core.tools import tool
from pydantic import BaseModel

from headrace.agents import create_agent
from headrace.agents.middleware import AgentMiddleware, HumanInTheLoopMiddleware
from headrace.graph import START, MessagesState, StateGraph
from headrace.prebuilt import ToolRuntime
from headrace.prebuilt.tool_errors import InvalidAnswerError
from headrace.testing import ScriptedChatModel
from headrace.types import interrupt


@tool
def look(at: str, runtime: ToolRuntime) -> str:
    """Look there."""
    if at == "sun":
        raise ValueError("too bright")
    runtime.emit_output_delta(f"looking at {at}")
    return f"blue {at}\nand wide"


def calls(name: str, *args: Any) -> AIMessage:
    return AIMessage("", tool_calls=[{"name": name, "args": one, "id": str(n)} for n, one in enumerate(args)])


def looking(*places: str) -> ScriptedChatModel:
    return ScriptedChatModel(replies=[calls("look", *({"at": at} for at in places)), "Done."])


def reviewed(*places: str, on: Any = True, **options: Any) -> Any:
    return create_agent(looking(*places), tools=[look], middleware=[HumanInTheLoopMiddleware({"look": on}, **options)])


one, two = reviewed("sky"), reviewed("sky", "sea")
per_call = reviewed("sky", on={"allowed_decisions": ["approve", "reject"]}, interrupt_mode="per_call")


def insist(state: MessagesState) -> Any:
    answer = interrupt("a number?")
    if not isinstance(answer, int):
        raise InvalidAnswerError(f"a number is needed, got {answer!r}")
    return {"messages": [("ai", f"it is {answer}")]}


insisting = StateGraph(MessagesState).add_node(insist).add_edge(START, "insist").compile()
telling = create_agent(looking("sky", "sun"), tools=[look])


class Idle(AgentMiddleware):
    """Has hooks, and now and then something to say."""

    def before_model(self, state: Any, runtime: Any) -> None: ...

    def after_model(self, state: Any, runtime: Any) -> Any:
        return {"messages": [("user", "Thanks.")]}


idle = create_agent(ScriptedChatModel(replies=["Done."]), middleware=[Idle()])
scholar = create_agent(ScriptedChatModel(replies=["It is blue."]), name="scholar")


@tool
def ask_scholar(question: str) -> str:
    """Ask the scholar."""
    return str(scholar.invoke({"messages": question})["messages"][-1].text)


asking: Any = ScriptedChatModel(replies=[calls("ask_scholar", {"question": "why?"}), "Done."])
nested = create_agent(asking, tools=[ask_scholar], name="pupil")


class Weather(BaseModel):
    """The weather somewhere."""

    city: str
    degrees: int


objects = [calls("Weather", {"city": "Rome", "degrees": degrees}) for degrees in ("hot", 30)]
weather = create_agent(ScriptedChatModel(replies=objects, chunks=8), response_format=Weather)
