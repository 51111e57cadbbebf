"""A graph run once on given inputs, as a tape that can be differentiated forward and backward any number of times.

The tape has one node per node of the graph, with the same id. Time and memory are linear in the nodes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from . import dtypes
from .dtypes import floats
from .errors import GraphError, ShapeError, describe
from .graph import CONST, INPUT, Graph, GraphNode
from .op import OPS, Array
from .tape import Node, Tape, evaluated, promoted


class CompiledTape(Tape):
    """The tape of a graph. `differentiable[id]`: whether a gradient can flow to that value from a later one."""

    def __init__(self) -> None:
        super().__init__()
        self.open = False
        self.differentiable: list[bool] = []

    def add_leaf(self, value: Array, requires_grad: bool) -> None:
        self.append(Node(value))
        self.differentiable.append(requires_grad)

    def add_node(self, node: GraphNode) -> None:
        """Lower the next node of the graph."""
        made, differentiable = self.lowered(node)
        self.append(made)
        self.differentiable.append(differentiable)

    def lowered(self, node: GraphNode) -> tuple[Node, bool]:
        """One node of the graph, whose parents are on the tape, and whether it is differentiable: run its op, and keep
        what its rules need. The one place where this is done."""
        op = OPS[node.op]
        inputs = promoted(op, tuple(self.nodes[parent].out for parent in node.parents))
        out, residual = evaluated(op, inputs, node.attributes)
        parents = tuple(
            parent if op.is_differentiable(position) and self.differentiable[parent] else None
            for position, parent in enumerate(node.parents)
        )
        made = Node(out, op, parents, inputs, residual, node.attributes)
        return made, any(parent is not None for parent in parents)


def compile_tape(
    graph: Graph, inputs: Sequence[Any], requires_grad: Sequence[bool] | None = None
) -> tuple[CompiledTape, list[Array]]:
    """The tape of a graph at these inputs, and its context: the value of every node.

    requires_grad: per input, by default all; integer and Boolean inputs and constants never have a gradient.
    Raises GraphError for a wrong number of inputs, ShapeError, DtypeError, and what the ops raise for unfit values.

    >>> import gradproof as gp
    >>> graph = gp.trace(lambda x: gp.reduce_sum(x * x), (2,))
    >>> tape, context = compile_tape(graph, [np.array([1.0, 3.0])])
    >>> context
    [array([1., 3.]), array([1., 9.]), array(10.)]
    >>> backward_dense_all(tape)
    [array([2., 6.]), array([1., 1.]), array(1.)]
    """
    arguments = graph.arguments(inputs)
    wanted = [True] * len(arguments) if requires_grad is None else list(requires_grad)
    if len(wanted) != len(arguments):
        remedy = "give one per input"
        raise GraphError(
            describe("compile_tape", "requires_grad does not fit", remedy, inputs=len(arguments), given=len(wanted))
        )
    tape, given = CompiledTape(), iter(zip(arguments, wanted, strict=True))
    for number, node in enumerate(graph.nodes):
        if node.op == INPUT:
            value, grad = next(given)
            tape.add_leaf(value, grad and node.is_float)
        elif node.op == CONST:
            tape.add_leaf(graph.payload[number], False)
        else:
            tape.add_node(node)
    return tape, [node.out for node in tape.nodes]


def out_id(tape: CompiledTape) -> int:
    """The id of the last value. The tape must have one: see `checked_out_id`."""
    return len(tape.nodes) - 1


def checked_out_id(tape: CompiledTape) -> int:
    """The id of the last value. Raises GraphError unless an op computed it."""
    if not tape.nodes or tape.nodes[-1].op is None:
        what = "the last value of the graph is computed by no op"
        raise GraphError(describe("tape", what, "end with an op, or name the output", values=len(tape.nodes)))
    return len(tape.nodes) - 1


def backward_dense_all(tape: CompiledTape, output: int | None = None) -> list[Array]:
    """The gradient of a scalar value, by default the last, with respect to every value: seed 1. Zeros where none
    arrives, and for constants. Integer and Boolean values get zeros too.

    Raises GraphError where there is no such value, ShapeError where it is no scalar.
    """
    number = checked_out_id(tape) if output is None else output
    if type(number) is not int or not 0 <= number < len(tape.nodes):
        raise GraphError(describe("backward", "there is no such value", "use an id of the graph", output=output))
    out = tape.nodes[number].out
    if out.shape != ():
        remedy = "reduce it, or use backward_dense_from with a seed"
        raise ShapeError(describe("backward", "the output is no scalar", remedy, shape=out.shape))
    return pulled_back(tape, [(number, np.ones_like(out))])


def backward_dense_from(tape: CompiledTape, seeds: Sequence[Any]) -> list[Array]:
    """The gradient of Σ <seed, value> with respect to every value: one seed per value, None for zero.

    Raises GraphError for a wrong number of seeds, ShapeError, DtypeError.
    """
    if len(seeds) != len(tape.nodes):
        remedy = "give one per value, None for zero"
        raise GraphError(
            describe("backward", "wrong number of seeds", remedy, expected=len(tape.nodes), given=len(seeds))
        )
    return pulled_back(tape, checked_directions("seed", tape, enumerate(seeds)))


def jvp_dense_all(tape: CompiledTape, tangents: Sequence[Any]) -> list[Array]:
    """The tangent of every value, given one per value: None for zero, and for all but inputs with a gradient.

    Raises GraphError for a wrong number of tangents or one where none belongs, ShapeError, DtypeError.
    """
    if len(tangents) != len(tape.nodes):
        remedy = "give one per value, None for zero"
        raise GraphError(
            describe("jvp", "wrong number of tangents", remedy, expected=len(tape.nodes), given=len(tangents))
        )
    directions = checked_directions("tangent", tape, enumerate(tangents))
    for number, _ in directions:
        if tape.nodes[number].op is not None or not tape.differentiable[number]:
            remedy = "pass None: only inputs that require a gradient have one"
            raise GraphError(describe("jvp", f"value {number} takes no tangent", remedy, value=number))
    return dense(tape, tape.push_forward(dict(directions)), dict(directions))


def checked_directions(name: str, tape: CompiledTape, given: Any) -> list[tuple[int, Array]]:
    """(id, direction) for each that is not None, in the shape and dtype of its value."""
    found = []
    for number, direction in given:
        if direction is None:
            continue
        value = tape.nodes[number].out
        if value.dtype.type not in dtypes.FLOATS:
            remedy = "pass None for integers and Booleans"
            raise GraphError(describe("tape", f"{name} {number} belongs to no float value", remedy, dtype=value.dtype))
        (array,) = floats("tape", **{f"{name} {number}": direction})
        if array.shape != value.shape:
            remedy = "give it the shape of its value"
            raise ShapeError(
                describe("tape", f"{name} {number} has another shape", remedy, expected=value.shape, given=array.shape)
            )
        found.append((number, array.astype(value.dtype, copy=False)))
    return found


def pulled_back(tape: CompiledTape, seeds: list[tuple[int, Array]]) -> list[Array]:
    return dense(tape, tape.pull_back(seeds, keep=True), dict(seeds))


def dense(tape: CompiledTape, found: Sequence[Array | None], given: dict[int, Array]) -> list[Array]:
    """Arrays of the caller's own, zeros for None. A constant is not differentiated, whatever its seed."""
    taken = {id(array) for array in given.values()}
    result = []
    for number, (array, node) in enumerate(zip(found, tape.nodes, strict=True)):
        if array is None or (node.op is None and not tape.differentiable[number]):
            array = np.zeros_like(node.out)
        elif id(array) in taken or array.base is not None or not array.flags.writeable:
            array = array.copy()
        taken.add(id(array))
        result.append(array)
    return result
