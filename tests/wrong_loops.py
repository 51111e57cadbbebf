"""Wrong versions of the shipped loops, compilers and lowerings, each with the obligation that refutes it."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any
from unittest.mock import patch

import numpy as np

from gradproof import compiled, ir, ir_kinds, ops
from gradproof import graph as graphs
from gradproof.compiled import CompiledTape, compile_tape
from gradproof.graph import CONST, INPUT, Graph
from gradproof.op import Op
from gradproof.tape import Cotangents, Node, Tape, Traced, apply, as_array, fitted
from gradproof_spec.link import induction, lowering, structure

Function = Callable[..., Any]
Places = Callable[[Function], list[AbstractContextManager[Any]]]


@dataclass(frozen=True)
class Wrong:
    """`function` in its `places` is refuted by lowering[by], whose text says `because`."""

    name: str
    function: Function
    places: Places
    by: str
    because: str

    @contextmanager
    def planted(self) -> Iterator[None]:
        with ExitStack() as stack:
            for change in self.places(self.function):
                stack.enter_context(change)
            yield


WRONG: list[Wrong] = []


def wrong(places: Places, by: str, because: str) -> Callable[[Function], Function]:
    def register(function: Function) -> Function:
        name = f"{function.__name__}-{by}".replace("_", "-")
        WRONG.append(Wrong(name, function, places, by, because))
        return function

    return register


def instead_of(owner: Any, attribute: str) -> Places:
    return lambda function: [patch.object(owner, attribute, function)]


def compiler(function: Function) -> list[AbstractContextManager[Any]]:
    """compile_tape, where it is looked up, and where it is a default argument."""
    return [
        patch.object(compiled, "compile_tape", function),
        patch.object(lowering, "compile_tape", function),
        patch.object(induction, "compare", partial(structure.compare, compiler=function)),
    ]


def wrong_lowering(kind: str, because: str) -> Callable[[Function], Function]:
    def places(function: Function) -> list[AbstractContextManager[Any]]:
        return [patch.dict(ir_kinds.KINDS, {kind: replace(ir_kinds.KINDS[kind], lower=function)})]

    return wrong(places, f"ir-{kind.replace('_', '-')}", because)


# ---------------------------------------------------------------- the reverse loop
def seeded(cotangents, seeds):
    """The last node that has a seed."""
    last = -1
    for number, seed in seeds:
        cotangents.add(number, seed)
        last = max(last, number)
    return last


def forget(tape, cotangents, number, keep):
    if not keep and tape.nodes[number].op is not None:
        cotangents.sums[number] = None


@wrong(instead_of(Tape, "pull_back"), "loops-whole", "the cotangent of node 0 (input) is")
def stops_at_a_zero(self, seeds, keep=False):
    """The loop ends at a node where nothing has arrived."""
    cotangents = Cotangents(self.nodes)
    for number in range(seeded(cotangents, seeds), -1, -1):
        if cotangents.sums[number] is None:
            break
        self.nodes[number].pull_back(cotangents.sums[number], cotangents)
        forget(self, cotangents, number, keep)
    return cotangents.sums


@wrong(instead_of(Tape, "pull_back"), "loops-whole", "the cotangent of node 0 (input) is")
def stops_at_a_leaf(self, seeds, keep=False):
    """The loop ends at the last leaf, though ops may come before it."""
    cotangents = Cotangents(self.nodes)
    for number in range(seeded(cotangents, seeds), -1, -1):
        if self.nodes[number].op is None:
            break
        self.nodes[number].pull_back(cotangents.sums[number], cotangents)
        forget(self, cotangents, number, keep)
    return cotangents.sums


@wrong(instead_of(Tape, "pull_back"), "loops-whole", "the second cotangent of node 0 (input) is s0")
def starts_at_the_seed_given_last(self, seeds, keep=False):
    """The loop starts at the seed that is given last, which need not be that of the last node."""
    cotangents = Cotangents(self.nodes)
    last = -1
    for number, seed in seeds:
        cotangents.add(number, seed)
        last = number
    for number in range(last, -1, -1):
        self.nodes[number].pull_back(cotangents.sums[number], cotangents)
        forget(self, cotangents, number, keep)
    return cotangents.sums


@wrong(instead_of(Tape, "pull_back"), "loops-whole", "the second cotangent of node 0 (input) is s0")
def forgets_before_it_reads(self, seeds, keep=False):
    """At odd nodes the cotangent is dropped before it is passed on, unless all are kept."""
    cotangents = Cotangents(self.nodes)
    for number in range(seeded(cotangents, seeds), -1, -1):
        if number % 2 == 1:
            forget(self, cotangents, number, keep)
        self.nodes[number].pull_back(cotangents.sums[number], cotangents)
    return cotangents.sums


@wrong(instead_of(Tape, "pull_back"), "loops-whole", "the second cotangent of node 0 (input) is 2·s0")
def adds_to_the_run_before(self, seeds, keep=False):
    """A second run of one tape adds to the cotangents of the first."""
    cotangents = vars(self).setdefault("cotangents", Cotangents(self.nodes))
    for number in range(seeded(cotangents, seeds), -1, -1):
        self.nodes[number].pull_back(cotangents.sums[number], cotangents)
        forget(self, cotangents, number, keep)
    return cotangents.sums


@wrong(instead_of(Cotangents, "add"), "induction-accumulate", "somebody else's array has been changed")
def adds_in_place_where_it_can(self, node, cotangent):
    """The sum is made in any array that is writable, whoever owns it."""
    cotangent = fitted(cotangent, self.nodes[node].out)
    present = self.sums[node]
    if present is None:
        self.sums[node] = cotangent
    elif node in self.owned or present.flags.writeable:
        np.add(present, cotangent, out=present)
    else:
        self.sums[node] = as_array(present + cotangent)
        self.owned.add(node)


@wrong(instead_of(Cotangents, "add"), "induction-accumulate", "a sum that add makes is not recorded as its own")
def the_last_array_with_axes_wins(self, node, cotangent):
    """Only scalars are added up: at an array with axes what arrives last replaces the rest."""
    cotangent = fitted(cotangent, self.nodes[node].out)
    present = self.sums[node]
    if present is None or present.ndim > 0:
        self.sums[node] = cotangent
    elif node in self.owned:
        np.add(present, cotangent, out=present)
    else:
        self.sums[node] = as_array(present + cotangent)
        self.owned.add(node)


@wrong(instead_of(compiled, "backward_dense_all"), "loops-whole", "the cotangent of node 0 (input) is")
def the_seed_is_2(tape, output=None):
    """The seed of a scalar output is 2, not 1."""
    number = len(tape.nodes) - 1 if output is None else output
    return compiled.pulled_back(tape, [(number, 2 * np.ones_like(tape.nodes[number].out))])


# ---------------------------------------------------------------- the forward loop, and the calls of rules
@wrong(instead_of(Tape, "push_forward"), "loops-whole", "the tangent of node 2 (input) is t0, by definition 0")
def lends_a_tangent(self, seeds):
    """An input without a tangent gets the first one of the others."""
    first = next(iter(seeds.values()), None)
    tangents = []
    for number, node in enumerate(self.nodes):
        if node.op is None:
            tangents.append(seeds.get(number, first if self.differentiable[number] else None))
        else:
            tangents.append(node.push_forward(tangents))
    return tangents


shipped_jvp, shipped_vjp = Op.jvp, Op.vjp


@wrong(instead_of(Op, "jvp"), "induction-forward", "push_forward, parents (0, 1), tangents (True, False)")
def all_tangents_or_none(self, tangents, inputs, out, residual, **attributes):
    """The tangent of a variadic op is zero where that of any input is."""
    if self.variadic and any(tangent is None for tangent in tangents):
        return None
    return shipped_jvp(self, tangents, inputs, out, residual, **attributes)


@wrong(instead_of(Op, "vjp"), "induction-adjoint", "pull_back, parents (None, 0): it adds")
def shares_move_up(self, g, inputs, out, residual, wanted, **attributes):
    """Where an input of a variadic op takes no cotangent, the next one that does gets its share."""
    if not self.variadic:
        return shipped_vjp(self, g, inputs, out, residual, wanted, **attributes)
    shares = iter(self.rules[f"vjp {self.inputs[0]}"](g, inputs, out, residual, **attributes))
    return tuple(next(shares) if want else None for want in wanted)


# ---------------------------------------------------------------- the compiled tape
shipped_lowered = CompiledTape.lowered


def first_alike(tape, key, made):
    """The first node made of this key."""
    return vars(tape).setdefault("table", {}).setdefault(key, made)


@wrong(instead_of(CompiledTape, "lowered"), "loops-whole", "a rule of f0 gets another output than that of its inputs")
def values_are_kept_by_op(self, node):
    """The value of an op is that of its first use with these attributes and shapes, whatever the inputs are."""
    made, moves = shipped_lowered(self, node)
    old = first_alike(self, (node.op, repr(dict(node.attributes)), tuple(x.shape for x in made.inputs)), made)
    return Node(old.out, made.op, made.parents, made.inputs, old.residual, made.attributes), moves


@wrong(instead_of(CompiledTape, "lowered"), "loops-whole", "a rule of f0 gets another residual than that of its inputs")
def residuals_are_kept_by_op(self, node):
    """The residual of an op is that of its first use with these attributes."""
    made, moves = shipped_lowered(self, node)
    old = first_alike(self, (node.op, repr(dict(node.attributes)), made.out.shape), made)
    return Node(made.out, made.op, made.parents, made.inputs, old.residual, made.attributes), moves


@wrong(instead_of(CompiledTape, "lowered"), "induction-values", "a gradient flows to (0, 1, 0, 1, 0, 0, None")
def a_gradient_for_few(self, node):
    """No gradient flows to inputs beyond the sixth, of a variadic op beyond the third."""
    made, moves = shipped_lowered(self, node)
    most = 3 if made.op.variadic else 6
    parents = tuple(parent if place < most else None for place, parent in enumerate(made.parents))
    return Node(made.out, made.op, parents, made.inputs, made.residual, made.attributes), moves


@wrong(compiler, "loops-whole", "the cotangent of node 0 (input) is s0, by definition 0")
def every_input_has_a_gradient(graph, inputs, requires_grad=None):
    """requires_grad is ignored."""
    return compile_tape(graph, inputs)


@wrong(compiler, "ir-layernorm", "in the direction  forward")
def every_constant_is_the_first(graph, inputs, requires_grad=None):
    """Constants of the shape and dtype of the first one have its value."""
    first = next(iter(graph.payload.values()), None)
    payload = {
        number: first if (array.shape, array.dtype) == (first.shape, first.dtype) else array
        for number, array in graph.payload.items()
    }
    return compile_tape(Graph(graph.nodes, graph.outputs, payload), inputs, requires_grad)


# ---------------------------------------------------------------- the graph
@wrong(instead_of(Graph, "arguments"), "loops-whole", "the value of node 0 (input) is x2, by definition x0")
def inputs_in_reverse(self, inputs):
    """The first input gets the array that is passed last."""
    pairs = zip(self.inputs, reversed(inputs), strict=True)
    return [graphs.fitting(self.nodes[number], number, x) for number, x in pairs]


@wrong(instead_of(Graph, "__call__"), "loops-whole", "the value by call of node 3 (f0) is")
def a_call_takes_parents_in_reverse(self, *inputs):
    """Each op gets its parents in reverse order."""
    values, given = [], iter(self.arguments(inputs))
    for number, node in enumerate(self.nodes):
        if node.op == INPUT:
            values.append(next(given))
        elif node.op == CONST:
            values.append(self.payload[number])
        else:
            parents = [values[parent] for parent in reversed(node.parents)]
            values.append(apply(graphs.OPS[node.op], *parents, **node.attributes))
    results = tuple(x if isinstance(x, Traced) else x.copy() for x in (values[number] for number in self.outputs))
    return results if len(results) != 1 else results[0]


# ---------------------------------------------------------------- programs of the IR
shipped_record, shipped_lower = ir.record, ir.lower


@wrong(instead_of(ir, "record"), "ir-sub", "in the direction  forward")
def parents_are_sorted(program, *arguments, **keywords):
    """The parents of a node are taken in the order of their ids."""
    nodes = tuple(replace(node, parents=tuple(sorted(node.parents))) for node in program.nodes)
    return shipped_record(replace(program, nodes=nodes), *arguments, **keywords)


@wrong(instead_of(ir, "lower"), "ir-linear", "with the payload as constants it is another graph")
def weights_are_0(program, payload, dtype="float64", trainable=False):
    """Weights that are not trainable are replaced by zeros."""
    if not trainable:
        payload = {number: entry if isinstance(entry, ir.Const) else zeros(entry) for number, entry in payload.items()}
    return shipped_lower(program, payload, dtype, trainable)


def zeros(entry):
    return replace(entry, **{name: np.zeros_like(getattr(entry, name)) for name in entry.arrays})


# ---------------------------------------------------------------- lowerings of single kinds of the IR
# Where the wrong value has another shape than the node declares, that is what is found first.
OTHER_SHAPE = "it declares another shape"
OTHER_VALUE = "in the runtime and"


@wrong_lowering("max_pool2d", OTHER_SHAPE)
@wrong_lowering("max_pool2d_pad", OTHER_SHAPE)
def max_pool_of_w_by_h(x, *, kernel_h, kernel_w, stride, padding=0):
    """The height of the window is its width."""
    return ops.max_pool(x, (kernel_w, kernel_h), stride, padding)


@wrong_lowering("avg_pool2d", OTHER_SHAPE)
@wrong_lowering("avg_pool2d_pad", OTHER_SHAPE)
def avg_pool_of_w_by_h(x, *, kernel_h, kernel_w, stride, padding=0):
    """The height of the window is its width."""
    return ops.avg_pool(x, (kernel_w, kernel_h), stride, padding)


@wrong_lowering("max_pool2d", OTHER_SHAPE)
def max_pool_of_stride_1(x, *, kernel_h, kernel_w, stride):
    """The stride is ignored."""
    return ops.max_pool(x, (kernel_h, kernel_w), 1, 0)


@wrong_lowering("avg_pool2d", OTHER_SHAPE)
def avg_pool_of_stride_1(x, *, kernel_h, kernel_w, stride):
    """The stride is ignored."""
    return ops.avg_pool(x, (kernel_h, kernel_w), 1, 0)


@wrong_lowering("max_pool2d_pad", OTHER_SHAPE)
def max_pool_of_stride_h(x, *, kernel_h, kernel_w, stride, padding):
    """The stride is the height of the window."""
    return ops.max_pool(x, (kernel_h, kernel_w), kernel_h, padding)


@wrong_lowering("avg_pool2d_pad", OTHER_VALUE)
def avg_pool_of_stride_w(x, *, kernel_h, kernel_w, stride, padding):
    """The stride is the width of the window."""
    return ops.avg_pool(x, (kernel_h, kernel_w), kernel_w, padding)


@wrong_lowering("max_pool2d_pad", "a window could be all padding")
def max_pool_of_padding_1(x, *, kernel_h, kernel_w, stride, padding):
    """The padding is 1."""
    return ops.max_pool(x, (kernel_h, kernel_w), stride, 1)


@wrong_lowering("conv2d", OTHER_SHAPE)
def conv_of_padding_by_stride(x, *, stride, padding, weight, bias, **_):
    """The padding is one less than the stride, right at two of the three shapes."""
    return ops.conv(x, weight, bias, stride, stride - 1)


@wrong_lowering("batch_norm2d_nchw_eval", OTHER_VALUE)
def channels_first(x, *, channels, gamma, beta, mean, var, eps):
    """The channels are along the first axis, that of the batch."""
    return ops.batch_norm_eval(x, gamma, beta, mean, var, eps, channel_axis=0)


@wrong_lowering("permute", OTHER_SHAPE)
def permuted_back(x, *, perm):
    """The inverse permutation, which is the same for every swap."""
    return ops.transpose(x, tuple(int(axis) for axis in np.argsort(perm)))


@wrong_lowering("softmax", OTHER_VALUE)
def softmax_of_the_last_axis(x, *, axis):
    """The axis is always the last."""
    return ops.softmax(x, -1)


@wrong_lowering("softmax", OTHER_VALUE)
def softmax_of_the_last_of_three_axes(x, *, axis):
    """The axis is the last where there are more than two."""
    return ops.softmax(x, -1 if x.ndim > 2 else axis)


@wrong_lowering("swap_first_two", OTHER_SHAPE)
def swaps_the_rest_too(x):
    """The axes after the first two are reversed: no difference up to three axes."""
    return ops.transpose(x, (1, 0, *range(x.ndim - 1, 1, -1)))
