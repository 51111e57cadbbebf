"""An IR of op-tagged nodes with their data beside them, lowered onto graphs.

A program is a list of nodes. The payload, a mapping from node ids, holds the numbers: constants, weights, running
statistics. `denote` says what a program means; `lower` makes a Graph of it, which runs, and can be differentiated, with
`trainable=True` with respect to the weights too. After TorchLean's NN.IR and IRExec (Lean), where a lowered program can
only be run forward.

>>> import numpy as np
>>> from gradproof import ir
>>> program = ir.IRProgram((
...     ir.IRNode(0, "input", (), (3,)),
...     ir.IRNode(1, "linear", (0,), (2,)),
...     ir.IRNode(2, "relu", (1,), (2,)),
... ))
>>> payload = {1: ir.Linear(weight=np.array([[1.0, 0.0, 2.0], [0.0, -1.0, 0.0]]), bias=np.zeros(2))}
>>> lowered = ir.lower(program, payload, trainable=True)
>>> print(lowered.graph)
%0 = input('x0') : float64[3]
%1 = input('1.weight') : float64[2, 3]
%2 = input('1.bias') : float64[2]
%3 = linear(%0, %1, %2) : float64[2]
%4 = relu(%3) : float64[2]
return %4
>>> lowered.ids
(0, 3, 4)
>>> lowered.graph(np.ones(3), *lowered.parameters)
array([3., 0.])
>>> ir.denote(program, payload, [np.ones(3)])[2]
array([3., 0.])
>>> ir.check_well_formed(ir.IRProgram((*program.nodes, ir.IRNode(3, "softmax", (2,), (2,), {"axis": 1}))), payload)
Traceback (most recent call last):
gradproof.ir.IRError: node 3 (softmax): there is no such axis: axis = 1, rank = 1; use 0 <= axis < rank.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from .builder import GraphBuilder, Var
from .errors import DtypeError, GradproofError, GraphError, NodeError, ShapeError, describe
from .graph import INPUT, MOST_AXES, MOST_BYTES, Graph, GraphNode, fitting
from .ir_kinds import KINDS, OPTIONAL, RANDOM, TUPLES, BatchNorm2d, Const, Conv2d, Kind, Linear, PayloadEntry
from .op import Array, Shape
from .ops.structural import adjacent_swaps

__all__ = [
    "KINDS",
    "BatchNorm2d",
    "Const",
    "Conv2d",
    "IRError",
    "IRNode",
    "IRProgram",
    "Linear",
    "Lowering",
    "Payload",
    "check_well_formed",
    "denote",
    "infer",
    "lower",
    "swap_depths_for_perm",
    "swap_shape_by_swaps",
]


@dataclass(frozen=True, slots=True)
class IRNode:
    """One value: `id` is its place in the program, `kind` a name in KINDS, `parents` ids, `shape` that of its value.

    attributes: natural numbers and tuples of them, by name. Axes are counted from 0.
    """

    id: int
    kind: str
    parents: tuple[int, ...]
    shape: Shape
    attributes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class IRProgram:
    """Nodes in an order in which every parent comes first. Its inputs are its input nodes, its output the last node."""

    nodes: tuple[IRNode, ...]


Payload = Mapping[int, PayloadEntry]


@dataclass(frozen=True)
class Lowering:
    """A program as a graph. ids: of each IR node the id of its value in the graph. parameters: the arrays of the
    inputs of the graph that follow the program's own."""

    graph: Graph
    ids: tuple[int, ...]
    parameters: tuple[Array, ...] = ()


class IRError(NodeError):
    """A node of an IR program that is not well formed. `node` is its id, `kind` its kind."""

    def __init__(self, node: int, kind: str, text: str) -> None:
        super().__init__(node, text)
        self.kind = kind

    def __reduce__(self) -> Any:
        return IRError, (self.node, self.kind, str(self))


def refuse(number: int, kind: str, what: str, remedy: str, /, **values: Any) -> IRError:
    return IRError(number, kind, describe(f"node {number} ({kind})", what, remedy, **values))


# What a program must satisfy before anything is recorded.


def check_structure(program: Any, payload: Any) -> None:
    """Ids, kinds, parents, shapes and attributes, one node at a time, and whose payload there is."""
    if not isinstance(program, IRProgram) or type(program.nodes) is not tuple:
        raise GraphError(describe("ir", "this is no program", "pass an IRProgram of a tuple of IRNodes"))
    if not program.nodes:
        raise GraphError(describe("ir", "the program has no node", "give it at least one"))
    if not isinstance(payload, Mapping):
        remedy = "pass a dict from node ids"
        raise GraphError(describe("ir", "the payload is no mapping", remedy, payload=payload))
    for key in payload:
        if type(key) is not int or not 0 <= key < len(program.nodes):
            raise GraphError(describe("ir", "a payload belongs to no node", "remove it", id=key))
    for number, node in enumerate(program.nodes):
        kind = check_node(number, node)
        entry = payload.get(number)
        if kind.payload is None and number in payload:
            raise refuse(number, node.kind, "a payload that is not used", "remove it", payload=type(entry))
        if kind.payload is not None and not isinstance(entry, kind.payload):
            what = "wrong payload" if number in payload else "there is no payload"
            raise refuse(number, node.kind, what, f"give it an ir.{kind.payload.__name__}", payload=type(entry))


def check_node(number: int, node: Any) -> Kind:
    if not isinstance(node, IRNode):
        raise refuse(number, "?", "it is no node", "build programs from IRNode", type=type(node))
    if type(node.kind) is not str or node.kind not in KINDS:
        raise refuse(number, "?", "there is no such kind", "see gradproof.ir.KINDS", kind=node.kind)
    name, kind = node.kind, KINDS[node.kind]
    if type(node.id) is not int or node.id != number:
        raise refuse(number, name, "its id is not its place", "number the nodes 0, 1, 2, ...", id=node.id)
    if type(node.parents) is not tuple or any(type(parent) is not int for parent in node.parents):
        raise refuse(number, name, "parents must be a tuple of ids", "name nodes before it", parents=node.parents)
    if not kind.takes(len(node.parents)):
        remedy = f"it takes {kind.parents}{' or more' if kind.variadic else ''}"
        raise refuse(number, name, "wrong number of parents", remedy, parents=node.parents)
    for parent in node.parents:
        if not 0 <= parent < number:
            raise refuse(number, name, "a parent does not come before it", "order the nodes", parent=parent)
    if not is_shape(node.shape):
        raise refuse(number, name, "no array has this shape", "pass a tuple of extents >= 0", shape=node.shape)
    check_attributes(number, name, kind, node.attributes)
    return kind


def check_attributes(number: int, name: str, kind: Kind, attributes: Any) -> None:
    if not isinstance(attributes, Mapping) or any(type(key) is not str for key in attributes):
        raise refuse(number, name, "attributes must be a mapping", "pass names and values", attributes=attributes)
    remedy = f"it has {', '.join(kind.attributes) or 'none'}"
    if unknown := attributes.keys() - set(kind.attributes):
        raise refuse(number, name, "unknown attributes", remedy, attributes=sorted(unknown))
    if missing := set(kind.attributes) - OPTIONAL - attributes.keys():
        raise refuse(number, name, "attributes are missing", remedy, attributes=sorted(missing))
    for key, value in attributes.items():
        if key in TUPLES and not (type(value) is tuple and len(value) <= MOST_AXES and all(map(is_natural, value))):
            raise refuse(number, name, f"{key} must be natural numbers", "pass a tuple of ints >= 0", **{key: value})
        if key not in TUPLES and not is_natural(value):
            raise refuse(number, name, f"{key} must be a natural number", "pass 0 <= int < 2**64", **{key: value})


def is_natural(value: Any) -> bool:
    return type(value) is int and 0 <= value < 2**64


def is_shape(shape: Any) -> bool:
    if type(shape) is not tuple or len(shape) > MOST_AXES or not all(map(is_natural, shape)):
        return False
    return bool(prod(extent for extent in shape if extent) * 8 <= MOST_BYTES)


# The dtype and the arrays.


def float_name(dtype: DTypeLike) -> str:
    try:
        name = np.dtype(dtype).newbyteorder("=").name
    except TypeError:
        name = ""
    if name not in ("float32", "float64"):
        raise DtypeError(describe("ir", "a program is of float32 or float64", "pass one of them", dtype=dtype))
    return name


def array_of(number: int, kind: str, name: str, value: Any, dtype: str) -> Array:
    """In the dtype of the program. Where that is object, arrays of symbols stay, numbers are float64."""
    try:
        array: Array = np.asanyarray(value)
        if array.dtype == object and dtype == "object":
            return array
        if array.dtype.kind in "iuf":
            with np.errstate(all="ignore"):
                return array.astype("float64" if dtype == "object" else dtype, copy=False)
    except Exception as error:  # of an object's own conversion
        raise refuse(number, kind, f"{name} is no array", "pass real numbers", type=type(value)) from error
    raise refuse(number, kind, f"{name} is no array of real numbers", "convert it", dtype=array.dtype)


def arrays_of(node: IRNode, entry: PayloadEntry, dtype: str) -> dict[str, Array]:
    """The arrays of a node's payload, by name, a flat constant in its shape."""
    arrays = {name: array_of(node.id, node.kind, name, getattr(entry, name), dtype) for name in entry.arrays}
    if isinstance(entry, Const):
        value = arrays["value"]
        if value.shape not in (node.shape, (prod(node.shape),)):
            what, remedy = "the payload does not fit", "give it the declared shape, or the flat vector"
            raise refuse(node.id, node.kind, what, remedy, declared=node.shape, payload=value.shape)
        arrays["value"] = value.reshape(node.shape)
    return arrays


def keywords_of(node: IRNode, entry: PayloadEntry | None, dtype: str) -> dict[str, Any]:
    """What the functions of a kind get besides parents and arrays."""
    keywords = dict(node.attributes)
    if node.kind in RANDOM:
        dtype = "float64" if dtype == "object" else dtype
        keywords = {"stream": node.id, **keywords, "shape": node.shape, "dtype": dtype}
    if isinstance(entry, Conv2d):
        for name in ("stride", "padding"):
            value = getattr(entry, name)
            if type(value) is not int or value != keywords[name]:
                what, remedy = f"{name} is not that of the payload", "make them equal"
                raise refuse(node.id, node.kind, what, remedy, attribute=keywords[name], payload=value)
    if isinstance(entry, BatchNorm2d):
        if not isinstance(entry.eps, (float, np.floating)):
            raise refuse(node.id, node.kind, "eps must be a float", "pass 1e-5, say", eps=entry.eps)
        keywords["eps"] = float(entry.eps)
    return keywords


# Recording: the one way from a program to a graph, and the one place where shapes are computed.

Weigh = Callable[[GraphBuilder, str, Array], Var]


def record(
    program: IRProgram, payload: Payload, dtype: str, weigh: Weigh, declared: bool = True
) -> tuple[GraphBuilder, list[Var]]:
    """A builder in which the program is recorded, and the value of each of its nodes. weigh: makes a Var of a weight.
    declared: compare the shapes with those that the nodes declare."""
    check_structure(program, payload)
    builder = GraphBuilder()
    floats = "float64" if dtype == "object" else dtype
    inputs = iter([builder.input(node.shape, floats) for node in program.nodes if node.kind == INPUT])
    values: list[Var] = []
    with builder.recording():
        for number, node in enumerate(program.nodes):
            entry = payload.get(number)
            keywords = keywords_of(node, entry, dtype)
            arrays = {} if entry is None else arrays_of(node, entry, dtype)
            if node.kind == INPUT:
                keywords["value"] = next(inputs)
            for name, array in arrays.items():
                make = constant if node.kind == "const" else weigh
                keywords[name] = make(builder, f"{number}.{name}", array)
            try:
                value = KINDS[node.kind].lower(*(values[parent] for parent in node.parents), **keywords)
            except GradproofError as error:
                text = str(error).removeprefix(f"{node.kind}: ")
                raise IRError(number, node.kind, f"node {number} ({node.kind}): {text}") from error
            if declared and value.shape != node.shape:
                what, remedy = "it declares another shape", "declare its value's"
                raise refuse(number, node.kind, what, remedy, declared=node.shape, value=value.shape)
            values.append(value)
    return builder, values


def constant(builder: GraphBuilder, name: str, array: Array) -> Var:
    return variable(builder, name, array) if array.dtype == object else builder.const(array)


def variable(builder: GraphBuilder, name: str, array: Array) -> Var:
    """Only its shape matters, or it is passed when the graph is run."""
    return builder.input(array.shape, "float64" if array.dtype == object else array.dtype, name)


def infer(program: IRProgram, payload: Payload) -> tuple[Shape, ...]:
    """The shape of every node, whatever shapes are declared by other nodes than the leaves.

    Raises IRError, GraphError.

    >>> infer(IRProgram((IRNode(0, "input", (), (2, 3)), IRNode(1, "swap_first_two", (0,), ()))), {})
    ((2, 3), (3, 2))
    """
    _, values = record(program, payload, "float64", variable, declared=False)
    return tuple(value.shape for value in values)


def check_well_formed(program: IRProgram, payload: Payload) -> None:
    """Raises IRError, which names the node, unless every node has its place as id, a known kind, parents before it as
    many as its kind takes, its kind's attributes and payload and no others, parents of shapes that its kind takes, and
    declares the shape of its value. GraphError for what belongs to no node.

    >>> check_well_formed(IRProgram((IRNode(0, "input", (), (2,)), IRNode(1, "sum", (0,), (1,)))), {})
    Traceback (most recent call last):
    gradproof.ir.IRError: node 1 (sum): it declares another shape: declared = (1,), value = (); declare its value's.
    """
    record(program, payload, "float64", variable)


def lower(program: IRProgram, payload: Payload, dtype: DTypeLike = "float64", trainable: bool = False) -> Lowering:
    """The program as a graph of gradproof's ops, in this dtype, whose output is the value of the last node.

    The inputs of the graph are those of the program; with `trainable` they are followed by the payloads' arrays of the
    linear, conv2d and batch norm nodes, named "3.weight" and the like. The default stream of random kinds is their id.
    Raises what check_well_formed does, and DtypeError for a dtype other than float32 and float64.

    >>> lowered = lower(IRProgram((IRNode(0, "input", (), (2,)), IRNode(1, "exp", (0,), (2,)))), {}, np.float32)
    >>> lowered.graph.nodes[lowered.ids[1]]
    GraphNode(exp(%0) : float32[2])
    """
    parameters: list[Array] = []

    def weigh(builder: GraphBuilder, name: str, array: Array) -> Var:
        if not trainable:
            return builder.const(array)
        parameters.append(array.copy())
        return variable(builder, name, array)

    builder, values = record(program, payload, float_name(dtype), weigh)
    return Lowering(builder.build(values[-1]), tuple(value.id for value in values), tuple(parameters))


def denote(
    program: IRProgram, payload: Payload, inputs: Sequence[Any], dtype: DTypeLike = "float64"
) -> list[Array]:
    """The value of every node by definition: each is its kind's meaning, in plain NumPy, of the values of its parents.
    Nothing of it is used by `lower`, which is compared with it. dtype: also object, for arrays of symbols.

    Raises what check_well_formed does, GraphError for a wrong number of inputs, ShapeError, DtypeError.
    """
    name = "object" if dtype is object or dtype == "object" else float_name(dtype)
    record(program, payload, name, variable)
    wanted = [node for node in program.nodes if node.kind == INPUT]
    if len(inputs) != len(wanted):
        remedy = "pass one array per input node"
        raise GraphError(describe("ir", "wrong number of inputs", remedy, expected=len(wanted), given=len(inputs)))
    given = iter([argument(node, x, name) for node, x in zip(wanted, inputs, strict=True)])
    values: list[Array] = []
    with np.errstate(all="ignore"):
        for number, node in enumerate(program.nodes):
            entry = payload.get(number)
            keywords = keywords_of(node, entry, name) | ({} if entry is None else arrays_of(node, entry, name))
            if node.kind == INPUT:
                keywords["value"] = next(given)
            value = KINDS[node.kind].meaning(*(values[parent] for parent in node.parents), **keywords)
            values.append(value.copy() if isinstance(value, np.ndarray) else np.asarray(value))
    return values


def argument(node: IRNode, x: Any, dtype: str) -> Any:
    if dtype != "object":
        return fitting(GraphNode(INPUT, shape=node.shape, dtype=dtype), node.id, x)
    array = x if isinstance(x, np.ndarray) else np.asarray(x, dtype=object)
    if array.shape != node.shape:
        what, remedy = f"input {node.id} has another shape", "pass the declared one"
        raise ShapeError(describe("ir", what, remedy, expected=node.shape, given=array.shape))
    return array


# Permutations as adjacent swaps.


def swap_depths_for_perm(perm: tuple[int, ...]) -> tuple[int, ...]:
    """The depths d at which to swap the axes d and d + 1, in turn, to permute them by `perm`. Raises DomainError.

    >>> swap_depths_for_perm((2, 0, 1)), swap_depths_for_perm((1, 2, 0))
    ((1, 0), (0, 1))
    """
    return adjacent_swaps(perm)


def swap_shape_by_swaps(shape: Shape, depths: Sequence[int]) -> Shape:
    """A shape after these swaps. Raises ShapeError for a depth without two axes.

    >>> swap_shape_by_swaps((5, 6, 7), swap_depths_for_perm((2, 0, 1)))
    (7, 5, 6)
    """
    for depth in depths:
        if not 0 <= depth < len(shape) - 1:
            remedy = "0 <= depth <= rank - 2"
            raise ShapeError(describe("ir", "there are no two such axes", remedy, depth=depth, shape=shape))
        shape = (*shape[:depth], shape[depth + 1], shape[depth], *shape[depth + 2 :])
    return shape
