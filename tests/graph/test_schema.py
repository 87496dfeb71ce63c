"""From a state's class to its keys."""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, NamedTuple

import pytest
from pydantic import BaseModel
from typing_extensions import NotRequired, ReadOnly, Required, TypedDict

from headrace.channels import BinaryOperatorAggregate, EphemeralValue, LastValue, Topic
from headrace.errors import InvalidGraphError
from headrace.graph import StateGraph
from headrace.graph.schema import (
    converter,
    fields_of,
    input_schema_of,
    is_class_variable,
    is_mapping,
    is_reducer,
    keys_of,
    kind_of,
)
from headrace.managed import IS_LAST_STEP, REMAINING_STEPS, IsLastStep, RemainingSteps
from headrace.names import ROOT

if TYPE_CHECKING:
    from decimal import Decimal


class Typed(TypedDict, total=False):
    plain: int
    log: Annotated[list[int], operator.add]
    required: Required[Annotated[int, operator.add]]
    optional: Annotated[NotRequired[int], operator.add]
    frozen: ReadOnly[Annotated[int, operator.add]]
    last: IsLastStep
    remaining: RemainingSteps


@dataclass
class Data:
    shared: ClassVar[int] = 0
    log: Annotated[list[int], operator.add] = field(default_factory=list)
    plain: str | None = None
    chosen: str | None = "x"


class Model(BaseModel):
    plain: int = 1
    other: str | None = None
    log: Annotated[list[int], operator.add] = []


class Annotations:
    plain: int


class Bare:
    pass


class Pair(NamedTuple):
    left: int


@pytest.mark.parametrize("schema", [Typed, Data, Model, Annotations, Pair])
def test_a_class_with_annotated_keys_is_a_state_with_keys(schema: Any) -> None:
    assert is_mapping(schema)


@pytest.mark.parametrize("schema", [Bare, int, list[int], Annotated[list[int], operator.add], Any, "text"])
def test_anything_else_is_one_value(schema: Any) -> None:
    assert not is_mapping(schema)


def test_one_value_is_stored_under_one_key() -> None:
    assert keys_of(Annotated[list[int], operator.add]) == {ROOT: BinaryOperatorAggregate(list, operator.add)}
    assert keys_of(int) == {ROOT: LastValue(int)}


def test_a_typed_dict_gives_its_keys_through_all_wrappers() -> None:
    added = BinaryOperatorAggregate(int, operator.add)
    assert keys_of(Typed) == {
        "plain": LastValue(int),
        "log": added,
        "required": added,
        "optional": added,
        "frozen": added,
        "last": IS_LAST_STEP,
        "remaining": REMAINING_STEPS,
    }


def test_a_dataclass_gives_its_fields_and_no_class_variable() -> None:
    assert list(keys_of(Data)) == ["log", "plain", "chosen"]


def test_a_pydantic_model_gives_its_fields() -> None:
    keys = keys_of(Model)
    assert keys["plain"] == LastValue(int)
    assert isinstance(keys["log"], BinaryOperatorAggregate)


@pytest.mark.parametrize(("hint", "answer"), [(ClassVar[int], True), (ClassVar, True), (int, False), ("x", False)])
def test_a_class_variable_is_known(hint: Any, answer: bool) -> None:
    assert is_class_variable(hint) is answer


def test_a_name_that_cannot_be_evaluated_comes_with_the_remedy() -> None:
    class Hidden(TypedDict):
        price: Decimal

    with pytest.raises(NameError, match=r"annotations of .*Hidden.*'Decimal'.*outside `if TYPE_CHECKING`"):
        keys_of(Hidden)


# what an annotation makes of a key


@pytest.mark.parametrize(
    ("hint", "kind"),
    [
        (int, LastValue(int)),
        (Annotated[int, "a note"], LastValue(int)),
        (Annotated[list, operator.add], BinaryOperatorAggregate(list, operator.add)),
        (Annotated[list, "a note", operator.add], BinaryOperatorAggregate(list, operator.add)),
        (Annotated[list, operator.add, "a note"], LastValue(list)),
        (Annotated[int, EphemeralValue], EphemeralValue(int)),
        (Annotated[int, Topic(str), "a note"], Topic(str)),
        (Annotated[int, IS_LAST_STEP], IS_LAST_STEP),
        (Annotated[Annotated[int, operator.add], EphemeralValue], EphemeralValue(int)),
        (Annotated[int, int], LastValue(int)),
    ],
)
def test_the_last_useful_metadata_decides(hint: Any, kind: Any) -> None:
    assert kind_of(hint) == kind


def test_a_channel_in_an_annotation_is_copied_for_each_key_and_takes_its_type() -> None:
    channel: Any = Topic()
    first, second = kind_of(Annotated[list[int], channel]), kind_of(Annotated[list[str], channel])
    assert isinstance(first, Topic)
    assert isinstance(second, Topic)
    assert (first.typ, second.typ, channel.typ) == (list[int], list[str], Any)


def one(value: Any) -> Any: ...


def three(value: Any, write: Any, more: Any) -> Any: ...


def keyword(value: Any, *, write: Any) -> Any: ...


def two_and_more(value: Any, write: Any, more: Any = None) -> Any: ...


def many(*values: Any) -> Any: ...


@pytest.mark.parametrize("function", [two_and_more, many, operator.add, max, lambda value, write: value])
def test_what_takes_a_value_and_a_write_is_a_reducer(function: Callable[..., Any]) -> None:
    assert is_reducer(function)


@pytest.mark.parametrize("extra", ["note", 1, int, None])
def test_what_is_no_function_is_a_note(extra: Any) -> None:
    assert not is_reducer(extra)


@pytest.mark.parametrize("function", [one, three, keyword])
def test_a_reducer_with_another_signature_is_refused_by_name(function: Callable[..., Any]) -> None:
    with pytest.raises(ValueError, match=rf"value so far and a write, but {function.__name__}\(.*does not take two"):
        is_reducer(function)


class Wrong(TypedDict):
    fine: Annotated[int, operator.add]
    log: Annotated[list[int], one]


def test_the_key_of_a_wrong_reducer_is_named() -> None:
    with pytest.raises(InvalidGraphError, match=r"key 'log' of Wrong: .*one\(value: .*does not take two arguments"):
        StateGraph(Wrong)


# objects and dicts


@pytest.mark.parametrize(("schema", "made"), [(Data, Data([1])), (Model, Model(log=[1]))])
def test_values_become_an_object_of_the_schema(schema: Any, made: Any) -> None:
    convert = converter(schema)
    assert convert is not None
    assert convert({"log": [1]}) == made
    assert convert(made) is made


@pytest.mark.parametrize("schema", [Typed, int, None])
def test_other_schemas_take_values_as_they_are(schema: Any) -> None:
    assert converter(schema) is None


@pytest.mark.parametrize(
    ("value", "fields"),
    [
        (Model(), {"plain": 1, "log": []}),
        (Model(other=None), {"plain": 1, "other": None, "log": []}),
        (Data(), {"log": [], "chosen": "x"}),
        (Data(plain="x", chosen=None), {"log": [], "plain": "x", "chosen": None}),
        (Data, None),
        (Model, None),
        ({"plain": 1}, None),
    ],
)
def test_an_object_stands_for_its_fields_that_were_set_or_are_not_none(value: Any, fields: Any) -> None:
    assert fields_of(value) == fields


# what a node asks for


class Callable_:
    def __call__(self, state: Typed) -> None: ...


class Unannotated:
    __call__ = staticmethod(len)


class Holder:
    def method(self, state: Data) -> None: ...


def typed(state: Typed) -> None: ...


def plain(state: int) -> None: ...


def untyped(state): ...  # type: ignore[no-untyped-def] # that is the case


def nothing() -> None: ...


def lost(state: Decimal) -> None: ...


@pytest.mark.parametrize(
    ("function", "schema"),
    [
        (typed, Typed),
        (Callable_(), Typed),
        (Holder().method, Data),
        (plain, None),
        (untyped, None),
        (nothing, None),
        (lost, None),
        (Unannotated(), None),
        (len, None),
    ],
)
def test_a_node_asks_for_the_class_of_its_first_parameter(function: Any, schema: Any) -> None:
    assert input_schema_of(function) is schema
