from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated, Any, get_type_hints

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    BaseMessage,
    ChatMessage,
    HumanMessage,
    RemoveMessage,
    SystemMessage,
    ToolMessage,
)

from headrace.messages.reducer import REMOVE_ALL_MESSAGES, MessagesReducer, add_messages, prepare


def human(text: str, id: str | None = None) -> HumanMessage:
    return HumanMessage(text, id=id)


def texts(messages: list[Any]) -> list[Any]:
    return [message.content for message in messages]


def history(count: int) -> list[Any]:
    return add_messages([], [human(f"m{number}", str(number)) for number in range(count)])


# --- merging


def test_new_messages_are_appended() -> None:
    assert texts(add_messages([human("a", "1")], [human("b", "2"), human("c", "3")])) == ["a", "b", "c"]


def test_message_with_a_known_id_takes_the_place_of_the_old_one() -> None:
    merged = add_messages([human("a", "1"), human("b", "2")], AIMessage("new", id="1"))
    assert merged == [AIMessage("new", id="1"), human("b", "2")]


def test_last_of_two_new_messages_with_one_id_stays() -> None:
    assert texts(add_messages([], [human("a", "1"), human("b", "1")])) == ["b"]


def test_single_messages_strings_pairs_and_dicts_are_messages() -> None:
    assert texts(add_messages("a", ("ai", "b"))) == ["a", "b"]
    merged = add_messages([("system", "s")], [{"role": "user", "content": "u", "id": "7"}, "t"])
    assert [type(message) for message in merged] == [SystemMessage, HumanMessage, HumanMessage]
    assert merged[1].id == "7"


def test_chunks_become_whole_messages_on_both_sides() -> None:
    merged = add_messages([AIMessageChunk(content="a", id="1")], [AIMessageChunk(content="b", id="2")])
    assert merged == [AIMessage("a", id="1"), AIMessage("b", id="2")]


def test_every_message_gets_an_id_of_its_own() -> None:
    merged = add_messages(["a", human("b")], ["c", "c", human("d"), AIMessageChunk(content="e")])
    assert len({message.id for message in merged}) == 6
    assert all(message.id for message in merged)


def test_same_object_twice_in_an_update_is_one_message() -> None:
    message = human("a")
    assert texts(add_messages([], [message, message])) == ["a"]


def test_neither_lists_nor_messages_are_changed() -> None:
    old, new = human("a"), human("b")
    left: list[BaseMessage] = [old]
    right: list[BaseMessage] = [new]
    add_messages(left, right)
    assert (left, right) == ([old], [new])
    assert (old.id, new.id) == (None, None)


def test_message_with_an_id_is_taken_as_it_is() -> None:
    message = human("a", "1")
    assert add_messages([], [message])[0] is message


@pytest.mark.parametrize("sides", [{"left": []}, {"right": []}])
def test_one_side_alone_is_refused(sides: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"merges two histories"):
        add_messages(**sides)


# --- removing


def test_remove_takes_the_message_out() -> None:
    assert texts(add_messages([human("a", "1"), human("b", "2")], RemoveMessage(id="1"))) == ["b"]


def test_removed_id_is_new_again_afterwards() -> None:
    shorter = add_messages(history(3), [RemoveMessage(id="1")])
    assert texts(add_messages(shorter, [human("again", "1")])) == ["m0", "m2", "again"]


def test_messages_after_a_removed_one_are_still_known() -> None:
    shorter = add_messages(history(4), [RemoveMessage(id="1")])
    assert texts(add_messages(shorter, [human("M3", "3"), human("M2", "2")])) == ["m0", "M2", "M3"]


def test_message_after_its_removal_keeps_the_place() -> None:
    assert texts(add_messages(history(2), [RemoveMessage(id="0"), human("new", "0")])) == ["new", "m1"]


def test_message_added_and_removed_in_one_update_is_not_there() -> None:
    assert texts(add_messages(history(1), [human("x", "x"), RemoveMessage(id="x")])) == ["m0"]


def test_removing_an_unknown_id_names_it_and_changes_nothing() -> None:
    messages = history(2)
    with pytest.raises(ValueError, match=r"'zz'.*no message with this id"):
        add_messages(messages, [human("x", "x"), RemoveMessage(id="zz")])
    assert texts(messages) == ["m0", "m1"]
    assert texts(add_messages(messages, [human("y", "y"), human("x", "x")])) == ["m0", "m1", "y", "x"]


def test_remove_all_forgets_everything_before_it() -> None:
    clear = RemoveMessage(id=REMOVE_ALL_MESSAGES)
    assert add_messages(history(3), clear) == []
    assert texts(add_messages(history(3), [human("b", "b"), clear, human("c", "0")])) == ["c"]
    assert texts(add_messages(history(3), [clear, human("a", "a"), clear, human("b", "b")])) == ["b"]


def test_what_follows_remove_all_is_merged_like_any_update() -> None:
    clear = RemoveMessage(id=REMOVE_ALL_MESSAGES)
    assert texts(add_messages(history(1), [clear, human("a", "a"), human("b", "a")])) == ["b"]
    assert add_messages(history(1), [clear, human("a", "a"), RemoveMessage(id="a")]) == []
    with pytest.raises(ValueError, match="'0'"):
        add_messages(history(1), [clear, RemoveMessage(id="0")])


# --- the index


class Watched(HumanMessage):
    """Counts how often its id is looked at."""

    def __getattribute__(self, name: str) -> Any:
        if name == "id":
            READS.append(1)
        return super().__getattribute__(name)


READS: list[int] = []


def test_appending_looks_at_no_old_message() -> None:
    messages = add_messages([], [Watched(content=f"m{number}", id=str(number)) for number in range(500)])
    READS.clear()
    for number in range(20):
        messages = add_messages(messages, [AIMessage("new", id=f"new{number}")])
    assert len(messages) == 520
    assert READS == []


def test_merging_one_update_twice_looks_at_no_old_message() -> None:
    messages = add_messages([], [Watched(content=f"m{number}", id=str(number)) for number in range(500)])
    for number in range(5):
        update = [AIMessage("new", id=f"new{number}")]
        READS.clear()
        view = add_messages(messages, update)
        messages = add_messages(messages, update)
        assert READS == []
        assert view == messages


def test_replacing_looks_at_one_old_message() -> None:
    messages = add_messages([], [Watched(content=f"m{number}", id=str(number)) for number in range(500)])
    READS.clear()
    messages = add_messages(messages, [AIMessage("new", id="250")])
    assert len(READS) <= 2
    assert messages[250].content == "new"


def test_two_histories_grown_from_one_do_not_see_each_other() -> None:
    stem = history(2)
    one = add_messages(stem, [human("one", "x")])
    two = add_messages(stem, [human("filler", "y"), human("two", "x")])
    assert texts(stem) == ["m0", "m1"]
    assert texts(add_messages(one, [human("ONE", "x"), human("y", "y")])) == ["m0", "m1", "ONE", "y"]
    assert texts(add_messages(two, [human("TWO", "x"), human("Y", "y")])) == ["m0", "m1", "Y", "TWO"]
    assert texts(add_messages(stem, [human("STEM", "x")])) == ["m0", "m1", "STEM"]
    with pytest.raises(ValueError, match="'x'"):
        add_messages(stem, [RemoveMessage(id="x")])


def test_histories_grown_from_one_in_threads_do_not_see_each_other() -> None:
    stem = history(3)

    def grow(worker: int) -> list[str]:
        messages = stem
        for number in range(30):
            # The workers write the same ids in different orders.
            messages = add_messages(messages, [human(f"w{worker}", f"x{(number * (worker + 1)) % 31}")])
            messages = add_messages(messages, [human(f"again w{worker}", f"x{(number * (worker + 1)) % 31}")])
        return texts(messages)

    with ThreadPoolExecutor(4) as pool:
        grown = list(pool.map(grow, range(4)))
    assert grown == [["m0", "m1", "m2", *[f"again w{worker}"] * 30] for worker in range(4)]
    assert len(stem) == 3


EDITS: dict[str, Callable[[list[Any]], object]] = {
    "append": lambda messages: messages.append(human("new", "new")),
    "extend": lambda messages: messages.extend([human("new", "new")]),
    "insert": lambda messages: messages.insert(0, human("new", "new")),
    "pop": lambda messages: messages.pop(0),
    "remove": lambda messages: messages.remove(messages[1]),
    "clear": lambda messages: messages.clear(),
    "reverse": lambda messages: messages.reverse(),
    "sort": lambda messages: messages.sort(key=lambda message: str(message.content), reverse=True),
    "set": lambda messages: messages.__setitem__(1, human("new", "new")),
    "set slice": lambda messages: messages.__setitem__(
        slice(0, 2), [human("new", "new"), human("x", "1"), AIMessageChunk(content="c", id="c")]
    ),
    "delete": lambda messages: messages.__delitem__(0),
    "delete slice": lambda messages: messages.__delitem__(slice(0, 2)),
    "+=": lambda messages: messages.__iadd__([human("new", "new")]),
    "*=": lambda messages: messages.__imul__(2),
    "+= dict": lambda messages: messages.__iadd__([{"role": "user", "content": "d", "id": "new"}]),
}


@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS.keys())
def test_edited_history_merges_as_a_plain_list_does(edit: Callable[[list[Any]], object]) -> None:
    edited = history(4)
    edit(edited)
    update = [human(f"M{number}", str(number)) for number in (3, 2, 1, 0)] + [human("NEW", "new")]
    assert add_messages(edited, update) == add_messages(edited[:], update)


def test_list_has_no_other_way_to_edit_it() -> None:
    editing = {"append", "extend", "insert", "pop", "remove", "clear", "reverse", "sort"}
    editing |= {"__setitem__", "__delitem__", "__iadd__", "__imul__"}
    reading = {"copy", "count", "index"}
    assert {name for name in vars(list) if not name.startswith("_")} == {n for n in editing if n[0] != "_"} | reading
    assert editing <= vars(type(history(1))).keys()


def test_copies_are_plain_lists() -> None:
    messages = history(2)
    copies = [messages.copy(), messages[:], copy.copy(messages), copy.deepcopy(messages)]
    copies.append(pickle.loads(pickle.dumps(messages)))
    assert [type(made) for made in copies] == [list] * 5
    assert copies == [messages] * 5


# --- prepare


def test_prepare_gives_ids_to_copies() -> None:
    bare, known = human("a"), human("b", "2")
    update = [bare, known, "text", ("ai", "pair"), {"role": "user", "content": "c"}, RemoveMessage(id="9")]
    prepared = prepare(update)
    assert prepared[0].id
    assert (bare.id, update[0]) == (None, bare)
    assert all(new is old for new, old in zip(prepared[1:], update[1:], strict=True))


def test_prepare_takes_single_messages_and_chunks() -> None:
    assert prepare(human("a")).id
    chunk = prepare([AIMessageChunk(content="a")])[0]
    assert (type(chunk), bool(chunk.id)) == (AIMessageChunk, True)


@pytest.mark.parametrize("update", [human("a", "1"), [human("a", "1"), "b"], [], "text", {"a": 1}, None])
def test_prepare_returns_the_same_object_when_nothing_is_to_do(update: Any) -> None:
    assert prepare(update) is update


def test_prepared_ids_are_those_of_the_history() -> None:
    prepared = prepare([human("a"), human("b")])
    assert [message.id for message in add_messages([], prepared)] == [message.id for message in prepared]


def test_every_form_of_the_reducer_has_prepare() -> None:
    for reducer in (add_messages, add_messages(), add_messages(format="langchain-openai")):
        assert reducer.prepare(human("a")).id  # type: ignore[union-attr]  # an attribute of the function


# --- options


def test_options_alone_make_a_reducer() -> None:
    reducer = add_messages(format="langchain-openai")
    assert reducer == MessagesReducer("langchain-openai")
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/jpeg", "data": "xx"}}
    [message] = reducer([], [HumanMessage([{"type": "text", "text": "see", "cache_control": {}}, image], id="1")])
    assert message.content == [
        {"type": "text", "text": "see"},
        {"type": "image_url", "image_url": {"url": "data:image/jpeg;base64,xx"}},
    ]
    assert message.id == "1"


def test_reducer_with_options_works_in_an_annotation() -> None:
    class State:
        messages: Annotated[list[Any], add_messages(format="langchain-openai")]

    hints = get_type_hints(State, {**globals()}, include_extras=True)
    assert hints["messages"].__metadata__ == (MessagesReducer("langchain-openai"),)


def test_unknown_format_is_refused_at_once() -> None:
    with pytest.raises(ValueError, match=r"'xml'.*'langchain-openai'"):
        add_messages(format="xml")  # type: ignore[call-overload]
    with pytest.raises(ValueError, match="'xml'"):
        add_messages([], [], format="xml")  # type: ignore[call-overload]


def test_formatting_moves_tool_use_to_tool_calls_and_keeps_the_rest() -> None:
    usage: Any = {"input_tokens": 1, "output_tokens": 2, "total_tokens": 3}
    use = {"type": "tool_use", "id": "t", "name": "f", "input": {"x": 1}}
    reply = AIMessage([{"type": "text", "text": "a"}, use], id="1", usage_metadata=usage)
    [message] = add_messages([], [reply], format="langchain-openai")
    assert isinstance(message, AIMessage)
    assert (message.content, message.id, message.usage_metadata) == ("a", "1", usage)
    assert message.tool_calls == [{"name": "f", "args": {"x": 1}, "id": "t", "type": "tool_call"}]


def test_formatting_writes_tool_results_as_messages_with_stable_ids() -> None:
    results: list[Any] = [
        {"type": "tool_result", "tool_use_id": f"t{number}", "content": f"r{number}"} for number in range(2)
    ]
    update = HumanMessage(results, id="1")
    merged = add_messages([], [update], format="langchain-openai")
    assert [(type(message), message.content) for message in merged] == [(ToolMessage, "r0"), (ToolMessage, "r1")]
    assert merged[0].id == "1"
    assert add_messages(merged, [update], format="langchain-openai") == merged


def test_formatting_leaves_plain_text_of_any_role_alone() -> None:
    message = ChatMessage(content="a", role="moderator", id="1")
    assert add_messages([], [message], format="langchain-openai")[0] is message


def test_formatting_covers_a_history_that_was_not_formatted() -> None:
    plain = add_messages([], [HumanMessage([{"type": "text", "text": "a"}], id="1")])
    assert texts(add_messages(plain, [human("b", "2")], format="langchain-openai")) == ["a", "b"]


# --- the oracle

Spec = tuple[str, "str | None", str]

specs = st.tuples(
    st.sampled_from(["human", "ai", "remove", "chunk", "dict", "pair", "str"]),
    st.sampled_from(["a", "b", "c", "d", "e", None]),
    st.sampled_from(["x", "y", "z"]),
)
updates = st.lists(specs, min_size=1, max_size=4)
clears = st.sampled_from([False] * 9 + [True])
edits = st.sampled_from([""] * 8 + ["pop", "reverse", "append", "insert"])
merges = st.lists(st.tuples(st.integers(0, 5), updates, clears, edits), min_size=4, max_size=16)


def made(spec: Spec) -> Any:
    kind, id, text = spec
    match kind:
        case "human":
            return HumanMessage(text, id=id)
        case "ai":
            return AIMessage(text, id=id)
        case "chunk":
            return AIMessageChunk(content=text, id=id)
        case "pair":
            return ("ai", text)
        case "dict":
            return {"role": "user", "content": text, "id": id}
        case "str":
            return text
    return RemoveMessage(id=id or "a")


def outcome(reducer: Callable[..., Any], left: list[Any], update: list[Spec], clear: bool) -> list[Any] | None:
    """The merged list; None when the update is refused."""
    if clear:
        # What follows the removal of all is merged here, and kept as it is there: so only what both do alike.
        update = [spec for at, spec in enumerate(update) if spec[0] != "remove" and spec[1] not in ids_of(update[:at])]
    right = [RemoveMessage(id=REMOVE_ALL_MESSAGES)] if clear else []
    try:
        return reducer(left, [*right, *map(made, update)])  # type: ignore[no-any-return]
    except ValueError:
        return None


def ids_of(update: list[Spec]) -> set[str]:
    return {id for _, id, _ in update if id is not None}


def edit_in_place(messages: list[Any], how: str) -> None:
    if how == "pop" and messages:
        messages.pop(0)
    elif how == "reverse":
        messages.reverse()
    elif how == "append":
        messages.append(HumanMessage("edited", id="c"))
    elif how == "insert":
        messages.insert(0, AIMessage("edited", id="d"))


def shape(messages: list[Any] | None) -> Any:
    """Class, text and id of each, ids that were made up as None."""
    known = {"a", "b", "c", "d", "e"}
    return messages and [(type(m), m.content, m.id if m.id in known else None) for m in messages]


@pytest.mark.main_only
@settings(max_examples=200, deadline=None)
@given(merges)
def test_random_merges_and_forks_give_what_langgraph_gives(steps: list[tuple[int, list[Spec], bool, str]]) -> None:
    from langgraph.graph.message import add_messages as oracle

    stem: list[Spec] = [("human", "a", "x"), ("ai", "b", "y"), ("human", "c", "z")]
    ours: list[list[Any]] = [add_messages([], list(map(made, stem)))]
    theirs: list[Any] = [oracle([], list(map(made, stem)))]
    for base, update, clear, edit in steps:
        base = -1 - base % len(ours)  # mostly the newest, at times a fork of an older one
        merged = outcome(add_messages, ours[base], update, clear)
        expected = outcome(oracle, theirs[base], update, clear)
        assert shape(merged) == shape(expected)
        if merged is not None and expected is not None:
            edit_in_place(merged, edit)
            edit_in_place(expected, edit)
            ours.append(merged)
            theirs.append(expected)
    assert list(map(shape, ours)) == list(map(shape, theirs))


FORMATTED: list[Callable[[], BaseMessage]] = [
    lambda: HumanMessage("a", name="bob"),
    lambda: AIMessage([{"type": "text", "text": "a", "cache_control": 1}, {"type": "text", "text": "b"}, "c"]),
    lambda: HumanMessage([]),
    lambda: AIMessage([{"type": "reasoning", "summary": []}, {"type": "text", "text": "a"}]),
    lambda: AIMessage(
        [{"type": "tool_use", "id": "t", "name": "f", "input": {}}],
        tool_calls=[{"name": "f", "args": {}, "id": "t"}],
    ),
    lambda: HumanMessage(
        [{"type": "tool_result", "tool_use_id": "t", "content": "r"}, {"type": "text", "text": "and"}]
    ),
    lambda: ToolMessage([{"type": "text", "text": "r"}], tool_call_id="t"),
    lambda: AIMessageChunk(content="x", tool_call_chunks=[{"name": "f", "args": "{}", "id": "t", "index": 0}]),
]


@pytest.mark.main_only
@pytest.mark.parametrize("make", FORMATTED)
def test_formatted_contents_are_those_of_langgraph(make: Callable[[], BaseMessage]) -> None:
    from langgraph.graph.message import add_messages as oracle

    def described(reducer: Callable[..., Any]) -> list[Any]:
        messages = reducer([], [make()], format="langchain-openai")
        return [(type(m), m.content, m.name, getattr(m, "tool_calls", None)) for m in messages]

    assert described(add_messages) == described(oracle)
