from __future__ import annotations

import itertools
import json
import stat
import sys
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typing_extensions import TypedDict

from headrace.graph.drawing import Edge, Graph, MermaidRenderError, Node, NodeStyles, drawn
from headrace.graph.drawing.layout import layers

START, END = "__start__", "__end__"


def work(state: Any) -> dict[str, Any]:
    return {}


@dataclass(frozen=True)
class Step:
    """A node, as `drawn` sees it."""

    data: object = work
    metadata: Mapping[str, Any] | None = None
    defer: bool = False
    handles_errors: bool = False
    destinations: Mapping[str, str | None] = field(default_factory=dict)
    subgraph: Plan | None = None


@dataclass(frozen=True)
class Branch:
    source: str
    ends: Mapping[Any, str] | None


@dataclass(frozen=True)
class Plan:
    """A graph, as `drawn` sees it; the same plan can be built with the oracle."""

    nodes: Mapping[str, Step]
    edges: Sequence[tuple[str, str]]
    branches: Sequence[Branch] = ()
    joins: Sequence[tuple[Sequence[str], str]] = ()
    interrupt_before: Sequence[str] | Literal["*"] = ()
    interrupt_after: Sequence[str] | Literal["*"] = ()


def plan(names: str, *edges: tuple[str, str], **more: Any) -> Plan:
    """One plain node for each letter of `names`."""
    nodes = {name: Step() for name in names}
    nodes.update(more.pop("steps", {}))
    return Plan(nodes, edges, **more)


def chain(*, steps: Mapping[str, Step] | None = None, **more: Any) -> Plan:
    return plan("ab", (START, "a"), ("a", "b"), ("b", END), steps=steps or {}, **more)


FORK = plan("abc", (START, "a"), ("a", "b"), ("a", "c"))
JOIN = plan("abc", (START, "a"), (START, "b"), ("c", END), joins=[(["a", "b"], "c")])
LOOP = plan("at", (START, "a"), ("t", "a"), branches=[Branch("a", {"t": "t", "done": END})])
ROUTES = {"yes": "b", "no": "c", "c": "c", END: END, "stop": END}
OUTER = plan("z", (START, "s"), ("s", "z"), ("z", END), steps={"s": Step(subgraph=chain())})


def mermaid_body(graph: Graph) -> list[str]:
    """The lines between the head and the styles."""
    lines = graph.draw_mermaid().split("graph TD;\n")[1].splitlines()
    return [line.strip() for line in lines if not line.startswith("\tclassDef")]


def test_chain_as_mermaid_text() -> None:
    assert drawn(chain()).draw_mermaid() == (
        "---\n"
        "config:\n"
        "  flowchart:\n"
        "    curve: linear\n"
        "---\n"
        "graph TD;\n"
        "\t__start__([<p>__start__</p>]):::first\n"
        "\ta(a)\n"
        "\tb(b)\n"
        "\t__end__([<p>__end__</p>]):::last\n"
        "\t__start__ --> a;\n"
        "\ta --> b;\n"
        "\tb --> __end__;\n"
        "\tclassDef default fill:#f2f0ff,line-height:1.2\n"
        "\tclassDef first fill-opacity:0\n"
        "\tclassDef last fill:#bfb6fc\n"
    )


def test_without_styles_only_edges_are_drawn() -> None:
    text = drawn(OUTER, xray=True).draw_mermaid(with_styles=False)

    assert text == (
        "graph TD;\n"
        "\t__start__ --> s\\3aa;\n"
        "\ts\\3ab --> z;\n"
        "\tz --> __end__;\n"
        "\tsubgraph s\n"
        "\ts\\3aa --> s\\3ab;\n"
        "\tend\n"
    )


def test_look_of_the_mermaid_text_is_the_callers() -> None:
    text = drawn(chain()).draw_mermaid(
        curve_style="basis",
        node_colors=NodeStyles(default="fill:red", first="fill:green", last="fill:blue"),
        frontmatter_config={
            "title": "My graph: v1",
            "config": {"theme": "neutral", "flowchart": {"nodeSpacing": 9}, "off": True, "list": [1, "a"], "none": {}},
        },
    )

    assert text.split("graph TD;")[0] == (
        "---\n"
        "config:\n"
        "  flowchart:\n"
        "    curve: basis\n"
        "    nodeSpacing: 9\n"
        "  list:\n"
        "  - 1\n"
        "  - a\n"
        "  none: {}\n"
        '  "off": true\n'
        "  theme: neutral\n"
        'title: "My graph: v1"\n'
        "---\n"
    )
    assert text.endswith("\tclassDef default fill:red\n\tclassDef first fill:green\n\tclassDef last fill:blue\n")


def test_labels_are_wrapped_and_cannot_break_the_text() -> None:
    routes = {"one two three four five": "b", 'say "x" (<b>)': END}
    graph = drawn(plan("ab", (START, "a"), branches=[Branch("a", routes)]))

    assert [line for line in graph.draw_mermaid(wrap_label_n_words=2).splitlines() if "-." in line] == [
        "\ta -. &nbsp;say #quot;x#quot;&nbsp<br>&nbsp#40;#60;b#62;#41;&nbsp; .-> __end__;",
        "\ta -. &nbsp;one two&nbsp<br>&nbspthree four&nbsp<br>&nbspfive&nbsp; .-> b;",
    ]


def test_names_and_metadata_cannot_break_the_text() -> None:
    metadata = {"s": "a(b)", "n": 1, "list": [1, "x", {}], "none": None, "map": {"k": 1}}
    odd = Step(metadata=metadata)
    graph = drawn(Plan({"my node/[é]": odd, "*bold*": Step()}, [(START, "my node/[é]"), ("my node/[é]", "*bold*")]))

    assert mermaid_body(graph)[1:5] == [
        "my\\20node\\2f\\5b\\e9\\5d(my node/#91;é#93;<hr/><small><em>s = a#40;b#41;",
        "n = 1",
        "list = 1, x</em></small>)",
        "\\2abold\\2a(<p>*bold*</p>)",
    ]


def test_json_names_the_code_of_each_node() -> None:
    nodes = {
        "fn": Step(partial(work)),
        "obj": Step(Node("an", "object"), metadata={"team": "x"}, defer=True),
    }
    graph = drawn(Plan(nodes, [(START, "fn")], branches=[Branch("fn", {"go": "obj", END: END})]))

    assert graph.to_json() == graph.to_json(with_schemas=True)
    assert json.loads(json.dumps(graph.to_json())) == {
        "nodes": [
            {
                "id": "__start__",
                "type": "runnable",
                "data": {"id": ["headrace", "graph", "drawing", "model", "EntryPoint"], "name": "__start__"},
            },
            {"id": "fn", "type": "runnable", "data": {"id": [*work.__module__.split("."), "work"], "name": "fn"}},
            {
                "id": "obj",
                "type": "runnable",
                "data": {"id": ["headrace", "graph", "drawing", "model", "Node"], "name": "obj"},
                "metadata": {"team": "x", "defer": True},
            },
            {"id": "__end__"},
        ],
        "edges": [
            {"source": "__start__", "target": "fn"},
            {"source": "fn", "target": "__end__", "conditional": True},
            {"source": "fn", "target": "obj", "data": "go", "conditional": True},
            {"source": "obj", "target": "__end__"},
        ],
    }


def test_drawing_in_memory_has_the_names_users_read() -> None:
    graph = drawn(OUTER, xray=1)

    assert list(graph.nodes) == [START, "z", END, "s:a", "s:b"]
    assert graph.nodes["s:a"] == Node(id="s:a", name="a", data=work, metadata=None)
    assert graph.edges == [Edge(START, "s:a"), Edge("s:b", "z"), Edge("z", END), Edge("s:a", "s:b")]
    assert graph.first_node() is graph.nodes[START]
    assert graph.last_node() is graph.nodes[END]
    assert Graph().first_node() is None


def test_node_that_only_commands_lead_to_keeps_its_edges() -> None:
    graph = drawn(plan("abc", (START, "a"), ("b", "c")))

    assert [(edge.source, edge.target) for edge in graph.edges] == [(START, "a"), ("b", "c"), ("a", END), ("c", END)]


def test_branch_with_unknown_ends_leads_everywhere() -> None:
    steps = {"handler": Step(handles_errors=True)}
    graph = drawn(plan("ab", (START, "a"), steps=steps, branches=[Branch("a", None)]))

    assert [edge for edge in graph.edges if edge.source == "a"] == [
        Edge("a", target, conditional=True) for target in (END, "a", "b")
    ]


def test_interrupt_everywhere_is_shown_at_every_node() -> None:
    graph = drawn(chain(interrupt_before="*", interrupt_after=["b"]))

    assert [node.metadata for node in graph.nodes.values()] == [
        None,
        {"__interrupt": "before"},
        {"__interrupt": "before,after"},
        None,
    ]


def test_subgraph_with_an_error_handler_is_expanded() -> None:
    inner = chain(steps={"handler": Step(handles_errors=True)})
    graph = drawn(plan("", (START, "s"), steps={"s": Step(subgraph=inner)}), xray=True)

    assert list(graph.nodes) == [START, END, "s:a", "s:b", "s:handler"]
    assert graph.edges == [Edge(START, "s:a"), Edge("s:b", END), Edge("s:a", "s:b")]


def test_two_subgraphs_of_one_name_are_two_boxes() -> None:
    middle = plan("", (START, "s"), steps={"s": Step(subgraph=chain())})
    graph = drawn(
        plan("", (START, "s"), ("s", "o"), steps={"s": Step(subgraph=chain()), "o": Step(subgraph=middle)}),
        xray=True,
    )

    assert [line for line in mermaid_body(graph) if line.startswith("subgraph")] == [
        "subgraph s",
        "subgraph o",
        'subgraph o\\3as["s"]',
    ]
    assert "o\\3as\\3aa(a)" in mermaid_body(graph)


def test_subgraph_without_an_end_is_left_through_its_end() -> None:
    endless = plan("ab", (START, "a"), ("a", "b"), ("b", "a"))
    graph = drawn(plan("", (START, "s"), steps={"s": Step(subgraph=endless)}), xray=True)

    assert graph.edges[:2] == [Edge(START, "s:__start__"), Edge("s:__end__", END)]


# -- on a terminal


def picture(text: str) -> str:
    """A picture as it stands in the test, without what the source's layout adds."""
    return textwrap.dedent(text).strip("\n")


def test_branches_and_labels_on_a_terminal() -> None:
    assert drawn(plan("abc", (START, "a"), branches=[Branch("a", ROUTES)])).draw_ascii() == picture("""
           +-----------+
           | __start__ |
           +-----------+
                 |
                 v
           +-----------+
           |     a     |
           +-----------+
             :   :   :
          +..+   ++  +..+
          v       v     :
        +---+   +---+   :
        | b |   | c |   :
        +---+   +---+   :
          |       |     :
          +---+   |   +.+
              v   v   v
            +-----------+
            |  __end__  |
            +-----------+

        a -> b: yes
        """)


def test_loops_on_a_terminal() -> None:
    branches = [Branch("a", {"a": "a", "t": "t", END: END})]

    assert drawn(plan("at", (START, "a"), ("t", "a"), branches=branches)).draw_ascii() == picture("""
            +-----------+
            | __start__ |
            +-----------+
                  |
                  v
            +-----------+
            |     a     |<.+
            +-----------+..+
              :   ^   :
            +.+ +-+   +....+
            v   |          v
          +-------+   +---------+
          |   t   |   | __end__ |
          +-------+   +---------+
        """)


def test_wide_characters_keep_the_boxes_straight() -> None:
    assert drawn(Plan({"日本": Step()}, [(START, "日本")])).draw_ascii() == picture("""
        +-----------+
        | __start__ |
        +-----------+
              |
              v
          +-------+
          | 日本  |
          +-------+
              |
              v
         +---------+
         | __end__ |
         +---------+
        """)


def test_nothing_is_drawn_as_nothing() -> None:
    assert Graph().draw_ascii() == ""


def test_picture_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    drawn(chain()).print_ascii()

    assert capsys.readouterr().out == drawn(chain()).draw_ascii() + "\n"


NAMES = st.sampled_from(["a", "bb", "long name", "d", "e", "f", "g", "h"])
PAIRS = st.lists(st.tuples(NAMES, NAMES).filter(lambda pair: pair[0] != pair[1]), unique=True, max_size=20)


@given(PAIRS)
def test_lines_between_two_layers_never_meet(pairs: list[tuple[str, str]]) -> None:
    rows = layers({name: 5 for pair in pairs for name in pair}, pairs, {})

    drawn_pairs = [line.edge for row in rows for box in row for line in box.below if box.id is not None]
    assert sorted(drawn_pairs) == list(range(len(pairs)))
    for row in rows:
        lines = [line for box in row for line in box.below]
        for one, other in itertools.permutations(lines, 2):
            assert one.leaves not in (other.leaves, other.arrives)
            assert one.arrives != other.arrives
        for box, right in itertools.pairwise(row):
            assert box.x + box.width // 2 < right.x - right.width // 2


# -- compared with the oracle


class State(TypedDict):
    x: int


def oracle_of(view: Plan) -> Any:
    from langgraph.graph import StateGraph

    builder: Any = StateGraph(State)
    for name, step in view.nodes.items():
        action = oracle_of(step.subgraph) if step.subgraph else work
        ends: Any = dict(step.destinations)
        if not any(ends.values()):
            ends = tuple(ends)
        builder.add_node(
            name, action, metadata=step.metadata and dict(step.metadata), defer=step.defer, destinations=ends or None
        )
    for source, target in view.edges:
        builder.add_edge(source, target)
    for sources, target in view.joins:
        builder.add_edge(list(sources), target)
    for number, branch in enumerate(view.branches):
        builder.add_conditional_edges(branch.source, _path(number), branch.ends and dict(branch.ends))
    return builder.compile(
        interrupt_before=list(view.interrupt_before) or None, interrupt_after=list(view.interrupt_after) or None
    )


def _path(number: int) -> Callable[[Any], str]:
    def path(state: Any) -> str:
        return END

    path.__name__ = f"path_{number}"
    return path


def without_code_paths(drawing: dict[str, list[dict[str, Any]]]) -> dict[str, list[dict[str, Any]]]:
    """The oracle names its own wrappers there; we name the user's code."""
    for node in drawing["nodes"]:
        node.get("data", {}).pop("id", None)
    return drawing


SAME = {
    "chain": chain(),
    "end that is not written": FORK,
    "join": JOIN,
    "join at the end": plan("abc", (START, "a"), ("a", "b"), ("a", "c"), joins=[(["b", "c"], END)]),
    "branch": plan("abc", (START, "a"), branches=[Branch("a", ROUTES)]),
    "branch with numbers": plan("abc", (START, "a"), branches=[Branch("a", {True: "b", False: "c"})]),
    "branch with two labels for one node": plan("ab", (START, "a"), branches=[Branch("a", {"yes": "b", "no": "b"})]),
    "branch at the start": plan("ab", branches=[Branch(START, {"go a": "a", "go b": "b"})]),
    "branch, as of Send": plan("ab", (START, "a"), ("b", END), branches=[Branch("a", {"b": "b"})]),
    "branch and edge to the same node": plan("ab", (START, "a"), ("a", "b"), branches=[Branch("a", {"x": "b"})]),
    "branch and edge to the end": plan("ab", (START, "a"), ("a", END), branches=[Branch("a", {"x": "b"})]),
    "two branches": plan("abc", (START, "a"), branches=[Branch("a", {"b": "b"}), Branch("a", {"x": "b", "y": "c"})]),
    "loop": LOOP,
    "loop of one": plan("a", (START, "a"), branches=[Branch("a", {"again": "a", "end": END})]),
    "destinations": plan(
        "b",
        (START, "a"),
        ("b", END),
        steps={
            "a": Step(destinations={"b": None, "c": None}),
            "c": Step(destinations={"a": "back again", END: "done"}),
        },
    ),
    "metadata": chain(
        steps={"a": Step(metadata={"k": 1, "z": "zed"}), "b": Step(defer=True, metadata={"q": [1]})},
        interrupt_before=["a"],
        interrupt_after=["b", "a"],
    ),
    "subgraph": OUTER,
    "subgraph with two ends": plan("z", (START, "s"), ("s", "z"), steps={"s": Step(subgraph=FORK)}),
    "subgraph with two starts": plan("z", (START, "z"), ("z", "s"), steps={"s": Step(subgraph=JOIN)}),
    "subgraph with a loop": plan("z", (START, "z"), ("z", "s"), steps={"s": Step(subgraph=LOOP)}),
    "subgraph between branches": plan(
        "z",
        (START, "s"),
        branches=[Branch("s", {"more": "s", "done": "z"})],
        steps={"s": Step(subgraph=FORK)},
    ),
    "subgraphs in a row": plan(
        "m", (START, "m"), ("m", "a"), ("a", "b"), steps={"b": Step(subgraph=chain()), "a": Step(subgraph=FORK)}
    ),
    "nested": plan("w", (START, "o"), ("o", "w"), ("w", END), steps={"o": Step(subgraph=OUTER)}),
}


@pytest.mark.main_only
@pytest.mark.parametrize("xray", [False, 1, 2, True])
@pytest.mark.parametrize("name", SAME)
def test_same_drawing_as_langgraph(name: str, xray: int | bool) -> None:
    theirs = oracle_of(SAME[name]).get_graph(xray=xray)
    ours = drawn(SAME[name], xray=xray)

    assert ours.draw_mermaid() == theirs.draw_mermaid()
    assert ours.draw_mermaid(with_styles=False) == theirs.draw_mermaid(with_styles=False)
    assert without_code_paths(ours.to_json()) == without_code_paths(theirs.to_json())
    for ours_end, theirs_end in [(ours.first_node(), theirs.first_node()), (ours.last_node(), theirs.last_node())]:
        assert ours_end is not None
        assert (ours_end.id, ours_end.name) == (theirs_end.id, theirs_end.name)


# -- pictures


def test_picture_without_a_renderer_says_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(MermaidRenderError, match=r"no 'mmdc' on the path.*draw_mermaid\(\)"):
        drawn(chain()).draw_mermaid_png()


@pytest.fixture
def mmdc(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str], None]:
    """Puts an `mmdc` on the path that runs the given Python, with its arguments in `args`."""

    def install(code: str) -> None:
        program = tmp_path / "mmdc"
        program.write_text(f"#!{sys.executable}\nimport sys\nargs = sys.argv[1:]\n{code}\n")
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv("PATH", str(tmp_path))

    return install


def test_picture_is_made_by_the_local_renderer(mmdc: Callable[[str], None], tmp_path: Path) -> None:
    mmdc("text = open(args[1]).read(); open(args[3], 'w').write(' '.join(args[4:]) + '|' + text)")
    graph = drawn(chain())

    made = graph.draw_mermaid_png(output_file_path=str(tmp_path / "graph.png"), background_color="black")

    assert made.decode() == "-b black|" + graph.draw_mermaid()
    assert (tmp_path / "graph.png").read_bytes() == made


def test_failing_renderer_is_told(mmdc: Callable[[str], None]) -> None:
    mmdc("sys.exit('no browser')")

    with pytest.raises(MermaidRenderError, match="mmdc' failed: no browser"):
        drawn(chain()).draw_mermaid_png()


def test_renderer_that_cannot_start_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "mmdc"
    program.write_text("#!/no/such/interpreter\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(MermaidRenderError, match="failed"):
        drawn(chain()).draw_mermaid_png()
