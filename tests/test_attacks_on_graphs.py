"""Attempts to have something false of a graph PROVED: wrong loops, wrong lowerings, wrong programs. Each is refuted, or
at least not proved, and for the reason given."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest

import gradproof as gp
from gradproof import compiled, ir_kinds, ops, tape
from gradproof import graph as graphs
from gradproof.compiled import CompiledTape, compile_tape
from gradproof.graph import CONST, INPUT, Graph, GraphNode
from gradproof.op import OPS, Op
from gradproof.tape import Cotangents, Node, Tape, as_array, fitted
from gradproof_spec import verify
from gradproof_spec.link import induction, lowering
from gradproof_spec.link import ir_kinds as kinds
from gradproof_spec.link.structure import Names, definition, op_like, uninterpreted
from gradproof_spec.obligations import Verdict


def outcome_of(name: str) -> Any:
    if name in induction.CLAIMS:
        return induction.prove(name, *induction.CLAIMS[name][2])
    return kinds.prove_kind(name[3:]) if name.startswith("ir-") else lowering.prove_op(name)


@cache
def shipped_verdict(name: str) -> Verdict:
    return outcome_of(name).verdict


# ---------------------------------------------------------------- wrong loops
@dataclass(frozen=True)
class Attack:
    """`wrong` in place of `owner.method` is refuted by lowering[by], whose text says `because`."""

    name: str
    owner: Any
    method: str
    by: str
    because: str
    wrong: Callable[..., Any]


ATTACKS: list[Attack] = []


def attack(name: str, owner: Any, method: str, by: str, because: str) -> Callable[[Callable[..., Any]], Any]:
    return lambda wrong: ATTACKS.append(Attack(name, owner, method, by, because, wrong))


def ops_now() -> dict[str, Op]:
    """Read when it is needed: the proofs replace it by ops without a meaning."""
    return vars(graphs)["OPS"]


@attack("subtracts-and-owns-it", Cotangents, "add", "induction-accumulate", "add where the entry has given, new")
def subtracts(self, node, cotangent):
    """The planted `subtracts` does not own its sums, and is caught for that alone."""
    cotangent = fitted(cotangent, self.nodes[node].out)
    present = self.sums[node]
    if present is None:
        self.sums[node] = cotangent
    else:
        self.sums[node] = as_array(present - cotangent)
        self.owned.add(node)


@attack("the-third-arrival-wins", Cotangents, "add", "induction-accumulate", "the entry has owned, new arrives")
def third_wins(self, node, cotangent):
    cotangent = fitted(cotangent, self.nodes[node].out)
    present = self.sums[node]
    if present is None or node in self.owned:
        self.sums[node] = cotangent
    else:
        self.sums[node] = as_array(present + cotangent)
        self.owned.add(node)


@attack("the-third-arrival-is-added-twice", Cotangents, "add", "induction-accumulate", "add where the entry has owned")
def third_twice(self, node, cotangent):
    cotangent = fitted(cotangent, self.nodes[node].out)
    present = self.sums[node]
    if present is None:
        self.sums[node] = cotangent
    else:
        self.sums[node] = as_array(present + cotangent) if node not in self.owned else present + 2 * cotangent
        self.owned.add(node)


@attack("adds-to-the-next-entry-too", Cotangents, "add", "induction-accumulate", "add where the entry has none")
def neighbour(self, node, cotangent):
    for at in (node, node + 1)[: 1 + (node + 1 < len(self.sums))]:
        present = self.sums[at]
        self.sums[at] = cotangent if present is None else as_array(present + cotangent)
        if present is not None and at == node:
            self.owned.add(at)


@attack("the-order-of-the-forward-pass", Tape, "pull_back", "loops-whole", "the cotangent of node")
def forwards(self, seeds, keep=False):
    """A cotangent is passed on before all of it has arrived."""
    cotangents = Cotangents(self.nodes)
    for number, seed in seeds:
        cotangents.add(number, seed)
    for number, node in enumerate(self.nodes):
        node.pull_back(cotangents.sums[number], cotangents)
    return cotangents.sums


@attack("the-last-node-is-left-out", Tape, "pull_back", "loops-whole", "the cotangent of node")
def all_but_last(self, seeds, keep=False):
    cotangents = Cotangents(self.nodes)
    for number, seed in seeds:
        cotangents.add(number, seed)
    for number in range(len(self.nodes) - 2, -1, -1):
        self.nodes[number].pull_back(cotangents.sums[number], cotangents)
    return cotangents.sums


@attack("a-seed-twice-counts-once", Tape, "pull_back", "induction-backprop", "seeds at (0, 0, 0)")
def seeds_once(self, seeds, keep=False):
    cotangents = Cotangents(self.nodes)
    for number, seed in dict(seeds).items():
        cotangents.add(number, seed)
    for number in range(len(self.nodes) - 1, -1, -1):
        self.nodes[number].pull_back(cotangents.sums[number], cotangents)
    return cotangents.sums


@attack("zero-is-passed-on", Node, "pull_back", "induction-backprop", "a zero cotangent is passed on")
def passes_zero(self, g, cotangents):
    if self.op is not None:
        g = np.zeros_like(self.out) if g is None else g
        wanted = tuple(parent is not None for parent in self.parents)
        for parent, share in zip(
            self.parents, self.op.vjp(g, self.inputs, self.out, self.residual, wanted, **self.attributes), strict=True
        ):
            if parent is not None and share is not None:
                cotangents.add(parent, share)


shipped_jvp, shipped_vjp = Op.jvp, Op.vjp


@attack("the-loop-over-tangents-ends-at-a-zero", Op, "jvp", "induction-forward", "push_forward, parents (0, 1)")
def until_none(self, tangents, inputs, out, residual, **attributes):
    if self.variadic:
        return shipped_jvp(self, tangents, inputs, out, residual, **attributes)
    total = None
    for name, tangent in zip(self.inputs, tangents, strict=False):
        if tangent is None:
            break
        term = self.rules[f"jvp {name}"](tangent, inputs, out, residual, **attributes)
        total = term if total is None else total + term
    return total


@attack("the-wanted-shares-only-and-not-their-places", Op, "vjp", "induction-backprop", "a step raises")
def compressed(self, g, inputs, out, residual, wanted, **attributes):
    if self.variadic:
        return shipped_vjp(self, g, inputs, out, residual, wanted, **attributes)
    return tuple(
        self.rules[f"vjp {name}"](g, inputs, out, residual, **attributes)
        for name, want in zip(self.inputs, wanted, strict=False)
        if want
    )


@attack("tangents-are-doubled", compiled, "dense", "loops-whole", "the tangent of node 0")
def doubled(tape, found, given):
    return [
        np.zeros_like(node.out) if array is None or (node.op is None and not moves) else array + array
        for array, node, moves in zip(found, tape.nodes, tape.differentiable, strict=True)
    ]


@attack("a-constant-shows-its-seed", compiled, "dense", "loops-whole", "the cotangent of node 1 (const) is s1")
def shows_all(tape, found, given):
    return [np.zeros_like(node.out) if x is None else x for x, node in zip(found, tape.nodes, strict=True)]


@attack("fitting-negates", tape, "fitted", "induction-forward", "push_forward, parents (0,)")
def negates(value, like):
    return as_array(-value)


@attack("moves-if-its-first-parent-does", CompiledTape, "lowered", "induction-values", "it has a gradient or not")
def first_parent(self, node):
    op = ops_now()[node.op]
    inputs = tuple(self.nodes[parent].out for parent in node.parents)
    out, residual = op.evaluate(inputs, **node.attributes)
    parents = tuple(parent if self.differentiable[parent] else None for parent in node.parents)
    return Node(out, op, parents, inputs, residual, node.attributes), bool(parents) and parents[0] is not None


@attack("denote-takes-parents-in-reverse", Graph, "denote", "loops-whole", "the denotation of node 3")
def denote_reversed(self, *inputs):
    values, given = [], iter(self.arguments(inputs))
    for number, node in enumerate(self.nodes):
        if node.op == INPUT:
            values.append(next(given))
        elif node.op == CONST:
            values.append(self.payload[number])
        else:
            parents = tuple(values[parent] for parent in reversed(node.parents))
            values.append(ops_now()[node.op].evaluate(parents, **node.attributes)[0])
    return values


@attack("an-input-is-read-at-its-place", Graph, "denote", "loops-whole", "the denotation of node")
def denote_by_place(self, *inputs):
    values = []
    for number, node in enumerate(self.nodes):
        if node.op == INPUT:
            values.append(inputs[min(number, len(inputs) - 1) if number else 1])
        elif node.op == CONST:
            values.append(self.payload[number])
        else:
            parents = tuple(values[parent] for parent in node.parents)
            values.append(ops_now()[node.op].evaluate(parents, **node.attributes)[0])
    return values


lowered = CompiledTape.lowered


@attack("values-are-kept-by-op-and-shape", CompiledTape, "lowered", "ir-layernorm", "y[0, 0] is")
def kept(self, node):
    """A table of common subexpressions that forgets the inputs."""
    made, moves = lowered(self, node)
    key = node.op, repr(dict(node.attributes)), tuple(x.shape for x in made.inputs)
    old = vars(self).setdefault("table", {}).setdefault(key, made)
    return Node(old.out, made.op, made.parents, made.inputs, old.residual, made.attributes), moves


@attack("four-parents-at-most", CompiledTape, "lowered", "batch_norm_eval", "in the direction  jvp")
def four(self, node):
    made, moves = lowered(self, node)
    parents = tuple(parent if k < 4 else None for k, parent in enumerate(made.parents))
    return Node(made.out, made.op, parents, made.inputs, made.residual, made.attributes), moves


@attack("residuals-are-dropped", CompiledTape, "lowered", "softplus", "in the direction  jvp")
def no_residual(self, node):
    made, moves = lowered(self, node)
    return Node(made.out, made.op, made.parents, made.inputs, None, made.attributes), moves


@pytest.mark.parametrize("told", ATTACKS, ids=lambda told: told.name)
def test_a_wrong_loop_is_refuted(told):
    assert shipped_verdict(told.by) is Verdict.PROVED
    with patch.object(told.owner, told.method, told.wrong):
        outcome = outcome_of(told.by)
    assert outcome.verdict is Verdict.REFUTED
    assert told.because in outcome.message


# ---------------------------------------------------------------- wrong lowerings of the IR
KINDS = {
    "batch_norm2d_nchw_eval": lambda x, *, channels, gamma, beta, mean, var, eps: ops.batch_norm_eval(
        x, gamma, beta, mean, var, eps, channel_axis=0
    ),
    "permute": lambda x, *, perm: ops.transpose(x, tuple(int(axis) for axis in np.argsort(perm))),
    "softmax": lambda x, *, axis: ops.softmax(x, -1),
    "linear": lambda x, *, weight, bias: ops.linear(x, weight, ops.neg(bias)),
    "mse_loss": lambda a, b: ops.mse_loss(a, b, reduction="sum"),
    "sub": lambda a, b: ops.sub(b, a),
    "concat": lambda *xs, axis: ir_kinds.lower_concat(*xs[::-1], axis=axis),
    "max_elem": ops.minimum,
    "detach": lambda x: ops.mul(x, 1.0) if x.ndim > 2 else ops.relu(x),
    "reduce_mean": lambda x, *, axis: ops.mul(ops.reduce_sum(x, axis), 1 / 2),
    "layernorm": lambda x, *, axis: ops.add(ir_kinds.lower_layernorm(x, axis=axis), 1e-3),
    "swap_first_two": lambda x: ops.swap_adjacent(x, x.ndim - 2),
    "conv2d": lambda x, *, stride, padding, weight, bias, **_: ops.conv(x, weight, bias, padding or 1, stride),
}


@pytest.mark.parametrize("name", KINDS)
def test_a_wrong_lowering_is_refuted(name):
    wrong = replace(ir_kinds.KINDS[name], lower=KINDS[name])
    assert kinds.prove_kind(name).verdict is Verdict.PROVED
    with patch.dict(ir_kinds.KINDS, {name: wrong}):
        assert kinds.prove_kind(name).verdict is Verdict.REFUTED


def test_a_wrong_meaning_is_refuted():
    wrong = replace(ir_kinds.KINDS["reduce_sum"], meaning=lambda x, axis: np.sum(x, axis=axis) / x.shape[axis])
    with patch.dict(ir_kinds.KINDS, {"reduce_sum": wrong}):
        outcome = kinds.prove_kind("reduce_sum")
    assert outcome.verdict is Verdict.REFUTED
    assert "in the direction  denote" in outcome.message


# ---------------------------------------------------------------- the proof itself
def claimed(goal: str, *hypotheses: tuple[str, str]):
    def family():
        query = induction.Query()
        query.constant("a")
        for left, right in hypotheses:
            query.given(left, right)
        yield induction.Claim("a claim", query, goal)

    return induction.prove("sample", family)


def test_hypotheses_that_contradict_prove_nothing():
    assert claimed("(= |a| |a|)").verdict is Verdict.PROVED
    assert claimed("(= |a| 1.0)").verdict is Verdict.REFUTED
    assert claimed("(= |a| 1.0)", ("|a|", "2.0")).verdict is Verdict.REFUTED
    contradiction = claimed("(= |a| 1.0)", ("|a|", "2.0"), ("|a|", "3.0"))
    assert contradiction.verdict is Verdict.VACUOUS
    assert "the hypotheses contradict" in contradiction.message
    assert induction.prove("sample", lambda: iter(())).verdict is Verdict.VACUOUS


add = Cotangents.add


@pytest.mark.parametrize("right", [True, False], ids=["alike", "other"])
@pytest.mark.parametrize("asks", [lambda c: c > 0, lambda c: c * c >= 0, lambda c: c == 7], ids=["sign", "yes", "is"])
def test_a_step_that_looks_into_a_tensor_is_not_proved(asks, right):
    """One path is run: that there is another must show, also where the other is impossible, or does the same."""

    def looks(self, node, cotangent):
        if np.all(asks(cotangent)):
            return add(self, node, cotangent)
        return add(self, node, cotangent if right else -cotangent)

    with patch.object(Cotangents, "add", looks):
        outcome = outcome_of("induction-accumulate")
    assert outcome.verdict is Verdict.UNKNOWN
    assert "looks at what is in a tensor" in outcome.message


def test_the_definition_counts_paths():
    """Where every rule hands its direction over, t_i is Σ_l (paths from l to i) t_l, and c_i is Σ_j (paths from i to j)
    s_j: a matrix that knows nothing of loops over graphs."""
    rng = np.random.default_rng(5)
    for _ in range(40):
        nodes, adjacent = [GraphNode(INPUT), GraphNode(INPUT)], np.zeros((9, 9), int)
        for number in range(2, 9):
            parents = tuple(map(int, rng.integers(0, number, 3)))
            nodes.append(GraphNode("f", parents))
            for parent in parents:
                adjacent[number, parent] += 1
        names = Names(passing=frozenset({"f"}))
        found = definition(Graph(tuple(nodes), (8,)), {"f": uninterpreted(op_like("f", 3), names)}, names)
        paths = np.rint(np.linalg.inv(np.eye(9) - adjacent)).astype(int)
        for i in range(9):
            assert found.tangents[i] == {f"t{n}": paths[i, n] for n in (0, 1) if paths[i, n]}
            assert found.cotangents[i] == {f"s{j}": paths[j, i] for j in range(9) if paths[j, i]}


# ---------------------------------------------------------------- verify
def identity(*shape: int) -> Graph:
    return gp.trace(lambda x: x + 0.0, shape)


@pytest.mark.parametrize(
    ("against", "because"),
    [
        (lambda x: (x,), None),
        (lambda x: (x, x), "the outputs have shapes"),
        (lambda x: x[:1], "has shape"),
        (lambda x: x + 1e-3, "that of the other program"),
        (lambda x: x * np.nan, "that of the other program"),
        (lambda x: np.where(x > 1e6, 0 * x, x), "the outputs are those"),
        (lambda x: x + 1e-12, "the outputs are those"),
        (lambda x: np.sqrt(x * x), "that of the other program"),
        (lambda x: np.exp(np.log(x)), "that of the other program"),
    ],
    ids=["alone", "twice", "shorter", "nearly", "nan", "far-away", "very-nearly", "abs", "half-the-line"],
)
def test_another_program_is_not_proved(against, because):
    certificate = verify(identity(2), against=against)
    assert bool(certificate) is (because is None)
    assert (because or "") in certificate.message


def test_one_output_of_two_is_not_enough():
    graph = gp.trace(lambda x: (x + 0.0, x * 2.0), (2,))
    assert verify(graph, against=lambda x: (x, x + x))
    assert verify(graph, against=lambda x: x).verdict is Verdict.REFUTED
    assert verify(graph, against=lambda x: (x,)).verdict is Verdict.REFUTED
    assert verify(graph, against=lambda x: (x + x, x)).verdict is Verdict.REFUTED


def test_a_program_that_writes_its_input_is_not_proved():
    """reshape is a view: what is written to x would be written to the graph's output."""

    def writes(x):
        x[...] = np.where(x > 1e6, 0 * x, x)
        return x.reshape(4)

    certificate = verify(gp.trace(lambda x: gp.reshape(x, (4,)), (2, 2)), against=writes)
    assert certificate.verdict is Verdict.UNKNOWN
    assert "`against` raises ValueError: assignment destination is read-only" in certificate.message


@pytest.mark.parametrize(
    "of",
    [
        lambda x, r: np.where(r == r, x, x + 17),
        lambda x, r: x + np.where((r - r) == 0, 0 * x, 17),
        lambda x, r: x + (r - r),
        lambda x, r: x + 0 * r,
    ],
    ids=["r==r", "r-r==0", "r-r", "0*r"],
)
def test_a_quotient_that_folds_away_is_still_owed(of):
    """At x = 12345 r is nan. It also reaches the output under a guard that excludes that point."""

    def against(x):
        y = x - 12345
        r = y / y
        return of(x, r) + np.where(y != 0, r, 1) - 1

    certificate = verify(identity(1), against=against)
    assert certificate.lines[-1].statement.endswith("where 0 ≠ x0[0] - 12345")


@pytest.mark.parametrize("constant", [np.nan, np.inf])
def test_constants_that_are_no_numbers_are_not_compared(constant):
    graph = gp.trace(lambda x: x + np.array([constant, 1.0]), (2,))
    assert verify(graph, against=lambda x: x + np.array([constant, 1.0])).verdict is Verdict.UNKNOWN


def test_integer_inputs_are_not_compared():
    graph = gp.trace(gp.gather_rows, (2, 2), gp.TensorSpec((2,), "int64"))
    assert verify(graph, against=lambda x, i: x[i]).verdict is Verdict.UNKNOWN


def wrong_values(graph, inputs):
    tape, context = compile_tape(graph, inputs)
    return tape, [x + x for x in context]


def wrong_tangents(graph, inputs):
    class Doubling(CompiledTape):
        def push_forward(self, seeds):
            return [None if t is None else t + t for t in super().push_forward(seeds)]

    tape, context = compile_tape(graph, inputs)
    tape.__class__ = Doubling
    return tape, context


def wrong_flags(graph, inputs):
    tape, context = compile_tape(graph, inputs)
    tape.differentiable = [False] * len(context)
    return tape, context


def without_the_last(graph, inputs):
    return compile_tape(Graph(graph.nodes[:-1], (0,), graph.payload), inputs)


@pytest.mark.parametrize("compiler", [wrong_values, wrong_tangents, wrong_flags, without_the_last])
def test_a_wrong_compiler_is_refuted(compiler):
    certificate = verify(gp.trace(lambda x, w: gp.exp(x * w) - w, (2,), (2,)), compiler=compiler)
    assert certificate.verdict is Verdict.REFUTED
    assert certificate.message.startswith("the compiled graph is not its denotation: ")


@pytest.mark.parametrize("rule", ["forward", "jvp x", "vjp x"])
def test_a_kernel_that_writes_what_it_gets_is_not_proved(rule):
    shipped = OPS["exp"].rules[rule]

    def writes(*args):
        for array in args[0] if rule == "forward" else (args[0], *args[1]):
            array[...] = array + array
        return shipped(*args)

    with patch.dict(OPS["exp"].rules, {rule: writes}):
        assert not verify(gp.trace(gp.exp, (2,)))
