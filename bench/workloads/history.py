"""Row 8: a node appends one message to a conversation of a given length."""

# No postponed annotations here: the state below names a reducer that is local to a function.

import itertools
import time
from collections.abc import Callable, Iterator
from typing import Annotated, Any, TypedDict

import budget
from harness.measure import Engine, Probe, Workload
from langchain_core.messages import AIMessage, HumanMessage

from workloads.graphs import CONFIG, expect

SIZES = (0, 100, 1000, 5000)
STEPS = 20
PASS_RUNS = 3


def workloads() -> Iterator[Workload]:
    for size in SIZES:
        yield Workload(
            8,
            f"append to {size} messages",
            "step",
            _append_to(size),
            budget.HISTORY_5000 if size == 5000 else budget.NO_GOAL,
            series=("history append", size),
            repeated=STEPS,
        )


def _append_to(size: int) -> Callable[[Engine], Probe]:
    history = [HumanMessage(content=f"message {index}", id=f"h{index}") for index in range(size)]

    def build(engine: Engine) -> Probe:
        starts: list[float] = []
        graph = _loop(engine, starts)

        def probe() -> float:
            spent = 0.0
            for _ in range(PASS_RUNS):
                starts.clear()
                end = graph.invoke({"messages": list(history), "x": 0}, CONFIG)
                # From the first node on: merging a whole history that comes as input is not an append.
                spent += time.process_time() - starts[0]
                expect(len(end["messages"]), size + STEPS)
            return spent / (PASS_RUNS * STEPS) * 1e6

        return probe

    return build


def _loop(engine: Engine, starts: list[float]) -> Any:
    """A node that appends and goes back to itself; it notes when it starts."""
    add_messages = engine.get("graph.message", "add_messages")
    end = engine.get("graph", "END")
    number = itertools.count()

    class Conversation(TypedDict):
        messages: Annotated[list[Any], add_messages]
        x: int

    def node(state: Any) -> dict[str, Any]:
        starts.append(time.process_time())
        return {"messages": [AIMessage(content="hello", id=f"a{next(number)}")], "x": state["x"] + 1}

    builder = engine.get("graph", "StateGraph")(Conversation)
    builder.add_node("node", node)
    builder.add_edge(engine.get("graph", "START"), "node")
    builder.add_conditional_edges("node", lambda state: "node" if state["x"] < STEPS else end, ["node", end])
    return builder.compile()
