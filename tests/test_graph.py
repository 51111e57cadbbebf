"""Graph, GraphBuilder, trace, and the tape of a graph: what is recorded, what is refused, what is computed."""

import pickle
from collections import Counter
from dataclasses import replace
from inspect import isfunction

import numpy as np
import pytest
from graph_programs import graph_of

import gradproof as gp
import gradproof_spec.link.ops  # noqa: F401  fills EXAMPLES
from gradproof import ops
from gradproof.graph import CONST, DTYPES, INPUT
from gradproof_spec.link.examples import EXAMPLES

X, V, ROWS = np.arange(6.0).reshape(2, 3) - 2, np.array([1.0, -2.0, 0.5]), np.array([1, 0, 1])
SPEC = gp.TensorSpec


def ops_of(graph):
    return [node.op for node in graph.nodes]


def loss(x, w):
    return gp.reduce_sum(gp.relu(x @ w))


@pytest.fixture
def graph():
    return gp.trace(loss, (2, 3), (3, 1))


# Graph: running and showing.


def test_text(graph):
    assert str(graph).splitlines() == [
        "%0 = input('x0') : float64[2, 3]",
        "%1 = input('x1') : float64[3, 1]",
        "%2 = matmul(%0, %1) : float64[2, 1]",
        "%3 = relu(%2) : float64[2, 1]",
        "%4 = reduce_sum(%3, axis=(0, 1), keepdims=False) : float64[]",
        "return %4",
    ]
    assert repr(graph) == "Graph(5 nodes, inputs=[0, 1], outputs=[4])"
    assert repr(graph.nodes[3]) == "GraphNode(relu(%2) : float64[2, 1])"


def test_calling_and_denoting(graph):
    w = np.ones((3, 1))
    assert graph(X, w) == loss(X, w)
    values = graph.denote(X, w)
    assert [value.shape for value in values] == [node.shape for node in graph.nodes]
    np.testing.assert_array_equal(values[2], X @ w)
    assert type(graph(X, w)) is np.ndarray


def test_outputs_are_the_callers_own():
    graph = gp.trace(lambda x: (x, x, np.ones(3)), (3,))
    x = V.copy()
    a, b, c = graph(x)
    a += 1
    c += 1
    np.testing.assert_array_equal(x, V)
    np.testing.assert_array_equal(b, V)
    np.testing.assert_array_equal(graph(x)[2], np.ones(3))


def test_a_payload_cannot_be_changed():
    given = np.ones(3)
    graph = gp.Graph((gp.GraphNode(CONST, shape=(3,)),), (0,), {0: given})
    given += 1
    np.testing.assert_array_equal(graph(), np.ones(3))
    with pytest.raises(ValueError, match="read-only"):
        graph.payload[0][0] = 2
    with pytest.raises(TypeError):
        graph.payload[0] = given
    with pytest.raises(gp.DtypeError, match="a payload must be an array"):
        gp.Graph((gp.GraphNode(CONST),), (0,), {0: 1.0})


def test_inputs_of_lists_and_narrower_integers():
    graph = gp.trace(lambda x, k: gp.gather_vec(x, k), (3,), SPEC((2,), "int64"))
    np.testing.assert_array_equal(graph([1, 2, 3.0], [2, 0]), [3, 1])
    np.testing.assert_array_equal(graph(V, np.array([2, 0], np.uint8)), V[[2, 0]])
    np.testing.assert_array_equal(gp.trace(gp.relu, SPEC((), "float32"))(2), np.float32(2))
    small = gp.trace(lambda x: x, SPEC((2,), "int8"))
    assert small([-128, 127]).dtype == np.int8
    for outside in ([0, 128], [-129, 0], np.array([0, 1])):
        with pytest.raises(gp.DtypeError):
            small(outside)


@pytest.mark.parametrize(
    ("error", "inputs"),
    [
        (gp.GraphError, ()),
        (gp.GraphError, (V,)),
        (gp.GraphError, (V, ROWS, V)),
        (gp.ShapeError, (X, ROWS)),
        (gp.ShapeError, (V, ROWS[:2])),
        (gp.ShapeError, ([[1.0], [1.0, 2.0]], ROWS)),
        (gp.DtypeError, (V.astype(np.float32), ROWS)),
        (gp.DtypeError, (np.array([1, 2, 3]), ROWS)),
        (gp.DtypeError, (V, V)),
        (gp.DtypeError, (V, ROWS.astype(np.uint64))),
        (gp.DtypeError, (V, [0, 1, 2**63])),
        (gp.DtypeError, (V, ROWS > 0)),
        (gp.DtypeError, ("abc", ROWS)),
        (gp.DtypeError, (None, ROWS)),
    ],
)
def test_unfit_inputs(error, inputs):
    graph = gp.trace(lambda x, k: gp.gather_vec(x, k), (3,), SPEC((3,), "int64"))
    for run in (graph, graph.denote, lambda *xs: gp.compile_tape(graph, xs)):
        with pytest.raises(error):
            run(*inputs)


def test_a_graph_is_differentiated_like_a_function(graph):
    w = np.ones((3, 1))
    for ours, theirs in zip(gp.grad(graph, (0, 1))(X, w), gp.grad(loss, (0, 1))(X, w), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert gp.ops_used(graph, X, w) == ("matmul", "relu", "reduce_sum")


def test_a_graph_is_recorded_into_another(graph):
    outer = gp.trace(lambda x: graph(x, np.ones((3, 1))) * 2.0, (2, 3))
    assert ops_of(outer) == ["input", "const", "matmul", "relu", "reduce_sum", "const", "mul"]
    assert outer(X) == 2 * loss(X, np.ones((3, 1)))


def test_equality(graph):
    same = gp.trace(loss, (2, 3), (3, 1))
    assert graph == same and graph is not same
    assert graph != gp.trace(loss, (2, 3), (3, 2))
    assert graph != gp.Graph(graph.nodes, (3,))
    assert graph != "graph" and graph != gp.Graph(graph.nodes[:-1], graph.outputs)
    with pytest.raises(TypeError):
        hash(graph)
    assert gp.trace(lambda x: gp.pad(x, ((0, 1),), np.nan), (2,)) == gp.trace(
        lambda x: gp.pad(x, ((0, 1),), np.nan), (2,)
    )
    named = gp.Graph((replace(graph.nodes[0], name="image"), *graph.nodes[1:]), graph.outputs)
    assert graph != named


@pytest.mark.parametrize(
    ("a", "b"), [(1, 1.0), (1, True), ((1,), (1.0,)), (1.0, 2.0), ((1,), (1, 1)), ("1", 1), (None, 0)]
)
def test_attributes_of_different_types_are_different(a, b):
    node = gp.GraphNode("relu", attributes={"c": a})
    assert gp.Graph((node,), (0,)) == gp.Graph((replace(node, attributes={"c": a}),), (0,))
    assert gp.Graph((node,), (0,)) != gp.Graph((replace(node, attributes={"c": b}),), (0,))


def test_payloads_are_compared():
    def made(array):
        return gp.Graph((gp.GraphNode(CONST, shape=array.shape, dtype=array.dtype.name),), (0,), {0: array})

    assert made(np.array([np.nan, 1])) == made(np.array([np.nan, 1]))
    for other in (np.array([1.0, np.nan]), np.array([np.nan, 1], np.float32), np.array([[np.nan, 1]])):
        assert made(np.array([np.nan, 1])) != made(other)


# Well-formedness.


def test_what_is_recorded_is_well_formed(graph):
    graph.check_well_formed()
    gp.trace(lambda x: gp.dropout(x, 0.5, 0), (3,)).check_well_formed()


def test_errors_name_the_node(graph):
    wrong = gp.Graph((*graph.nodes[:3], replace(graph.nodes[3], shape=(2, 2)), graph.nodes[4]), (4,))
    with pytest.raises(gp.NodeError, match=r"node 3 \(relu\): it declares another shape or dtype") as caught:
        wrong.check_well_formed()
    assert caught.value.node == 3
    with pytest.raises(gp.NodeError, match=r"node 1 \(relu\): a parent does not come before it: parent = 1"):
        gp.Graph((gp.GraphNode(INPUT), gp.GraphNode("relu", (1,))), (1,)).check_well_formed()


def test_node_errors_can_be_pickled():
    error = pickle.loads(pickle.dumps(gp.NodeError(3, "text")))
    assert (error.node, str(error)) == (3, "text")


def test_equal_nodes_are_checked_once():
    """10,000 nodes of two kinds: the public functions are recorded twice, not 10,000 times."""
    count = Counter()

    def chain(x):
        for _ in range(5000):
            x = gp.scale(gp.add(x, x), 0.5)
        return x

    graph = gp.trace(chain, (2,))
    with counted(count):
        graph.check_well_formed()
    assert count["shape"] == 2


EXAMPLES_BY_OP = {name: [example for example in EXAMPLES if example.op == name] for name in gp.OPS}
# Table entries that are proved, but that the public function writes otherwise, or not at all.
NOT_NORMAL = {"roll": "a shift is taken modulo the extent", "multi_head_attention": "the scale follows from the heads"}


@pytest.mark.parametrize("name", gp.OPS)
def test_the_examples_of_every_kernel_are_in_normal_form(name):
    assert EXAMPLES_BY_OP[name]
    normal = 0
    for example in EXAMPLES_BY_OP[name]:
        try:
            graph_of(example).check_well_formed()
            normal += 1
        except gp.NodeError as error:
            assert name in NOT_NORMAL, example
            assert "normal form" in str(error)
            assert error.node == len(example.shapes)
    assert (normal < len(EXAMPLES_BY_OP[name])) == (name in NOT_NORMAL)


# GraphBuilder.


def test_inputs_and_arguments():
    builder = gp.GraphBuilder((2, 3), SPEC((2,), "int32"), X)
    builder.input(3, np.float32, "w")
    builder.input([], "bool")
    assert [(node.shape, node.dtype, node.name) for node in builder.nodes] == [
        ((2, 3), "float64", "x0"), ((2,), "int32", "x1"), ((2, 3), "float64", "x2"), ((3,), "float32", "w"), ((),
        "bool", "x4")
    ]  # fmt: skip
    assert [var.id for var in builder.args()] == [0, 1, 2, 3, 4]
    assert builder.arg(0, (2, 3)).shape == (2, 3)
    w = builder.arg(3)
    assert (w.id, w.shape, w.ndim, w.size, w.dtype) == (3, (3,), 1, 3, np.float32)
    assert repr(w) == "Var(%3, shape=(3,), dtype=float32)"


@pytest.mark.parametrize("position", [-1, 1, True, 0.0, "0", None])
def test_there_is_no_such_argument(position):
    with pytest.raises(gp.IndexRangeError, match="no such input"):
        gp.GraphBuilder((2,)).arg(position)


@pytest.mark.parametrize("shape", [(3,), (2, 1), (), 3])
def test_an_argument_of_another_shape(shape):
    with pytest.raises(gp.ShapeError, match="another shape"):
        gp.GraphBuilder((2,)).arg(0, shape)


@pytest.mark.parametrize(
    ("error", "call"),
    [
        (gp.ShapeError, lambda b: b.input((-1,))),
        (gp.DtypeError, lambda b: b.input((1.5,))),
        (gp.DtypeError, lambda b: b.input((True,))),
        (gp.DtypeError, lambda b: b.input("ab")),
        (gp.DtypeError, lambda b: b.input((2,), "float16")),
        (gp.DtypeError, lambda b: b.input((2,), "complex128")),
        (gp.DtypeError, lambda b: b.input((2,), object)),
        (gp.DtypeError, lambda b: b.input((2,), "no dtype")),
        (gp.DtypeError, lambda b: b.input((2,), "f8,no")),
        (gp.DtypeError, lambda b: b.input((2,), "(1,2")),
        (gp.DtypeError, lambda b: b.rand_uniform((2,), 0, 0, "f8,no")),
        (gp.DtypeError, lambda b: b.rand_uniform((2,), 0, 0, "(1,2")),
        (gp.DtypeError, lambda b: b.input((2,), name=3)),
        (gp.DtypeError, lambda b: b.const(np.ones(2, np.float16))),
        (gp.DtypeError, lambda b: b.const(np.array(["a"]))),
        (gp.DtypeError, lambda b: b.const(np.array([None]))),
        (gp.DtypeError, lambda b: b.const(1j)),
        (gp.DtypeError, lambda b: b.const(b.arg(0))),
        (gp.GraphError, lambda b: b.index(3)),
        (gp.GraphError, lambda b: b.index(V)),
        (gp.GraphError, lambda b: b.index(gp.GraphBuilder((2,)).arg(0))),
        (gp.GraphError, lambda b: b.index(gp.Var(b, 7, (2,), "float64"))),
        (gp.GraphError, lambda b: b.index(gp.Var(b, -1, (2,), "float64"))),
        (gp.ShapeError, lambda b: b.index(b.arg(0), (3,))),
        (gp.ShapeError, lambda b: b.index(gp.Var(b, 0, (3,), "float64"))),
        (gp.GraphError, lambda b: b.relu(gp.GraphBuilder((2,)).arg(0))),
        (gp.GraphError, lambda b: b.add(b.arg(0), gp.GraphBuilder((2,)).arg(0))),
        (gp.GraphError, lambda b: b.arg(0) + gp.GraphBuilder((2,)).arg(0)),
        (gp.GraphError, lambda b: b.build(gp.GraphBuilder((2,)).arg(0))),
        (gp.GraphError, lambda b: b.build(V)),
        (gp.GraphError, lambda b: b.arg(0).value),
        (gp.GraphError, lambda b: np.asarray(b.arg(0))),
        (gp.GraphError, lambda b: bool(b.arg(0))),
        (gp.GraphError, lambda b: b.arg(0).sum()),
        (gp.ShapeError, lambda b: b.matmul(b.arg(0), b.const(1.0))),
        (gp.DtypeError, lambda b: b.relu(b.input((2,), "int64"))),
        (AttributeError, lambda b: b.no_such_op),
        (gp.GraphError, lambda b: gp.GraphBuilder().build()),
        (gp.DtypeError, lambda b: gp.GraphBuilder("ab")),
    ],
)
def test_errors_of_the_builder(error, call):
    builder = gp.GraphBuilder((2,))
    with pytest.raises(error):
        call(builder)


def test_index_gives_the_id():
    builder = gp.GraphBuilder((2,), (2,))
    y = builder.relu(builder.arg(1))
    assert builder.index(y) == 2 and builder.index(y, (2,)) == 2


def test_constants():
    builder = gp.GraphBuilder()
    given = np.ones(2, ">f4")
    for value in (1, 1.5, [1, 2], (1.0,), given, np.array([True]), np.array([1, 2], np.int8), np.float32(2), True):
        builder.const(value)
    assert [node.dtype for node in builder.nodes] == [
        "float64", "float64", "float64", "float64", "float32", "bool", "int8", "float32", "bool"
    ]  # fmt: skip
    given += 1
    graph = builder.build()
    graph.check_well_formed()
    np.testing.assert_array_equal(graph.payload[4], [1, 1])
    assert graph.payload[4].dtype.isnative


def test_an_array_that_is_used_twice_is_one_constant():
    w = np.ones((3, 3))
    w.flags.writeable = False
    graph = gp.trace(lambda x: (x @ w) @ w, (2, 3))
    assert ops_of(graph).count(CONST) == 1
    np.testing.assert_array_equal(graph(X), X @ w @ w)


def test_an_array_that_changes_between_two_uses_is_two_constants():
    def f(x):
        w = np.ones((3, 3))
        y = x @ w
        w += 1
        return y @ w

    graph = gp.trace(f, (2, 3))
    assert ops_of(graph).count(CONST) == 2
    np.testing.assert_array_equal(graph(X), X @ np.ones((3, 3)) @ np.full((3, 3), 2.0))


def test_a_builder_goes_on_after_building():
    builder = gp.GraphBuilder((2,))
    first = builder.build(builder.relu(builder.arg(0)))
    second = builder.build(builder.neg(builder.arg(0)))
    assert (len(first.nodes), len(second.nodes), first.outputs, second.outputs) == (2, 3, (1,), (2,))
    assert builder.build().outputs == (2,)


def test_methods_record_all_or_nothing():
    builder = gp.GraphBuilder((2, 3))
    (x,) = builder.args()

    def two_steps(x):
        y = gp.relu(x) + np.ones(3)
        builder.input((2,))
        gp.dropout(y, 0.5, 0)
        return y @ y

    builder.dropout(x, 0.5, 0)
    before, payload = list(builder.nodes), dict(builder.payload)
    for call in (lambda: builder.call(two_steps, x), lambda: builder.matmul(x, np.ones((2, 2))),
                 lambda: builder.dropout(x, 2.0, 0), lambda: builder.call(lambda: 1 / 0)):  # fmt: skip
        with pytest.raises((gp.GradproofError, ZeroDivisionError)):
            call()
        assert (builder.nodes, builder.payload, builder.inputs, builder.streams) == (before, payload, [0], 1)
    assert builder.add(x, np.ones(3)).id == len(before) + 1


def test_plain_results_become_constants():
    builder = gp.GraphBuilder()
    y = builder.relu(V)
    assert isinstance(y, gp.Var)
    np.testing.assert_array_equal(builder.build(y)(), gp.relu(V))


def test_a_closed_builder():
    kept = []

    def f(x):
        kept.append(x)
        return gp.relu(x)

    gp.trace(f, (2,))
    builder = kept[0].trace
    for call in (
        lambda: gp.relu(kept[0]),
        lambda: builder.relu(kept[0]),
        lambda: builder.input((2,)),
        lambda: builder.const(1.0),
    ):
        with pytest.raises(gp.GraphError):
            call()


def test_run():
    def program(builder):
        x, w = builder.args()
        return {"loss": builder.reduce_sum(x @ w), "x": x}

    result, graph = gp.GraphBuilder.run(program, (2, 3), (3, 1))
    assert list(result) == ["loss", "x"]
    assert graph.outputs == (result["loss"].id, 0)


# Methods and functions.

ARRAY = np.ones((2, 3))
IMAGE, KERNEL = np.ones((2, 4, 4)), np.ones((2, 2, 2, 2))
SQUARE, CUBE = np.ones((3, 3)), np.ones((2, 3, 4))
CALLS = {  # arrays become inputs
    **{name: (ARRAY,) for name in (
        "neg", "exp", "relu", "square", "reciprocal", "abs", "sqrt", "log", "sigmoid", "tanh", "softplus", "safe_log",
        "detach",
        "gelu", "silu", "leaky_relu", "elu", "hardtanh", "sin", "cos", "sum", "reduce_sum", "reduce_mean", "var",
        "max_axis",
        "min_axis", "transpose", "transpose2d", "flatten", "softmax", "log_softmax", "logsumexp")},
    **{name: (ARRAY, ARRAY) for name in ("add", "sub", "mul", "div", "maximum", "minimum", "mse_loss",
    "bce_with_logits", "kl_div")},
    **{name: (CUBE,) for name in ("transpose3d_first_to_last", "transpose3d_last_to_first", "transpose3d_last_two")},
    "scale": (ARRAY, 2.0), "clamp": (ARRAY, -1, 1), "clamp_min": (ARRAY, 0.0), "clamp_max": (ARRAY, 0.0),
    "pow": (ARRAY, 3),
    "where": (ARRAY > 0, ARRAY, 0.0), "cumsum": (ARRAY, -1), "linear": (ARRAY, ARRAY, np.ones(2)), "matmul": (ARRAY,
    SQUARE),
    "einsum": ("ij,kj->ik", ARRAY, ARRAY), "bmm": (CUBE, np.ones((2, 4, 1))), "concat": ([ARRAY, ARRAY], -1),
    "slice_range": (ARRAY, 1, 2, 1), "reshape": (ARRAY, (-1, 2)), "broadcast_to": (ARRAY, (4, 2, 3)),
    "pad": (ARRAY, ((0, 1), (2, 0)), 5), "flip": (ARRAY, None), "roll": (ARRAY, (1, 4), (0, 1)),
    "upsample_nearest": (IMAGE, (2, 8)),
    "permute": (CUBE, (2, 0, 1)), "swap_adjacent": (CUBE, 1), "split": (ARRAY, [1, 2], 1), "stack": ([ARRAY, ARRAY],
    -1),
    "tile": (ARRAY, (2, 2)), "repeat": (ARRAY, 2, 0), "pixel_shuffle": (np.ones((4, 2, 2)), 2),
    "gather_rows": (ARRAY, ROWS), "scatter_add": (ARRAY, SQUARE, ROWS), "gather_scalar": (V, 1), "gather_row": (ARRAY,
    1),
    "gather_vec": (V, ROWS), "embedding": (ROWS, ARRAY), "scatter_add_vec": (V, V, ROWS), "scatter_add_row": (ARRAY,
    V, 1),
    "conv": (IMAGE, KERNEL, np.ones(2), 2, 1), "conv_transpose": (IMAGE, KERNEL), "max_pool": (IMAGE, (2, 2)),
    "avg_pool": (IMAGE, (2, 2), 1), "smooth_max_pool": (IMAGE, (2,)), "adaptive_avg_pool": (IMAGE, (2, 3)),
    "max_pool1d": (IMAGE, 2), "max_pool2d": (IMAGE, 2), "max_pool3d": (IMAGE, 2), "avg_pool1d": (IMAGE, 2),
    "avg_pool2d": (IMAGE, 2), "avg_pool3d": (IMAGE, 2), "layer_norm": (ARRAY, V, V), "rms_norm": (ARRAY, V),
    "batch_norm": (ARRAY, V, V), "batch_norm_eval": (ARRAY, V, V, V, np.ones(3)), "group_norm": (ARRAY, V, V, 3),
    "instance_norm": (CUBE, V, V), "scaled_dot_product_attention": (ARRAY, ARRAY, ARRAY, np.eye(2) > 0),
    "multi_head_attention": (ARRAY, SQUARE, SQUARE, SQUARE, SQUARE, 3), "cross_entropy": (ARRAY, ROWS[:2]),
    "nll_loss": (ARRAY, ROWS[:2]), "rand_uniform": ((2, 3), 7), "bernoulli_mask": (0.5, (2, 3), 7), "dropout": (ARRAY,
    0.5, 7),
    "sgd_update": (ARRAY, ARRAY, 0.1), "momentum_update": (ARRAY, ARRAY, 0.9), "exponential_average": (ARRAY, ARRAY,
    0.9),
    "adam_update": (ARRAY, ARRAY, ARRAY, 0.1, 0.5, 0.5),
}  # fmt: skip
PUBLIC = sorted(name for name, function in vars(ops).items() if isfunction(function))


def as_inputs(builder, args):
    return [builder.input(arg.shape, arg.dtype) if isinstance(arg, np.ndarray)
            else as_inputs(builder, arg) if isinstance(arg, list) and isinstance(arg[0], np.ndarray) else arg
            for arg in args]  # fmt: skip


def test_every_public_function_has_a_call():
    assert sorted(CALLS) == PUBLIC


@pytest.mark.parametrize("name", PUBLIC)
def test_a_method_records_what_the_function_records(name):
    by_method, by_function = gp.GraphBuilder(), gp.GraphBuilder()
    result = getattr(by_method, name)(*as_inputs(by_method, CALLS[name]))
    arguments = as_inputs(by_function, CALLS[name])
    with by_function.recording():
        expected = getattr(gp, name)(*arguments)
    pieces, others = (x if isinstance(x, tuple) else (x,) for x in (result, expected))
    assert [x.id for x in pieces] == [x.id for x in others]
    graph = by_method.build(*pieces)
    assert graph == by_function.build(*others)
    graph.check_well_formed()
    assert getattr(gp.GraphBuilder, name).__doc__ == getattr(gp, name).__doc__


def test_streams_are_numbered():
    builder = gp.GraphBuilder((2,))
    (x,) = builder.args()
    builder.rand_uniform((2,), 7)
    builder.dropout(x, 0.5, 7)
    builder.dropout(x, 0.5, 7, 9)
    builder.dropout(x, 0.5, 7, stream=8)
    builder.bernoulli_mask(0.5, (2,), 7)
    gp.dropout(x, 0.5, 7)  # a function: the stream is the caller's
    builder.call(gp.dropout, x, 0.5, 7)
    streams = [node.attributes["stream"] for node in builder.nodes if "stream" in node.attributes]
    assert streams == [0, 1, 9, 8, 2, 0, 0]


# trace.


def test_trace_takes_nested_specs():
    def f(p, xs, n):
        return {"a": p["w"] @ xs[0] + p["b"][0], "k": [gp.gather_vec(xs[1], n)]}

    graph = gp.trace(f, {"w": (2, 3), "b": [(2,)]}, [(3,), V], SPEC((2,), "int32"))
    assert [graph.nodes[number].name for number in graph.inputs] == ["x0['w']", "x0['b'][0]", "x1[0]", "x1[1]", "x2"]
    assert len(graph.outputs) == 2
    graph.check_well_formed()
    a, k = graph(X, np.ones(2), V, V, [0, 2])
    np.testing.assert_array_equal(a, X @ V + 1)
    np.testing.assert_array_equal(k, V[[0, 2]])


@pytest.mark.parametrize(
    ("spec", "shape", "dtype"),
    [
        ((2, 3), (2, 3), "float64"), ((), (), "float64"), (3, (3,), "float64"), (SPEC((2,), "bool"), (2,), "bool"),
        (np.ones(2, np.float32), (2,), "float32"), (np.int16(3), (), "int16"), (SPEC((2,), np.float32), (2,),
        "float32"),
        (np.ones(2, ">f8"), (2,), "float64"),
    ],
)  # fmt: skip
def test_specs(spec, shape, dtype):
    node = gp.trace(lambda x: x, spec).nodes[0]
    assert (node.shape, node.dtype) == (shape, dtype)


@pytest.mark.parametrize(
    ("error", "f", "specs"),
    [
        (gp.ShapeError, gp.relu, [(-1,)]),
        (gp.DtypeError, gp.relu, ["ab"]),
        (gp.DtypeError, gp.relu, [None]),
        (gp.DtypeError, gp.relu, [np.ones(2, np.float16)]),
        (gp.DtypeError, gp.relu, [SPEC((2,), "int64")]),
        (gp.GraphError, lambda x: (), [(2,)]),
        (gp.GraphError, lambda x: bool(x), [(2,)]),
        (gp.GraphError, lambda x: np.exp(x), [(2,)]),
        (gp.GraphError, lambda x: gp.grad(lambda y: gp.sum(y))(x), [(2,)]),
        (gp.ShapeError, lambda x, y: x @ y, [(2,), (3,)]),
        (gp.GraphError, lambda x: gp.gather_vec(V, x, mode="raise"), [SPEC((2,), "int64")]),
        (ZeroDivisionError, lambda x: 1 / 0, [(2,)]),
    ],
)
def test_trace_raises(error, f, specs):
    with pytest.raises(error):
        gp.trace(f, *specs)


def test_random_ops_are_recorded_with_the_callers_stream():
    def f(x):
        return gp.dropout(x, 0.5, 3, 4) + gp.rand_uniform((3,), 5, 6, np.float64)

    graph = gp.trace(f, (3,))
    assert ops_of(graph) == ["input", "bernoulli_mask", "dropout", "rand_uniform", "add"]
    assert graph.nodes[1].attributes == {"keep_prob": 0.5, "shape": (3,), "seed": 3, "stream": 4, "dtype": "bool"}
    assert graph.nodes[3].attributes == {"shape": (3,), "seed": 5, "stream": 6, "dtype": "float64"}
    np.testing.assert_array_equal(graph(V), f(V))
    np.testing.assert_array_equal(graph(V), graph(V))
    np.testing.assert_array_equal(gp.vjp(graph, V)[1](np.ones(3))[0], gp.vjp(f, V)[1](np.ones(3))[0])


def test_random_ops_outside_are_not_recorded():
    builder = gp.GraphBuilder((2,))
    assert isinstance(gp.rand_uniform((2,), 0), np.ndarray)
    with builder.recording():
        assert isinstance(gp.rand_uniform((2,), 0), gp.Var)
    assert isinstance(gp.rand_uniform((2,), 0), np.ndarray)
    assert len(builder.nodes) == 2


def test_differentiating_inside_of_trace_is_plain():
    """What has no Var in it is computed, also by a transform, and is a constant."""
    graph = gp.trace(lambda x: x * gp.grad(lambda y: gp.sum(y * y))(V), (3,))
    assert ops_of(graph) == ["input", "const", "mul"]


def test_outputs_without_inputs():
    graph = gp.trace(lambda x: (2.0, V, gp.relu(V)), (2,))
    assert ops_of(graph) == ["input", "const", "const", "const"]
    graph.check_well_formed()


# JVPs exist.


def test_every_differentiable_op_has_a_jvp():
    assert gp.reverse_only_jvp_ops() == []
    kinds = {name: gp.jvp_availability(name) for name in gp.OPS}
    assert set(kinds.values()) == {"implemented", "not differentiable"}
    assert sorted(name for name in kinds if kinds[name] != "implemented") == [
        "bernoulli_mask",
        "detach",
        "rand_uniform",
    ]
    with pytest.raises(gp.GraphError, match="no such op"):
        gp.jvp_availability("exec")


# The tape of a graph.


@pytest.fixture
def compiled(graph):
    return gp.compile_tape(graph, [X, np.ones((3, 1))])


def test_ids_of_the_output(compiled):
    tape, context = compiled
    assert gp.out_id(tape) == gp.checked_out_id(tape) == 4
    assert [value.shape for value in context] == [(2, 3), (3, 1), (2, 1), (2, 1), ()]


def test_the_last_value_must_be_computed():
    tape, _ = gp.compile_tape(gp.trace(lambda x: x, ()), [1.0])
    assert gp.out_id(tape) == 0
    for call in (gp.checked_out_id, gp.backward_dense_all):
        with pytest.raises(gp.GraphError, match="computed by no op"):
            call(tape)
    assert gp.backward_dense_all(tape, 0) == [1.0]
    with pytest.raises(gp.GraphError):
        gp.checked_out_id(gp.CompiledTape())


def test_gradients_of_every_value(compiled):
    tape, context = compiled
    gradients = gp.backward_dense_all(tape)
    mask = (context[2] > 0).astype(float)
    for ours, expected in zip(gradients, (mask @ np.ones((1, 3)), X.T @ mask, mask, np.ones((2, 1)), 1.0), strict=True):
        np.testing.assert_array_equal(ours, expected)
    again = gp.backward_dense_all(tape, 4)
    gradients[0] += 1  # the caller's own
    np.testing.assert_array_equal(again[0], mask @ np.ones((1, 3)))


def test_gradients_of_an_earlier_value():
    graph = gp.trace(lambda x: gp.exp(gp.reduce_sum(x * x)), (2,))
    tape, _ = gp.compile_tape(graph, [[1.0, 2.0]])
    gradients = gp.backward_dense_all(tape, 2)
    np.testing.assert_array_equal(gradients[0], [2, 4])
    assert gradients[3] == 0


def test_constants_integers_and_detached_values_have_gradient_zero():
    def f(x, k):
        return gp.reduce_sum(gp.gather_vec(x, k) * np.ones(2) + gp.detach(gp.gather_vec(x, k)))

    graph = gp.trace(f, (3,), SPEC((2,), "int64"))
    tape, _ = gp.compile_tape(graph, [V, [0, 0]])
    gradients = gp.backward_dense_all(tape)
    by_op = {node.op: gradient for node, gradient in zip(graph.nodes, gradients, strict=True)}
    np.testing.assert_array_equal(gradients[0], [2, 0, 0])
    np.testing.assert_array_equal(by_op["const"], [0, 0])
    assert gradients[1].dtype == np.int64 and not gradients[1].any()


def test_requires_grad(graph):
    tape, _ = gp.compile_tape(graph, [X, np.ones((3, 1))], requires_grad=[False, True])
    gradients = gp.backward_dense_all(tape)
    assert not gradients[0].any() and gradients[1].any()
    with pytest.raises(gp.GraphError, match="requires_grad"):
        gp.compile_tape(graph, [X, np.ones((3, 1))], requires_grad=[True])
    with pytest.raises(gp.GraphError, match="takes no tangent"):
        gp.jvp_dense_all(tape, [X, None, None, None, None])


def test_seeds_at_several_values(compiled):
    tape, _ = compiled
    seeds = [np.ones((2, 3)), None, np.ones((2, 1)), None, 2]
    gradients = gp.backward_dense_from(tape, seeds)
    only = [gp.backward_dense_from(tape, [seed if k == j else None for k, seed in enumerate(seeds)]) for j in (0, 2, 4)]
    for number, gradient in enumerate(gradients):
        np.testing.assert_array_equal(gradient, sum(each[number] for each in only))
    assert not any(gradient.any() for gradient in gp.backward_dense_from(tape, [None] * 5))


def test_tangents_of_every_value(compiled):
    tape, context = compiled
    dx, dw = X + 1, np.ones((3, 1))
    tangents = gp.jvp_dense_all(tape, [dx, dw, None, None, None])
    np.testing.assert_array_equal(tangents[2], dx @ np.ones((3, 1)) + X @ dw)
    np.testing.assert_array_equal(tangents[3], tangents[2] * (context[2] > 0))
    assert not any(tangent.any() for tangent in gp.jvp_dense_all(tape, [None] * 5))
    tangents[0] += 1
    np.testing.assert_array_equal(dx, X + 1)


S, T = np.ones((2, 3)), np.ones((2, 1))


@pytest.mark.parametrize(
    ("error", "call"),
    [
        (gp.GraphError, lambda tape: gp.backward_dense_all(tape, 5)),
        (gp.GraphError, lambda tape: gp.backward_dense_all(tape, -1)),
        (gp.GraphError, lambda tape: gp.backward_dense_all(tape, True)),
        (gp.GraphError, lambda tape: gp.backward_dense_all(tape, 4.0)),
        (gp.GraphError, lambda tape: gp.backward_dense_all(tape, "4")),
        (gp.ShapeError, lambda tape: gp.backward_dense_all(tape, 3)),
        (gp.GraphError, lambda tape: gp.backward_dense_from(tape, [])),
        (gp.GraphError, lambda tape: gp.backward_dense_from(tape, [None] * 4)),
        (gp.GraphError, lambda tape: gp.backward_dense_from(tape, [None] * 6)),
        (gp.ShapeError, lambda tape: gp.backward_dense_from(tape, [T, None, None, None, None])),
        (gp.ShapeError, lambda tape: gp.backward_dense_from(tape, [None, None, None, None, [1.0]])),
        (gp.DtypeError, lambda tape: gp.backward_dense_from(tape, [S > 0, None, None, None, None])),
        (gp.DtypeError, lambda tape: gp.backward_dense_from(tape, ["x", None, None, None, None])),
        (gp.GraphError, lambda tape: gp.jvp_dense_all(tape, [])),
        (gp.GraphError, lambda tape: gp.jvp_dense_all(tape, [None] * 6)),
        (gp.GraphError, lambda tape: gp.jvp_dense_all(tape, [None, None, T, None, None])),
        (gp.ShapeError, lambda tape: gp.jvp_dense_all(tape, [T, None, None, None, None])),
        (gp.DtypeError, lambda tape: gp.jvp_dense_all(tape, [S > 0, None, None, None, None])),
    ],
)
def test_errors_of_the_tape(error, call, compiled):
    with pytest.raises(error):
        call(compiled[0])


def test_directions_for_what_is_no_float():
    graph = gp.trace(lambda x, k: gp.gather_vec(x, k) * np.ones(2), (3,), SPEC((2,), "int64"))
    tape, _ = gp.compile_tape(graph, [V, [0, 1]])
    nothing = [None] * len(graph.nodes)
    constant = ops_of(graph).index(CONST)
    for call in (gp.jvp_dense_all, gp.backward_dense_from):
        with pytest.raises(gp.GraphError, match="no float value"):
            call(tape, [None, np.ones(2), *nothing[2:]])
    with pytest.raises(gp.GraphError, match="takes no tangent"):
        gp.jvp_dense_all(tape, [np.ones(2) if k == constant else None for k in range(len(graph.nodes))])


def test_unfit_values_are_found_when_the_tape_is_made():
    graph = gp.trace(gp.cross_entropy, (2, 3), SPEC((2,), "int64"))
    with pytest.raises(gp.IndexRangeError):
        gp.compile_tape(graph, [X, [0, 3]])


@pytest.mark.parametrize("dtype", sorted(DTYPES))
def test_inputs_of_every_dtype(dtype):
    graph = gp.trace(lambda x: x, SPEC((2,), dtype))
    graph.check_well_formed()
    x = np.ones(2, dtype)
    assert graph(x).dtype == dtype
    tape, _ = gp.compile_tape(graph, [x])
    assert tape.differentiable == [dtype in ("float32", "float64")]


# Growth.


class counted:
    """Counts the calls of the rules of all ops, by kind."""

    def __init__(self, count):
        self.count, self.patch = count, pytest.MonkeyPatch()

    def __enter__(self):
        for kind in ("shape", "evaluate", "jvp", "vjp"):
            real = getattr(gp.Op, kind)

            def counting(op, *args, kind=kind, real=real, **kwargs):
                self.count[kind] += 1
                return real(op, *args, **kwargs)

            self.patch.setattr(gp.Op, kind, counting)

    def __exit__(self, *_):
        self.patch.undo()


NODES = 10_000


def test_a_graph_of_10000_nodes(tmp_path):
    """Each value is used twice: what is not linear in the nodes is 2 ** 5000."""

    def chain(x):
        for _ in range(NODES // 2):
            x = gp.scale(x + x, 0.5)
        return gp.reduce_sum(x)

    count = Counter()

    def used():
        result = dict(count)
        count.clear()
        return result

    with counted(count):
        graph = gp.trace(chain, (2,))
        size = len(graph.nodes)
        assert size == NODES + 2
        assert used() == {"shape": size - 1}
        graph.check_well_formed()
        assert used() == {"shape": 3}
        graph.save(tmp_path / "chain.json")
        assert gp.Graph.load(tmp_path / "chain.json") == graph
        assert used() == {"shape": 6}
        x = np.array([1.0, 2.0])
        assert graph(x) == 3.0
        assert used() == {"shape": size - 1, "evaluate": size - 1}
        tape, context = gp.compile_tape(graph, [x])
        assert used() == {"evaluate": size - 1}
        assert len(context) == size
        np.testing.assert_array_equal(gp.backward_dense_all(tape)[0], [1, 1])
        assert used() == {"vjp": size - 1}
        assert gp.jvp_dense_all(tape, [x, *[None] * (size - 1)])[-1] == 3.0
        assert used() == {"jvp": size - 1}
        np.testing.assert_array_equal(gp.grad(graph)(x), [1, 1])
        assert used() == {"shape": size - 1, "evaluate": size - 1, "vjp": size - 1}
    assert len(str(graph).splitlines()) == size + 1
    assert (tmp_path / "chain.json").stat().st_size < 200 * size


def test_unused_nodes_cost_nothing_in_reverse():
    def f(x):
        y = gp.reduce_sum(x)
        for _ in range(100):
            gp.exp(x)
        return y

    graph = gp.trace(f, (2,))
    tape, _ = gp.compile_tape(graph, [np.ones(2)])
    count = Counter()
    with counted(count):
        gp.backward_dense_all(tape, graph.outputs[0])
    assert count == {"vjp": 1}
