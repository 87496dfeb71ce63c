"""A drawing as mermaid flowchart text, and that text as a picture."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any, TypeAlias

from headrace.errors import HeadraceError
from headrace.graph.drawing.model import Edge, Node

CurveStyle: TypeAlias = "str | Enum"
"""A curve of mermaid's (`linear`, `basis`, `step`, ...), by name or as langchain-core's enum of them."""


RENDER_TIMEOUT_S = 60
"""Starting the browser in `mmdc` takes seconds; more than this and it hangs."""


@dataclass(frozen=True)
class NodeStyles:
    """The CSS of the three classes of nodes."""

    default: str = "fill:#f2f0ff,line-height:1.2"
    first: str = "fill-opacity:0"
    last: str = "fill:#bfb6fc"


@dataclass(frozen=True)
class Style:
    """What makes a flowchart more than its edges."""

    colors: NodeStyles
    head: str
    first: str | None
    last: str | None


@dataclass
class _Group:
    """The nodes and edges of one subgraph, and the subgraphs in it; the root has no name."""

    path: tuple[str, ...] = ()
    nodes: list[Node] = field(default_factory=list)
    edges: list[Edge] = field(default_factory=list)
    groups: dict[str, _Group] = field(default_factory=dict)

    def at(self, path: tuple[str, ...]) -> _Group:
        found = self
        for depth, name in enumerate(path, start=1):
            found = found.groups.setdefault(name, _Group(path[:depth]))
        return found


class MermaidRenderError(HeadraceError, RuntimeError):
    """The mermaid text could not be made into a picture on this machine."""


def flowchart(nodes: Sequence[Node], edges: Sequence[Edge], style: Style | None, wrap: int) -> str:
    """The flowchart of a drawing; without a style only its edges. Pure."""
    root = _Group()
    for node in nodes:
        root.at(_path(node.id)).nodes.append(node)
    for edge in edges:
        root.at(_common(_path(edge.source), _path(edge.target))).edges.append(edge)
    taken = {node.id for node in root.nodes}
    lines = [*_group_lines(root, style, wrap, taken)]
    text = "graph TD;\n" + "".join(f"\t{line}\n" for line in lines)
    if style is None:
        return text
    classes = {"default": style.colors.default, "first": style.colors.first, "last": style.colors.last}
    return style.head + text + "".join(f"\tclassDef {name} {css}\n" for name, css in classes.items())


def _group_lines(group: _Group, style: Style | None, wrap: int, taken: set[str]) -> Iterator[str]:
    if style is not None:
        yield from (_node_line(node, style) for node in group.nodes)
    loops_last = sorted(group.edges, key=lambda edge: edge.source == edge.target)
    yield from (_edge_line(edge, wrap) for edge in loops_last)
    for inner in group.groups.values():
        if style is None and not inner.edges and not inner.groups:
            continue
        yield f"subgraph {_title(inner.path, taken)}"
        yield from _group_lines(inner, style, wrap, taken)
        yield "end"


def _title(path: tuple[str, ...], taken: set[str]) -> str:
    """The last name. Mermaid takes it for an id too, so one that is used already gets an id of its own."""
    name = path[-1]
    if name not in taken and re.fullmatch(r"[\w -]+", name):
        taken.add(name)
        return name
    return f'{_escaped_id(":".join(path))}["{_escaped_text(name)}"]'


def _node_line(node: Node, style: Style) -> str:
    name = node.id.rpartition(":")[2]
    label = _escaped_text(name)
    if name[0] in "*_" and name[-1] in "*_":
        label = f"<p>{label}</p>"  # or mermaid would read it as Markdown
    label += _metadata_text(node.metadata or {})
    if node.id == style.first:
        return f"{_escaped_id(node.id)}([{label}]):::first"
    if node.id == style.last:
        return f"{_escaped_id(node.id)}([{label}]):::last"
    return f"{_escaped_id(node.id)}({label})"


def _metadata_text(metadata: Mapping[str, Any]) -> str:
    """A line for each entry that reads well in a node: scalars, and scalars in a list."""
    lines = [
        f"{_escaped_text(str(key))} = {_escaped_text(text)}"
        for key, value in metadata.items()
        if (text := _value_text(value)) is not None
    ]
    return "<hr/><small><em>" + "\n".join(lines) + "</em></small>" if lines else ""


def _value_text(value: object) -> str | None:
    if isinstance(value, (str, int, float)):
        return str(value)
    if isinstance(value, (list, tuple, set, frozenset)):
        return ", ".join(str(item) for item in value if isinstance(item, (str, int, float)))
    return None


def _edge_line(edge: Edge, wrap: int) -> str:
    arrow = "-.->" if edge.conditional else "-->"
    if edge.data is not None:
        words = str(edge.data).split()
        rows = [" ".join(words[start : start + wrap]) for start in range(0, len(words), wrap)]
        label = "&nbsp<br>&nbsp".join(_escaped_text(row) for row in rows)
        opening, closing = ("-.", ".->") if edge.conditional else ("--", "-->")
        arrow = f"{opening} &nbsp;{label}&nbsp; {closing}"
    return f"{_escaped_id(edge.source)} {arrow} {_escaped_id(edge.target)};"


def _path(id: str) -> tuple[str, ...]:
    return tuple(id.split(":")[:-1])


def _common(one: tuple[str, ...], other: tuple[str, ...]) -> tuple[str, ...]:
    length = 0
    while length < min(len(one), len(other)) and one[length] == other[length]:
        length += 1
    return one[:length]


def _escaped_id(id: str) -> str:
    """Ids keep ASCII letters, digits, `_` and `-`; anything else as a CSS escape."""
    return re.sub(r"[^a-zA-Z0-9_-]", lambda found: f"\\{ord(found[0]):x}", id)


_ENTITIES = str.maketrans({**{char: f"#{ord(char)};" for char in "()[]{}<>"}, '"': "#quot;"})


def _escaped_text(text: str) -> str:
    """What would end the label's brackets, or be read as HTML, as mermaid's entities."""
    return text.translate(_ENTITIES)


def front_matter(config: Mapping[str, Any], curve: CurveStyle) -> str:
    """The YAML head of a flowchart, keys sorted; the curve is written into the given config."""
    inner = dict(config.get("config") or {})
    name = curve.value if isinstance(curve, Enum) else curve
    inner["flowchart"] = {**(inner.get("flowchart") or {}), "curve": name}
    return "\n".join(["---", *_yaml({**config, "config": inner}), "---", ""])


def _yaml(mapping: Mapping[str, Any]) -> Iterator[str]:
    for key, value in sorted(mapping.items()):
        if isinstance(value, Mapping) and value:
            yield f"{_scalar(key)}:"
            yield from (f"  {line}" for line in _yaml(value))
        elif isinstance(value, (list, tuple)) and value:
            yield f"{_scalar(key)}:"
            yield from (f"- {_scalar(item)}" for item in value)
        else:
            yield f"{_scalar(key)}: {_scalar(value)}"


def _scalar(value: object) -> str:
    """Plain where YAML reads it back as the same string; JSON, which YAML includes, for all else."""
    plain = isinstance(value, str) and re.fullmatch(r"[a-zA-Z][\w./-]*", value)
    if plain and str(value).lower() not in {"true", "false", "null", "yes", "no", "on", "off", "y", "n"}:
        return str(value)
    return json.dumps(value, ensure_ascii=False)


def render_png(text: str, path: str | None, background: str) -> bytes:
    """The picture that a local `mmdc` makes of the text; also written to `path`, when there is one."""
    command = shutil.which("mmdc")
    if command is None:
        raise MermaidRenderError(
            "there is no 'mmdc' on the path to make a picture with; install mermaid-cli "
            "(npm install -g @mermaid-js/mermaid-cli), or render the text of draw_mermaid() where you can"
        )
    with tempfile.TemporaryDirectory() as folder:
        source, picture = Path(folder, "graph.mmd"), Path(folder, "graph.png")
        source.write_text(text, encoding="utf-8")
        _run([command, "-i", str(source), "-o", str(picture), "-b", background])
        made = picture.read_bytes()
    if path is not None:
        Path(path).write_bytes(made)
    return made


def _run(command: list[str]) -> None:
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=RENDER_TIMEOUT_S)
    except subprocess.CalledProcessError as error:
        raise MermaidRenderError(f"{command[0]!r} failed: {error.stderr.strip()}") from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise MermaidRenderError(f"{command[0]!r} failed: {error}") from error
