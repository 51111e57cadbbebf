"""TRUSTED. Graphs with uninterpreted ops: what the shipped loops make of a graph, and what they must, by definition.

A tensor is one generic entry of it, a sum of named tensors. That is enough because the loops only ever add tensors and
hand them to rules: what holds of one entry holds of all. A rule is uninterpreted: its result is a new name that stands
for (the rule, the attributes, the input values, the direction), so that equal calls give equal tensors and nothing else
does. By definition, for the values x_i of a graph with parents p_ik, tangents t_i and cotangents c_i,

    x_i = f_i(x_p0, x_p1, ...)    t_i = Σ_k J_ik(t_p)    c_i = s_i + Σ_{j, k: p_jk = i} V_jk(c_j)

where the sums leave out what has no gradient: constants, integers, inputs that do not require one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from fractions import Fraction
from functools import partial
from typing import Any
from unittest.mock import patch

import numpy as np

from gradproof import compiled, tape
from gradproof import graph as graphs
from gradproof.graph import CONST, INPUT, Graph
from gradproof.op import OPS as RUNTIME
from gradproof.op import Op as RuntimeOp

from ..symbolic import SymbolicArray, Unsupported, symbols
from ..terms import Scalar, access
from .floats import objects_pass

Combination = dict[str, Fraction]  # a linear combination of named tensors; {} is zero
ONE = "1"  # the tensor of ones, which backward_dense_all seeds a scalar with


class Broken(Exception):
    """The shipped code does not do what the definition says."""


# ---------------------------------------------------------------- tensors
entries: ContextVar[tuple[int, ...]] = ContextVar("entries", default=())
"""The shape of every tensor: one generic entry, or several, which must then all be treated alike, each by itself."""


def tensor(name: str) -> Any:
    """Writable, as arrays mostly are: code that writes where it can must not be shown only arrays where it cannot."""
    return symbols(name, entries.get()).copy()


def single(name: str) -> Combination:
    return {name: Fraction(1)}


def combination(array: Any) -> Combination:
    """The tensors that an array is the sum of; None stands for zero."""
    if array is None:
        return {}
    raw = np.asarray(array, dtype=object).view(np.ndarray)
    if raw.shape != entries.get():
        raise Broken(f"a tensor of shape {entries.get()} has become one of shape {raw.shape}")
    first, *others = [_linear(raw[i], i) for i in np.ndindex(*raw.shape)]
    if any(other != first for other in others):
        raise Broken("the entries of a tensor are not treated alike")
    return first


def _linear(t: Any, at: tuple[int, ...]) -> Combination:
    if not isinstance(t, Scalar):
        t = SymbolicArray.meanings.lift(t)
    if t.op == "number":
        return {ONE: t.args[0]} if t.args[0] else {}
    if t.op == "access" and t == access(t.args[0], *at):
        return single(t.args[0])
    if t.op == "add":
        return combined([_linear(t.args[0], at), _linear(t.args[1], at)])
    if t.op == "mul" and t.args[0].op == "number":
        return {name: t.args[0].args[0] * c for name, c in _linear(t.args[1], at).items()}
    raise Unsupported(f"{t} is no sum of tensors")


def combined(parts: Iterable[Combination]) -> Combination:
    found: Combination = {}
    for part in parts:
        for name, coefficient in part.items():
            found[name] = found.get(name, Fraction(0)) + coefficient
    return found


def key_of(parts: Combination) -> tuple[Any, ...]:
    return tuple(sorted(parts.items()))


@dataclass
class Names:
    """Names for the results of uninterpreted rules: one for each (rule, arguments)."""

    known: dict[Any, str] = field(default_factory=dict)
    passing: frozenset[str] = frozenset()  # ops whose rules hand over the very array that they get, as add's do

    def of(self, rule: str, *arguments: Any) -> str:
        return self.known.setdefault((rule, *arguments), f"{rule}#{len(self.known)}")

    def value(self, op: str, attributes: str, inputs: tuple[str, ...]) -> str:
        return self.of(op, attributes, inputs)

    def image(
        self, way: str, op: str, attributes: str, slot: int, inputs: tuple[str, ...], direction: Combination
    ) -> Combination:
        """What the JVP (way "J") or VJP (way "V") of this input makes of a direction."""
        if op in self.passing:
            return direction
        return single(self.of(f"{way}[{op},{slot}]", attributes, inputs, key_of(direction)))


# ---------------------------------------------------------------- ops without a meaning
def uninterpreted(like: RuntimeOp, names: Names) -> RuntimeOp:
    """An op with the inputs of `like`; its shipped jvp and vjp run, its rules are unknown."""
    op = RuntimeOp(
        like.name, like.inputs, differentiable=like.differentiable, optional=like.optional, variadic=like.variadic
    )

    def values(inputs: Any) -> tuple[str, ...]:
        return tuple(name for x in inputs for name in combination(x))

    def forward(inputs: Any, **attributes: Any) -> Any:
        if any(len(combination(x)) != 1 for x in inputs):
            raise Broken(f"{op.name} gets a value that no node has")
        name = names.value(op.name, repr(attributes), values(inputs))
        return tensor(name), (tensor(f"residual of {name}"),)

    def directional(way: str, slot: int, direction: Any, inputs: Any, attributes: Any) -> Any:
        (name,) = names.image(way, op.name, repr(attributes), slot, values(inputs), combination(direction))
        return tensor(name)

    def rule(way: str, slot: int, direction: Any, inputs: Any, out: Any, residual: Any, **attributes: Any) -> Any:
        name = names.value(op.name, repr(attributes), values(inputs))
        if combination(out) != single(name):
            raise Broken(f"a rule of {op.name} gets another output than that of its inputs")
        if combination(residual[0]) != single(f"residual of {name}"):
            raise Broken(f"a rule of {op.name} gets another residual than that of its inputs")
        if op.name in names.passing:
            return direction
        if not op.variadic:
            return directional(way, slot, direction, inputs, attributes)
        if way == "V":
            return tuple(directional("V", k, direction, inputs, attributes) for k in range(len(inputs)))
        terms = [directional("J", k, dx, inputs, attributes) for k, dx in enumerate(direction) if dx is not None]
        return sum(terms[1:], terms[0])

    op.rules = {"shape": lambda *shapes, **attributes: entries.get(), "forward": forward}
    for slot, name in enumerate(like.inputs):
        if name in like.differentiable:
            op.rules[f"jvp {name}"] = partial(rule, "J", slot)
            op.rules[f"vjp {name}"] = partial(rule, "V", slot)
    return op


@contextmanager
def ops_replaced(ops: dict[str, RuntimeOp]) -> Iterator[None]:
    """The shipped code looks ops up in these; the gates at dtypes let symbols pass."""
    with ExitStack() as stack:
        for module in (compiled, graphs, tape):
            stack.enter_context(patch.object(module, "OPS", ops))
        stack.enter_context(objects_pass())
        stack.enter_context(patch.object(graphs, "fitting", lambda node, number, x: x))
        yield


# ---------------------------------------------------------------- a graph by definition
@dataclass(frozen=True)
class Definition:
    """Of every value of a graph: its name, its tangent, its cotangent, whether it has a gradient."""

    values: list[str]
    tangents: list[Combination]
    cotangents: list[Combination]
    differentiable: list[bool]


@dataclass(frozen=True)
class Given:
    """What has a tangent and what a seed; t_l and s_i are named t{id} and s{id}, the seed of `scalar` is 1."""

    tangents: frozenset[int] | None = None  # None: all that can
    seeds: frozenset[int] | None = None
    scalar: int | None = None
    requires_grad: tuple[bool, ...] | None = None  # per input; None: all

    def seed(self, number: int) -> Combination:
        if self.scalar is not None:
            return single(ONE) if number == self.scalar else {}
        return single(f"s{number}") if self.seeds is None or number in self.seeds else {}

    def tangent(self, number: int) -> Combination:
        return single(f"t{number}") if self.tangents is None or number in self.tangents else {}

    def wants(self, graph: Graph, number: int) -> bool:
        return self.requires_grad is None or self.requires_grad[graph.inputs.index(number)]


EVERYTHING = Given()


def definition(graph: Graph, ops: dict[str, RuntimeOp], names: Names, given: Given = EVERYTHING) -> Definition:
    values: list[str] = []
    moves: list[bool] = []
    slots: list[list[int]] = []  # of each node: the inputs through which a gradient flows
    users: list[list[tuple[int, int]]] = [[] for _ in graph.nodes]
    tangents: list[Combination] = []

    def inputs_of(number: int) -> tuple[str, ...]:
        return tuple(values[parent] for parent in graph.nodes[number].parents)

    def image(way: str, number: int, slot: int, direction: Combination) -> Combination:
        node = graph.nodes[number]
        at = inputs_of(number)
        return names.image(way, node.op, repr(dict(node.attributes)), slot, at, direction)

    for number, node in enumerate(graph.nodes):
        if node.op in (INPUT, CONST):
            values.append(f"x{number}")
            slots.append([])
            moves.append(node.op == INPUT and node.dtype in ("float32", "float64") and given.wants(graph, number))
            tangents.append(given.tangent(number) if moves[-1] else {})
            continue
        op = ops[node.op]
        values.append(names.value(node.op, repr(dict(node.attributes)), inputs_of(number)))
        differentiable = [op.variadic or op.inputs[k] in op.differentiable for k in range(len(node.parents))]
        slots.append([k for k, p in enumerate(node.parents) if differentiable[k] and moves[p]])
        moves.append(bool(slots[-1]))
        for k in slots[-1]:
            users[node.parents[k]].append((number, k))
        tangents.append(
            combined(image("J", number, k, tangents[node.parents[k]]) for k in slots[-1] if tangents[node.parents[k]])
        )
    cotangents: list[Combination] = [{} for _ in graph.nodes]
    for number in reversed(range(len(graph.nodes))):
        arriving = (image("V", j, k, cotangents[j]) for j, k in users[number] if cotangents[j])
        cotangents[number] = combined([given.seed(number), *arriving])
    return Definition(values, tangents, cotangents, moves)


# ---------------------------------------------------------------- what the shipped path makes of it
def leaf_values(graph: Graph) -> list[Any]:
    return [tensor(f"x{number}") for number in graph.inputs]


def named_constants(graph: Graph) -> Graph:
    """The same graph, the payload replaced by names, so that the values do not matter. A tensor is one generic entry
    whatever shape its node declares."""
    nodes = tuple(graphs.GraphNode(n.op, n.parents, n.attributes, n.shape, n.dtype, n.name) for n in graph.nodes)
    bare = Graph(nodes, graph.outputs)
    payload = {number: tensor(f"x{number}") for number, node in enumerate(nodes) if node.op == CONST}
    object.__setattr__(bare, "payload", payload)
    return bare


def check_structure(graph: Graph, names: Names, compiler: Any = compiled.compile_tape) -> Definition:
    """The shipped path on this graph with uninterpreted rules, compared with the definition: values (also those of
    denote), tangents, cotangents of all values. Raises Broken where they differ. Inside `explore`."""
    bare = named_constants(graph)
    ops = {name: uninterpreted(RUNTIME[name], names) for name in {n.op for n in graph.nodes} & RUNTIME.keys()}
    compare(bare, ops, names, compiler, Given(seeds=frozenset(graph.outputs), tangents=frozenset(graph.inputs[:1])))
    return compare(bare, ops, names, compiler)


def compare(
    bare: Graph,
    ops: dict[str, RuntimeOp],
    names: Names,
    compiler: Any = compiled.compile_tape,
    given: Given = EVERYTHING,
) -> Definition:
    want = definition(bare, ops, names, given)
    count = len(bare.nodes)
    more = () if given.requires_grad is None else (given.requires_grad,)
    with ops_replaced(ops):
        made, context = compiler(bare, leaf_values(bare), *more)
        told = bare.denote(*leaf_values(bare))
        called = bare(*leaf_values(bare))
        moving = [want.differentiable[i] and bare.nodes[i].op == INPUT for i in range(count)]
        directions = [tensor(f"t{i}") if moving[i] and given.tangent(i) else None for i in range(count)]
        tangents = compiled.jvp_dense_all(made, directions)
        if given.scalar is not None:
            seeds = [(given.scalar, np.ones_like(made.nodes[given.scalar].out))]
            cotangents = compiled.backward_dense_all(made, given.scalar)
        else:
            seeds = [(i, tensor(f"s{i}")) for i in range(count) if given.seed(i)]
            by_id = dict(seeds)
            cotangents = compiled.backward_dense_from(made, [by_id.get(i) for i in range(count)])
        again = made.pull_back(reversed(seeds))  # another run of the same tape, which keeps leaves only
    for what, got, wanted in (
        ("value", context, [single(x) for x in want.values]),
        ("denotation", told, [single(x) for x in want.values]),
        ("value by call", outputs_of(called, bare), [single(x) for x in want.values]),
        ("tangent", tangents, want.tangents),
        ("cotangent", cotangents, shown_cotangents(bare, want)),
        ("second cotangent", [x if n.op in (INPUT, CONST) else None for x, n in zip(again, bare.nodes, strict=True)],
         [c if n.op in (INPUT, CONST) else {} for c, n in zip(want.cotangents, bare.nodes, strict=True)]),
    ):  # fmt: skip
        if len(got) != count:
            raise Broken(f"there are {len(got)} {what}s for {count} values")
        for number in range(count):
            if got[number] is NOT_SHOWN:
                continue
            if (found := combination(got[number])) != wanted[number]:
                raise Broken(
                    f"the {what} of node {number} ({bare.nodes[number].op}) is "
                    f"{spelled(found)}, by definition {spelled(wanted[number])}"
                )
    return want


NOT_SHOWN = object()


def outputs_of(called: Any, graph: Graph) -> list[Any]:
    """By id, for the outputs."""
    found = dict(zip(graph.outputs, called if isinstance(called, tuple) else (called,), strict=True))
    return [found.get(number, NOT_SHOWN) for number in range(len(graph.nodes))]


def shown_cotangents(graph: Graph, want: Definition) -> list[Combination]:
    """Leaves without a gradient show zero, whatever their seed."""
    return [
        c if node.op not in (INPUT, CONST) or moves else {}
        for node, c, moves in zip(graph.nodes, want.cotangents, want.differentiable, strict=True)
    ]


def spelled(parts: Combination) -> str:
    return " + ".join(name if c == 1 else f"{c}·{name}" for name, c in sorted(parts.items())) or "0"


def op_like(name: str, arity: int, variadic: bool = False) -> RuntimeOp:
    return RuntimeOp(name, ("xs",) if variadic else tuple(f"x{k}" for k in range(arity)), variadic=variadic)


__all__: Sequence[str] = ("Broken", "Definition", "Names", "check_structure", "compare", "definition", "uninterpreted")
