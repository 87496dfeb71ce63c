"""Runs that stop to ask, and go on with the answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..differences import resumed_limit
from ..program import Later, Session, Turn, program
from ..roots import Kit
from .control import saying
from .returns import State
from .subgraphs import Items

if TYPE_CHECKING:
    from headrace.types import StreamWriter

ZERO = Turn({"x": 0})


def resume(answer: Any) -> Turn:
    return Turn(lambda session: session.kit.Command(resume=answer))


def answer_each(answers: dict[str, Any]) -> Later:
    """Answers by id, for those questions that are in `answers`."""

    def later(session: Session) -> Any:
        asked = {question.value: question.id for question in session.state().interrupts}
        return session.kit.Command(resume={asked[value]: answer for value, answer in answers.items()})

    return later


def asking(kit: Kit, *questions: str) -> Any:
    def ask(state: Any) -> Any:
        return {"log": [kit.interrupt(question) for question in questions]}

    return ask


@program(ZERO, resume(42), saved=True, drivers=("sync", "async", "threads"))
def one_question(kit: Kit) -> Any:
    return kit.chain(State, ask=asking(kit, "what?"), then=saying("then")).compile(checkpointer=kit.InMemorySaver())


@program(ZERO, resume("one"), resume("two"), saved=True)
def two_questions_in_a_node(kit: Kit) -> Any:
    return kit.chain(State, ask=asking(kit, "q1", "q2")).compile(checkpointer=kit.InMemorySaver())


@program(ZERO, Turn(None), resume("late"), saved=True)
def continued_without_an_answer(kit: Kit) -> Any:
    return kit.chain(State, ask=asking(kit, "q")).compile(checkpointer=kit.InMemorySaver())


@program(ZERO, Turn({"x": 5}), resume("now"), saved=True)
def new_input_instead_of_an_answer(kit: Kit) -> Any:
    return kit.chain(State, ask=asking(kit, "q")).compile(checkpointer=kit.InMemorySaver())


@program(ZERO, Turn(lambda session: session.kit.Command(resume="r", update={"x": 8})), saved=True)
def answer_with_an_update(kit: Kit) -> Any:
    return kit.chain(State, ask=asking(kit, "q"), see=lambda state: {"y": state["x"]}).compile(
        checkpointer=kit.InMemorySaver()
    )


@program(ZERO, resume("b"), saved=True, differences=("question of the way in",))
def question_of_the_way_in(kit: Kit) -> Any:
    builder = kit.StateGraph(State).add_node("a", saying("a")).add_node("b", saying("b"))
    builder.add_conditional_edges(kit.START, lambda state: kit.interrupt("which?"), ["a", "b"])
    return builder.compile(checkpointer=kit.InMemorySaver())


@program(ZERO, resume(1), saved=True)
def question_after_custom_data(kit: Kit) -> Any:
    def ask(state: State, writer: StreamWriter) -> Any:
        writer({"by": "ask", "said": "before"})
        answer = kit.interrupt({"question": ["any", "value"]})
        writer({"by": "ask", "said": "after"})
        return {"x": answer}

    return kit.chain(State, ask=ask).compile(checkpointer=kit.InMemorySaver())


@program(ZERO)
def question_without_a_saver(kit: Kit) -> Any:
    return kit.chain(State, a=saying("a"), ask=asking(kit, "q")).compile()


@program(ZERO, Turn(answer_each({"qa": "A", "qc": "C"})), saved=True, parallel=True)
def parallel_questions_answered_at_once(kit: Kit) -> Any:
    return _parallel(kit)


@program(ZERO, Turn(answer_each({"qc": "C"})), Turn(answer_each({"qa": "A"})), saved=True, parallel=True)
def parallel_questions_answered_one_by_one(kit: Kit) -> Any:
    return _parallel(kit)


@program(ZERO, resume("bare"), saved=True, parallel=True, differences=("answer without an id",))
def parallel_questions_answered_without_an_id(kit: Kit) -> Any:
    return _parallel(kit)


def _parallel(kit: Kit) -> Any:
    nodes = {"a": asking(kit, "qa"), "b": saying("b"), "c": asking(kit, "qc"), "end": saying("end")}
    starts = ((kit.START, "a"), (kit.START, "b"), (kit.START, "c"))
    return kit.graph(State, nodes, *starts, (("a", "b", "c"), "end")).compile(checkpointer=kit.InMemorySaver())


@program(ZERO, Turn(answer_each({"q0": 0, "q1": 1, "q2": 2})), saved=True, parallel=True)
def questions_of_sends(kit: Kit) -> Any:
    nodes = {"w": lambda state: {"log": [kit.interrupt(f"q{state['i']}")]}}
    builder = kit.graph(State, nodes)
    builder.add_conditional_edges(kit.START, lambda state: [kit.Send("w", {"i": i}) for i in range(3)])
    return builder.compile(checkpointer=kit.InMemorySaver())


@program(ZERO, resume("deep"), saved=True, subgraphs=True)
def question_in_a_subgraph(kit: Kit) -> Any:
    inner = kit.chain(State, before=saying("before"), ask=asking(kit, "inner?")).compile()
    builder = kit.StateGraph(State).add_node("sub", inner).add_node("after", kit.node(saying("after")))
    builder.add_edge(kit.START, "sub").add_edge("sub", "after")
    return builder.compile(checkpointer=kit.InMemorySaver())


@program(ZERO, resume("r"), saved=True, subgraphs=True)
def question_in_a_subgraph_called_in_a_node(kit: Kit) -> Any:
    inner = kit.chain(State, ask=asking(kit, "inner?")).compile()

    def call(state: State) -> Any:
        return {"log": inner.invoke({"x": 1, "log": []})["log"]}

    async def acall(state: State) -> Any:
        return {"log": (await inner.ainvoke({"x": 1, "log": []}))["log"]}

    builder = kit.StateGraph(State).add_node("call", acall if kit.coroutines else call)
    return builder.add_edge(kit.START, "call").compile(checkpointer=kit.InMemorySaver())


@program(ZERO, Turn(answer_each({"qa": "A", "qb": "B"})), saved=True, subgraphs=True, parallel=True)
def questions_in_parallel_subgraphs(kit: Kit) -> Any:
    def inner(name: str) -> Any:
        return kit.chain(Items, **{name: asking(kit, f"q{name}")}).compile()

    builder = kit.StateGraph(State).add_node("left", inner("a")).add_node("right", inner("b"))
    return builder.add_edge(kit.START, "left").add_edge(kit.START, "right").compile(checkpointer=kit.InMemorySaver())


BEFORE_B = {"interrupt_before": ["b"]}
AFTER_A = {"interrupt_after": ["a"]}


@program(ZERO, Turn(None), Turn({"x": 1}), Turn(None), saved=True)
def stop_before_a_node(kit: Kit) -> Any:
    return kit.chain(State, a=saying("a"), b=saying("b")).compile(kit.InMemorySaver(), interrupt_before=["b"])


@program(ZERO, Turn(None), saved=True)
def stop_after_a_node(kit: Kit) -> Any:
    return kit.chain(State, a=saying("a"), b=saying("b")).compile(kit.InMemorySaver(), interrupt_after=["a"])


@program(ZERO, Turn(None), Turn(None), Turn(None), saved=True)
def stop_before_every_node(kit: Kit) -> Any:
    return kit.chain(State, a=saying("a"), b=saying("b")).compile(kit.InMemorySaver(), interrupt_before="*")


@program(Turn({"x": 0}, options=BEFORE_B), Turn(None, options=BEFORE_B), saved=True)
def stop_before_asked_by_the_run(kit: Kit) -> Any:
    return kit.chain(State, a=saying("a"), b=saying("b")).compile(kit.InMemorySaver())


@program(Turn({"x": 0}, options=AFTER_A), Turn(None, options=AFTER_A), saved=True)
def stop_after_asked_by_the_run(kit: Kit) -> Any:
    return kit.chain(State, a=saying("a"), b=saying("b")).compile(kit.InMemorySaver())


@program(ZERO, Turn(None), saved=True, subgraphs=True)
def stop_in_a_subgraph(kit: Kit) -> Any:
    inner = kit.chain(State, a=saying("a"), b=saying("b")).compile(interrupt_before=["b"])
    builder = kit.StateGraph(State).add_node("sub", inner).add_edge(kit.START, "sub")
    return builder.compile(kit.InMemorySaver())


@program(Turn({"x": 0}, options={"interrupt_before": ["a"]}), Turn(None, resumed_limit(5)), saved=True)
def recursion_limit_of_a_resumed_run(kit: Kit) -> Any:
    builder = kit.graph(State, {"a": saying("a"), "b": saying("b")}, (kit.START, "a"), ("a", "b"), ("b", "a"))
    return builder.compile(kit.InMemorySaver())


@program(ZERO, resume("c"), saved=True)
def question_and_goto(kit: Kit) -> Any:
    def ask(state: State) -> Any:
        return kit.Command(update={"x": 1}, goto=kit.interrupt("where to?"))

    nodes = {"ask": ask, "b": saying("b"), "c": saying("c")}
    return kit.graph(State, nodes, (kit.START, "ask")).compile(checkpointer=kit.InMemorySaver())
