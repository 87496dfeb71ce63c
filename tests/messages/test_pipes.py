"""A graph fits wherever langchain-core takes a Runnable, and has what a Runnable has."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.output_parsers import BaseOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import (
    Runnable,
    RunnableGenerator,
    RunnableLambda,
    RunnableParallel,
    RunnablePassthrough,
    RunnableSequence,
)
from pydantic import BaseModel

from headrace.graph import START, MessagesState, StateGraph
from tests.messages.build import Said, asking, gather, model, one

PROMPT = ChatPromptTemplate.from_messages([("user", "about {topic}")])


def upper() -> Any:
    """A graph with a sync and an async form of the same."""
    return one(RunnableLambda(lambda state: {"said": state["asked"].upper()}), "upper")


def talk() -> Any:
    def node(state: MessagesState) -> Any:
        return {"messages": [model().invoke(state["messages"])]}

    return one(node, "talk", MessagesState)


ASKED = {"asked": "why"}
SAID = {"asked": "why", "said": "WHY"}


def test_a_graph_counts_as_a_runnable() -> None:
    assert isinstance(upper(), Runnable)


def both(runnable: Any, input: Any) -> Any:
    """What invoke and ainvoke give, if it is the same."""
    result = runnable.invoke(input)
    assert asyncio.run(runnable.ainvoke(input)) == result
    return result


def test_prompt_into_graph_into_function() -> None:
    chain = (
        PROMPT | (lambda prompt: {"messages": prompt.to_messages()}) | talk() | (lambda s: s["messages"][-1].content)
    )
    assert both(chain, {"topic": "ice"}) == "why not"


def test_graph_into_parser() -> None:
    class Said(BaseOutputParser[str]):
        def parse(self, text: str) -> str:
            return text.lower()

    assert both(one(RunnableLambda(lambda state: "WHY"), schema=str) | Said(), "x") == "why"


def test_graph_into_graph() -> None:
    chain = upper() | upper()
    assert isinstance(chain, RunnableSequence)
    assert both(chain, ASKED) == SAID


def test_function_and_dict_into_graph() -> None:
    assert both((lambda asked: {"asked": asked}) | upper(), "why") == SAID
    assert both({"asked": lambda asked: asked} | upper(), "why") == SAID
    assert both(upper() | {"one": lambda state: state["said"], "two": upper()}, ASKED) == {"one": "WHY", "two": SAID}


def test_graph_in_a_parallel() -> None:
    assert both(RunnableParallel(a=upper(), b=upper()), ASKED) == {"a": SAID, "b": SAID}


def test_graph_returned_by_a_function_is_run() -> None:
    graph = upper()
    assert both(RunnableLambda(lambda state: graph), ASKED) == SAID


async def test_streams_of_a_chain_are_those_of_the_graph() -> None:
    chain = RunnablePassthrough() | upper()
    assert list(chain.stream(ASKED)) == [{"upper": {"said": "WHY"}}]
    assert await gather(chain.astream(ASKED)) == [{"upper": {"said": "WHY"}}]


def test_batches_keep_order_and_places_of_failures() -> None:
    def node(state: Said) -> Any:
        if state["asked"] == "bad":
            raise ValueError("bad")
        return {"said": state["asked"].upper()}

    graph = one(RunnableLambda(node))
    inputs = [{"asked": asked} for asked in ("a", "bad", "c")]
    for results in (
        graph.batch(inputs, return_exceptions=True),
        asyncio.run(graph.abatch(inputs, return_exceptions=True)),
    ):
        assert [results[0]["said"], type(results[1]), results[2]["said"]] == ["A", ValueError, "C"]
    with pytest.raises(ValueError, match="bad"):
        graph.batch(inputs)
    with pytest.raises(ValueError, match="bad"):
        asyncio.run(graph.abatch(inputs))
    assert graph.batch([]) == asyncio.run(graph.abatch([])) == []


def test_batch_takes_a_config_for_each_and_a_run_id_for_the_first() -> None:
    seen: list[tuple[UUID, Any]] = []

    class See(BaseCallbackHandler):
        def on_chain_start(self, serialized: Any, inputs: Any, *, run_id: UUID, tags: Any = None, **about: Any) -> None:
            if about.get("parent_run_id") is None:
                seen.append((run_id, tags))

    inputs = [ASKED, ASKED]
    one_id = UUID(int=7)
    upper().batch(inputs, {"callbacks": [See()], "run_id": one_id})
    assert [run_id for run_id, _ in seen].count(one_id) == 1
    seen.clear()
    upper().batch(inputs, [{"callbacks": [See()], "tags": ["a"]}, {"callbacks": [See()], "tags": ["b"]}])
    assert sorted(tags for _, tags in seen) == [["a"], ["b"]]
    with pytest.raises(ValueError, match="1 configs for 2 inputs"):
        upper().batch(inputs, [{}])


def test_as_completed() -> None:
    inputs = [{"asked": "a"}, {"asked": "b"}]
    assert sorted(index for index, _ in upper().batch_as_completed(inputs)) == [0, 1]
    assert len(asyncio.run(gather(upper().abatch_as_completed(inputs)))) == 2


def test_bind_passes_options_of_the_run() -> None:
    bound = upper().bind(stream_mode="values")
    assert list(bound.stream(ASKED)) == [ASKED, SAID]
    assert both(bound, ASKED) == SAID


def test_with_retry_runs_the_graph_again() -> None:
    tries: list[int] = []

    def node(state: Said) -> Any:
        tries.append(1)
        if len(tries) < 3:
            raise ConnectionError
        return {"said": "at last"}

    retried = one(node).with_retry(stop_after_attempt=3, wait_exponential_jitter=False,
                                   exponential_jitter_params={"initial": 0, "max": 0})  # fmt: skip
    assert retried.invoke(ASKED)["said"] == "at last"


def test_with_fallbacks_runs_the_next() -> None:
    def fail(state: Said) -> Any:
        raise ConnectionError

    assert both(one(RunnableLambda(fail)).with_fallbacks([upper()]), ASKED) == SAID


def test_map_pick_assign_and_pipe() -> None:
    assert both(upper().map(), [ASKED, ASKED]) == [SAID, SAID]
    assert both(upper().pick("said"), ASKED) == "WHY"
    assert both(upper().assign(length=lambda state: len(state["said"])), ASKED) == {**SAID, "length": 3}
    assert both(upper().pipe(lambda state: state["said"]), ASKED) == "WHY"


def test_with_listeners_hear_start_and_end() -> None:
    heard: list[str] = []
    listened = upper().with_listeners(
        on_start=lambda run: heard.append("start"), on_end=lambda run: heard.append("end")
    )
    assert listened.invoke(ASKED) == SAID
    assert heard == ["start", "end"]


@pytest.mark.filterwarnings("ignore::langchain_core._api.LangChainBetaWarning")
def test_as_tool_takes_the_graphs_input() -> None:
    look = upper().as_tool(name="look", description="Look at something.")
    assert look.invoke(ASKED) == SAID
    assert set(look.args) == {"asked", "said"}
    assert look.get_input_schema().model_json_schema()["required"] == ["asked"]


def test_schemas_are_models() -> None:
    class State(BaseModel):
        asked: str
        said: str = ""

    graph = one(lambda state: {"said": "x"}, schema=State)
    assert graph.get_input_schema() is State
    assert graph.InputType is State
    assert set(upper().get_output_schema().model_fields) == {"asked", "said"}
    chain = upper() | upper()
    assert set(chain.get_input_jsonschema()["properties"]) == {"asked", "said"}


def test_schemas_of_other_states_are_models_too() -> None:
    @dataclass
    class Fields:
        asked: str
        said: str = "none"

    schema = one(lambda state: None, schema=Fields).get_input_schema()
    assert schema.model_json_schema()["required"] == ["asked"]
    assert schema(asked="x").said == "none"
    text = one(lambda state: "x", schema=str)
    assert text.get_input_schema().model_validate("x").root == "x"
    assert (text.InputType, text.OutputType) == (str, str)


def test_an_input_in_chunks_is_added_up() -> None:
    def pieces(_: Any) -> Iterator[str]:
        yield from ("a", "b", "c")

    async def apieces(_: Any) -> AsyncIterator[str]:
        for piece in ("a", "b", "c"):
            yield piece

    echo = one(RunnableLambda(lambda text: text + "!"), "echo", schema=str)
    assert list((RunnableGenerator(pieces) | echo).stream("x")) == [{"echo": "abc!"}]
    assert asyncio.run(gather((RunnableGenerator(apieces) | echo).astream("x"))) == [{"echo": "abc!"}]
    parts: Any = iter([{"asked": "a"}, {"asked": "b"}])  # dicts do not add up: the last one counts
    assert list(upper().transform(parts)) == [{"upper": {"said": "B"}}]


def test_names() -> None:
    graph = upper().copy({"name": "shout"})
    assert (graph.get_name(), graph.get_name("Input"), graph.get_name(name="x")) == ("shout", "shoutInput", "x")


def test_unknown_attributes_are_unknown() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        upper().nonsense  # noqa: B018
    assert not hasattr(upper(), "__wrapped__")


def test_a_graph_that_is_older_than_langchain_fits_as_well() -> None:
    script = """
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import TypedDict
from headrace.graph import START, StateGraph

class State(TypedDict, total=False):
    asked: str
    said: str

graph = StateGraph(State).add_node("up", lambda state: {"said": state["asked"].upper()}).add_edge(START, "up").compile()
assert not hasattr(graph, "nonsense") and "langchain_core" not in sys.modules
from langchain_core.runnables import RunnableLambda
chain = RunnableLambda(lambda asked: {"asked": asked}) | graph | (lambda state: state["said"])
assert chain.invoke("why") == "WHY"
assert list((RunnableLambda(lambda asked: {"asked": asked}) | graph).stream("why"))
assert (graph | (lambda state: state["said"])).invoke({"asked": "why"}) == "WHY"
"""
    subprocess.run([sys.executable, "-c", script], check=True)


def test_pipes_and_lent_methods_load_langchain_themselves() -> None:
    script = """
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import TypedDict
from headrace.graph import START, StateGraph

class State(TypedDict, total=False):
    said: str

graph = StateGraph(State).add_node("say", lambda state: {"said": "x"}).add_edge(START, "say").compile()
assert "langchain_core" not in sys.modules
if sys.argv[1] == "or":
    runnable = graph | (lambda state: state)
elif sys.argv[1] == "ror":
    runnable = (lambda state: state) | graph
else:
    runnable = graph.with_retry()
assert runnable.invoke({}) == {"said": "x"}
"""
    for way in ("or", "ror", "lent"):
        subprocess.run([sys.executable, "-c", script, way], check=True)


def test_tokens_of_a_graph_in_a_chain_in_a_node() -> None:
    inner = one(asking(model(), "sync"))
    chain = RunnablePassthrough() | inner
    outer = StateGraph(Said).add_node("use", chain.invoke).add_edge(START, "use").compile()
    events = list(outer.stream(ASKED, stream_mode="messages", subgraphs=True))
    assert [(len(ns), message.content) for ns, (message, _) in events] == [(1, "why"), (1, " not")]
