"""How a run starts: from an input, or from where its thread stands."""

from __future__ import annotations

from typing import Any, TypedDict

import pytest

from headrace.checkpoint.memory import InMemorySaver
from headrace.engine.begin import is_interrupt_id
from headrace.errors import (
    EmptyInputError,
    HeadraceError,
    InvalidConfigError,
    InvalidUpdateError,
    UnknownInterruptError,
)
from headrace.graph import START, StateGraph
from headrace.names import INTERRUPT
from headrace.types import Command, Interrupt, Send, interrupt
from tests.drive import Drive
from tests.engine.build import State, chain, fan, says
from tests.engine.test_loop import asking, notes


def stored(*nodes: Any, **options: Any) -> Any:
    return chain(*nodes, checkpointer=InMemorySaver(), **options)


def questions(paused: Any) -> list[Interrupt]:
    found: list[Interrupt] = paused[INTERRUPT]
    return found


# what is refused


def test_no_input_on_a_fresh_graph_is_an_error_that_names_the_graph_and_the_remedy(drive: Drive) -> None:
    with pytest.raises(EmptyInputError, match=r"graph 'wheel' got no input.*pass the input of a new run"):
        drive.invoke(chain(says("a"), name="wheel"), None)


def test_no_input_on_a_fresh_thread_names_the_thread(drive: Drive, thread: Any) -> None:
    with pytest.raises(EmptyInputError, match=r"got no input .*on thread '1'"):
        drive.invoke(stored(says("a")), None, thread)


def test_an_answer_on_a_fresh_thread_is_an_error(drive: Drive, thread: Any) -> None:
    with pytest.raises(EmptyInputError):
        drive.invoke(stored(says("a")), Command(resume="yes"), thread)


@pytest.mark.parametrize("config", [None, {"configurable": {}}, {"configurable": {"thread_id": None}}])
def test_a_graph_with_a_checkpointer_needs_a_thread(config: Any, drive: Drive) -> None:
    with pytest.raises(InvalidConfigError) as caught:
        drive.invoke(stored(says("a"), name="wheel"), {"log": []}, config)
    assert "graph 'wheel'" in str(caught.value)
    assert "{'configurable': {'thread_id': '1'}}" in str(caught.value)


def test_an_unknown_checkpoint_is_named_with_its_thread(drive: Drive) -> None:
    config = {"configurable": {"thread_id": "1", "checkpoint_id": "nowhere"}}
    with pytest.raises(InvalidConfigError, match="thread '1' has no checkpoint 'nowhere'"):
        drive.invoke(stored(says("a")), None, config)


def test_a_command_for_a_graph_above_cannot_come_as_input(drive: Drive) -> None:
    with pytest.raises(InvalidUpdateError, match="leave out `graph=`"):
        drive.invoke(chain(says("a")), Command(graph=Command.PARENT, update={"log": []}))


def test_an_input_of_which_no_key_is_known_names_the_keys_there_are(drive: Drive) -> None:
    with pytest.raises(InvalidUpdateError, match=r"the input has 'lgo', .*its input keys are: 'log'"):
        drive.invoke(chain(says("a")), {"lgo": []})


def test_an_input_that_is_no_dict_is_shown(drive: Drive) -> None:
    with pytest.raises(InvalidUpdateError, match=r"the input is 'hello' \(str\), not a dict"):
        drive.invoke(chain(says("a")), "hello")


def test_several_pending_questions_need_answers_by_id(drive: Drive, thread: Any) -> None:
    graph = fan(asking("a"), asking("b"), checkpointer=InMemorySaver())
    ids = [one.id for one in questions(drive.invoke(graph, {"log": []}, thread))]
    with pytest.raises(UnknownInterruptError) as caught:
        drive.invoke(graph, Command(resume="yes"), thread)
    assert caught.value.reason == "ambiguous"
    assert sorted(caught.value.pending_ids) == sorted(ids)
    assert all(one in str(caught.value) for one in ids)
    assert "Command(resume={id: answer})" in str(caught.value)


def test_an_answer_to_a_question_that_nobody_asked_names_those_that_are_pending(drive: Drive, thread: Any) -> None:
    graph = stored(asking("a"))
    (question,) = questions(drive.invoke(graph, {"log": []}, thread))
    with pytest.raises(UnknownInterruptError) as caught:
        drive.invoke(graph, Command(resume={"0" * 32: "yes"}), thread)
    assert caught.value.reason == "not_pending"
    assert caught.value.interrupt_ids == ("0" * 32,)
    assert caught.value.pending_ids == (question.id,)
    assert f"pending are: '{question.id}'" in str(caught.value)


def test_an_answer_by_id_where_nothing_is_pending_says_so(drive: Drive, thread: Any) -> None:
    graph = stored(says("a"))
    drive.invoke(graph, {"log": []}, thread)
    with pytest.raises(UnknownInterruptError, match="pending are: none"):
        drive.invoke(graph, Command(resume={"0" * 32: "yes"}), thread)


def test_a_refused_answer_leaves_the_question_as_it_was(drive: Drive, thread: Any) -> None:
    graph = stored(asking("a"))
    drive.invoke(graph, {"log": []}, thread)
    with pytest.raises(HeadraceError):
        drive.invoke(graph, Command(resume={"0" * 32: "yes"}), thread)
    assert drive.invoke(graph, Command(resume="yes"), thread) == {"log": ["yes"]}


def test_an_answer_on_a_finished_thread_changes_nothing(drive: Drive, thread: Any) -> None:
    graph = stored(says("a"))
    drive.invoke(graph, {"log": []}, thread)
    assert drive.invoke(graph, Command(resume="yes"), thread) == {"log": ["a"]}


def test_an_answer_where_a_run_was_told_to_pause_lets_it_go_on(drive: Drive, thread: Any) -> None:
    graph = stored(says("a"), says("b"), interrupt_before=["b"])
    drive.invoke(graph, {"log": []}, thread)
    assert drive.invoke(graph, Command(resume="yes"), thread) == {"log": ["a", "b"]}


# answers


def test_answers_by_id_reach_their_questions(drive: Drive, thread: Any) -> None:
    graph = fan(asking("a"), asking("b"), checkpointer=InMemorySaver())
    asked = questions(drive.invoke(graph, {"log": []}, thread))
    answers = {one.id: one.value.upper() for one in asked}
    assert drive.invoke(graph, Command(resume=answers), thread) == {"log": ["A?", "B?"]}


def test_one_of_two_questions_can_be_answered_alone(drive: Drive, thread: Any) -> None:
    graph = fan(asking("a"), asking("b"), checkpointer=InMemorySaver())
    first = next(one for one in questions(drive.invoke(graph, {"log": []}, thread)) if one.value == "a?")
    (left,) = questions(drive.invoke(graph, Command(resume={first.id: 1}), thread))
    assert left.value == "b?"
    assert drive.invoke(graph, Command(resume=2), thread) == {"log": [1, 2]}


@pytest.mark.parametrize("answer", [{}, {"name": "x"}, {1: "x"}, None, False, ""])
def test_any_value_but_none_can_be_an_answer(answer: Any, drive: Drive, thread: Any) -> None:
    graph = stored(asking("a"))
    drive.invoke(graph, {"log": []}, thread)
    result = drive.invoke(graph, Command(resume=answer), thread)
    if answer is None:
        assert [one.value for one in questions(result)] == ["a?"]
    else:
        assert result == {"log": [answer]}


def test_a_question_inside_a_subgraph_is_answered_from_outside(drive: Drive, thread: Any) -> None:
    inner = chain(says("before"), asking("ask"))
    graph = StateGraph(State).add_node("sub", inner).add_edge(START, "sub").compile(checkpointer=InMemorySaver())
    drive.invoke(graph, {"log": []}, thread)
    assert drive.invoke(graph, Command(resume="yes"), thread) == {"log": ["before", "yes"]}


def test_answering_again_at_an_old_checkpoint_asks_the_step_again(drive: Drive, thread: Any) -> None:
    graph = stored(asking("ask"), says("b"))
    drive.invoke(graph, {"log": []}, thread)
    paused = drive.state(graph, thread).config
    assert drive.invoke(graph, Command(resume="yes"), thread) == {"log": ["yes", "b"]}
    assert drive.invoke(graph, Command(resume="no"), paused) == {"log": ["no", "b"]}


def test_answering_again_keeps_what_others_of_the_step_need_not_do_again(drive: Drive, thread: Any) -> None:
    graph = fan(asking("ask"), says("other"), checkpointer=InMemorySaver())
    drive.invoke(graph, {"log": []}, thread)
    paused = drive.state(graph, thread).config
    drive.invoke(graph, Command(resume="yes"), thread)
    assert drive.invoke(graph, Command(resume="no"), paused) == {"log": ["no", "other"]}


@pytest.mark.parametrize(
    ("key", "answer"),
    [("0" * 32, True), ("0123456789abcdef" * 2, True), ("0" * 31, False), ("0" * 33, False), ("g" * 32, False)],
)
def test_an_interrupts_id_is_known_by_its_look(key: str, answer: bool) -> None:
    assert is_interrupt_id(key) is answer
    assert not is_interrupt_id(1)


# commands and inputs


def test_a_command_can_start_a_fresh_run(drive: Drive) -> None:
    assert drive.invoke(chain(says("a")), Command(update={"log": ["in"]})) == {"log": ["in", "a"]}


def test_a_command_can_say_where_to_start(drive: Drive) -> None:
    builder = StateGraph(State).add_node("a", says("a")).add_node("b", says("b")).add_edge(START, "a")
    assert drive.invoke(builder.compile(), Command(goto="b")) == {"log": ["a", "b"]}


def test_a_command_updates_and_answers_at_once(drive: Drive, thread: Any) -> None:
    graph = stored(asking("a"))
    drive.invoke(graph, {"log": []}, thread)
    assert drive.invoke(graph, Command(resume="yes", update={"log": ["told"]}), thread) == {"log": ["told", "yes"]}


def test_a_commands_update_stands_although_the_question_is_asked_again(drive: Drive, thread: Any) -> None:
    graph = stored(asking("a"))
    drive.invoke(graph, {"log": []}, thread)
    drive.invoke(graph, Command(update={"log": ["told"]}), thread)
    assert drive.state(graph, thread).values == {"log": ["told"]}
    drive.invoke(graph, Command(update={"log": ["again"]}), thread)
    assert drive.invoke(graph, Command(resume="yes"), thread) == {"log": ["told", "again", "yes"]}


def test_a_command_can_send_a_thread_on_to_another_node(drive: Drive, thread: Any) -> None:
    builder = StateGraph(State).add_node("a", says("a")).add_node("b", lambda state: {"log": [state["log"]]})
    graph = builder.add_edge(START, "a").compile(checkpointer=InMemorySaver())
    drive.invoke(graph, {"log": []}, thread)
    sent = drive.invoke(graph, Command(goto=Send("b", {"log": "sent"})), thread)
    assert sent == {"log": ["a", "sent"]}


def test_a_new_input_on_a_thread_drops_what_was_due(drive: Drive, thread: Any) -> None:
    graph = stored(says("a"), says("b"), interrupt_before=["b"])
    drive.invoke(graph, {"log": []}, thread)
    events = drive.stream(graph, {"log": ["new"]}, thread, stream_mode="updates")
    assert events[0] == {"a": {"log": ["a"]}}
    assert drive.state(graph, thread).values == {"log": ["a", "new", "a"]}


def test_a_new_input_resets_a_join_that_was_due(drive: Drive, thread: Any) -> None:
    builder = StateGraph(State)
    for name in ("a", "b", "join"):
        builder.add_node(name, says(name))
    builder.add_edge(START, "a").add_edge(START, "b").add_edge(["a", "b"], "join")
    graph = builder.compile(checkpointer=InMemorySaver(), interrupt_before=["join"])
    drive.invoke(graph, {"log": []}, thread)
    assert drive.state(graph, thread).next == ("join",)
    drive.invoke(graph, {"log": ["new"]}, thread, interrupt_before=["a"])
    assert drive.state(graph, thread).next == ("a", "b")
    assert drive.state(graph, thread).values == {"log": ["a", "b", "new"]}


def test_an_input_is_merged_with_the_reducers_of_its_thread(drive: Drive, thread: Any) -> None:
    graph = stored(says("a"))
    drive.invoke(graph, {"log": [1]}, thread)
    assert drive.invoke(graph, {"log": [2]}, thread) == {"log": [1, "a", 2, "a"]}


def test_the_entry_can_depend_on_the_input(drive: Drive) -> None:
    builder = StateGraph(State).add_node("a", says("a")).add_node("b", says("b"))
    graph = builder.add_conditional_edges(START, lambda state: state["log"][0]).compile()
    assert drive.invoke(graph, {"log": ["b"]}) == {"log": ["b", "b"]}


def test_a_checkpoint_can_be_run_from_again(drive: Drive, thread: Any) -> None:
    graph = stored(says("a"), says("b"))
    drive.invoke(graph, {"log": []}, thread)
    before_b = next(one for one in drive.history(graph, thread) if one.next == ("b",))
    assert drive.stream(graph, None, before_b.config, stream_mode="updates") == [{"b": {"log": ["b"]}}]
    newest = drive.history(graph, thread)
    assert [one.metadata["source"] for one in newest[:2]] == ["loop", "fork"]
    assert newest[1].parent_config == before_b.config


def test_a_new_input_keeps_what_a_caller_wrote_before(drive: Drive, thread: Any) -> None:
    graph = stored(asking("ask"))
    drive.invoke(graph, {"log": []}, thread)
    drive.invoke(graph, Command(update={"log": ["told"]}), thread)
    assert drive.invoke(graph, {"log": ["new"]}, thread)["log"] == ["told", "new"]


class Failing(InMemorySaver):
    """A saver whose store fails at the given call."""

    def __init__(self, method: str, call: int) -> None:
        super().__init__()
        self.method, self.left = method, call

    def count(self, method: str) -> None:
        if method == self.method:
            self.left -= 1
            if self.left == 0:
                raise OSError("the disk is full")

    def put(self, *args: Any) -> Any:
        self.count("put")
        return super().put(*args)

    def put_writes(self, *args: Any) -> None:
        self.count("put_writes")
        super().put_writes(*args)


def test_an_input_that_was_stored_and_not_yet_merged_is_taken_up(drive: Drive, thread: Any) -> None:
    graph = chain(says("a"), checkpointer=Failing("put", 2))
    with pytest.raises(OSError, match="disk is full"):
        drive.invoke(graph, {"log": ["in"]}, thread)
    assert drive.state(graph, thread).next == (START,)
    assert drive.invoke(graph, None, thread) == {"log": ["in", "a"]}


def test_an_input_that_was_not_stored_must_be_passed_again(drive: Drive, thread: Any) -> None:
    graph = chain(says("a"), checkpointer=Failing("put_writes", 1))
    with pytest.raises(OSError, match="disk is full"):
        drive.invoke(graph, {"log": ["in"]}, thread)
    with pytest.raises(EmptyInputError, match="stopped before its input was stored; pass it again"):
        drive.invoke(graph, None, thread)
    assert drive.invoke(graph, {"log": ["in"]}, thread) == {"log": ["in", "a"]}


def asking_the_way(*questions: str, **options: Any) -> Any:
    """A graph whose way in is the answer to its last question."""
    builder = StateGraph(State).add_node("a", says("a")).add_node("b", says("b"))
    builder.add_conditional_edges(START, lambda state: [interrupt(question) for question in questions][-1], ["a", "b"])
    return builder.compile(**{"checkpointer": InMemorySaver(), **options})


@pytest.mark.parametrize("durability", ["sync", "async", "exit"])
def test_the_way_in_can_be_asked_for(durability: Any, drive: Drive, thread: Any) -> None:
    graph = asking_the_way("why?", "where?")
    paused = drive.invoke(graph, {"log": ["in"]}, thread, durability=durability)
    assert (paused["log"], [question.value for question in questions(paused)]) == (["in"], ["why?"])
    state = drive.state(graph, thread)
    assert (state.values, state.next, state.interrupts) == ({"log": []}, (START,), tuple(questions(paused)))
    paused = drive.invoke(graph, Command(resume="because"), thread, durability=durability)
    assert [question.value for question in questions(paused)] == ["where?"]
    assert drive.invoke(graph, None, thread, durability=durability) == paused
    told = drive.stream(graph, Command(resume="b"), thread, stream_mode="updates", durability=durability)
    assert told == [{"b": {"log": ["b"]}}]
    assert drive.state(graph, thread).values == {"log": ["in", "b"]}


def test_a_question_of_the_way_in_is_told(drive: Drive, thread: Any) -> None:
    told = drive.stream(asking_the_way("where?"), {"log": ["in"]}, thread, stream_mode=["updates", "values", "tasks"])
    assert [mode for mode, _ in told] == ["updates", "values"]
    asked = told[0][1][INTERRUPT]
    assert [question.value for question in asked] == ["where?"]
    assert told[1][1] == {"log": ["in"], INTERRUPT: asked}


def test_the_way_into_a_subgraph_can_be_asked_for(drive: Drive, thread: Any) -> None:
    for memory in (None, True, False):
        builder = StateGraph(State).add_node("sub", asking_the_way("where?", checkpointer=memory))
        builder.add_node(says("after")).add_edge(START, "sub").add_edge("sub", "after")
        graph = builder.compile(checkpointer=InMemorySaver())
        drive.invoke(graph, {"log": ["in"]}, thread)
        assert drive.invoke(graph, Command(resume="a"), thread)["log"][-2:] == ["a", "after"]


def test_a_new_input_replaces_one_that_waits_for_its_way(drive: Drive, thread: Any) -> None:
    graph = asking_the_way("where?")
    drive.invoke(graph, {"log": ["in"]}, thread)
    assert drive.invoke(graph, {"log": ["new"]}, thread)["log"] == ["new"]
    assert drive.invoke(graph, Command(resume="a"), thread) == {"log": ["new", "a"]}


def test_a_commands_update_joins_an_input_that_waits_for_its_way(drive: Drive, thread: Any) -> None:
    graph = asking_the_way("where?")
    drive.invoke(graph, {"log": ["in"]}, thread)
    assert drive.invoke(graph, Command(update={"log": ["more"]}), thread)["log"] == ["in", "more"]
    assert drive.invoke(graph, Command(resume="a"), thread) == {"log": ["in", "more", "a"]}


def test_a_question_of_the_way_in_leaves_dropped_what_a_new_input_dropped(drive: Drive, thread: Any) -> None:
    """Else the join of `a` and `b`, which was due, would be half reached by what ran before."""

    def route(state: State) -> list[str]:
        if state["log"][-1] == "ask":
            interrupt("which way?")
        return ["a", "s"]

    builder = (
        StateGraph(State).add_edge("s", "b").add_edge(["a", "b"], "c").add_conditional_edges(START, route, ["a", "s"])
    )
    for name in "absc":
        builder.add_node(name, says(name))
    graph = builder.compile(checkpointer=InMemorySaver(), interrupt_before=["c"])
    drive.invoke(graph, {"log": ["in"]}, thread)
    drive.invoke(graph, {"log": ["ask"]}, thread)
    assert drive.invoke(graph, Command(resume="on"), thread)["log"] == ["in", "a", "s", "b", "ask", "a", "s", "b"]
    assert drive.state(graph, thread).next == ("c",)


def test_a_bare_answer_is_not_kept_for_questions_of_later_steps(drive: Drive, thread: Any) -> None:
    graph = stored(says("a"), asking("b"), interrupt_before=["a"])
    drive.invoke(graph, {"log": []}, thread)
    paused = drive.invoke(graph, Command(resume="yes"), thread)
    assert ([question.value for question in questions(paused)], paused["log"]) == (["b?"], ["a"])


def test_a_bare_answer_is_for_one_of_the_tasks_that_ask_at_once(drive: Drive, thread: Any) -> None:
    graph = fan(*(asking(name) for name in "abcdefgh"), checkpointer=InMemorySaver(), interrupt_before="*")
    for turn in range(20):
        config = {"configurable": {"thread_id": str(turn)}}
        drive.invoke(graph, {"log": []}, config)
        assert drive.invoke(graph, Command(resume="x"), config)["log"] == ["x"]


class Ticket(State, total=False):
    ticket: str


def test_a_commands_update_counts_more_than_an_input_that_waits_for_its_way(drive: Drive, thread: Any) -> None:
    builder = (
        StateGraph(Ticket).add_node("a", says("a")).add_conditional_edges(START, lambda state: interrupt("?"), ["a"])
    )
    graph = builder.compile(checkpointer=InMemorySaver())
    drive.invoke(graph, {"ticket": "one"}, thread)
    assert drive.invoke(graph, Command(update={"ticket": "two"}), thread)["ticket"] == "two"
    result = drive.invoke(graph, Command(resume="a", update={"ticket": "three"}), thread)
    assert result == {"log": ["a"], "ticket": "three"}


def test_a_way_in_that_fails_says_where(drive: Drive, thread: Any) -> None:
    builder = StateGraph(State).add_node("a", says("a")).add_conditional_edges(START, lambda state: state["no"], ["a"])
    for saver in (None, InMemorySaver()):
        with pytest.raises(KeyError) as caught:
            drive.invoke(builder.compile(checkpointer=saver), {"log": []}, thread)
        assert notes(caught.value)[0].startswith("in node '__start__', step ")


def test_an_answered_way_in_can_be_asked_again(drive: Drive, thread: Any) -> None:
    graph = asking_the_way("where?")
    drive.invoke(graph, {"log": ["in"]}, thread)
    drive.invoke(graph, Command(resume="a"), thread)
    first = drive.history(graph, thread)[-1]
    assert drive.invoke(graph, Command(resume="b"), first.config) == {"log": ["in", "b"]}


@pytest.mark.parametrize("durability", ["sync", "async", "exit"])
def test_an_input_is_not_lost_with_a_routing_function_that_fails(durability: Any, drive: Drive, thread: Any) -> None:
    broken = [ValueError("broken")]

    def route(state: State) -> str:
        if broken:
            raise broken.pop()
        return "a"

    builder = StateGraph(State).add_node("a", says("a")).add_conditional_edges(START, route, ["a"])
    graph = builder.compile(checkpointer=InMemorySaver())
    with pytest.raises(ValueError, match="broken"):
        drive.invoke(graph, {"log": ["in"]}, thread, durability=durability)
    assert drive.invoke(graph, None, thread, durability=durability) == {"log": ["in", "a"]}


def test_an_update_whose_routing_function_asks_is_refused(drive: Drive, thread: Any) -> None:
    graph = asking_the_way("where?")
    drive.invoke(graph, {"log": ["in"]}, thread)
    with pytest.raises(InvalidUpdateError, match=r"as node '__start__'.*interrupt\(\).*update as another node"):
        drive.update(graph, thread, {"log": ["edit"]}, as_node=START)
    drive.update(graph, thread, {"log": ["edit"]}, as_node="a")
    assert drive.state(graph, thread).values == {"log": ["edit"]}


def test_a_run_can_be_run_again_from_its_input(drive: Drive, thread: Any) -> None:
    graph = stored(says("a"))
    drive.invoke(graph, {"log": ["in"]}, thread)
    first = drive.history(graph, thread)[-1]
    assert drive.stream(graph, None, first.config, stream_mode="updates") == [{"a": {"log": ["a"]}}]
    assert drive.state(graph, thread).values == {"log": ["in", "a"]}


def test_a_checkpoint_of_a_graph_with_other_keys_gives_what_both_have(drive: Drive, thread: Any) -> None:
    saver = InMemorySaver()
    drive.invoke(chain(says("a"), checkpointer=saver), {"log": [1]}, thread)

    class Other(State, total=False):
        more: int

    builder = StateGraph(Other).add_node("b", lambda state: {"more": len(state["log"])}).add_edge(START, "b")
    graph = builder.compile(checkpointer=saver)
    assert drive.invoke(graph, {"log": []}, thread) == {"log": [1, "a"], "more": 2}
    narrow: Any = StateGraph(Narrow).add_node("c", lambda state: {"more": 0}).add_edge(START, "c")
    assert drive.invoke(narrow.compile(checkpointer=saver), {"more": 5}, thread) == {"more": 0}


def test_what_a_caller_wrote_for_a_key_that_is_gone_is_left_out(drive: Drive, thread: Any) -> None:
    saver = InMemorySaver()
    graph = chain(asking("ask"), checkpointer=saver)
    drive.invoke(graph, {"log": []}, thread)
    drive.invoke(graph, Command(update={"log": ["told"]}), thread)
    builder: Any = StateGraph(Narrow).add_node("ask", lambda state: {"more": 1}).add_edge(START, "ask")
    assert drive.invoke(builder.compile(checkpointer=saver), None, thread) == {"more": 1}


class Narrow(TypedDict, total=False):
    more: int
