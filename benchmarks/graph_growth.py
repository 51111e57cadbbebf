"""Time per node of everything that is done with a graph, for graphs of 100, 1,000 and 10,000 nodes: each column should
be flat from row to row. Run as `python benchmarks/graph_growth.py`."""

import tempfile
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

import gradproof as gp

SIZES, REPEATS = (100, 1_000, 10_000), 3


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
    return {name: 1e6 * value / len(graph.nodes) for name, value in seconds.items()}


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        rows = {nodes: measured(nodes, Path(folder)) for nodes in SIZES}
    names = list(rows[SIZES[0]])
    print("microseconds per node")
    print(f"{'nodes':>7}" + "".join(f"{name:>10}" for name in names))
    for nodes, row in rows.items():
        print(f"{nodes:>7}" + "".join(f"{row[name]:>10.1f}" for name in names))


if __name__ == "__main__":
    main()
