"""Random graphs: every way to run one gives the same numbers, bit for bit, JVP and VJP are adjoint, and a graph that is
changed in one place is refused, for the right node, or is another graph that runs."""

import tempfile
from collections import Counter
from dataclasses import replace
from math import prod
from pathlib import Path

import hypothesis.strategies as st
import numpy as np
import pytest
from graph_programs import graph_of, programs
from hypothesis import HealthCheck, given, settings

import gradproof as gp
import gradproof_spec.link.ops  # noqa: F401  fills EXAMPLES
from gradproof_spec.link.examples import EXAMPLES

GRAPHS = 150
SETTINGS = settings(max_examples=GRAPHS, deadline=None, derandomize=True, database=None,
                    suppress_health_check=[HealthCheck.too_slow])  # fmt: skip


def same(a, b):
    """Bitwise, but for the sign and payload of a nan."""
    assert type(a) is type(b) is np.ndarray
    assert a.dtype == b.dtype and a.shape == b.shape
    np.testing.assert_array_equal(a, b)


def all_same(many, others):
    assert len(many) == len(others)
    for a, b in zip(many, others, strict=True):
        same(a, b)


def as_tuple(result):
    return result if isinstance(result, tuple) else (result,)


def directions(program, seed=0):
    """A tangent per input, None for integers and Booleans, and a cotangent per output."""
    rng = np.random.default_rng(seed)
    graph = program.graph
    tangents = [rng.standard_normal(x.shape).astype(x.dtype) if x.dtype.kind == "f" else None for x in program.inputs]
    nodes = [graph.nodes[number] for number in graph.outputs]
    return tangents, [rng.standard_normal(node.shape).astype(node.dtype) for node in nodes]


def seeds_of(graph, cotangents):
    """One per value: an output that is named twice has the sum."""
    seeds = [None] * len(graph.nodes)
    for number, g in zip(graph.outputs, cotangents, strict=True):
        seeds[number] = g if seeds[number] is None else seeds[number] + g
    return seeds


# Well-formed graphs.


@SETTINGS
@given(programs())
def test_every_way_to_run_a_graph_gives_the_same_bits(program):
    graph, inputs = program.graph, program.inputs
    graph.check_well_formed()
    values = graph.denote(*inputs)
    for value, node in zip(values, graph.nodes, strict=True):
        assert (value.shape, value.dtype) == (node.shape, node.dtype)
    outputs = [values[number] for number in graph.outputs]
    all_same(as_tuple(graph(*inputs)), outputs)
    all_same(as_tuple(program(*inputs)), outputs)
    _, context = gp.compile_tape(graph, inputs)
    all_same(context, values)


@SETTINGS
@given(programs())
def test_recording_a_graph_again_gives_an_equal_graph(program):
    graph = program.graph
    specs = program.specs()
    assert gp.trace(program, *specs) == graph
    again = gp.trace(graph, *specs)  # constants that nothing uses are not met
    again.check_well_formed()
    all_same(as_tuple(again(*program.inputs)), as_tuple(graph(*program.inputs)))
    assert gp.trace(again, *specs) == again


@SETTINGS
@given(programs())
def test_files_keep_the_graph(program):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "graph.json")
        program.graph.save(path)
        loaded = gp.Graph.load(path)
    assert loaded == program.graph
    assert str(loaded) == str(program.graph)
    all_same(as_tuple(loaded(*program.inputs)), as_tuple(program.graph(*program.inputs)))


@SETTINGS
@given(programs())
def test_transforms_and_the_compiled_tape_agree(program):
    graph, inputs = program.graph, program.inputs
    tangents, cotangents = directions(program)
    tape, values = gp.compile_tape(graph, inputs)

    given_tangents = iter(tangents)
    dense = gp.jvp_dense_all(tape, [next(given_tangents) if node.op == "input" else None for node in graph.nodes])
    out, tangent = gp.jvp(graph, inputs, tangents)
    all_same(as_tuple(out), [values[number] for number in graph.outputs])
    all_same(as_tuple(tangent), [dense[number] for number in graph.outputs])
    all_same(as_tuple(gp.jvp(program, inputs, tangents)[1]), as_tuple(tangent))

    gradients = gp.backward_dense_from(tape, seeds_of(graph, cotangents))
    g = tuple(cotangents) if len(cotangents) > 1 else cotangents[0]
    for function in (graph, program):
        pulled_back = gp.vjp(function, *inputs)[1](g)
        for number, gradient, x in zip(graph.inputs, pulled_back, inputs, strict=True):
            if x.dtype.kind == "f":
                same(gradient, gradients[number])
            else:
                assert gradient is None
                same(gradients[number], np.zeros_like(values[number]))


# A rounding error δ in the tangent t of a value changes <tangent, g> by <δ, c>, c the cotangent of that value; one in a
# share that goes to a parent changes <dx, cotangent> by <tangent of the parent, δ>. δ is at most unit roundoff · number
# of roundings · size of what is added up, which may cancel: multiples of t and of the parents' tangents, or of c. To
# first order the two sides thus differ by at most FACTOR · unit · Σ ‖c‖ (‖t‖ + Σ ‖parents' tangents‖) over all values.
# The factor covers slopes of ops up to 10 (1 / sqrt(eps) of the norms, 1 / x for x > 0.1) and 10 roundings per element
# (sums are pairwise). In 1,500 random graphs the largest quotient was 0.9.
FACTOR = 100


@SETTINGS
@given(programs())
def test_jvp_and_vjp_are_adjoint(program):
    graph, inputs = program.graph, program.inputs
    tangents, cotangents = directions(program, seed=1)
    tape, _ = gp.compile_tape(graph, inputs)
    given_tangents = iter(tangents)
    forward = gp.jvp_dense_all(tape, [next(given_tangents) if node.op == "input" else None for node in graph.nodes])
    backward = gp.backward_dense_from(tape, seeds_of(graph, cotangents))

    def dot(a, b):
        return float(np.sum(a.astype(np.float64) * b))

    left = sum(dot(forward[number], g) for number, g in zip(graph.outputs, cotangents, strict=True))
    right = sum(dot(dx, backward[number]) for number, dx in zip(graph.inputs, tangents, strict=True) if dx is not None)
    unit = max(np.finfo(node.dtype).eps for node in graph.nodes if node.is_float)
    t, c = ([float(np.linalg.norm(array.astype(float).ravel())) for array in arrays] for arrays in (forward, backward))
    scale = sum(c[k] * (t[k] + sum(t[parent] for parent in node.parents)) for k, node in enumerate(graph.nodes))
    assert abs(left - right) <= FACTOR * unit * scale


@SETTINGS
@given(programs(inputs=("float64",)))
def test_a_session_computes_the_same(program):
    graph = program.graph
    _, cotangents = directions(program)
    session = gp.Session()
    refs = [session.input(x, requires_grad=x.dtype.kind == "f") for x in program.inputs]
    outputs = as_tuple(session.call(program, *refs))
    all_same([session.value(out) for out in outputs], as_tuple(graph(*program.inputs)))
    frozen = session.freeze(*outputs)
    frozen.check_well_formed()
    assert gp.trace(frozen, *program.specs()) == gp.trace(graph, *program.specs())
    tape, _ = gp.compile_tape(graph, program.inputs)
    for number, out, g in zip(graph.outputs, outputs, cotangents, strict=True):
        gradients = session.backward(out, g)
        expected = gp.backward_dense_from(tape, [g if k == number else None for k in range(len(graph.nodes))])
        all_same([gradients[ref] for ref in refs], [expected[k] for k in graph.inputs])


def test_the_programs_reach_most_ops():
    met, graphs = Counter(), 0

    @SETTINGS
    @given(programs())
    def count(program):
        nonlocal graphs
        graphs += 1
        met.update(node.op for node in program.graph.nodes)

    count()
    print(f"\n{graphs} graphs, {sum(met.values())} nodes: {dict(met.most_common())}")
    assert graphs >= GRAPHS
    assert len(met.keys() - {"input", "const"}) >= 60
    assert set(met) <= {"input", "const", *gp.OPS}


# Malformed graphs.

DEEP = ()
for _ in range(3000):
    DEEP = (DEEP,)
HUGE = 10**5000  # more digits than Python prints
VALUES = (None, True, False, -1, 0, 1, 2, 7, 2**31, 2**64, 10**30, HUGE, -HUGE, 1.5, 0.0, -1.0, float("nan"),
          float("inf"), "",
          "x", "mean", "i,j->ij", "float64", "O", "f8,f8", (), (0,), (1, 2), (0, 0), (True,), (HUGE,), (-1, 3), ((1,
          1),), ((0, 1), (1, 0)),
          (None,), [1], {"a": 1}, object(), np.float64(0.5), np.int64(1), b"x", 1j, DEEP)  # fmt: skip
IDS = (-1, True, "0", 0.0, None, 10**30, HUGE, np.int64(0))
SHAPES = (None, [], [2], (-1,), (True,), (1.0,), ("a",), (None,), (HUGE,), (2**62,), (2**40, 2**40), (1,) * 70, (0,),
          (0, 2**61),
          ((1,),), 3, "ab", np.zeros(2, int), DEEP)  # fmt: skip
DTYPES = (
    "float32",
    "float64",
    "bool",
    "int64",
    "float16",
    "object",
    "<f8",
    "",
    "complex128",
    None,
    3,
    np.float64,
    np.dtype("f8"),
)
OPS = ("Relu", "", "add", "mul", "relu", "matmul", "concat", "einsum", "dropout", "rand_uniform", "input", "const",
       "__class__", None, 3,
       ("add",), [])  # fmt: skip
PAYLOADS = (np.zeros(7), np.zeros((2, 2), np.float32), np.array([None]), np.array(["a"]), np.array([1j]), np.zeros(()),
            np.zeros(3, ">f8"), np.zeros(3, [("a", "f8")]))  # fmt: skip


def changed_node(draw, graph):
    """The id of a node, and the node with one field changed."""
    pick = lambda options: options[draw(st.integers(0, len(options) - 1))]  # noqa: E731
    number = pick(range(len(graph.nodes)))
    node = graph.nodes[number]
    what = pick(("parents", "parents", "shape", "dtype", "op", "attribute", "attribute", "attributes", "name", "node"))
    if what == "parents":
        ids = (*IDS, number, number + 1, *range(number))
        shorter, longer = node.parents[:-1], (*node.parents, pick(ids))
        place = pick(range(max(1, len(node.parents))))
        other = (*node.parents[:place], pick(ids), *node.parents[place + 1 :])
        return number, replace(
            node, parents=pick((shorter, longer, other, other, list(node.parents), None, node.parents[::-1]))
        )
    if what == "shape":
        longer = (*node.shape, 1)
        wider = tuple(extent + 1 for extent in node.shape)
        return number, replace(node, shape=pick((*SHAPES, longer, wider, node.shape[::-1])))
    if what == "dtype":
        return number, replace(node, dtype=pick(DTYPES))
    if what == "op":
        return number, replace(node, op=pick(OPS))
    if what == "attribute":
        name = pick((*node.attributes, "axis", "shape", "x", "scale"))
        return number, replace(node, attributes={**node.attributes, name: pick(VALUES)})
    if what == "attributes":
        fewer = dict(list(node.attributes.items())[1:])
        return number, replace(
            node, attributes=pick((None, [], [("axis", 0)], {1: 2}, {None: None}, fewer, {**node.attributes, 3: 4}))
        )
    if what == "name":
        return number, replace(node, name=pick(("y", "", 3, ("x",))))
    return number, pick((None, 3, "relu", {}, GraphNodeLike(), ("relu",)))


class GraphNodeLike:
    op, parents, attributes, shape, dtype, name = "relu", (0,), {}, (3,), "float64", None


@settings(SETTINGS, max_examples=6 * GRAPHS)
@given(programs(most=8), st.data())
def test_a_node_that_is_changed_is_named_or_gives_another_graph(program, data):
    graph = program.graph
    number, node = changed_node(data.draw, graph)
    other = gp.Graph((*graph.nodes[:number], node, *graph.nodes[number + 1 :]), graph.outputs, graph.payload)
    try:
        other.check_well_formed()
    except gp.NodeError as error:
        # A node that is fine by itself, such as an input of another shape, can be wrong for the next that takes it.
        assert error.node == number or number in other.nodes[error.node].parents
        assert len(str(error)) < 2000
    else:
        runs(other)


def runs(graph):
    """It computes values of the declared shapes and dtypes; where it raises, an index or a label is to blame."""
    inputs = [np.ones(graph.nodes[number].shape, graph.nodes[number].dtype) for number in graph.inputs]
    with np.errstate(all="ignore"):
        try:
            values = graph.denote(*inputs)
        except gp.IndexRangeError:
            return
    for value, node in zip(values, graph.nodes, strict=True):
        assert (value.shape, value.dtype) == (node.shape, node.dtype)


OTHER_SHAPES = ((), (0,), (1,), (2,), (3,), (2, 3), (0, 3), (3, 0), (2, 2, 2), (1, 1, 1, 1), (2, 3, 4, 5, 6),
(2**31,), (2**40, 2),
                (2**20, 2**20), (1,) * 64, (0,) * 5)  # fmt: skip
OTHER_DTYPES = ("float32", "float64", "bool", "int64", "uint8")
MORE = ("f8,f8", "a,b->ab", "ij,jk->ik", "...", "none", "sum", "tanh", "(1,2", ("a",), (2,), (0, 1), (1, 0), (2, 2),
(-1,), (2**40,),
        ((0, 0),) * 3, -0.0, 1e308, 5e-324)  # fmt: skip


def changed_everywhere(graph):
    """Each attribute of the last node, and the shape and dtype of each input and of all, given other values."""
    *inputs, last = graph.nodes
    for name in gp.OPS[last.op].attributes():
        for value in (*VALUES, *MORE):
            yield (*inputs, replace(last, attributes={**last.attributes, name: value}))
    for field, values in (("shape", OTHER_SHAPES), ("dtype", OTHER_DTYPES)):
        for value in values:
            changed = [replace(node, **{field: value}) for node in inputs]
            yield (*changed, last)
            for k, node in enumerate(changed):
                yield (*inputs[:k], node, *inputs[k + 1 :], last)


@pytest.mark.parametrize("name", gp.OPS)
def test_an_op_with_other_attributes_and_inputs(name):
    """Refused, or well formed; then it gives what it declares."""
    example = next(example for example in EXAMPLES if example.op == name)
    graph = graph_of(example)
    refusals = 0
    for nodes in changed_everywhere(graph):
        other = gp.Graph(nodes, graph.outputs)
        try:
            other.check_well_formed()
        except gp.NodeError as error:
            assert error.node == len(nodes) - 1
            refusals += 1
        else:
            if all(prod(node.shape) < 1000 for node in nodes):
                runs(other)
    assert refusals > 10 or not graph.inputs


@SETTINGS
@given(programs(most=8), st.data())
def test_a_payload_that_does_not_fit_is_refused(program, data):
    graph = program.graph
    number = data.draw(st.integers(0, len(graph.nodes) - 1))
    payload = dict(graph.payload)
    if graph.nodes[number].op == "const" and data.draw(st.booleans()):
        del payload[number]
    else:
        payload[number] = data.draw(st.sampled_from(PAYLOADS))
    with pytest.raises(gp.NodeError) as caught:
        gp.Graph(graph.nodes, graph.outputs, payload).check_well_formed()
    assert caught.value.node == number


@pytest.mark.parametrize(
    "key", [-1, 4, 10**30, "1", 1.5, None, (1,), HUGE], ids=lambda key: str(key)[:9] if key is not HUGE else "huge"
)
def test_a_payload_of_no_node_is_refused(key):
    graph = gp.trace(lambda x: x + np.ones(3), (3,))
    with pytest.raises(gp.GraphError, match="belongs to no constant"):
        gp.Graph(graph.nodes, graph.outputs, {**graph.payload, key: np.ones(3)}).check_well_formed()


@pytest.mark.parametrize("outputs", [(), (-1,), (3,), (True,), ("0",), (0.0,), (None,), (10**30,), (HUGE,), (0, 99),
                         ((0,),)],
                         ids=lambda outputs: "huge" if outputs == (HUGE,) else str(outputs))  # fmt: skip
def test_outputs_that_are_none_are_refused(outputs):
    graph = gp.trace(lambda x: x + np.ones(3), (3,))
    with pytest.raises(gp.GraphError, match="output"):
        gp.Graph(graph.nodes, outputs, graph.payload).check_well_formed()
