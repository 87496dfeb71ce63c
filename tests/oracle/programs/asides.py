"""Situations in which headrace means to do otherwise; see `differences.py`."""

from __future__ import annotations

from typing import Any

from langchain_core.messages import AIMessage
from langchain_core.runnables import RunnableLambda

from ..program import Turn, program
from ..roots import Kit
from .control import saying
from .returns import State


@program(Turn({"x": 0}, options={"stream_mode": "nonsense"}), differences=("unknown mode",))
def unknown_mode(kit: Kit) -> Any:
    return kit.chain(State, a=saying("a")).compile()


@program(Turn({"x": 0}), differences=("writer outside a run",))
def writer_outside_a_run(kit: Kit) -> Any:
    try:
        kit.get_stream_writer()({"nobody": "listens"})
        outcome = "nothing"
    except RuntimeError as error:
        outcome = type(error).__name__
    return kit.chain(State, a=lambda state: {"log": [outcome]}).compile()


@program(Turn({"messages": []}), differences=("nostream node",))
def message_returned_by_a_nostream_node(kit: Kit) -> Any:
    quiet: Any = RunnableLambda(lambda state: {"messages": [AIMessage("quiet", id="q")]}).with_config(tags=["nostream"])
    return kit.StateGraph(kit.MessagesState).add_node("quiet", quiet).add_edge(kit.START, "quiet").compile()
