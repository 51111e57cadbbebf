"""Time per node of all that is done with a graph and with a plan, for programs of 100 to 10,000 nodes: each column
should be flat from row to row. Run as `python benchmarks/graph_growth.py [--write]`; --write puts the table into
docs/speed.md and the curves into docs/growth.svg."""

import argparse
import tempfile
from collections.abc import Callable
from math import log10
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

import gradproof as gp

SIZES, REPEATS = (100, 300, 1_000, 3_000, 10_000), 3
DOCS = Path(__file__).resolve().parents[1] / "docs"
COLOURS = ("#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377", "#777777")
INTRODUCTION = "# Speed\n\nMeasured on one machine by the scripts in benchmarks/, which write the tables below.\n"
HEAD = """\
Microseconds per node, for programs of 100 to 10,000 nodes, each value used twice: what is done with a graph, and
`gradproof.compile` of the same program with its gradient (making the plan, compiling its source, running it).

![time per node](growth.svg)
"""


def program(nodes: int) -> Callable[[Any], Any]:
    """About so many nodes, each value used twice, with a constant in every tenth."""

    def f(x: Any) -> Any:
        for k in range(nodes // 10):
            for _ in range(4):
                x = gp.scale(x + x, 0.5)
            x = x * np.full(4, 1 + k / nodes)
        return gp.reduce_sum(x)

    return f


def best(function: Callable[[], Any]) -> tuple[float, Any]:
    """The shortest of a few runs, in seconds, and the result."""
    times = []
    for _ in range(REPEATS):
        start = perf_counter()
        result = function()
        times.append(perf_counter() - start)
    return min(times), result


def measured(nodes: int, folder: Path) -> dict[str, float]:
    """Microseconds per node."""
    seconds: dict[str, float] = {}
    seconds["build"], graph = best(lambda: gp.trace(program(nodes), (4,)))
    path, x = folder / f"{nodes}.json", np.ones(4)
    seconds["check"], _ = best(graph.check_well_formed)
    seconds["save"], _ = best(lambda: graph.save(path))
    seconds["load"], _ = best(lambda: gp.Graph.load(path))
    seconds["run"], _ = best(lambda: graph(x))
    seconds["tape"], (tape, _) = best(lambda: gp.compile_tape(graph, [x]))
    seconds["backward"], _ = best(lambda: gp.backward_dense_all(tape))
    tangents = [x, *[None] * (len(graph.nodes) - 1)]
    seconds["jvp"], _ = best(lambda: gp.jvp_dense_all(tape, tangents))
    seconds["dot"], _ = best(graph.to_dot)
    seconds["svg"], _ = best(graph.to_svg)
    compiled = gp.compile(gp.value_and_grad(program(nodes)))
    seconds["make plan"], plan = best(lambda: compiled.plan(x))
    seconds["its code"], run = best(plan.bind)
    seconds["run plan"], _ = best(lambda: run(x))
    return {name: 1e6 * value / len(graph.nodes) for name, value in seconds.items()}


def curves(rows: dict[int, dict[str, float]]) -> str:
    """The columns of the table as an SVG picture, both axes logarithmic."""
    width, height, left, right, top, bottom = 720, 420, 60, 600, 20, 370
    names, values = list(next(iter(rows.values()))), [v for row in rows.values() for v in row.values()]
    low, high = (10.0 ** round(log10(v) + shift) for v, shift in ((min(values), -0.5), (max(values), 0.5)))
    first, last = min(rows), max(rows)

    def x(nodes: int) -> str:
        return f"{left + (right - left) * log10(nodes / first) / log10(last / first):.1f}"

    def y(value: float) -> str:
        return f"{bottom - (bottom - top) * log10(value / low) / log10(high / low):.1f}"

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" font-family="sans-serif" '
        f'font-size="12" fill="#333"><rect width="{width}" height="{height}" fill="white"/>',
        f'<text x="{left}" y="{height - 10}">nodes</text><text x="{left + 6}" y="{top}">µs per node</text>',
    ]
    for nodes in rows:
        parts.append(f'<text x="{x(nodes)}" y="{bottom + 18}" text-anchor="middle">{nodes:,}</text>')
    tick = low
    while tick <= high * 1.01:
        parts.append(f'<path d="M{left} {y(tick)}H{right}" stroke="#ddd"/>')
        parts.append(f'<text x="{left - 8}" y="{y(tick)}" text-anchor="end" dy="4">{tick:g}</text>')
        tick *= 10
    labels = sorted(names, key=lambda name: -rows[last][name])
    for k, name in enumerate(labels):
        colour, dashed = COLOURS[k % len(COLOURS)], ' stroke-dasharray="6 3"' if k >= len(COLOURS) else ""
        points = " ".join(f"{x(nodes)},{y(row[name])}" for nodes, row in rows.items())
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"{dashed}/>')
        place = top + 20 + 22 * k
        parts.append(f'<path d="M{right + 12} {place}h20" stroke="{colour}" stroke-width="2"{dashed}/>')
        parts.append(f'<text x="{right + 38}" y="{place + 4}">{name}</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"


def table(rows: dict[int, dict[str, float]]) -> str:
    names = list(next(iter(rows.values())))
    lines = [f"| nodes | {' | '.join(names)} |", "|--:|" + "--:|" * len(names)]
    lines += [f"| {n:,} | {' | '.join(f'{row[name]:.1f}' for name in names)} |" for n, row in rows.items()]
    return "\n".join(lines)


def write_section(name: str, text: str) -> None:
    """Puts the text into docs/speed.md between the markers of the section, which is made if it is not there."""
    path, begin, end = DOCS / "speed.md", f"<!-- {name} -->", f"<!-- end of {name} -->"
    document = path.read_text(encoding="utf-8") if path.exists() else INTRODUCTION
    if begin not in document:
        document = f"{document.rstrip()}\n\n## {name.capitalize()}\n\n{begin}\n{end}\n"
    before, _, rest = document.partition(begin)
    _, found, after = rest.partition(end)
    if not found:
        raise SystemExit(f"docs/{path.name} has {begin} without {end}")
    path.write_text(f"{before}{begin}\n{text.rstrip()}\n{end}{after}", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="put the table and the curves into docs/")
    write = parser.parse_args().write
    with tempfile.TemporaryDirectory() as folder:
        rows = {nodes: measured(nodes, Path(folder)) for nodes in SIZES}
    print(table(rows))
    if write:
        (DOCS / "growth.svg").write_text(curves(rows), encoding="utf-8")
        write_section("growth", f"{HEAD}\n{table(rows)}")


if __name__ == "__main__":
    main()
