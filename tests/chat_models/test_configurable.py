"""Models whose settings come from the config of the call."""

from __future__ import annotations

import asyncio
import copy
import sys
import threading
from collections.abc import Iterator
from operator import add
from types import ModuleType
from typing import Annotated, Any

import pytest
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import Runnable, RunnableConfig
from pydantic import BaseModel, Field, model_validator
from typing_extensions import TypedDict

from headrace.chat_models import ConfigurableModel, init_chat_model
from headrace.chat_models.recent import KEPT, key_of
from headrace.checkpoint.memory import InMemorySaver
from headrace.errors import InvalidConfigError, InvalidModelError, MissingProviderError
from headrace.graph import START, StateGraph
from headrace.testing import ScriptedChatModel
from tests.drive import Drive, collected

MADE: list[BaseChatModel] = []
"""The models that a test made."""


class Fake(ScriptedChatModel):
    """A provider's model that says what it is."""

    model: str
    temperature: float | None = None
    limit: int | None = Field(default=None, alias="max_tokens")
    base_url: str = "http://their.own"
    thread: str = ""
    """The thread that it was made in."""
    given: frozenset[str] = frozenset()
    """The names of its settings."""

    @model_validator(mode="before")
    @classmethod
    def answer(cls, values: Any) -> Any:
        said = f"{cls.__name__} {values['model']} at {values.get('temperature')}"
        return {"replies": [said], "thread": threading.current_thread().name, "given": values.keys(), **values}

    def model_post_init(self, context: Any, /) -> None:
        super().model_post_init(context)
        MADE.append(self)


class Groq(Fake): ...


class Ollama(Fake): ...


@pytest.fixture(autouse=True)
def packages(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Two providers."""
    for root, name, kind in (("langchain_groq", "ChatGroq", Groq), ("langchain_ollama", "ChatOllama", Ollama)):
        module = ModuleType(root)
        setattr(module, name, kind)
        monkeypatch.setitem(sys.modules, root, module)
    MADE.clear()
    yield
    MADE.clear()


def chosen(**configurable: Any) -> RunnableConfig:
    return {"configurable": configurable}


def said(model: Any, /, **configurable: Any) -> Any:
    return model.invoke("hi", chosen(**configurable)).content


# --- what the config chooses


def test_without_a_model_the_config_names_it() -> None:
    model = init_chat_model(temperature=0)
    assert said(model, model="groq:m") == "Groq m at 0"
    assert said(model, model="m", model_provider="ollama", temperature=1) == "Ollama m at 0"
    assert said(init_chat_model(configurable_fields="any"), model="groq:m", temperature=1) == "Groq m at 1"


def test_listed_fields_are_chosen_and_no_others() -> None:
    model = init_chat_model("groq:m", configurable_fields=("temperature",), temperature=0)
    assert said(model) == "Groq m at 0"
    assert said(model, temperature=1, model="ollama:n", base_url="http://elsewhere") == "Groq m at 1"
    assert {one.base_url for one in MADE if isinstance(one, Fake)} == {"http://their.own"}


def test_a_prefix_keeps_the_fields_of_two_models_apart() -> None:
    writer = init_chat_model("groq:w", configurable_fields=["model"], config_prefix="writer")
    critic = init_chat_model("groq:c", configurable_fields=["model"], config_prefix="critic_")
    config = {"writer_model": "ollama:w2", "critic_model": "ollama:c2", "model": "groq:nobody"}
    assert [said(writer, **config), said(critic, **config)] == ["Ollama w2 at None", "Ollama c2 at None"]


def test_a_provider_given_apart_cannot_be_chosen_away() -> None:
    model = init_chat_model("m", model_provider="groq", configurable_fields=("model",))
    assert said(model, model="ollama:n", model_provider="ollama") == "Groq ollama:n at None"


def test_any_means_the_fields_of_the_class_by_both_their_names() -> None:
    model: Any = init_chat_model("groq:m", configurable_fields="any")
    assert said(model, temperature=1, max_tokens=3, base_url="http://b", thread_id="1", user="u") == "Groq m at 1"
    assert (model.limit, MADE[0].model_dump()["limit"], MADE[0].model_dump()["base_url"]) == (None, 3, "http://b")


def test_any_with_a_prefix_gives_the_class_all_that_has_it() -> None:
    model = init_chat_model("groq:m", configurable_fields="any", config_prefix="a")
    assert said(model, a_temperature=1, temperature=2, a_misspelt=3) == "Groq m at 1"
    made: Any = MADE[0]
    assert made.given == {"model", "temperature", "misspelt"}


def test_a_model_that_is_null_is_not_chosen() -> None:
    model = init_chat_model("groq:m", configurable_fields="any", temperature=1)
    assert said(model, model=None, model_provider=None, temperature=None) == "Groq m at None"


def test_a_config_that_names_no_model_is_told_what_to_write() -> None:
    with pytest.raises(InvalidConfigError, match=r"has no 'a_model'; .*{'configurable': {'a_model': 'provider:model'}"):
        init_chat_model(config_prefix="a").invoke("hi")


def test_a_model_that_nobody_may_name_is_refused_when_it_is_made() -> None:
    with pytest.raises(InvalidModelError, match="add 'model' to configurable_fields"):
        init_chat_model(configurable_fields=("temperature",))


def test_a_default_is_not_needed_before_it_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "langchain_groq", None)
    model = init_chat_model("groq:m", configurable_fields=("model",))
    assert said(model, model="ollama:n") == "Ollama n at None"
    with pytest.raises(MissingProviderError):
        model.invoke("hi")


def test_a_prefix_without_fields_is_said_to_have_no_effect() -> None:
    with pytest.warns(UserWarning, match="config_prefix='a' has no effect"):
        assert type(init_chat_model("groq:m", config_prefix="a")) is Groq


def test_no_fields_to_choose_is_a_plain_model() -> None:
    assert type(init_chat_model("groq:m", configurable_fields=())) is Groq


def test_its_repr_keeps_secrets() -> None:
    model = init_chat_model("groq:m", configurable_fields=("model",), api_key="sesame")
    assert repr(model) == "ConfigurableModel('groq:m', fields=['model'], prefix='')"


# --- calls


@pytest.mark.parametrize("way", ["invoke", "stream", "batch", "as_completed", "transform", "events"])
def test_every_sync_call_reads_the_config(way: str) -> None:
    model: Any = init_chat_model()
    config = chosen(model="groq:m")
    calls: dict[str, Any] = {
        "invoke": lambda: model.invoke("hi", config).content,
        "stream": lambda: "".join(chunk.content for chunk in model.stream("hi", config)),
        "batch": lambda: model.batch(["hi"], config)[0].content,
        "as_completed": lambda: next(model.batch_as_completed(["hi"], [config]))[1].content,
        "transform": lambda: "".join(chunk.content for chunk in model.transform(iter(["hi"]), config)),
        "events": lambda: model.stream_events("hi", config, version="v3").output.text,
    }
    assert calls[way]() == "Groq m at None"


async def test_every_async_call_reads_the_config() -> None:
    model = init_chat_model()
    config = chosen(model="groq:m")

    async def inputs() -> Any:
        yield "hi"

    assert (await model.ainvoke("hi", config)).content == "Groq m at None"
    for chunks in (model.astream("hi", config), model.atransform(inputs(), config)):
        assert "".join([chunk.content async for chunk in chunks]) == "Groq m at None"
    assert [one.content for one in await model.abatch(["hi"], config)] == ["Groq m at None"]
    events = await collected(model.astream_events("hi", config, version="v2"))
    assert [events[0]["event"], events[-1]["event"]] == ["on_chat_model_start", "on_chat_model_end"]


def test_each_input_of_a_batch_has_its_own_config() -> None:
    configs = [chosen(model="groq:m"), chosen(model="ollama:n")]
    answers = init_chat_model().batch(["hi", "hi"], configs)
    assert [answer.content for answer in answers] == ["Groq m at None", "Ollama n at None"]


async def test_leaving_a_stream_leaves_the_model_s(monkeypatch: pytest.MonkeyPatch) -> None:
    left: list[bool] = []

    async def endless(self: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            while True:
                yield "word"
        finally:
            left.append(True)

    monkeypatch.setattr(Groq, "astream", endless)
    chunks: Any = init_chat_model().astream("hi", chosen(model="groq:m"))
    assert await anext(chunks) == "word"
    await chunks.aclose()
    assert left == [True]


# --- what is kept


def test_models_are_made_once_for_their_settings() -> None:
    model = init_chat_model("groq:m", configurable_fields="any")
    for stop in (["a"], ["a"], ["b"]):
        said(model, metadata={"stop": stop, "n": (1, 2)}, thread_id="changes")
    assert len(MADE) == 2
    assert said(model.bind_tools([]), metadata={"n": (1, 2), "stop": ["a"]}) == "Groq m at None"
    assert len(MADE) == 2


def test_settings_that_cannot_be_compared_make_a_model_each_time() -> None:
    model = init_chat_model("groq:m", configurable_fields="any")
    for _ in range(2):
        said(model, metadata={"seen": {"a set"}})
    assert len(MADE) == 2


def test_settings_are_the_same_when_value_and_type_are() -> None:
    assert key_of({"a": [1, {"b": 2}], "c": 3}) == key_of({"c": 3, "a": [1, {"b": 2}]})
    assert len({key_of({"a": value}) for value in (1, True, 1.0, [1], (1,), "1")}) == 6


def test_a_stranger_s_settings_do_not_pile_up() -> None:
    model = init_chat_model("groq:m", configurable_fields=("temperature",))
    for number in range(KEPT):
        said(model, temperature=number)
    said(model, temperature=0)
    assert len(MADE) == KEPT
    said(model, temperature=KEPT)
    said(model, temperature=0)
    assert len(MADE) == KEPT + 1
    said(model, temperature=1)
    assert len(MADE) == KEPT + 2


async def test_async_calls_make_models_beside_the_event_loop() -> None:
    model = init_chat_model()
    await model.ainvoke("hi", chosen(model="groq:m"))
    made: Any = MADE[0]
    assert made.thread != threading.current_thread().name


# --- what is bound


def weather(city: str) -> str:
    """The weather in a city."""
    return city


def test_tools_are_bound_to_each_model_chosen() -> None:
    model = init_chat_model().bind_tools([weather], tool_choice="any")
    for name in ("groq:m", "ollama:n", "groq:m"):
        said(model, model=name)
    options = [one.options for one in MADE if isinstance(one, Fake)]
    names = [[call["tools"][0]["function"]["name"] for call in calls] for calls in options]
    assert names == [["weather", "weather"], ["weather"]]
    assert options[1][0]["tool_choice"] == "any"


def test_tools_are_bound_once_to_a_model(monkeypatch: pytest.MonkeyPatch) -> None:
    bound: list[Any] = []

    def bind_tools(self: Any, tools: Any) -> Any:
        bound.append(tools)
        return self

    monkeypatch.setattr(Groq, "bind_tools", bind_tools)
    model = init_chat_model().bind_tools([weather])
    for _ in range(2):
        said(model, model="groq:m")
    assert bound == [[weather]]


def test_what_is_bound_leaves_the_model_as_it_was() -> None:
    model = init_chat_model("groq:m", configurable_fields=("model",))
    model.bind_tools([weather])
    said(model)
    made: Any = MADE[0]
    assert made.options == [{}]


def test_structured_output_is_that_of_the_model_chosen() -> None:
    class Joke(BaseModel):
        setup: str

    call: Any = {"name": "Joke", "args": {"setup": "Why?"}, "id": "1"}
    model = init_chat_model("groq:m", configurable_fields="any").with_structured_output(Joke)
    assert model.invoke("hi", chosen(replies=[AIMessage("", tool_calls=[call])])) == Joke(setup="Why?")


def test_a_config_that_is_bound_gives_new_defaults() -> None:
    model = init_chat_model("groq:m", configurable_fields="any").with_config(chosen(temperature=1))
    assert [said(model), said(model, temperature=2)] == ["Groq m at 1", "Groq m at 2"]
    assert said(model.bind_tools([]).with_config(configurable={"model": "ollama:n"})) == "Ollama n at 1"


def test_tags_and_callbacks_that_are_bound_reach_the_model() -> None:
    class Starts(BaseCallbackHandler):
        tags: Any = None

        def on_chat_model_start(self, *args: Any, tags: Any = None, **kwargs: Any) -> None:
            self.tags = tags

    starts = Starts()
    model = init_chat_model().with_config(tags=["bound"], callbacks=[starts]).bind_tools([])
    model.invoke("hi", {"tags": ["called"], **chosen(model="groq:m")})
    assert sorted(starts.tags) == ["bound", "called"]


def test_fields_that_are_bound_are_not_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Groq, "invoke", lambda self, input, config: config)
    model = init_chat_model().with_config(tags=["a"], configurable={"model": "groq:m"})
    passed = model.invoke("hi", chosen(thread_id="1"))
    assert (passed["tags"], passed["configurable"]) == (["a"], {"thread_id": "1"})


def test_it_is_a_runnable_among_others() -> None:
    model = init_chat_model("groq:m", configurable_fields=("model",))
    assert isinstance(model, Runnable)
    chain = ChatPromptTemplate.from_messages([("human", "{topic}")]) | model.with_retry() | (lambda m: m.content)
    assert chain.invoke({"topic": "ice"}, chosen(model="ollama:n")) == "Ollama n at None"
    assert model.bind(stop=["x"]).invoke("hi").content == "Groq m at None"


# --- attributes


def test_other_attributes_are_those_of_the_default() -> None:
    model: Any = init_chat_model("groq:m", configurable_fields="any", temperature=1).with_config(chosen(model="groq:n"))
    assert (model.model, model.temperature) == ("n", 1)
    assert model.bind_tools([weather]).kwargs["tools"][0]["type"] == "function"
    assert not hasattr(model, "nothing")


def test_without_a_default_there_are_no_attributes() -> None:
    model = init_chat_model()
    with pytest.raises(AttributeError, match="'temperature' is an attribute of a model"):
        _ = model.temperature
    assert not hasattr(model, "profile")


def test_a_copy_is_one_too() -> None:
    model = copy.copy(init_chat_model())
    assert isinstance(model, ConfigurableModel)
    assert said(model, model="groq:m") == "Groq m at None"


# --- in a graph


class Said(TypedDict):
    said: Annotated[list[str], add]


@pytest.mark.parametrize("fields", ["any", ("model",)])
def test_the_config_of_a_run_chooses_for_the_models_in_it(fields: Any, drive: Drive) -> None:
    model = init_chat_model("groq:m", configurable_fields=fields)

    def tell(state: Said) -> Said:
        return {"said": [str(model.invoke("hi").content)]}

    async def atell(state: Said) -> Said:
        return {"said": [str((await model.ainvoke("hi")).content)]}

    action = tell if drive.way == "sync" else atell
    graph = StateGraph(Said).add_node("tell", action).add_edge(START, "tell").compile(checkpointer=InMemorySaver())
    first = drive.invoke(graph, {}, chosen(thread_id="1", model="ollama:n"))
    second = drive.invoke(graph, {}, chosen(thread_id="1"))
    assert (first["said"], second["said"]) == (["Ollama n at None"], ["Ollama n at None", "Groq m at None"])


def test_calls_at_the_same_time_get_the_models_that_they_chose() -> None:
    model = init_chat_model(temperature=0)

    async def both() -> list[Any]:
        return await asyncio.gather(*(model.ainvoke("hi", chosen(model=f"groq:{number % 3}")) for number in range(30)))

    assert [one.content for one in asyncio.run(both())] == [f"Groq {number % 3} at 0" for number in range(30)]
