"""verify(graph): what it proves, and that a tampered graph, loop or rule is refuted."""

from dataclasses import replace
from unittest.mock import patch

import numpy as np
import pytest

import gradproof as gp
from gradproof import ir
from gradproof.compiled import CompiledTape, compile_tape
from gradproof.graph import Graph, GraphNode
from gradproof.op import OPS
from gradproof.tape import Cotangents, Node
from gradproof_spec import verify
from gradproof_spec.link import graphs
from gradproof_spec.obligations import Verdict


def block(x, w):
    h = gp.relu(x @ w)
    return gp.softmax(h * h + x, axis=1)


@pytest.fixture
def graph():
    return gp.trace(block, (2, 2), (2, 2))


def told(certificate):
    return [line.statement for line in certificate.lines]


def test_a_graph_is_proved_and_says_what_it_rests_on(graph):
    certificate = verify(graph, against=block)
    assert certificate
    assert certificate.message == ""
    assert told(certificate) == [
        "values, tangents and cotangents of all nodes are those of the definitions, whatever the rules are",
        "matmul((2, 2), (2, 2)): kernel = specification, value, JVP and VJP",
        "relu((2, 2)): kernel = specification, value, JVP and VJP",
        "mul((2, 2), (2, 2)): kernel = specification, value, JVP and VJP",
        "add((2, 2), (2, 2)): kernel = specification, value, JVP and VJP",
        "softmax((2, 2), axis=1): kernel = specification, value, JVP and VJP",
        "the outputs are those of the other program, for all reals at these shapes",
    ]
    assert {line.statement for line in certificate.rests_on} == {
        f"{kind}[{op}]: all shapes"
        for kind in ("bounds", "derivative", "adjoint")
        for op in ("add", "mul", "relu", "matmul", "softmax")
    }
    assert any("the kinks of relu" in text for text in certificate.not_claimed)
    assert str(certificate).startswith("PROVED\nof this graph\n  PROVED    values, ")


def test_large_nodes_rest_on_the_kernels_at_small_shapes():
    certificate = verify(gp.trace(lambda x: gp.tanh(x) + 1.0, (10, 10)))
    assert certificate
    kernels = [line.statement for line in certificate.rests_on if line.statement.startswith("kernel[")]
    assert kernels
    assert all("not shown at those of this graph" in statement for statement in kernels)


def test_indices_that_are_constants_are_tried_and_others_rest_on_the_kernels():
    known = gp.trace(lambda x: gp.gather_rows(x, np.array([1, 1, -1])), (2, 2))
    assert "gather_rows((2, 2), (3,)): kernel = specification, value, JVP and VJP" in told(verify(known))
    unknown = verify(gp.trace(gp.gather_rows, (2, 2), gp.TensorSpec((3,), "int64")))
    assert unknown
    assert any(line.statement.startswith("kernel[gather_rows-*]") for line in unknown.rests_on)


def test_domains_are_named():
    certificate = verify(gp.trace(lambda x: gp.log(x) * x, (2,)), against=lambda x: x * np.log(x))
    assert certificate
    assert told(certificate)[-1].endswith("where 0 < x0[0] and 0 < x0[1]")
    assert "anything outside the domains of log" in certificate.not_claimed


def test_programs_without_a_common_domain_are_not_proved():
    nowhere = verify(
        gp.trace(lambda x: gp.log(gp.neg(gp.square(x)) - 1.0), (1,)), against=lambda x: np.log(-(x * x) - 1)
    )
    assert not nowhere
    assert nowhere.verdict is Verdict.UNKNOWN


def test_another_program_is_refuted_with_an_input(graph):
    certificate = verify(graph, against=lambda x, w: block(x, w) * 2)
    assert certificate.verdict is Verdict.REFUTED
    assert "the output is [[0.5, 0.5]" in certificate.message
    assert verify(graph, against=lambda x, w: block(x, w)[0]).verdict is Verdict.REFUTED


def test_what_differs_only_far_away_is_not_proved(graph):
    """No sample shows it; the comparison on symbols does."""

    def differs(x):
        return np.where(x > 1e6, 0 * x, x)

    certificate = verify(gp.trace(lambda x: x + 0.0, (1,)), against=differs)
    assert certificate.verdict is not Verdict.PROVED


def test_a_lowered_program_is_its_denotation_and_a_tampered_one_is_not():
    program = ir.IRProgram((
        ir.IRNode(0, "input", (), (2, 3)),
        ir.IRNode(1, "permute", (0,), (3, 2), {"perm": (1, 0)}),
        ir.IRNode(2, "softmax", (1,), (3, 2), {"axis": 0}),
        ir.IRNode(3, "concat", (1, 2), (3, 4), {"axis": 1}),
    ))  # fmt: skip

    def meaning(x):
        return ir.denote(program, {}, [x], dtype=x.dtype)[-1]

    graph = ir.lower(program, {}).graph
    assert verify(graph, against=meaning)
    (at,) = [number for number, node in enumerate(graph.nodes) if node.op == "softmax"]
    nodes = list(graph.nodes)
    nodes[at] = replace(nodes[at], attributes={"axis": 1})
    tampered = verify(Graph(tuple(nodes), graph.outputs, graph.payload), against=meaning)
    assert tampered.verdict is Verdict.REFUTED
    assert "that of the other program" in tampered.message


@pytest.mark.parametrize(
    "change",
    [
        {"parents": (0, 9)},
        {"parents": (1,)},
        {"shape": (2, 3)},
        {"dtype": "float32"},
        {"attributes": {"axis": 0}},
        {"op": "divide"},
    ],
    ids=str,
)
def test_a_tampered_node_is_refuted(graph, change):
    (at,) = [number for number, node in enumerate(graph.nodes) if node.op == "mul"]
    nodes = list(graph.nodes)
    nodes[at] = replace(nodes[at], **change)
    certificate = verify(Graph(tuple(nodes), graph.outputs, graph.payload))
    assert certificate.verdict is Verdict.REFUTED
    assert certificate.message.startswith("the graph is not well formed: node ")


def without_the_last_parent(graph, inputs):
    tape, context = compile_tape(graph, inputs)
    node = tape.nodes[-1]
    tape.nodes[-1] = Node(node.out, node.op, (*node.parents[:-1], None), node.inputs, node.residual, node.attributes)
    return tape, context


def with_an_older_value(graph, inputs):
    tape, context = compile_tape(graph, inputs)
    return tape, [*context[:-1], context[-2]]


def with_swapped_inputs(graph, inputs):
    """The rules of matmul see the other order."""
    tape, context = compile_tape(graph, inputs)
    for number, node in enumerate(tape.nodes):
        if node.op is not None and node.op.name == "matmul":
            swapped = node.inputs[::-1]
            tape.nodes[number] = Node(node.out, node.op, node.parents, swapped, node.residual, node.attributes)
    return tape, context


@pytest.mark.parametrize("tampered", [without_the_last_parent, with_an_older_value, with_swapped_inputs])
def test_a_tampered_tape_is_refuted(tampered):
    certificate = verify(gp.trace(lambda x, w: gp.exp(x @ w) - w, (2, 2), (2, 2)), compiler=tampered)
    assert certificate.verdict is Verdict.REFUTED
    assert certificate.message.startswith("the compiled graph is not its denotation: ")


def test_a_tampered_loop_is_refuted(graph):
    def forgets(self, node, cotangent):
        self.sums[node] = cotangent

    with patch.object(Cotangents, "add", forgets):
        assert verify(graph).verdict is Verdict.REFUTED

    def lower(self, node):
        op = OPS[node.op]
        inputs = tuple(self.nodes[parent].out for parent in node.parents)
        out, residual = op.evaluate(inputs, **node.attributes)
        self.append(Node(out, op, (None,) * len(inputs), inputs, residual, node.attributes))
        self.differentiable.append(True)

    with patch.object(CompiledTape, "add_node", lower):
        assert verify(graph).verdict is Verdict.REFUTED


@pytest.mark.parametrize("shape", [(2, 2), (9, 9)], ids=["own-shape", "kernels-elsewhere"])
@pytest.mark.parametrize(
    ("rule", "wrong"),
    [
        ("vjp b", lambda g, inputs, out, residual: g),
        ("jvp a", lambda da, inputs, out, residual: da),
        ("forward", lambda inputs: (inputs[0] + inputs[1], None)),
    ],
    ids=["vjp", "jvp", "forward"],
)
def test_a_tampered_rule_is_refuted(shape, rule, wrong):
    graph = gp.trace(lambda x, y: x * y, shape, shape)
    assert verify(graph)
    with patch.dict(OPS["mul"].rules, {rule: wrong}):
        certificate = verify(graph)
    assert certificate.verdict is Verdict.REFUTED


def test_what_is_not_decided_is_not_proved(graph):
    with patch.object(graphs, "MOST_COMPARED", 3):
        certificate = verify(graph, against=block)
    assert certificate.verdict is Verdict.UNKNOWN
    assert "use smaller shapes" in certificate.message


def test_a_compiler_that_looks_at_values_is_not_proved():
    def looks(graph, inputs):
        if inputs[0] > 0:
            return compile_tape(graph, inputs)
        return compile_tape(graph, inputs)

    certificate = verify(gp.trace(gp.exp, ()), compiler=looks)
    assert certificate.verdict is Verdict.UNKNOWN


def test_a_long_graph_is_verified_node_by_node():
    """Repeated nodes are proved once; the loops are checked on all of them."""

    def chain(x):
        for _ in range(1000):
            x = gp.tanh(x) * x
        return x

    certificate = verify(gp.trace(chain, (2,)))
    assert certificate
    assert len(certificate.lines) == 3


def test_constants_and_unused_nodes():
    builder = gp.GraphBuilder((2,))
    (x,) = builder.args()
    builder.exp(x)
    y = builder.mul(x, builder.const(np.array([2.0, 3.0])))
    certificate = verify(builder.build(y, x))
    assert certificate
    assert isinstance(builder.build(y).nodes[1], GraphNode)
