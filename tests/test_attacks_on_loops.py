"""A fourth attack: wrong loops, compilers and lowerings, and false things that `verify` said to be PROVED.

proofs/test_lowering.py shows that the same obligations are PROVED of what is shipped.
"""

from unittest.mock import patch

import numpy as np
import pytest
from wrong_loops import WRONG, inputs_in_reverse

import gradproof as gp
from gradproof.compiled import Node, compile_tape
from gradproof.graph import Graph
from gradproof.op import OPS
from gradproof_spec import verify
from gradproof_spec.link import induction, ir_kinds, kernels
from gradproof_spec.obligations import Verdict

LOWERING = {o.id: o for o in (*induction.obligations(), *ir_kinds.obligations())}


@pytest.mark.parametrize("told", WRONG, ids=lambda told: told.name)
def test_a_wrong_function_is_refuted(told):
    with told.planted():
        outcome = LOWERING[f"lowering[{told.by}]"].check()
    assert outcome.verdict is Verdict.REFUTED
    assert told.because in outcome.message


# ---------------------------------------------------------------- verify: kernels at the graph's own shapes
def test_a_jvp_that_is_wrong_where_a_tangent_is_none():
    """The tangent of concat is 0 where one of its inputs is a constant."""
    shipped = OPS["concat"].rules["jvp xs"]

    def wrong(dxs, inputs, out, residual, **attributes):
        if any(dx is None for dx in dxs):
            return np.zeros_like(out)
        return shipped(dxs, inputs, out, residual, **attributes)

    graph = gp.trace(lambda x: gp.concat([x, np.ones(2)], axis=0), (2,))
    assert verify(graph)
    with patch.dict(OPS["concat"].rules, {"jvp xs": wrong}):
        _, dy = gp.jvp(graph, (np.ones(2),), (np.ones(2),))
        assert not dy.any()  # by definition [1, 1, 0, 0]
        about = [o for o in kernels.obligations() if o.op == "concat" and "jvp" in o.id]
        assert Verdict.REFUTED in [o.check().verdict for o in about]
        certificate = verify(graph)
    assert certificate.verdict is Verdict.REFUTED
    assert "the kernel of concat((2,), (2,), axis=0) is not its specification: dy" in certificate.message


def test_a_failed_proof_at_the_own_shape_is_not_replaced_by_one_elsewhere():
    """relu is 0 beyond 10⁶, for five elements only."""
    shipped = OPS["relu"].rules["forward"]

    def wrong(inputs):
        (x,) = inputs
        out, residual = shipped(inputs)
        return (np.where(x > 1e6, 0 * x, out) if x.shape == (5,) else out), residual

    graph = gp.trace(gp.relu, (5,))
    assert verify(graph)
    with patch.dict(OPS["relu"].rules, {"forward": wrong}):
        assert not graph(np.full(5, 2e6)).any()
        certificate = verify(graph)
    assert not certificate
    assert "the kernel of relu((5,)) is not shown to be its specification" in certificate.message


def test_a_refutation_counts_after_an_unknown():
    """At nine elements the JVP has too many paths, and the VJP is doubled."""
    shipped_jvp, shipped_vjp = OPS["relu"].rules["jvp x"], OPS["relu"].rules["vjp x"]

    def many_paths(dx, inputs, out, residual):
        if dx.shape == (9,):
            sum(1 for element in inputs[0] if element > 0)
        return shipped_jvp(dx, inputs, out, residual)

    def doubled(g, inputs, out, residual):
        gx = shipped_vjp(g, inputs, out, residual)
        return 2 * gx if g.shape == (9,) else gx

    def says_something(certificate):
        return any(line.statement.startswith("relu((9,)): kernel") for line in certificate.lines)

    graph = gp.trace(gp.relu, (9,))
    assert says_something(verify(graph))
    with patch.dict(OPS["relu"].rules, {"jvp x": many_paths}):
        assert not says_something(verify(graph))
    with patch.dict(OPS["relu"].rules, {"jvp x": many_paths, "vjp x": doubled}):
        certificate = verify(graph)
    assert certificate.verdict is Verdict.REFUTED
    assert "the kernel of relu((9,)) is not its specification: gx" in certificate.message


# ---------------------------------------------------------------- verify: the compiled graph
@pytest.mark.parametrize(
    "sees",
    [
        lambda graph: graph.nodes[0].shape == (2, 2),
        lambda graph: any(array.dtype != object for array in graph.payload.values()),
    ],
    ids=["shape", "payload"],
)
def test_a_compiler_that_looks_at_the_graph(sees):
    """No gradient flows from the last node of the graph itself; of one with other shapes or constants it does."""

    def compiler(graph, inputs, requires_grad=None):
        tape, context = compile_tape(graph, inputs, requires_grad)
        if sees(graph):
            last = tape.nodes[-1]
            parents = (None,) * len(last.parents)
            tape.nodes[-1] = Node(last.out, last.op, parents, last.inputs, last.residual, last.attributes)
        return tape, context

    graph = gp.trace(lambda x: x * 2.0, (2, 2))
    assert verify(graph, compiler=compile_tape)
    certificate = verify(graph, compiler=compiler)
    assert certificate.verdict is Verdict.REFUTED
    assert "the compiled graph is not its denotation: " in certificate.message
    assert "the tangent of node 2 (mul) is" in certificate.message


def test_inputs_in_reverse_are_seen():
    graph = gp.trace(gp.sub, (2,), (2,))
    assert verify(graph)
    with patch.object(Graph, "arguments", inputs_in_reverse):
        certificate = verify(graph)
    assert certificate.verdict is Verdict.REFUTED
    assert "the value of node 0 (input) is x1, by definition x0" in certificate.message


# ---------------------------------------------------------------- verify: where another program is the same
def nan_beyond(x):
    """Where the elements are not all at most 10⁶: the logarithm of a negative number."""
    return x if x[0] <= 1e6 else (x + 1) * np.log(-1 - x * x)


def quotient_is_compared(x):
    """0/0 at 12345, where neither comparison holds."""
    quotient = (x - 12345) / (x - 12345)
    if quotient[0] > 0:
        return x
    return x if quotient[0] <= 0 else x + 17


@pytest.mark.parametrize(
    ("against", "at", "domain"),
    [(nan_beyond, 2e6, "where not (1000000 < x0[0])"), (quotient_is_compared, 12345.0, "where 0 ≠ x0[0] - 12345")],
)
def test_where_the_programs_differ_is_not_claimed(against, at, domain):
    graph = gp.trace(lambda x: x + 0.0, (1,))
    with np.errstate(all="ignore"):
        assert not np.allclose(graph(np.array([at])), against(np.array([at])))
    certificate = verify(graph, against=against)
    assert domain in certificate.lines[-1].statement


# ---------------------------------------------------------------- verify: the theorems that it rests on
@pytest.mark.parametrize(
    ("graph", "because"),
    [
        (gp.trace(lambda a: gp.transpose(a, (4, 3, 2, 1, 0)), (3, 2, 3, 2, 2)), "no theorem is about such a node"),
        (gp.trace(lambda a: gp.transpose(a, (4, 3, 2, 1, 0)), (1, 2, 1, 2, 1)), "no theorem is about such a node"),
        (gp.trace(lambda a: gp.concat([a, a, a, a], 0), (2,)), "no theorem is about such a node"),
        (gp.trace(lambda a: gp.concat([a, a, a, a], 0), (20,)), "no theorem is about such a node"),
        (gp.trace(lambda a, b, c: gp.einsum("abc,bcd,de->ae", a, b, c), (3, 4, 5), (4, 5, 2), (2, 3)),
         "is tried at no shape"),
    ],
    ids=["transpose-5", "transpose-5-small", "concat-4-small", "concat-4", "einsum-large"],
)  # fmt: skip
def test_theorems_are_not_cited_for_a_node_that_they_are_not_about(graph, because):
    """adjoint[transpose] is about 22 permutations, adjoint[einsum] about 16 equations, adjoint[concat] about 1 to 3."""
    certificate = verify(graph)
    assert certificate.verdict is Verdict.UNKNOWN
    assert because in certificate.message


def test_theorems_are_proved_for_an_equation_that_no_case_has():
    graph = gp.trace(lambda a, b, c: gp.einsum("abc,bcd,de->ae", a, b, c), (1, 2, 1), (2, 1, 2), (2, 1))
    certificate = verify(graph)
    assert certificate
    assert any("ijk,jkl,lm->im" in line.statement for line in certificate.rests_on)
