"""`headrace run` on a terminal, as a person sees and answers it."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable

import pytest

from .conftest import AGENTS, CHAT, PLAIN, Screen

pytestmark = pytest.mark.main_only

Open = Callable[..., Screen]

ICE = '{"topic": "ice cream"}'
ASKS = "answer (JSON or text)> "


def test_steps_are_shown_as_they_happen(screen: Open) -> None:
    shown = screen(f"{PLAIN}:graph", ICE)
    for text in ("● refine_topic", "topic: ice cream and cats", "● generate_joke", "joke: This is a joke", "done in"):
        shown.wait_for(text)
    assert shown.end() == 0


def test_values_and_debug_are_shown_on_request(screen: Open) -> None:
    shown = screen(f"{PLAIN}:graph", ICE, "-m", "values", "-m", "debug", "-m", "tasks")
    for text in ("◆ state", "topic: ice cream", "· debug", '"refine_topic"', "◆ state", "topic: ice cream and cats"):
        shown.wait_for(text)
    assert shown.end() == 0
    assert "· tasks" in shown.text
    assert "●" not in shown.text


def test_tokens_are_shown_live_and_not_again_as_an_update(screen: Open) -> None:
    shown = screen(f"{CHAT}:outer", "hi", "--subgraphs")
    shown.wait_for("▸ inner > call_model ai Why did the truck\nbreak \\x1b[31mdown?\n")
    shown.wait_for("● inner > call_model")
    shown.wait_for("● inner")
    assert shown.end() == 0
    assert shown.text.count("Why did the truck") == 1


def test_tool_calls_and_results_are_shown_a_line_each(screen: Open) -> None:
    shown = screen(f"{CHAT}:calling", "hi")
    shown.wait_for('▸ think ai let me see\n→ look {"at": "sky"}\n→ look {"at": "sea"}\n')
    shown.wait_for("▸ look ← look blue\n")
    shown.wait_for("▸ look ← look blue\n")
    shown.wait_for("▸ again ai All blue.\n")
    assert shown.end() == 0
    assert "None" not in shown.text


def test_calls_that_arrive_at_once_are_read_one_after_the_other(screen: Open) -> None:
    shown = screen(f"{CHAT}:mixing", "hi")
    shown.wait_for('▸ mix ai → look {"at": "sky"}\n→ hear {"what": "sea"}\n')
    shown.wait_for('▸ again ai → look {"at": \n→ hear {"what": \n')
    shown.wait_for("lost")
    assert shown.end() == 1


def test_custom_data_and_prints_are_shown(screen: Open) -> None:
    shown = screen(f"{PLAIN}:talking", ICE)
    assert shown.end() == 0
    assert "printed by the node\n" in shown.text
    assert "◇ node custom" in shown.text
    assert '{"progress": 1}' in shown.text


def test_an_interrupt_is_shown_and_answered(screen: Open) -> None:
    shown = screen(f"{PLAIN}:asking", ICE)
    shown.wait_for("? node asks")
    shown.wait_for('{"question": "good?"}')
    shown.wait_for(ASKS)
    shown.type("\n")
    shown.wait_for(ASKS)
    shown.type("very good\n")
    shown.wait_for("joke: ice cream: 'very good'")
    assert shown.end() == 0


def test_questions_one_after_the_other_and_answers_as_json(screen: Open) -> None:
    shown = screen(f"{PLAIN}:asking_twice", ICE)
    shown.wait_for("first?")
    shown.wait_for(ASKS)
    shown.type("true\n")
    shown.wait_for("second?")
    shown.wait_for('answer as: {"type": "integer"}')
    shown.wait_for(ASKS)
    shown.type("42\n")
    shown.wait_for("joke: True 42")
    assert shown.end() == 0


def test_questions_of_parallel_nodes_get_their_own_answers(screen: Open) -> None:
    shown = screen(f"{PLAIN}:parallel", ICE)
    shown.wait_for("? one asks")
    shown.wait_for(ASKS)
    shown.type("to one\nto three\n")
    shown.wait_for("? three asks")
    assert shown.end() == 0
    assert "joke: ice cream: 'to one'" in shown.text
    assert "topic: to three" in shown.text


def test_a_question_from_inside_a_subgraph_is_answered(screen: Open) -> None:
    shown = screen(f"{PLAIN}:inside", ICE)
    shown.wait_for('{"question": "good?"}')
    shown.wait_for(ASKS)
    shown.type("yes\n")
    shown.wait_for("joke: ice cream: 'yes'")
    assert shown.end() == 0


def test_without_a_keyboard_a_question_is_left_open(screen: Open) -> None:
    shown = screen(f"{PLAIN}:asking", ICE, stdin=subprocess.DEVNULL)
    shown.wait_for("headrace: the run waits for an answer, and standard input is no terminal")
    assert shown.end() == 3


def test_enter_goes_on_from_a_breakpoint(screen: Open) -> None:
    shown = screen(f"{PLAIN}:stopping", ICE)
    shown.wait_for("? stopped before 'generate_joke'")
    shown.wait_for("Enter goes on> ")
    shown.type("\n")
    shown.wait_for("● generate_joke")
    assert shown.end() == 0


def test_ctrl_d_leaves_the_question_open(screen: Open) -> None:
    shown = screen(f"{PLAIN}:asking", ICE)
    shown.wait_for(ASKS)
    shown.type("\x04")
    assert shown.end() == 3
    assert "headrace: the run waits for an answer" in shown.text


def test_ctrl_c_at_the_prompt_ends_the_command(screen: Open) -> None:
    shown = screen(f"{PLAIN}:asking", ICE)
    shown.wait_for(ASKS)
    shown.process.send_signal(signal.SIGINT)
    assert shown.end() == 130
    assert "headrace: interrupted" in shown.text


def test_ctrl_c_stops_a_running_node(screen: Open) -> None:
    shown = screen(f"{PLAIN}:waiting", ICE)
    shown.wait_for("◇ node custom")
    shown.process.send_signal(signal.SIGINT)
    assert shown.end() == 130
    assert "cleaned up\n" in shown.text
    assert "done in" not in shown.text


def test_a_terminal_that_goes_away_ends_the_command(screen: Open) -> None:
    shown = screen(f"{PLAIN}:asking", ICE)
    shown.wait_for(ASKS)
    os.close(shown.main)
    assert shown.process.wait() != 0
    shown.main = os.open(os.devnull, os.O_RDONLY)


def test_a_failing_node_is_told_below_the_steps(screen: Open) -> None:
    shown = screen(f"{PLAIN}:failing", ICE)
    shown.wait_for("headrace: ValueError: no joke about ice cream\n")
    assert shown.end() == 1


# Agents


def test_a_refused_answer_is_told_and_asked_for_again(screen: Open) -> None:
    shown = screen(f"{AGENTS}:insisting", "hi")
    for wrong in ("one", "[]"):
        shown.wait_for(ASKS)
        shown.type(f"{wrong}\n")
        shown.wait_for("✗ a number is needed, got ")
        shown.wait_for("? insist asks")
    shown.wait_for(ASKS)
    shown.type("3\n")
    shown.wait_for("it is 3")
    assert shown.end() == 0


def test_a_call_is_reviewed_in_a_word(screen: Open) -> None:
    shown = screen(f"{AGENTS}:one", "hi")
    shown.wait_for("? HumanInTheLoopMiddleware.after_model asks")
    shown.wait_for('    → look {"at": "sky"}\n')
    shown.wait_for("    approve | edit {JSON arguments} | reject [why] | respond TEXT\n")
    shown.wait_for("decision> ")
    shown.type("aprove\n")
    shown.wait_for("✗ 'aprove' is no decision on 'look'; answer with: approve | edit")
    shown.wait_for("decision> ")
    shown.type("approve\n")
    shown.wait_for("← look blue sky")
    assert shown.end() == 0
    assert "action_requests" not in shown.text


def test_calls_are_reviewed_a_line_each(screen: Open) -> None:
    shown = screen(f"{AGENTS}:two", "hi")
    shown.wait_for('→ look {"at": "sky"}\n')
    shown.wait_for("decision 1 of 2> ")
    shown.type('edit {"at": "moon"}\n')
    shown.wait_for('→ look {"at": "sea"}\n')
    shown.wait_for("decision 2 of 2> ")
    shown.type("reject because it is wet\n")
    shown.wait_for("because it is wet")
    shown.wait_for("blue moon")
    assert shown.end() == 0
    assert "blue sea" not in shown.text


def test_a_review_takes_the_answer_as_json_and_asks_again_where_the_graph_refuses_it(screen: Open) -> None:
    shown = screen(f"{AGENTS}:two", "hi")
    shown.wait_for("decision 1 of 2> ")
    shown.type('{"decisions": [{"type": "approve"}]}\n')
    shown.wait_for("✗ ")
    shown.wait_for("? HumanInTheLoopMiddleware.after_model asks")
    shown.wait_for("decision 1 of 2> ")
    shown.type('{"decisions": [{"type": "approve"}, {"type": "respond", "message": "it is green"}]}\n')
    shown.wait_for("it is green")
    shown.wait_for("blue sky")
    assert shown.end() == 0


def test_a_question_about_one_call_is_reviewed_in_a_word(screen: Open) -> None:
    shown = screen(f"{AGENTS}:per_call", "hi")
    shown.wait_for('    → look {"at": "sky"}\n    approve | reject [why]\n')
    shown.wait_for("decision> ")
    shown.type('{"type": "edit"}\n')
    shown.wait_for("? tools asks")
    shown.wait_for("✗ the decision on the call of 'look'")
    shown.wait_for("decision> ")
    shown.type("reject\n")
    shown.wait_for("was rejected")
    assert shown.end() == 0


def test_ctrl_d_leaves_a_review_open(screen: Open) -> None:
    shown = screen(f"{AGENTS}:one", "hi")
    shown.wait_for("decision> ")
    shown.type("\x04")
    assert shown.end() == 3


def test_tools_are_shown_a_line_per_event(screen: Open) -> None:
    shown = screen(f"{AGENTS}:telling", "hi", "-m", "tools")
    assert shown.end() == 0
    for line in ('→ look {"at": "sky"}', "… look looking at sky", "← look blue sky\n    and wide", "✗ look too bright"):
        assert line in shown.text
    assert "tool_call_id" not in shown.text


def test_an_object_grows_in_the_status_line_and_is_printed_when_it_is_whole(screen: Open) -> None:
    shown = screen(f"{AGENTS}:weather", "hi", "-m", "structured")
    shown.wait_for('Weather {"city": "Rome"} ')
    shown.wait_for("◆ Weather (incomplete)")
    shown.wait_for("    degrees: hot\n")
    shown.wait_for("◆ Weather  ")
    shown.wait_for("    city: Rome\n")
    shown.wait_for("    degrees: 30\n")
    assert shown.end() == 0
    assert shown.text.count("◆ Weather") == 2
    assert "message_id" not in shown.text


def test_hooks_that_wrote_nothing_are_left_out(screen: Open) -> None:
    shown = screen(f"{AGENTS}:idle", "hi")
    shown.wait_for("● model")
    shown.wait_for("● Idle.after_model")
    assert shown.end() == 0
    assert "● Idle.before_model" not in shown.text
    assert "no change" not in shown.text


def test_an_agent_inside_is_shown_by_its_name(screen: Open) -> None:
    shown = screen(f"{AGENTS}:nested", "hi", "--subgraphs")
    shown.wait_for("▸ scholar > model ai It is blue.\n")
    shown.wait_for("● scholar > model")
    shown.wait_for("▸ tools ← ask_scholar It is blue.\n")
    assert shown.end() == 0
    assert "● tools > model" not in shown.text
