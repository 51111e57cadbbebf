"""TRUSTED. What each kind of the IR denotes, as a call of a specified op, and the proof that its lowering computes it,
forward, JVP and VJP, as does the IR's own `denote`, which is written without the lowering.

A program of the kind alone is lowered with its payload as inputs, compiled, and run on symbols at small shapes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import partial
from math import prod
from typing import Any

import numpy as np

from gradproof import ir
from gradproof.graph import Graph

from ..obligations import PASSING, Obligation, Outcome, Verdict
from ..symbolic import as_terms, explore, symbols
from ..terms import Scalar, to_scalar
from .examples import Example, Shape
from .kernels import Run
from .lowering import directions_of, prove_directions, through_graph


@dataclass(frozen=True)
class Denotation:
    """A kind with these attributes, on parents of these shapes, denotes OPS[op] with `means` as attributes.

    payload: the shapes of the arrays of its payload, in the order of the op's inputs after x. seen: the shapes of the
    op's inputs, where it sees them in another form, in row-major order. fixed: inputs of the op that are a number.
    """

    kind: str
    parents: tuple[Shape, ...]
    op: str
    means: Mapping[str, Any] = field(default_factory=dict)
    attributes: Mapping[str, Any] = field(default_factory=dict)
    payload: tuple[Shape, ...] = ()
    seen: tuple[Shape, ...] | None = None
    fixed: Mapping[str, int] = field(default_factory=dict)

    def over(self) -> str:
        shapes = ", ".join(map(str, (*self.parents, *self.payload)))
        return f"{shapes}{''.join(f', {name}={value}' for name, value in self.attributes.items())}"


def same(kind: str, op: str, *parents: Shape) -> Denotation:
    return Denotation(kind, parents, op)


def along(kind: str, op: str, parent: Shape, axis: int) -> Denotation:
    return Denotation(kind, (parent,), op, {"axis": (axis,), "keepdims": False}, {"axis": axis})


def pool(kind: str, op: str, x: Shape, h: int, w: int, stride: int, padding: int | None = None) -> Denotation:
    attributes = {"kernel_h": h, "kernel_w": w, "stride": stride}
    means: dict[str, Any] = {"kernel": (h, w), "stride": (stride, stride), "padding": (padding or 0,) * 2}
    means |= {"dilation": (1, 1)} if op == "max_pool" else {"count_include_pad": True}
    return Denotation(kind, (x,), op, means, attributes if padding is None else {**attributes, "padding": padding})


def moved(kind: str, parent: Shape, axes: tuple[int, ...], **attributes: Any) -> Denotation:
    return Denotation(kind, (parent,), "transpose", {"axes": axes}, attributes)


def reshaped(kind: str, parent: Shape, shape: Shape, **attributes: Any) -> Denotation:
    return Denotation(kind, (parent,), "reshape", {"shape": shape}, {"source": parent, **attributes})


def broadcast(parent: Shape, shape: Shape) -> Denotation:
    return Denotation("broadcast_to", (parent,), "broadcast_to", {"shape": shape}, {"source": parent, "target": shape})


def convolution(x: Shape, weight: Shape, stride: int, padding: int) -> Denotation:
    out, into, h, w = weight
    attributes = {"in_channels": into, "out_channels": out, "kernel_h": h, "kernel_w": w, "stride": stride,
                  "padding": padding}  # fmt: skip
    means = {"stride": (stride, stride), "padding": (padding, padding), "dilation": (1, 1), "groups": 1}
    return Denotation("conv2d", (x,), "conv", means, attributes, payload=(weight, (out,)))


def layernorm(x: Shape, axis: int) -> Denotation:
    """Over the axes from `axis` on, with gamma = 1 and beta = 0, of x as rows."""
    rows, extent = prod(x[:axis]), prod(x[axis:])
    seen = ((rows, extent), (extent,), (extent,))
    return Denotation("layernorm", (x,), "layer_norm", {"eps": 1e-6}, {"axis": axis}, seen=seen,
                      fixed={"gamma": 1, "beta": 0})  # fmt: skip


def random(kind: str, **more: Any) -> Denotation:
    drawn = {"seed": 7, "stream": 3}
    return Denotation(kind, (), kind, {**more, "shape": (2, 2), **drawn, "dtype": "float64"}, drawn)


DENOTATIONS = (
    *(same(kind, op, (2, 2)) for kind, op in (
        ("detach", "detach"), ("abs", "abs"), ("sqrt", "sqrt"), ("inv", "reciprocal"), ("relu", "relu"),
        ("tanh", "tanh"), ("sigmoid", "sigmoid"), ("exp", "exp"), ("log", "log"), ("sin", "sin"), ("cos", "cos"))),
    *(same(kind, op, (2, 2), (2, 2)) for kind, op in (
        ("add", "add"), ("sub", "sub"), ("mul_elem", "mul"), ("max_elem", "maximum"), ("min_elem", "minimum"))),
    Denotation("mse_loss", ((2, 2), (2, 2)), "mse_loss", {"reduction": "mean"}),
    same("matmul", "matmul", (2, 3), (3, 2)),
    same("matmul", "matmul", (2, 2, 1), (2, 1, 2)),
    along("reduce_sum", "reduce_sum", (2, 3), 0),
    along("reduce_sum", "reduce_sum", (2, 3, 2), 1),
    along("reduce_mean", "reduce_mean", (2, 3), 1),
    along("reduce_mean", "reduce_mean", (2, 1, 2), 0),
    Denotation("sum", ((2, 3),), "reduce_sum", {"axis": (0, 1), "keepdims": False}),
    Denotation("softmax", ((2, 2),), "softmax", {"axis": 0}, {"axis": 0}),
    Denotation("softmax", ((2, 2),), "softmax", {"axis": 1}, {"axis": 1}),
    Denotation("softmax", ((2, 2, 2),), "softmax", {"axis": 1}, {"axis": 1}),
    layernorm((2, 2), 1),
    layernorm((2, 2, 1), 0),
    layernorm((2, 1, 2), 1),
    moved("permute", (2, 3, 2), (2, 0, 1), perm=(2, 0, 1)),
    moved("permute", (2, 3, 1, 2), (3, 1, 0, 2), perm=(3, 1, 0, 2)),
    moved("swap_first_two", (2, 3, 2), (1, 0, 2)),
    moved("swap_first_two", (1, 2, 2, 3), (1, 0, 2, 3)),
    moved("transpose3d_last_two", (2, 3, 2), (0, 2, 1)),
    reshaped("reshape", (2, 3), (3, 1, 2), target=(3, 1, 2)),
    reshaped("flatten", (2, 1, 2), (4,)),
    broadcast((2,), (2, 2)),
    broadcast((2, 1), (3, 2, 2)),
    broadcast((), (2,)),
    Denotation("concat", ((1, 2), (2, 2)), "concat", {"axis": 0}, {"axis": 0}),
    Denotation("concat", ((2, 1), (2, 2), (2, 1)), "concat", {"axis": 1}, {"axis": 1}),
    Denotation("concat", ((1, 2, 2), (1, 2, 1)), "concat", {"axis": 2}, {"axis": 2}),
    pool("max_pool2d", "max_pool", (1, 3, 2), 2, 1, 1),
    pool("max_pool2d", "max_pool", (1, 3, 3), 1, 2, 2),
    pool("max_pool2d_pad", "max_pool", (1, 2, 2), 2, 3, 2, 1),
    pool("max_pool2d_pad", "max_pool", (1, 3, 2), 2, 1, 1, 0),
    pool("avg_pool2d", "avg_pool", (2, 3, 3), 2, 1, 1),
    pool("avg_pool2d", "avg_pool", (1, 3, 3), 1, 2, 2),
    pool("avg_pool2d_pad", "avg_pool", (1, 3, 2), 2, 3, 2, 1),
    pool("avg_pool2d_pad", "avg_pool", (1, 3, 2), 3, 1, 2, 0),
    Denotation("linear", ((3,),), "linear", payload=((2, 3), (2,))),
    Denotation("linear", ((2, 3),), "linear", payload=((2, 3), (2,))),
    convolution((2, 3, 3), (2, 2, 2, 2), 2, 1),
    convolution((1, 3, 2), (1, 1, 2, 1), 2, 0),
    convolution((1, 3, 2), (1, 1, 2, 1), 1, 0),
    Denotation("batch_norm2d_nchw_eval", ((2, 2, 1, 2),), "batch_norm_eval", {"eps": 0.25, "channel_axis": 1},
               {"channels": 2}, payload=((2,),) * 4),
    random("rand_uniform"),
    random("bernoulli_mask", keep_prob=0.5),
)  # fmt: skip


class KindRun(Run):
    """As Run, by the lowered program of a kind; in the direction "denote" by the IR's denote."""

    def __init__(self, denotation: Denotation, direction: str) -> None:
        self.denotation = denotation
        shapes = denotation.seen or (*denotation.parents, *denotation.payload)
        example = Example(denotation.op, f"ir-{denotation.kind}", shapes, denotation.means)
        super().__init__(example, direction, fixed=denotation.fixed)

    @property
    def label(self) -> str:
        return f"lowering[ir-{self.denotation.kind.replace('_', '-')}]"

    def attributes(self) -> dict[str, Any]:
        """The kind fixes them: eps of layernorm is 1e-6, not any number."""
        return dict(self.example.attributes)

    def real_attribute(self, name: str) -> Scalar:
        return to_scalar(Fraction(repr(self.example.attributes[name])))

    def program(self, payload: Sequence[Any]) -> tuple[ir.IRProgram, dict[int, Any]]:
        """The kind's node after one input per parent; for a mask, after its constant."""
        told = self.denotation
        nodes = [ir.IRNode(number, "input", (), shape) for number, shape in enumerate(told.parents[::-1])]
        data: dict[int, Any] = {}
        if told.kind == "bernoulli_mask":
            nodes, data = [ir.IRNode(0, "const", (), ())], {0: ir.Const(told.means["keep_prob"])}
        number = len(nodes)
        if told.payload:
            more = (told.means["eps"],) if told.kind.startswith("batch_norm") else ()
            window = (told.attributes["stride"], told.attributes["padding"]) if told.kind == "conv2d" else ()
            entry: Any = ir.KINDS[told.kind].payload
            data[number] = entry(*payload, *window, *more)
        shape = self.op.shape(*self.example.shapes, **self.example.attributes)
        shape = told.parents[0] if told.seen else shape
        parents = tuple(reversed(range(number)))  # not in the order of the inputs: it must be kept
        node = ir.IRNode(number, told.kind, parents, shape, told.attributes)
        return ir.IRProgram((*nodes, node)), data

    def compute(self, inputs: Any, tangents: Any, g: Any, attributes: Mapping[str, Any]) -> dict[str, Any]:
        told, case = self.denotation, self.link.case
        count = len(told.parents) + len(told.payload)  # what is beyond is fixed
        given = self.shaped(inputs[:count])
        data = given[len(told.parents) :]
        out_shape = self.op.shape(*self.example.shapes, **self.example.attributes)
        if self.direction == "denote":
            program, payload = self.program(data)
            kind = "object" if any(x.dtype == object for x in given) or not given else "float64"
            found = ir.denote(program, payload, given[: len(told.parents)][::-1], dtype=kind)[-1]
            return {case.output.name: found.reshape(out_shape)}
        program, payload = self.program([np.ones(shape) for shape in told.payload])
        graph = ir.lower(program, payload, trainable=True).graph
        results = self.through(graph, given, tangents[:count], g)
        if self.direction != "vjp":
            return {("d" if self.direction == "jvp" else "") + case.output.name: results[0].reshape(out_shape)}
        moving = [n for n in self.names()[:count] if n in case.differentiable]
        gradients = dict(zip(self.names()[:count], results, strict=True))
        shapes = dict(zip(self.names(), self.example.shapes, strict=True))
        return {"g" + n: gradients[n].reshape(shapes[n]) for n in moving}

    def shaped(self, arrays: Sequence[Any]) -> list[Any]:
        """As the kind sees them."""
        told = self.denotation
        shapes = (*told.parents, *told.payload)
        return [None if x is None else x.reshape(shape) for x, shape in zip(arrays, shapes, strict=True)]

    def through(self, graph: Graph, inputs: list[Any], tangents: Any, g: Any) -> list[Any]:
        out_shape = graph.nodes[graph.outputs[0]].shape
        order = [*reversed(range(len(self.denotation.parents))), *range(len(self.denotation.parents), len(inputs))]
        tangents = self.shaped(tangents)
        found = through_graph(
            graph, self.direction, [inputs[k] for k in order], [tangents[k] for k in order], g.reshape(out_shape)
        )
        return found if self.direction != "vjp" else [found[k] for k in order]  # the order is its own inverse


# ---------------------------------------------------------------- the two leaves, and the obligations
def prove_leaf(kind: str) -> Outcome:
    """An input is itself, and so are its tangent and cotangent; a constant is its payload, without either."""
    number = np.array([0.5, -2.0])
    nodes = (ir.IRNode(0, kind, (), (2,)),)
    payload = {} if kind == "input" else {0: ir.Const(number)}
    graph = ir.lower(ir.IRProgram(nodes), payload).graph
    moves = kind == "input"

    def run() -> Any:
        x, dx, g = (symbols(name, (2,)) for name in ("x", "dx", "g"))
        given = ([x], [dx]) if moves else ([], [])
        found = {way: [as_terms(y) for y in through_graph(graph, way, *given, g)]
                 for way in ("forward", "denote", "jvp", "vjp")}  # fmt: skip
        by_definition = ir.denote(ir.IRProgram(nodes), payload, given[0], dtype="object")[0]
        value, tangent = as_terms(x if moves else number), as_terms(dx if moves else np.zeros(2))
        expected = {"forward": [value], "denote": [value], "jvp": [tangent], "vjp": [as_terms(g)] if moves else []}
        right = all(
            len(found[way]) == len(want) and all(np.array_equal(a, b) for a, b in zip(found[way], want, strict=True))
            for way, want in expected.items()
        )
        return right and np.array_equal(as_terms(by_definition), value)

    (path,) = explore(run).paths
    if path.result:
        return Outcome(Verdict.PROVED)
    return Outcome(Verdict.REFUTED, f"REFUTED  lowering[ir-{kind}]\n\n  a leaf is not itself")


def same_but_for_constants(told: Denotation) -> bool:
    """trainable=False gives the graph of trainable=True, the parameters being constants of just these values."""
    arrays = [np.arange(prod(shape), dtype=float).reshape(shape) + k for k, shape in enumerate(told.payload)]
    free, bound = (ir.lower(*KindRun(told, "forward").program(arrays), trainable=t) for t in (True, False))
    places = free.graph.inputs[len(told.parents) :]
    wired = [(n.parents, n.shape, n.dtype, dict(n.attributes)) for n in free.graph.nodes]
    return (
        wired == [(n.parents, n.shape, n.dtype, dict(n.attributes)) for n in bound.graph.nodes]
        and all(k in places or n.op == bound.graph.nodes[k].op for k, n in enumerate(free.graph.nodes))
        and len(places) == len(arrays)
        and all(np.array_equal(bound.graph.payload[k], x) for k, x in zip(places, arrays, strict=True))
        and all(np.array_equal(p, x) for p, x in zip(free.parameters, arrays, strict=True))
    )


def prove_kind(kind: str) -> Outcome:
    found = [told for told in DENOTATIONS if told.kind == kind]
    if not found:
        text = "there are no shapes to prove it at: add a Denotation to spec/gradproof_spec/link/ir_kinds.py"
        return Outcome(Verdict.FAILED, f"FAILED  lowering[ir-{kind.replace('_', '-')}]\n\n  {text}")
    for told in found:
        ways = directions_of(Example(told.op, "", ()))
        outcome = prove_directions([KindRun(told, way) for way in ways])
        if outcome.verdict not in PASSING:
            return outcome
        if told.payload and not same_but_for_constants(told):
            text = "with the payload as constants it is another graph"
            return Outcome(Verdict.REFUTED, f"REFUTED  lowering[ir-{kind.replace('_', '-')}]\n\n  {text}")
    return outcome


def obligations() -> Iterator[Obligation]:
    for kind in ir.KINDS:
        leaf = kind in ("input", "const")
        over = "; ".join(told.over() for told in DENOTATIONS if told.kind == kind) or "a leaf"
        claim = "the lowered program's value, tangent and cotangents are those of what the kind denotes"
        check = partial(prove_leaf if leaf else prove_kind, kind)
        yield Obligation("lowering", "", f"ir-{kind.replace('_', '-')}", claim, f"all reals at {over}", check)
