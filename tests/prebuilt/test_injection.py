"""What tools are given beside the model's arguments, and that the model neither sees nor sets it."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from typing import Annotated, Any, cast

import pytest
from langchain_core.messages import AnyMessage, HumanMessage
from langchain_core.tools import BaseTool, InjectedToolArg, InjectedToolCallId, StructuredTool, tool
from langchain_core.utils.function_calling import convert_to_openai_tool
from pydantic import AliasChoices, AliasPath, BaseModel, ConfigDict, Field
from typing_extensions import TypedDict

from headrace.agents import AgentState, create_agent
from headrace.errors import InvalidGraphError
from headrace.graph import START, MessagesState, StateGraph
from headrace.messages import add_messages
from headrace.prebuilt import InjectedState, InjectedStore, ToolNode, ToolRuntime
from headrace.prebuilt.injection import ToolInjectionError
from headrace.testing import ScriptedChatModel
from headrace.types import Send
from tests.drive import Drive
from tests.prebuilt.build import ToolLog, answer_of, asking, asks, call, graph_of

SECRET = "hunter2"


class UserState(MessagesState):
    user: str


class Shelf:
    """Stands in for a store: what tools get is the very object that the graph was compiled with."""

    def __repr__(self) -> str:
        return f"Shelf({SECRET})"


# one tool in each of the forms that a tool may have, all of which tell what they were given


def told(place: str, state: Any, user: str, store: Any, runtime: Any, id: str) -> str:
    kinds = f"{type(state).__name__} {type(store).__name__} {type(runtime).__name__}"
    return f"{place} {kinds} {user} {id} {runtime.tool_call_id}"


@tool
def function(
    place: str,
    state: Annotated[dict[str, Any], InjectedState],
    user: Annotated[str, InjectedState("user")],
    store: Annotated[Any, InjectedStore()],
    runtime: ToolRuntime,
    id: Annotated[str, InjectedToolCallId],
) -> str:
    """Look."""
    return told(place, state, user, store, runtime, id)


@tool
async def coroutine(
    place: str,
    state: Annotated[dict[str, Any], InjectedState()],
    user: Annotated[str, InjectedState("user")],
    store: Annotated[Any, InjectedStore],
    runtime: ToolRuntime[None, UserState],
    id: Annotated[str, InjectedToolCallId()],
) -> str:
    """Look."""
    return told(place, state, user, store, runtime, id)


class Bare(BaseTool):
    """Its schema is read off `_run`."""

    name: str = "bare"
    description: str = "Look."

    def _run(
        self,
        place: str,
        state: Annotated[dict[str, Any], InjectedState],
        user: Annotated[str, InjectedState("user")],
        store: Annotated[Any, InjectedStore()],
        runtime: ToolRuntime,
        id: Annotated[str, InjectedToolCallId],
    ) -> str:
        return told(place, state, user, store, runtime, id)


class BareAsync(BaseTool):
    """Only `_arun` does the work, and says what it wants."""

    name: str = "bare_async"
    description: str = "Look."

    def _run(self, place: str, **injected: Any) -> str:
        return told(place, **injected)

    async def _arun(
        self,
        place: str,
        state: Annotated[dict[str, Any], InjectedState],
        user: Annotated[str, InjectedState("user")],
        store: Annotated[Any, InjectedStore()],
        runtime: ToolRuntime,
        id: Annotated[str, InjectedToolCallId],
    ) -> str:
        return told(place, state, user, store, runtime, id)


class Wanted(BaseModel):
    """The marks may stand in the schema alone."""

    place: str
    state: Annotated[Any, InjectedState]
    user: Annotated[str, InjectedState("user")]
    store: Annotated[Any, InjectedStore()]
    runtime: ToolRuntime[Any, Any]
    id: Annotated[str, InjectedToolCallId]


class Schemed(BaseTool):
    name: str = "schemed"
    description: str = "Look."
    args_schema: Any = Wanted

    def _run(self, place: str, state: Any, user: str, store: Any, runtime: Any, id: str) -> str:
        return told(place, state, user, store, runtime, id)

    async def _arun(self, place: str, state: Any, user: str, store: Any, runtime: Any, id: str) -> str:
        return told(place, state, user, store, runtime, id)


class Place(BaseModel):
    """Only what the model gives; the rest is in the function's signature."""

    place: str


@tool(args_schema=Place)
def small_schema(
    place: str,
    state: Annotated[dict[str, Any], InjectedState],
    user: Annotated[str, InjectedState("user")],
    store: Annotated[Any, InjectedStore()],
    runtime: ToolRuntime,
    id: Annotated[str, InjectedToolCallId],
) -> str:
    """Look."""
    return told(place, state, user, store, runtime, id)


JSON_SCHEMA = {"type": "object", "properties": {"place": {"type": "string"}}, "required": ["place"]}


@tool(args_schema={"title": "json_schema", "description": "Look.", **JSON_SCHEMA})
def json_schema(
    place: str,
    state: Annotated[dict[str, Any], InjectedState],
    user: Annotated[str, InjectedState("user")],
    store: Annotated[Any, InjectedStore()],
    runtime: ToolRuntime,
    id: Annotated[str, InjectedToolCallId],
) -> str:
    """Look."""
    return told(place, state, user, store, runtime, id)


FORMS: list[BaseTool] = [function, coroutine, Bare(), Schemed(), small_schema, json_schema]
INJECTED = ("state", "user", "store", "runtime", "id")
EXPECTED = "attic dict Shelf ToolRuntime ann 7 7"

forms = pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)


def run(drive: Drive, form: BaseTool, args: dict[str, Any], **options: Any) -> Any:
    graph = graph_of(ToolNode([form]), UserState, store=Shelf())
    return drive.invoke(graph, {**asks(form.name, args, "7"), "user": "ann"}, **options)


@forms
def test_each_form_of_a_tool_is_given_what_it_asks_for(drive: Drive, form: BaseTool) -> None:
    assert answer_of(run(drive, form, {"place": "attic"})).content == EXPECTED


def test_method_that_is_only_async_is_given_what_it_asks_for() -> None:
    assert answer_of(run(Drive("async"), BareAsync(), {"place": "attic"})).content == EXPECTED


@forms
def test_model_cannot_forge_what_is_injected(drive: Drive, form: BaseTool) -> None:
    forged = {"place": "attic", **dict.fromkeys(INJECTED, "forged")}
    assert answer_of(run(drive, form, forged)).content == EXPECTED


@forms
def test_model_does_not_see_what_is_injected(form: BaseTool) -> None:
    """In the schema that it is bound with."""
    model = ScriptedChatModel(replies=["done"])
    create_agent(model, [form], state_schema=None, store=Shelf()).invoke({"messages": [("user", "go")]})
    (shown,) = model.options[0]["tools"]
    assert shown == convert_to_openai_tool(form)
    assert [*shown["function"]["parameters"]["properties"]] == ["place"]


@forms
def test_callbacks_and_events_do_not_show_what_is_injected(drive: Drive, form: BaseTool) -> None:
    log = ToolLog()
    graph = graph_of(ToolNode([form]), UserState, store=Shelf())
    input = {"messages": [HumanMessage(SECRET), asking(call(form.name, {"place": "attic"}, "7"))], "user": "ann"}
    events = drive.stream(graph, input, {"callbacks": [log]}, stream_mode="tools")
    assert [inputs for _, inputs in log.inputs] == [{"place": "attic"}]
    assert SECRET not in log.inputs[0][0]
    assert events[0]["input"] == {"place": "attic"}
    assert SECRET not in repr(events)


@pytest.mark.parametrize("form", [function, coroutine, Schemed(), small_schema], ids=lambda form: form.name)
def test_errors_do_not_show_what_is_injected(drive: Drive, form: BaseTool) -> None:
    """Neither to the model nor in mode `tools`; whatever the call lacks or has that is wrong."""
    graph = graph_of(ToolNode([form]), UserState, store=Shelf())
    for args in [{}, {"place": ["not", "text"]}]:
        input = {"messages": [asking(call(form.name, args, "7")), HumanMessage(SECRET)][::-1], "user": SECRET}
        events = drive.stream(graph, input, stream_mode=["tools", "updates"])
        assert SECRET not in repr([data for mode, data in events if mode == "tools"])
        answer = answer_of(events[-1][1]["tools"])
        assert answer.status == "error"
        assert f"tool {form.name!r} cannot be called with {args!r}: place" in answer.content
        assert SECRET not in answer.content


def test_error_of_an_injected_value_does_not_show_it(drive: Drive) -> None:
    """A state that does not fit the parameter's annotation is not for the model's eyes."""

    @tool
    def narrow(x: int, user: Annotated[int, InjectedState("user")]) -> str:
        """Look."""
        return str(user)

    graph = graph_of(ToolNode([narrow]), UserState)
    events = drive.stream(graph, {**asks("narrow", {"x": 1}), "user": SECRET}, stream_mode=["tools", "updates"])
    assert answer_of(events[-1][1]["tools"]).status == "error"
    assert SECRET not in repr(events)


# the state


@dataclass
class DataState:
    messages: Annotated[list[AnyMessage], add_messages]
    user: str = "nobody"


class ModelState(BaseModel):
    messages: Annotated[list[AnyMessage], add_messages]
    user: str = "nobody"


@tool
def peek(
    state: Annotated[Any, InjectedState], user: Annotated[str, InjectedState("user")], runtime: ToolRuntime
) -> str:
    """Look at the state."""
    assert runtime.state is state
    return f"{type(state).__name__} {user}"


@pytest.mark.parametrize(
    ("schema", "kind"), [(UserState, "dict"), (DataState, "DataState"), (ModelState, "ModelState")]
)
def test_state_is_what_the_graphs_schema_makes_of_it(drive: Drive, schema: Any, kind: str) -> None:
    graph = graph_of(ToolNode([peek]), schema)
    assert answer_of(drive.invoke(graph, {**asks("peek"), "user": "ann"})).content == f"{kind} ann"


@pytest.mark.parametrize("schema", [DataState, ModelState])
def test_field_with_a_default_in_the_schema_is_there(drive: Drive, schema: Any) -> None:
    assert answer_of(drive.invoke(graph_of(ToolNode([peek]), schema), asks("peek"))).content.endswith("nobody")


@pytest.mark.parametrize(
    ("schema", "kind"), [(UserState, "dict"), (DataState, "DataState"), (ModelState, "ModelState")]
)
def test_call_that_was_sent_alone_has_the_whole_state(drive: Drive, schema: Any, kind: str) -> None:
    """As agents do it: one task per call, whose input is the call and not the state."""
    builder: StateGraph[Any, Any, Any, Any] = StateGraph(schema)
    builder.add_node("start", lambda state: None)
    builder.add_node("tools", ToolNode([peek]))
    builder.add_edge(START, "start")
    builder.add_conditional_edges("start", lambda state: [Send("tools", [call("peek")])], ["tools"])
    state = drive.invoke(builder.compile(), {**asks("peek"), "user": "ann"})
    assert answer_of(state).content == f"{kind} ann"


def test_agents_tools_see_keys_that_callers_added(drive: Drive) -> None:
    class Mine(AgentState[Any]):
        user: str

    model = ScriptedChatModel(replies=[asking(call("peek"), call("peek", {}, "2")), "done"])
    agent = create_agent(model, [peek], state_schema=Mine)
    state = drive.invoke(agent, {"messages": [("user", "go")], "user": "ann"})
    assert [message.content for message in state["messages"] if message.type == "tool"] == ["dict ann"] * 2


def test_input_of_messages_alone_is_a_state_of_messages(drive: Drive) -> None:
    @tool
    def count(
        state: Annotated[dict[str, Any], InjectedState], all: Annotated[list[Any], InjectedState("messages")]
    ) -> str:
        """Count."""
        return f"{len(state['messages'])} {len(all)}"

    assert drive.invoke(ToolNode([count]), [HumanMessage("go"), asking(call("count"))])[0].content == "2 2"


def test_key_that_the_state_lacks_is_the_graphs_mistake(drive: Drive) -> None:
    """Not the model's, so no handling of errors hides it."""

    @tool
    def lost(x: Annotated[str, InjectedState("nowhere")]) -> str:
        """Look."""
        return x

    with pytest.raises(ToolInjectionError, match=r"tool 'lost' wants the state's key 'nowhere' as 'x'.*give the param"):
        drive.invoke(graph_of(ToolNode([lost], handle_tool_errors=True)), asks("lost"))


def test_default_stands_in_for_a_key_that_the_state_lacks(drive: Drive) -> None:
    @tool
    def lost(x: Annotated[str, InjectedState("nowhere")] = "fallback") -> str:
        """Look."""
        return x

    assert answer_of(drive.invoke(graph_of(ToolNode([lost])), asks("lost"))).content == "fallback"
    assert answer_of(drive.invoke(graph_of(ToolNode([lost])), asks("lost", {"x": "forged"}))).content == "fallback"


def test_default_in_the_signature_counts_where_the_schema_lacks_the_parameter(drive: Drive) -> None:
    @tool(args_schema=Place)
    def lost(place: str, x: Annotated[str, InjectedState("nowhere")] = "fallback") -> str:
        """Look."""
        return f"{place} {x}"

    assert (
        answer_of(drive.invoke(graph_of(ToolNode([lost])), asks("lost", {"place": "attic"}))).content
        == "attic fallback"
    )


# the store


def test_store_that_the_graph_lacks_is_the_graphs_mistake(drive: Drive) -> None:
    @tool
    def keep(store: Annotated[Any, InjectedStore()]) -> str:
        """Keep."""
        return "kept"

    with pytest.raises(ToolInjectionError, match=r"tool 'keep' wants a store as 'store'.*compile it with store="):
        drive.invoke(graph_of(ToolNode([keep])), asks("keep"))
    assert answer_of(drive.invoke(graph_of(ToolNode([keep]), store=Shelf()), asks("keep"))).content == "kept"


def test_tool_that_can_do_without_a_store_does(drive: Drive) -> None:
    @tool
    def keep(store: Annotated[Any, InjectedStore()] = False) -> str:
        """Keep."""
        return "kept" if store else "forgotten"

    assert answer_of(drive.invoke(graph_of(ToolNode([keep])), asks("keep", {"store": "x"}))).content == "forgotten"
    assert answer_of(drive.invoke(graph_of(ToolNode([keep]), store=Shelf()), asks("keep"))).content == "kept"


# the runtime


class Context(TypedDict):
    tenant: str


@tool
def inspect(runtime: ToolRuntime[Context, UserState]) -> str:
    """Tell all."""
    info = runtime.execution_info
    assert info is not None
    assert runtime.config["configurable"]["flag"] == "on"
    runtime.stream_writer("written")
    return (
        f"{runtime.context['tenant']} {runtime.tool_call_id} {[one.name for one in runtime.tools]} {info.node_attempt}"
    )


def test_runtime_has_what_the_run_has(drive: Drive) -> None:
    graph = graph_of(ToolNode([inspect, peek]), UserState)
    input = {**asks("inspect"), "user": "ann"}
    config = {"configurable": {"flag": "on"}}
    events = drive.stream(graph, input, config, context={"tenant": "acme"}, stream_mode=["custom", "updates"])
    assert events[0] == ("custom", "written")
    assert answer_of(events[1][1]["tools"]).content == "acme 1 ['inspect', 'peek'] 1"


def test_each_call_has_a_runtime_of_its_own(drive: Drive) -> None:
    @tool
    def which(runtime: ToolRuntime) -> str:
        """Tell."""
        return str(runtime.tool_call_id)

    input = {"messages": [asking(*(call("which", {}, id) for id in "abc"))]}
    answers = drive.invoke(graph_of(ToolNode([which])), input)["messages"][1:]
    assert [answer.content for answer in answers] == ["a", "b", "c"]


def test_typed_runtime_is_neither_checked_nor_dumped(drive: Drive) -> None:
    """Its types are for type checkers: Pydantic is not to warn of a context that is not there."""

    @tool
    def typed(runtime: ToolRuntime[Context, DataState]) -> str:
        """Tell."""
        return f"{runtime.context} {type(runtime.state).__name__}"

    assert answer_of(drive.invoke(graph_of(ToolNode([typed])), asks("typed"))).content == "None dict"


def test_runtime_is_a_dataclass_and_can_be_subclassed() -> None:
    class Mine(ToolRuntime[Context, UserState]):
        pass

    mine = Mine({"messages": []}, {"tenant": "acme"}, {}, print, "1", None)  # type: ignore[typeddict-item] # no user
    assert replace(mine, tool_call_id="2").tool_call_id == "2"


@pytest.mark.parametrize(
    "annotation", [ToolRuntime | None, Annotated[Any, InjectedState] | None, Annotated[Any, InjectedToolArg] | None]
)
def test_mark_inside_of_a_union_is_refused(annotation: Any) -> None:
    """langchain-core does not see it there, and would show the parameter to the model and in callbacks."""

    def hidden(x: Any) -> str:
        """Look."""
        return "seen"

    hidden.__annotations__["x"] = annotation
    with pytest.raises(InvalidGraphError, match=r"parameter 'x' of tool 'hidden' is .* inside of a union"):
        ToolNode([tool(hidden)])


OLD = sys.version_info < (3, 11)


def default_state(x: int, user: Annotated[str | None, InjectedState("user")] = None) -> str:
    """Look."""
    return f"{x} {user}"


def default_runtime(x: int, runtime: ToolRuntime = None) -> str:  # type: ignore[assignment] # so do people
    """Look."""
    return f"{x} {runtime.tool_call_id}"


@pytest.mark.parametrize(
    ("function", "answer"), [(default_state, "1 ann"), (default_runtime, "1 1")], ids=["state", "runtime"]
)
def test_default_none_hides_a_parameter_or_is_refused(drive: Drive, function: Any, answer: str) -> None:
    """Python 3.10 makes a union of such a hint, in which langchain-core sees no mark."""
    if OLD:
        with pytest.raises(InvalidGraphError, match=r"Python 3\.10, .* leave that default out"):
            ToolNode([function])
        return
    forged = {"x": 1, "user": "forged", "runtime": "forged"}
    input = {**asks(function.__name__, forged), "user": "ann"}
    assert answer_of(drive.invoke(graph_of(ToolNode([function]), UserState), input)).content == answer


# plain InjectedToolArg, which we do not give


@tool
def pay(amount: int, user: Annotated[str, InjectedToolArg] = "anon") -> str:
    """Pay."""
    return f"{amount} by {user}"


FORGED = {"amount": 1, "user": "admin"}


def both_ways(change: Any) -> dict[str, Any]:
    """A wrapper that passes on the request that `change` makes of it, in both forms."""

    async def awrap(request: Any, execute: Any) -> Any:
        return await execute(change(request))

    return {"wrap_tool_call": lambda request, execute: execute(change(request)), "awrap_tool_call": awrap}


def with_args(request: Any, **args: Any) -> Any:
    call: Any = request.tool_call
    return request.override(tool_call={**call, "args": {**call["args"], **args}})


@pytest.mark.parametrize("options", [{}, both_ways(lambda request: request)], ids=["bare", "wrapped"])
def test_model_cannot_forge_what_it_does_not_see(drive: Drive, options: Any) -> None:
    graph = graph_of(ToolNode([pay], **options))
    assert answer_of(drive.invoke(graph, asks("pay", FORGED))).content == "1 by anon"


def test_wrapper_may_give_what_the_model_may_not(drive: Drive) -> None:
    seen = []

    def fill(request: Any) -> Any:
        seen.append(request.tool_call["args"])
        return with_args(request, user="ann")

    graph = graph_of(ToolNode([pay], **both_ways(fill)))
    assert answer_of(drive.invoke(graph, asks("pay", FORGED))).content == "1 by ann"
    assert seen == [{"amount": 1}]


def test_model_cannot_forge_for_a_tool_that_a_wrapper_brings(drive: Drive) -> None:
    def bring(request: Any) -> Any:
        return request.override(tool=pay)

    def fill(request: Any) -> Any:
        return with_args(bring(request), user="ann")

    for change, answer in [(bring, "1 by anon"), (fill, "1 by ann")]:
        graph = graph_of(ToolNode([function], **both_ways(change)))
        assert answer_of(drive.invoke(graph, asks("late", FORGED))).content == answer


def test_error_does_not_show_what_a_wrapper_gave(drive: Drive) -> None:
    graph = graph_of(ToolNode([pay], **both_ways(lambda request: with_args(request, user=SECRET))))
    answer = answer_of(drive.invoke(graph, asks("pay", {"amount": "much"})))
    assert answer.status == "error"
    assert SECRET not in answer.content


# aliases


def aliased(mark: Any, alias: Any, **config: Any) -> BaseTool:
    class Args(BaseModel):
        model_config = cast("ConfigDict", config)
        place: str
        user: Any = Field(default="nobody", validation_alias=alias)

    Args.model_fields["user"].metadata.append(mark)
    Args.__annotations__["user"] = Annotated[Any, mark]

    def look(place: str, user: Any) -> str:
        return f"{place} {user}"

    return StructuredTool(name="look", description="Look.", args_schema=Args, func=look)


ALIASES = pytest.mark.parametrize("alias", ["u", AliasChoices("u", "v"), AliasPath("u", 0)], ids=["one", "two", "path"])


@ALIASES
def test_alias_is_no_way_to_forge(drive: Drive, alias: Any) -> None:
    forged = {"place": "attic", "user": ["forged"], "u": ["forged"]}
    plain = graph_of(ToolNode([aliased(InjectedToolArg(), alias)]), UserState)
    assert answer_of(drive.invoke(plain, {**asks("look", forged), "user": "ann"})).content == "attic nobody"
    by_name = aliased(InjectedState("user"), alias, populate_by_name=True)
    ours = graph_of(ToolNode([by_name]), UserState)
    assert answer_of(drive.invoke(ours, {**asks("look", forged), "user": "ann"})).content == "attic ann"


@ALIASES
def test_field_that_only_an_alias_fills_is_refused(alias: Any) -> None:
    with pytest.raises(
        InvalidGraphError, match="'user' of tool 'look' is injected by its name, but taken by its alias"
    ):
        ToolNode([aliased(InjectedState("user"), alias)])


# other packages


def test_marks_of_the_same_names_from_other_packages_are_known(drive: Drive) -> None:
    """Packages of tools bring the incumbent's."""

    class InjectedState(InjectedToolArg):
        def __init__(self, field: str | None = None) -> None:
            self.field = field

    class InjectedStore(InjectedToolArg):
        pass

    def foreign(user: Any, store: Any) -> str:
        """Look."""
        return f"{user} {type(store).__name__}"

    foreign.__annotations__.update(
        user=Annotated[str, InjectedState("user")], store=Annotated[Any, InjectedStore()], **{"return": str}
    )
    graph = graph_of(ToolNode([foreign]), UserState, store=Shelf())
    assert answer_of(drive.invoke(graph, {**asks("foreign"), "user": "ann"})).content == "ann Shelf"
