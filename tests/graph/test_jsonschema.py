# Annotations stay objects here, but for the classes that say otherwise: both forms must work.
import dataclasses
import operator
import sys
import typing
from enum import Enum
from typing import Annotated, Any

import pytest
from typing_extensions import NotRequired, Required, TypedDict

from headrace.errors import MissingExtraError
from headrace.graph.jsonschema import config_json_schema, json_schema

pydantic = pytest.importorskip("pydantic")


class Plain(TypedDict):
    """Doc of plain."""

    x: int
    y: str


class Partial(TypedDict, total=False):
    x: int
    y: Required[str]


class Reduced(Plain, total=False):
    log: Annotated[list[str], operator.add]
    note: Annotated[NotRequired[int], operator.add]
    limit: Required[Annotated[int | None, pydantic.Field(description="the most", ge=1)]]


class Written(TypedDict):
    # As `from __future__ import annotations` leaves them: the class itself sees no NotRequired.
    x: "NotRequired[int]"
    y: "Annotated[list[str], operator.add]"


class Standard(typing.TypedDict):
    n: int


class Handle:
    """No type that JSON knows."""


HANDLE = Handle()


class Open(TypedDict):
    handle: Handle
    handles: list[Handle]
    anything: Any
    nested: Plain


class Inner(pydantic.BaseModel):  # type: ignore[name-defined, misc]  # the module was found at run time
    a: int = 3


class Model(pydantic.BaseModel):  # type: ignore[name-defined, misc]  # the module was found at run time
    """pyd doc"""

    x: int
    inner: Inner = Inner()
    items: Annotated[list[int], operator.add] = pydantic.Field(default_factory=list, description="the list")
    al: str = pydantic.Field(alias="AL")
    gone: Plain


@dataclasses.dataclass
class Data:
    """dc doc"""

    x: int
    y: str = "d"
    items: Annotated[list[int], operator.add] = dataclasses.field(default_factory=list)
    handle: Handle = dataclasses.field(default_factory=Handle)
    fixed: Any = HANDLE


@dataclasses.dataclass
class Context:
    user: str
    n: int = 1


class Color(Enum):
    red = "red"


INTEGER, STRING = {"type": "integer"}, {"type": "string"}


def test_typed_dict() -> None:
    assert json_schema(Plain, name="unused") == {
        "description": "Doc of plain.",
        "properties": {"x": {"title": "X", **INTEGER}, "y": {"title": "Y", **STRING}},
        "required": ["x", "y"],
        "title": "Plain",
        "type": "object",
    }


def test_typed_dict_of_which_only_some_keys_are_required() -> None:
    assert json_schema(Partial, name="unused")["required"] == ["y"]
    assert json_schema(Written, name="unused")["required"] == ["y"]


def test_reducers_are_not_seen_and_pydantic_metadata_is() -> None:
    assert json_schema(Reduced, name="unused") == {
        "properties": {
            "x": {"title": "X", **INTEGER},
            "y": {"title": "Y", **STRING},
            "log": {"title": "Log", "items": STRING, "type": "array"},
            "note": {"title": "Note", **INTEGER},
            "limit": {
                "title": "Limit",
                "description": "the most",
                "anyOf": [{"minimum": 1, **INTEGER}, {"type": "null"}],
            },
        },
        "required": ["x", "y", "limit"],
        "title": "Reduced",
        "type": "object",
    }


def test_only_the_keys_asked_for() -> None:
    assert list(json_schema(Plain, name="unused", only=["y"])["properties"]) == ["y"]
    assert list(json_schema(Data, name="unused", only={"x", "y"})["properties"]) == ["x", "y"]


def test_standard_librarys_typed_dict_works_on_every_python() -> None:
    assert json_schema(Standard, name="unused") == {
        "properties": {"n": {"title": "N", **INTEGER}},
        "required": ["n"],
        "title": "Standard",
        "type": "object",
    }


def test_standard_librarys_typed_dict_inside_another_is_left_open_where_pydantic_refuses_it() -> None:
    outer: Any = TypedDict("outer", {"inner": Standard, "x": int})

    made = json_schema(outer, name="unused")

    if sys.version_info >= (3, 12):
        assert made["properties"]["inner"] == {"$ref": "#/$defs/Standard"}
    else:
        assert made["properties"]["inner"] == {"title": "Inner"}
    assert made["properties"]["x"] == {"title": "X", **INTEGER}


def test_types_without_a_json_form_are_left_open() -> None:
    made = json_schema(Open, name="unused")

    assert made["properties"] == {
        "handle": {"title": "Handle"},
        "handles": {"title": "Handles", "items": {}, "type": "array"},
        "anything": {"title": "Anything"},
        "nested": {"$ref": "#/$defs/Plain"},
    }
    assert list(made["$defs"]) == ["Plain"]


def test_dataclass_has_the_given_title_and_its_defaults() -> None:
    assert json_schema(Data, name="GraphInput") == {
        "properties": {
            "x": {"title": "X", **INTEGER},
            "y": {"title": "Y", "default": "d", **STRING},
            "items": {"title": "Items", "default": [], "items": INTEGER, "type": "array"},
            "handle": {"title": "Handle"},
            "fixed": {"title": "Fixed"},
        },
        "required": ["x"],
        "title": "GraphInput",
        "type": "object",
    }


def test_what_is_given_always_has_the_defaults_too() -> None:
    assert json_schema(Data, name="Out", mode="serialization")["required"] == ["x", "y", "items", "handle", "fixed"]
    assert json_schema(Inner, name="Out", mode="serialization") == {
        "properties": {"a": {"default": 3, "title": "A", **INTEGER}},
        "title": "Inner",
        "type": "object",
    }


def test_model_is_shown_as_pydantic_shows_it() -> None:
    assert json_schema(Model, name="unused") == Model.model_json_schema()


def test_hidden_fields_of_a_model_leave_nothing_behind() -> None:
    made = json_schema(Model, name="unused", only={"inner", "al"})

    assert made == {
        "$defs": {"Inner": Inner.model_json_schema()},
        "description": "pyd doc",
        "properties": {"inner": {"$ref": "#/$defs/Inner", "default": {"a": 3}}, "AL": {"title": "Al", **STRING}},
        "required": ["AL"],
        "title": "Model",
        "type": "object",
    }
    assert "required" not in json_schema(Model, name="unused", only={"inner"})


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        (str, STRING),
        (list[int], {"items": INTEGER, "type": "array"}),
        (Annotated[list[int], operator.add], {"items": INTEGER, "type": "array"}),
        (Handle, {}),
        (
            list[Inner],
            {"items": {"$ref": "#/$defs/Inner"}, "type": "array", "$defs": {"Inner": Inner.model_json_schema()}},
        ),
    ],
)
def test_plain_types_have_the_given_title(schema: Any, expected: dict[str, Any]) -> None:
    assert json_schema(schema, name="GraphInput") == {"title": "GraphInput", **expected}


def test_context_stands_in_the_config() -> None:
    assert config_json_schema(Context, name="GraphConfig") == {
        "$defs": {"Context": json_schema(Context, name="Context")},
        "properties": {"configurable": {"$ref": "#/$defs/Context", "default": None}},
        "title": "GraphConfig",
        "type": "object",
    }
    assert config_json_schema(None, name="GraphConfig") == {"properties": {}, "title": "GraphConfig", "type": "object"}


def test_without_pydantic_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pydantic", None)

    with pytest.raises(MissingExtraError, match=r"need pydantic.*pip install 'headrace\[agents\]'") as caught:
        json_schema(Plain, name="unused")

    assert caught.value.extra == "agents"


def test_messages_are_shown_as_langchain_core_describes_them() -> None:
    message: Any = pytest.importorskip("langchain_core.messages").AnyMessage
    state: Any = TypedDict("state", {"messages": Annotated[list[message], operator.add]})

    made = json_schema(state, name="unused")

    assert {"$ref": "#/$defs/HumanMessage"} in made["properties"]["messages"]["items"]["oneOf"]
    assert {"AIMessage", "ToolMessage", "SystemMessage"} <= set(made["$defs"])


@pytest.mark.main_only
@pytest.mark.parametrize("schema", [Plain, Partial, Reduced, Written, Model])
def test_same_schema_as_langgraph(schema: type) -> None:
    graph = oracle(schema)

    assert json_schema(schema, name="unused") == graph.get_input_jsonschema() == graph.get_output_jsonschema()


@pytest.mark.main_only
def test_same_dataclass_schema_as_langgraph() -> None:
    graph = oracle(Context)

    assert json_schema(Context, name="LangGraphInput") == graph.get_input_jsonschema()
    assert json_schema(Context, name="LangGraphOutput") == graph.get_output_jsonschema()


@pytest.mark.main_only
@pytest.mark.parametrize("context", [Plain, Context, Inner])
def test_same_context_schema_as_langgraph(context: type) -> None:
    graph = oracle(Plain, context_schema=context)

    assert json_schema(context, name=context.__name__) == graph.get_context_jsonschema()


def oracle(schema: type, **more: Any) -> Any:
    from langgraph.graph import StateGraph

    builder: Any = StateGraph(schema, **more)
    builder.add_node("a", lambda state: {})
    builder.add_edge("__start__", "a")
    return builder.compile()
