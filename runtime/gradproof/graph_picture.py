"""Pictures of graphs: DOT for Graphviz, and SVG with a layout of our own. Inputs, constants, ops and outputs differ in
their shapes, not only in their colours."""

from __future__ import annotations

from html import escape
from math import ceil

from .graph import CONST, INPUT, Graph, GraphNode

Point = tuple[float, float]

LONGEST = 36  # characters of a line
CHARACTER, LINE, GAP, LEVEL = 7.0, 15.0, 18.0, 84.0  # widths and heights in pixels
FILL = {INPUT: "#e3f0fb", CONST: "#f1f1ee", "op": "#ffffff"}


def to_dot(graph: Graph) -> str:
    """The graph in the DOT language. Inputs are ellipses, constants notes, ops boxes; outputs have a double line.
    Raises GraphError for a graph that is not well formed.

    >>> import gradproof as gp
    >>> print(to_dot(gp.trace(gp.relu, (2,))))
    digraph {
      node [fontname="monospace", fontsize=10, style=filled, fillcolor=white];
      n0 [shape=ellipse, fillcolor="#e3f0fb", label="%0 input 'x0'\\nfloat64[2]"];
      n1 [shape=box, peripheries=2, fillcolor="#ffffff", label="%1 relu\\nfloat64[2]"];
      n0 -> n1;
    }
    """
    graph.check_well_formed()
    shapes, outputs = {INPUT: "ellipse", CONST: "note"}, set(graph.outputs)
    lines = ["digraph {", '  node [fontname="monospace", fontsize=10, style=filled, fillcolor=white];']
    for number, node in enumerate(graph.nodes):
        double = ", peripheries=2" if number in outputs else ""
        shape, fill = shapes.get(node.op, "box"), FILL.get(node.op, FILL["op"])
        text = "\\n".join(map(quoted, label(number, node)))
        lines.append(f'  n{number} [shape={shape}{double}, fillcolor="{fill}", label="{text}"];')
    lines += [f"  n{parent} -> n{number};" for number, node in enumerate(graph.nodes) for parent in node.parents]
    return "\n".join([*lines, "}"])


def quoted(text: str) -> str:
    """Within the quotes of a DOT label, where backslashes and the entities of HTML mean something."""
    return text.replace("&", "&amp;").replace("\\", "\\\\").replace('"', '\\"')


def label(number: int, node: GraphNode) -> list[str]:
    """Up to three short lines: what it is, its attributes, its dtype and shape. `repr` leaves no control characters."""
    first = f"%{number} {node.op}" + ("" if node.name is None else f" {node.name!r}")
    attributes = ", ".join(f"{name}={value!r}" for name, value in node.attributes.items())
    lines = [first, attributes, f"{node.dtype}{list(node.shape)}"]
    return [line if len(line) <= LONGEST else line[: LONGEST - 1] + "…" for line in lines if line]


def to_svg(graph: Graph) -> str:
    """A picture of the graph that needs no other file: from the inputs at the top down, each op below its parents.
    Inputs are ellipses, constants have a cut corner, ops are boxes; outputs have a double line. Raises GraphError for
    a graph that is not well formed.

    >>> import gradproof as gp
    >>> to_svg(gp.trace(gp.relu, (2,))).count("<rect")
    3
    """
    graph.check_well_formed()
    labels = [label(number, node) for number, node in enumerate(graph.nodes)]
    centres, bends, width, height = layout(graph, [box_width(lines) for lines in labels])
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{ceil(width)}" height="{ceil(height)}"'
        f' viewBox="0 0 {ceil(width)} {ceil(height)}" font-family="monospace" font-size="11">',
        '<defs><marker id="arrow" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        '<path d="M0,0 L8,4 L0,8 z" fill="#555"/></marker></defs>',
        f'<rect width="{ceil(width)}" height="{ceil(height)}" fill="#ffffff"/>',
    ]
    for number, node in enumerate(graph.nodes):
        for position in range(len(node.parents)):
            parts.append(edge(graph, labels, centres, bends, number, position))
    outputs = set(graph.outputs)
    for number, node in enumerate(graph.nodes):
        parts.append(drawn(node, labels[number], centres[number], number in outputs))
    return "\n".join([*parts, "</svg>"])


def box_width(lines: list[str]) -> float:
    return CHARACTER * max(map(len, lines)) + 24


def box_height(lines: list[str]) -> float:
    return LINE * len(lines) + 10


def depths(graph: Graph) -> list[int]:
    """Each op one level below its lowest parent; inputs at the top, a constant just above its first user."""
    depth: list[int] = []
    for node in graph.nodes:
        depth.append(1 + max((depth[parent] for parent in node.parents), default=-1))
    first = list(depth)
    for number, node in enumerate(graph.nodes):
        for parent in node.parents:
            if graph.nodes[parent].op == CONST:
                first[parent] = depth[number] - 1 if first[parent] == 0 else min(first[parent], depth[number] - 1)
    return first


def layout(graph: Graph, widths: list[float]) -> tuple[list[Point], dict[tuple[int, int], Point], float, float]:
    """The centre of every node, the points by which the edges of a node pass the levels below it (by node and level),
    and the size of the picture. In each level the order is that of the parents' mean places."""
    depth = depths(graph)
    last = list(depth)  # the level down to which the edges of a node have a lane of their own
    for number, node in enumerate(graph.nodes):
        for parent in node.parents:
            last[parent] = max(last[parent], depth[number] - 1)
    room = 10 * len(graph.nodes)  # lanes, in all: the picture stays linear in the graph
    levels: list[list[tuple[int, bool]]] = [[] for _ in range(1 + max(depth))]
    for number in range(len(graph.nodes)):
        levels[depth[number]].append((number, True))
        lane = range(depth[number] + 1, last[number] + 1)
        if len(lane) <= room:
            room -= len(lane)
            for level in lane:
                levels[level].append((number, False))
    place: dict[int, float] = {}  # of a node, or of its lane in the level above
    centres: list[Point] = [(0.0, 0.0)] * len(graph.nodes)
    bends: dict[tuple[int, int], Point] = {}
    for level, members in enumerate(levels):
        wished = {}
        for number, is_node in members:
            above = [place[parent] for parent in graph.nodes[number].parents] if is_node else [place[number]]
            wished[number] = sum(above) / len(above) if above else 0.0
        members.sort(key=lambda member: wished[member[0]])
        xs: list[float] = []
        right = float("-inf")
        for number, is_node in members:
            half = (widths[number] if is_node else GAP) / 2
            xs.append(max(wished[number], right + GAP + half))
            right = xs[-1] + half
        shift = sum(wished[number] for number, _ in members) / len(members) - sum(xs) / len(xs)
        y = 40 + LEVEL * level
        for (number, is_node), x in zip(members, xs, strict=True):
            place[number] = x + shift
            if is_node:
                centres[number] = (x + shift, y)
            else:
                bends[number, level] = (x + shift, y)
    left = min(x - width / 2 for (x, _), width in zip(centres, widths, strict=True))
    left = min([left, *(x for x, _ in bends.values())]) - GAP
    centres = [(x - left, y) for x, y in centres]
    bends = {key: (x - left, y) for key, (x, y) in bends.items()}
    right = max(x + width / 2 for (x, _), width in zip(centres, widths, strict=True))
    right = max([right, *(x for x, _ in bends.values())]) + GAP
    return centres, bends, right, 80 + LEVEL * (len(levels) - 1)


def edge(
    graph: Graph,
    labels: list[list[str]],
    centres: list[Point],
    bends: dict[tuple[int, int], Point],
    child: int,
    position: int,
) -> str:
    """A curve from below the parent in this position, through its lanes, to above the child. Each position arrives at a
    place of its own, so that x * x shows two edges."""
    count, parent = len(graph.nodes[child].parents), graph.nodes[child].parents[position]
    (x, y), (end, below) = centres[parent], centres[child]
    end += min(10, box_width(labels[child]) / (count + 1)) * (position - (count - 1) / 2)
    level = round((y - 40) / LEVEL) + 1
    y += box_height(labels[parent]) / 2
    path = [f"M{x:.1f},{y:.1f}"]
    while (parent, level) in bends and 40 + LEVEL * level < below:
        bend, level = bends[parent, level], level + 1
        path.append(curve((x, y), (bend[0], bend[1] - 20)))
        x, y = bend[0], bend[1] + 20
        path.append(f"L{x:.1f},{y:.1f}")
    path.append(curve((x, y), (end, below - box_height(labels[child]) / 2)))
    return f'<path d="{" ".join(path)}" fill="none" stroke="#555" marker-end="url(#arrow)"/>'


def curve(start: Point, end: Point) -> str:
    middle = (start[1] + end[1]) / 2
    return f"C{start[0]:.1f},{middle:.1f} {end[0]:.1f},{middle:.1f} {end[0]:.1f},{end[1]:.1f}"


def drawn(node: GraphNode, lines: list[str], centre: Point, is_output: bool) -> str:
    (x, y), width, height = centre, box_width(lines), box_height(lines)
    fill = FILL.get(node.op, FILL["op"])
    parts = [outline(node, x, y, width + 6, height + 6, "#ffffff")] if is_output else []
    parts.append(outline(node, x, y, width, height, fill))
    top = y - height / 2 + 16
    for row, line in enumerate(lines):
        weight = ' font-weight="bold"' if row == 0 else ""
        text = escape(line)
        parts.append(f'<text x="{x:.1f}" y="{top + LINE * row:.1f}" text-anchor="middle"{weight}>{text}</text>')
    return "\n".join(parts)


def outline(node: GraphNode, x: float, y: float, width: float, height: float, fill: str) -> str:
    style = f'fill="{fill}" stroke="#222"'
    if node.op == INPUT:
        return f'<ellipse cx="{x:.1f}" cy="{y:.1f}" rx="{width / 2 + 8:.1f}" ry="{height / 2 + 4:.1f}" {style}/>'
    left, top, right, bottom = x - width / 2, y - height / 2, x + width / 2, y + height / 2
    if node.op == CONST:
        corners = [(left, top), (right - 10, top), (right, top + 10), (right, bottom), (left, bottom)]
        return f'<polygon points="{" ".join(f"{a:.1f},{b:.1f}" for a, b in corners)}" {style}/>'
    return f'<rect x="{left:.1f}" y="{top:.1f}" width="{width:.1f}" height="{height:.1f}" rx="3" {style}/>'
