"""TRUSTED. The lowering obligations of single nodes: a graph of one op, compiled and run on symbols, gives the
specification's value, tangent and cotangents.

What goes through the shipped code: GraphNode, compile_tape, jvp_dense_all, backward_dense_from, Graph.denote. As for
the kernels, only the gates that look at dtypes are replaced. induction.py carries this to every graph, ir_kinds.py to
the programs of the IR.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from typing import Any
from unittest.mock import patch

import numpy as np

from gradproof import graph as graphs
from gradproof.compiled import backward_dense_from, compile_tape, jvp_dense_all
from gradproof.graph import CONST, INPUT, Graph, GraphNode

from ..obligations import PASSING, Obligation, Outcome, Verdict
from ..op import OPS
from .examples import EXAMPLES, Example
from .floats import objects_pass
from .kernels import Run, prove_run

DIRECTIONS = ("forward", "denote", "jvp", "vjp")


@contextmanager
def gates_open() -> Iterator[None]:
    """Symbols pass where a graph looks at the dtype of its inputs."""
    with ExitStack() as stack:
        stack.enter_context(objects_pass())
        stack.enter_context(patch.object(graphs, "fitting", lambda node, number, x: x))
        yield


def through_graph(graph: Graph, direction: str, inputs: Sequence[Any], tangents: Sequence[Any], g: Any) -> list[Any]:
    """[output], [its tangent], or the cotangents of the inputs, by the compiled path."""
    with gates_open():
        if direction == "denote":
            return [graph.denote(*inputs)[graph.outputs[0]]]
        tape, context = compile_tape(graph, inputs)
        if direction == "forward":
            return [context[graph.outputs[0]]]
        directions: list[Any] = [None] * len(context)
        if direction == "jvp":
            for number, tangent in zip(graph.inputs, tangents, strict=True):
                directions[number] = tangent
            return [jvp_dense_all(tape, directions)[graph.outputs[0]]]
        directions[graph.outputs[0]] = g
        cotangents = backward_dense_from(tape, directions)
        return [cotangents[number] for number in graph.inputs]


class GraphRun(Run):
    """As Run, but by a graph with one input per float array, compiled."""

    @property
    def label(self) -> str:
        return f"lowering[{self.example.op}]"

    def graph(self, inputs: Sequence[Any], attributes: Mapping[str, Any]) -> Graph:
        """Integers and Booleans are constants of the graph; the other inputs come first, in order."""
        nodes: list[GraphNode] = []
        payload: dict[int, Any] = {}
        for x in inputs:
            if x.dtype.kind in "iub":
                payload[len(nodes)] = x
            op, dtype = (INPUT, "float64") if x.dtype.kind in "fO" else (CONST, x.dtype.name)
            nodes.append(GraphNode(op, shape=x.shape, dtype=dtype))
        shape = self.op.shape(*(x.shape for x in inputs), **self.example.attributes)
        nodes.append(GraphNode(self.example.op, tuple(range(len(nodes))), dict(attributes), shape, "float64"))
        return Graph(tuple(nodes), (len(nodes) - 1,), payload)

    def compute(self, inputs: Any, tangents: Any, g: Any, attributes: Mapping[str, Any]) -> dict[str, Any]:
        case = self.link.case
        moving = [position for position, name in enumerate(self.names()) if name in case.differentiable]
        graph = self.graph(inputs, attributes)
        given = [inputs[number] for number in graph.inputs]
        found = through_graph(graph, self.direction, given, [tangents[number] for number in graph.inputs], g)
        if self.direction != "vjp":
            return {("d" if self.direction == "jvp" else "") + case.output.name: found[0]}
        by_number = dict(zip(graph.inputs, found, strict=True))
        return {"g" + self.names()[number]: by_number[number] for number in moving}


def prove_directions(runs: Sequence[Run]) -> Outcome:
    """All of them, or the first that fails."""
    for run in runs:
        outcome = prove_run(run)
        if outcome.verdict not in PASSING:
            return replace(outcome, message=f"{outcome.message}\n\n  in the direction  {run.direction}")
    return Outcome(Verdict.PROVED, data={"directions": [run.direction for run in runs]})


def directions_of(example: Example) -> tuple[str, ...]:
    moves = any(case.differentiable for case in OPS[example.op].cases)
    return DIRECTIONS if moves else DIRECTIONS[:2]


def cost(example: Example) -> int:
    return sum(int(np.prod(shape)) for shape in example.shapes)


def chosen(op: str) -> list[Example]:
    """The smallest examples that show the op's wiring: one for each number of inputs that it takes, with something in
    every array. `kernel` has the other shapes."""
    by_arity: dict[int, Example] = {}
    for example in sorted((e for e in EXAMPLES if e.op == op), key=cost):
        if cost(example) > 1 and all(all(shape) for shape in example.shapes):
            by_arity.setdefault(len(example.shapes), example)
    return list(by_arity.values()) or [e for e in EXAMPLES if e.op == op][:1]


def prove_op(op: str) -> Outcome:
    return prove_directions([GraphRun(example, way) for example in chosen(op) for way in directions_of(example)])


def obligations() -> Iterator[Obligation]:
    for op in OPS:
        over = "; ".join(example.over() for example in chosen(op))
        claim = "the compiled node's value, tangent and cotangents are the specification's; denote gives the same value"
        yield Obligation("lowering", op, "", claim, f"all reals at {over}", partial(prove_op, op))
