"""The IR: every kind lowered is what it denotes, lowered programs are differentiable, every error names its node."""

import pickle
from dataclasses import replace
from fractions import Fraction

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

import gradproof as gp
from gradproof import ir
from gradproof.ir import BatchNorm2d, Const, Conv2d, IRError, IRNode, IRProgram, Linear
from gradproof_spec.symbolic.array import symbols
from gradproof_spec.symbolic.explorer import explore


def program(*rows):
    """Rows (kind, parents, shape, attributes); the ids are the places."""
    return IRProgram(tuple(IRNode(i, row[0], row[1], row[2], *row[3:]) for i, row in enumerate(rows)))


def one(kind, sources, shape, **attributes):
    """A program of inputs and one node of the kind."""
    inputs = [("input", (), source) for source in sources]
    return program(*inputs, (kind, tuple(range(len(sources))), shape, attributes))


def array(shape, seed=0):
    signs = (-1) ** np.arange(np.prod(shape)).reshape(shape)
    return np.random.default_rng([seed, *shape]).uniform(0.5, 1.5, shape) * signs


def positive(shape, seed=0):
    return np.abs(array(shape, seed))


def conv(o, i, u, v, stride, padding):
    """The attributes and the payload of a conv2d node."""
    names = ("out_channels", "in_channels", "kernel_h", "kernel_w", "stride", "padding")
    entry = Conv2d(array((o, i, u, v)), array((o,)), stride, padding)
    return dict(zip(names, (o, i, u, v, stride, padding), strict=True)), entry


def convolved(source, shape, *sizes):
    attributes, entry = conv(*sizes)
    return one("conv2d", [source], shape, **attributes), {1: entry}


def norm(c, eps=1e-5):
    return BatchNorm2d(array((c,), 1), array((c,), 2), array((c,), 3), positive((c,), 4), eps)


def window(u, v, stride, padding=None):
    found = {"kernel_h": u, "kernel_w": v, "stride": stride}
    return found if padding is None else {**found, "padding": padding}


# (program, payload) by name; the part of the name before the colon is the kind.
CASES = {
    "input:vector": (program(("input", (), (3,))), {}),
    "input:two": (program(("input", (), ()), ("input", (), (2, 0))), {}),
    "const:scalar": (program(("const", (), ())), {0: Const(2.5)}),
    "const:shaped": (program(("const", (), (2, 3))), {0: Const(array((2, 3)))}),
    "const:flat": (program(("const", (), (2, 3))), {0: Const(array((6,)))}),
    "rand_uniform:seed": (program(("rand_uniform", (), (2, 3), {"seed": 7})), {}),
    "rand_uniform:stream": (program(("rand_uniform", (), (5,), {"seed": 7, "stream": 3})), {}),
    "bernoulli_mask:seed": (
        program(("const", (), ()), ("bernoulli_mask", (0,), (40,), {"seed": 1})), {0: Const(0.3)}
    ),
    "bernoulli_mask:stream": (
        program(("const", (), ()), ("bernoulli_mask", (0,), (4, 9), {"seed": 1, "stream": 0})), {0: Const([0.7])}
    ),
    "permute:rank3": (one("permute", [(2, 3, 4)], (4, 2, 3), perm=(2, 0, 1)), {}),
    "permute:rank4": (one("permute", [(2, 3, 4, 1)], (1, 3, 2, 4), perm=(3, 1, 0, 2)), {}),
    "permute:identity": (one("permute", [(2, 3)], (2, 3), perm=(0, 1)), {}),
    "permute:rank0": (one("permute", [()], (), perm=()), {}),
    "max_pool2d:square": (one("max_pool2d", [(2, 4, 5)], (2, 2, 2), **window(2, 2, 2)), {}),
    "max_pool2d:wide": (one("max_pool2d", [(1, 3, 4)], (1, 2, 2), **window(2, 3, 1)), {}),
    "max_pool2d:no-channel": (one("max_pool2d", [(0, 3, 4)], (0, 1, 1), **window(3, 3, 2)), {}),
    "max_pool2d_pad:padded": (one("max_pool2d_pad", [(2, 3, 4)], (2, 2, 3), **window(3, 2, 2, 1)), {}),
    "max_pool2d_pad:none": (one("max_pool2d_pad", [(1, 3, 3)], (1, 2, 2), **window(2, 2, 1, 0)), {}),
    "avg_pool2d:square": (one("avg_pool2d", [(2, 4, 5)], (2, 2, 2), **window(2, 2, 2)), {}),
    "avg_pool2d:wide": (one("avg_pool2d", [(1, 3, 4)], (1, 2, 2), **window(2, 3, 1)), {}),
    "avg_pool2d_pad:padded": (one("avg_pool2d_pad", [(2, 3, 4)], (2, 2, 3), **window(3, 2, 2, 1)), {}),
    "avg_pool2d_pad:corner": (one("avg_pool2d_pad", [(1, 1, 1)], (1, 2, 2), **window(2, 2, 1, 1)), {}),
    "broadcast_to:right": (one("broadcast_to", [(3,)], (3, 3), source=(3,), target=(3, 3)), {}),
    "broadcast_to:middle": (one("broadcast_to", [(2, 1)], (4, 2, 3), source=(2, 1), target=(4, 2, 3)), {}),
    "broadcast_to:scalar": (one("broadcast_to", [()], (2, 2), source=(), target=(2, 2)), {}),
    "reduce_sum:first": (one("reduce_sum", [(2, 3)], (3,), axis=0), {}),
    "reduce_sum:middle": (one("reduce_sum", [(2, 3, 4)], (2, 4), axis=1), {}),
    "reduce_sum:empty": (one("reduce_sum", [(2, 0)], (2,), axis=1), {}),
    "reduce_mean:first": (one("reduce_mean", [(2, 3)], (3,), axis=0), {}),
    "reduce_mean:last": (one("reduce_mean", [(2, 3, 4)], (2, 3), axis=2), {}),
    "sum:matrix": (one("sum", [(2, 3)], ()), {}),
    "sum:scalar": (one("sum", [()], ()), {}),
    "linear:vector": (one("linear", [(3,)], (2,)), {1: Linear(array((2, 3)), array((2,)))}),
    "linear:batch": (one("linear", [(4, 1, 3)], (4, 1, 2)), {1: Linear(array((2, 3)), array((2,)))}),
    "linear:no-input": (one("linear", [(0,)], (2,)), {1: Linear(np.zeros((2, 0)), array((2,)))}),
    "conv2d:plain": convolved((2, 4, 5), (3, 3, 3), 3, 2, 2, 3, 1, 0),
    "conv2d:padded": convolved((1, 4, 5), (2, 2, 3), 2, 1, 3, 3, 2, 1),
    "conv2d:all-padding": convolved((1, 1, 1), (1, 3, 3), 1, 1, 3, 3, 2, 3),
    "batch_norm2d_nchw_eval:images": (
        one("batch_norm2d_nchw_eval", [(2, 3, 2, 2)], (2, 3, 2, 2), channels=3), {1: norm(3)}
    ),
    "batch_norm2d_nchw_eval:eps": (
        one("batch_norm2d_nchw_eval", [(1, 1, 1, 4)], (1, 1, 1, 4), channels=1), {1: norm(1, np.float32(0.5))}
    ),
    "softmax:first": (one("softmax", [(3, 2)], (3, 2), axis=0), {}),
    "softmax:last": (one("softmax", [(2, 2, 3)], (2, 2, 3), axis=2), {}),
    "softmax:empty": (one("softmax", [(2, 0)], (2, 0), axis=1), {}),
    "layernorm:last": (one("layernorm", [(2, 5)], (2, 5), axis=1), {}),
    "layernorm:two": (one("layernorm", [(2, 3, 2)], (2, 3, 2), axis=1), {}),
    "layernorm:all": (one("layernorm", [(3,)], (3,), axis=0), {}),
    "reshape:split": (one("reshape", [(6,)], (2, 3), source=(6,), target=(2, 3)), {}),
    "reshape:same": (one("reshape", [(2, 3)], (2, 3), source=(2, 3), target=(2, 3)), {}),
    "flatten:matrix": (one("flatten", [(2, 3)], (6,), source=(2, 3)), {}),
    "flatten:scalar": (one("flatten", [()], (1,), source=()), {}),
    "swap_first_two:matrix": (one("swap_first_two", [(2, 3)], (3, 2)), {}),
    "swap_first_two:rank4": (one("swap_first_two", [(2, 3, 1, 4)], (3, 2, 1, 4)), {}),
    "transpose3d_last_two:a": (one("transpose3d_last_two", [(2, 3, 4)], (2, 4, 3)), {}),
    "transpose3d_last_two:b": (one("transpose3d_last_two", [(1, 1, 3)], (1, 3, 1)), {}),
    "matmul:matrices": (one("matmul", [(2, 3), (3, 4)], (2, 4)), {}),
    "matmul:stacks": (one("matmul", [(2, 1, 3), (2, 3, 2)], (2, 1, 2)), {}),
    "matmul:no-inner": (one("matmul", [(2, 0), (0, 2)], (2, 2)), {}),
    "mse_loss:matrices": (one("mse_loss", [(2, 3), (2, 3)], ()), {}),
    "mse_loss:scalars": (one("mse_loss", [(), ()], ()), {}),
    "concat:first": (one("concat", [(2, 3), (1, 3)], (3, 3), axis=0), {}),
    "concat:last": (one("concat", [(2, 1, 2), (2, 1, 0), (2, 1, 3)], (2, 1, 5), axis=2), {}),
    "concat:middle": (one("concat", [(2, 1, 2), (2, 3, 2)], (2, 4, 2), axis=1), {}),
}
UNARY = ("detach", "abs", "sqrt", "inv", "relu", "tanh", "sigmoid", "exp", "log", "sin", "cos")
BINARY = ("add", "sub", "mul_elem", "max_elem", "min_elem")
for kind in UNARY:
    CASES |= {f"{kind}:{n}": (one(kind, [shape], shape), {}) for n, shape in enumerate([(2, 3), (), (0, 2)])}
for kind in BINARY:
    CASES |= {f"{kind}:{n}": (one(kind, [shape] * 2, shape), {}) for n, shape in enumerate([(2, 3), (), (0, 2)])}


def inputs_of(prog, seed=0):
    """Positive for the kinds whose domain that is."""
    make = positive if {"log", "sqrt"} & {node.kind for node in prog.nodes} else array
    return [make(node.shape, seed + node.id) for node in prog.nodes if node.kind == "input"]


def test_every_kind_has_two_cases():
    for kind in ir.KINDS:
        assert sum(name.startswith(kind + ":") for name in CASES) >= 2, kind


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("case", CASES)
def test_lowered_is_denoted(case, dtype):
    prog, payload = CASES[case]
    inputs = [x.astype(dtype) for x in inputs_of(prog)]
    meaning = ir.denote(prog, payload, inputs, dtype)
    assert [value.shape for value in meaning] == [node.shape for node in prog.nodes]
    assert {value.dtype.name for value in meaning} == {dtype}
    for trainable in (False, True):
        lowered = ir.lower(prog, payload, dtype, trainable)
        lowered.graph.check_well_formed()
        values = lowered.graph.denote(*inputs, *lowered.parameters)
        tolerance = 1e-12 if dtype == "float64" else 2e-5
        for number, value in zip(lowered.ids, meaning, strict=True):
            np.testing.assert_allclose(values[number], value, rtol=tolerance, atol=tolerance)
        np.testing.assert_array_equal(lowered.graph(*inputs, *lowered.parameters), values[lowered.ids[-1]])


LEAVES = ("input", "const", "rand_uniform", "bernoulli_mask")
INNER = [case for case in CASES if case.split(":")[0] not in LEAVES]


@pytest.mark.parametrize("case", INNER)
def test_jvp_and_vjp_of_a_lowered_kind_are_adjoint(case):
    prog, payload = CASES[case]
    lowered = ir.lower(prog, payload, trainable=True)
    primals = (*inputs_of(prog), *lowered.parameters)
    tangents = tuple(array(x.shape, 7 + n) for n, x in enumerate(primals))
    _, dy = gp.jvp(lowered.graph, primals, tangents)
    y, pullback = gp.vjp(lowered.graph, *primals)
    g = array(y.shape, 5)
    right = sum(np.sum(gx * dx) for gx, dx in zip(pullback(g), tangents, strict=True))
    np.testing.assert_allclose(np.sum(dy * g), right, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("case", [case for case in INNER if not case.startswith("detach")])
def test_jvp_of_a_lowered_kind_is_the_difference_of_what_it_denotes(case):
    prog, payload = CASES[case]
    inputs, directions = inputs_of(prog), inputs_of(prog, 9)
    h = 1e-6
    ends = [[x + s * h * d for x, d in zip(inputs, directions, strict=True)] for s in (1, -1)]
    above, below = (ir.denote(prog, payload, end)[-1] for end in ends)
    _, dy = gp.jvp(ir.lower(prog, payload).graph, tuple(inputs), tuple(directions))
    np.testing.assert_allclose(dy, (above - below) / (2 * h), rtol=1e-6, atol=1e-6)


def test_detach_stops_the_gradient():
    graph = ir.lower(program(("input", (), (2,)), ("detach", (0,), (2,)), ("mul_elem", (0, 1), (2,))), {}).graph
    np.testing.assert_array_equal(gp.vjp(graph, np.array([3.0, 5.0]))[1](np.ones(2))[0], [3, 5])


# Values at which NumPy and IEEE decide.

BAD = np.array([-np.inf, -1.0, -0.0, 0.0, 5e-324, 800.0, -800.0, np.inf, np.nan])


@pytest.mark.parametrize("kind", UNARY)
def test_outside_the_domain_too(kind):
    prog = one(kind, [BAD.shape], BAD.shape)
    with np.errstate(all="ignore"):
        value = ir.lower(prog, {}).graph(BAD)
    np.testing.assert_allclose(value, ir.denote(prog, {}, [BAD])[-1], rtol=1e-12)


@pytest.mark.parametrize("kind", BINARY)
def test_outside_the_domain_too_of_two(kind):
    a, b = (part.ravel().copy() for part in np.meshgrid(BAD, BAD))
    prog = one(kind, [a.shape] * 2, a.shape)
    with np.errstate(all="ignore"):
        value = ir.lower(prog, {}).graph(a, b)
    np.testing.assert_allclose(value, ir.denote(prog, {}, [a, b])[-1], rtol=1e-12)


@pytest.mark.parametrize("axis", [0, 1])
def test_softmax_of_large_numbers(axis):
    prog, x = one("softmax", [(2, 2)], (2, 2), axis=axis), np.array([[1e4, 1e4], [1e4, -1e4]])
    value = ir.lower(prog, {}).graph(x)
    np.testing.assert_array_equal(value, ir.denote(prog, {}, [x])[-1])
    assert np.isfinite(value).all()


def test_the_meaning_of_broadcast_is_aligned_on_the_right():
    prog = one("broadcast_to", [(2,)], (2, 2), source=(2,), target=(2, 2))
    np.testing.assert_array_equal(ir.lower(prog, {}).graph([1.0, 2.0]), [[1, 2], [1, 2]])


def test_layernorm_in_numbers():
    prog = one("layernorm", [(2, 2)], (2, 2), axis=1)
    s = 1 / np.sqrt(1 + 1e-6)
    np.testing.assert_allclose(ir.lower(prog, {}).graph([[1.0, 3.0], [5.0, 3.0]]), [[-s, s], [s, -s]], rtol=1e-12)


def test_random_streams_are_node_ids_unless_said():
    rows = [("rand_uniform", (), (50,), {"seed": 4}), ("rand_uniform", (), (50,), {"seed": 4})]
    rows += [("rand_uniform", (), (50,), {"seed": 4, "stream": 0}), ("const", (), ())]
    rows += [("bernoulli_mask", (3,), (50,), {"seed": 4, "stream": 1})]
    values = ir.denote(program(*rows), {3: Const(0.5)}, [])
    np.testing.assert_array_equal(values[0], gp.rand_uniform((50,), 4, 0, "float64"))
    np.testing.assert_array_equal(values[1], gp.rand_uniform((50,), 4, 1, "float64"))
    np.testing.assert_array_equal(values[2], values[0])
    np.testing.assert_array_equal(values[4], values[1] < 0.5)


def test_a_mask_has_the_probability_in_the_program_s_dtype():
    """0.1 is no float32: the mask is that of the constant's value, in both."""
    prog = program(("const", (), ()), ("bernoulli_mask", (0,), (1,), {"seed": 0}))
    node = ir.lower(prog, {0: Const(0.1)}, "float32").graph.nodes[1]
    assert node.attributes["keep_prob"] == float(np.float32(0.1)) != 0.1


# Composed programs.


def network():
    """conv2d, batch norm, relu, max_pool2d, flatten, linear, softmax, log, and a loss against a second input."""
    image, batch = (2, 4, 4), (1, 2, 4, 4)
    attributes, entry = conv(2, 1, 3, 3, 1, 1)
    prog = program(
        ("input", (), (1, 4, 4)),
        ("conv2d", (0,), image, attributes),
        ("reshape", (1,), batch, {"source": image, "target": batch}),
        ("batch_norm2d_nchw_eval", (2,), batch, {"channels": 2}),
        ("relu", (3,), batch),
        ("reshape", (4,), image, {"source": batch, "target": image}),
        ("max_pool2d", (5,), (2, 2, 2), window(2, 2, 2)),
        ("flatten", (6,), (8,), {"source": (2, 2, 2)}),
        ("linear", (7,), (3,)),
        ("softmax", (8,), (3,), {"axis": 0}),
        ("log", (9,), (3,)),
        ("input", (), (3,)),
        ("mse_loss", (10, 11), ()),
    )
    return prog, {1: entry, 3: norm(2), 8: Linear(array((3, 8)), array((3,)))}


def test_inputs_come_first_then_the_parameters_by_name():
    prog, payload = network()
    lowered = ir.lower(prog, payload, trainable=True)
    names = [lowered.graph.nodes[number].name for number in lowered.graph.inputs]
    weights = ["1.weight", "1.bias", "3.gamma", "3.beta", "3.mean", "3.var", "8.weight", "8.bias"]
    assert names == ["x0", "x1", *weights]
    given = [payload[1].weight, payload[1].bias, payload[3].gamma, payload[3].beta, payload[3].mean, payload[3].var]
    for found, wanted in zip(lowered.parameters, [*given, payload[8].weight, payload[8].bias], strict=True):
        np.testing.assert_array_equal(found, wanted)
    assert ir.lower(prog, payload).parameters == () and len(ir.lower(prog, payload).graph.inputs) == 2


def test_gradients_of_a_network_with_respect_to_everything():
    prog, payload = network()
    lowered = ir.lower(prog, payload, trainable=True)
    inputs = inputs_of(prog)
    at = [*inputs, *lowered.parameters]
    value, gradients = gp.value_and_grad(lowered.graph, argnums=tuple(range(len(at))))(*at)
    np.testing.assert_allclose(value, ir.denote(prog, payload, inputs)[-1], rtol=1e-12)
    h = 1e-6
    for position, gradient in enumerate(gradients):
        for cell in np.ndindex(gradient.shape):
            ends = [lowered.graph(*moved(at, position, cell, s * h)) for s in (1, -1)]
            np.testing.assert_allclose(gradient[cell], (ends[0] - ends[1]) / (2 * h), rtol=1e-4, atol=1e-7)


def moved(arrays, position, cell, by):
    changed = arrays[position].copy()
    changed[cell] += by
    return [*arrays[:position], changed, *arrays[position + 1 :]]


def test_a_network_on_the_compiled_tape():
    prog, payload = network()
    lowered = ir.lower(prog, payload)
    inputs = inputs_of(prog)
    tape, context = gp.compile_tape(lowered.graph, inputs)
    meaning = ir.denote(prog, payload, inputs)
    for number, value in zip(lowered.ids, meaning, strict=True):
        np.testing.assert_allclose(context[number], value, rtol=1e-10, atol=1e-13)
    gradients = gp.backward_dense_all(tape, lowered.ids[-1])
    np.testing.assert_allclose(gradients[0], gp.grad(lowered.graph)(*inputs), rtol=1e-12)


def test_the_payload_is_copied():
    weight, bias = np.ones((1, 2)), np.zeros(1)
    prog = one("linear", [(2,)], (1,))
    plain, free = (ir.lower(prog, {1: Linear(weight, bias)}, trainable=t) for t in (False, True))
    weight[:] = 100.0
    assert plain.graph([1.0, 1.0]) == 2.0 and free.graph([1.0, 1.0], *free.parameters) == 2.0
    x = np.ones(3)
    ir.denote(one("detach", [(3,)], (3,)), {}, [x])[1][:] = 7.0
    np.testing.assert_array_equal(x, np.ones(3))


def test_repeated_parents_and_the_output_last():
    prog = program(("input", (), (2,)), ("mul_elem", (0, 0), (2,)), ("permute", (1,), (2,), {"perm": (0,)}))
    lowered = ir.lower(prog, {})
    assert lowered.ids == (0, 1, 1) and lowered.graph.outputs == (1,)
    np.testing.assert_array_equal(gp.vjp(lowered.graph, np.array([3.0, 4.0]))[1](np.ones(2))[0], [6, 8])


def test_permute_and_concat_are_lowered_to_adjacent_swaps():
    prog, payload = CASES["permute:rank3"]
    swaps = [node.attributes["axes"] for node in ir.lower(prog, payload).graph.nodes[1:]]
    assert swaps == [(0, 2, 1), (1, 0, 2)]
    prog, payload = CASES["concat:last"]
    made = [node.op for node in ir.lower(prog, payload).graph.nodes[3:]]
    assert made == ["transpose"] * 6 + ["concat"] + ["transpose"] * 2


@pytest.mark.parametrize("perm", [(), (0,), (1, 0), (2, 0, 1), (1, 2, 0), (3, 1, 0, 2)])
def test_swap_helpers(perm):
    shape = tuple(range(5, 5 + len(perm)))
    depths = ir.swap_depths_for_perm(perm)
    assert ir.swap_shape_by_swaps(shape, depths) == tuple(shape[axis] for axis in perm)


def test_swap_helpers_refuse():
    with pytest.raises(gp.DomainError):
        ir.swap_depths_for_perm((0, 0))
    for depth in (-1, 1):
        with pytest.raises(gp.ShapeError, match="no two such axes"):
            ir.swap_shape_by_swaps((2, 3), (depth,))


def test_infer_needs_no_declared_shapes():
    prog, payload = network()
    bare = IRProgram(tuple(node if node.kind == "input" else replace(node, shape=()) for node in prog.nodes))
    assert ir.infer(bare, payload) == tuple(node.shape for node in prog.nodes)
    with pytest.raises(IRError) as caught:
        ir.check_well_formed(bare, payload)
    assert caught.value.node == 1


# Denotations on symbols.

EXACT = (
    "add", "sub", "mul_elem", "inv", "relu", "abs", "sum", "linear", "matmul", "mse_loss", "avg_pool2d_pad", "conv2d",
    "concat", "permute", "reduce_mean", "max_pool2d_pad", "broadcast_to", "flatten", "max_elem", "transpose3d_last_two",
)  # fmt: skip


def fractions(x):
    return np.array([Fraction(c) for c in np.asarray(x).ravel()], dtype=object).reshape(np.shape(x))


@pytest.mark.parametrize("case", [case for case in CASES if case.split(":")[0] in EXACT and "empty" not in case])
def test_meanings_run_on_exact_numbers(case):
    prog, payload = CASES[case]
    inputs = inputs_of(prog)
    exact = {
        number: type(entry)(**{k: fractions(v) if k in entry.arrays else v for k, v in vars(entry).items()})
        for number, entry in payload.items()
    }
    values = ir.denote(prog, exact, [fractions(x) for x in inputs], dtype=object)
    for value, number in zip(values, ir.denote(prog, payload, inputs), strict=True):
        np.testing.assert_allclose(value.astype(float), number, rtol=1e-12, atol=1e-14)
    assert all(isinstance(cell, (Fraction, int)) for cell in values[-1].ravel())


def test_a_network_has_one_symbolic_meaning():
    """On the prover's symbols: no branch on values, so one path."""
    prog, payload = network()
    entry = {**payload, 1: Conv2d(symbols("w", (2, 1, 3, 3)), symbols("b", (2,)), 1, 1)}
    inputs = [symbols("x", (1, 4, 4)), symbols("t", (3,))]
    found = explore(lambda: ir.denote(prog, entry, inputs, dtype=object))
    assert len(found.paths) == 1 and found.paths[0].exception is None
    values = found.paths[0].result
    assert [value.shape for value in values] == [node.shape for node in prog.nodes]
    assert str(np.ndarray.__getitem__(values[1], (0, 0, 0))).count("w[") == 4


# Errors: (program, payload, node, a piece of the text).

X, V, IMAGE = ("input", (), (2, 3)), ("input", (), (3,)), ("input", (), (1, 4, 4))
DENSE = Linear(np.ones((2, 3)), np.ones(2))
CONV, KERNEL = conv(2, 1, 3, 3, 1, 0)
NORM = ("batch_norm2d_nchw_eval", (0,), (2, 3, 1, 1))
BATCH = ("input", (), (2, 3, 1, 1))
HUGE = 10**5000


def wrong(kind, sources, shape, payload=None, **attributes):
    return one(kind, sources, shape, **attributes), {} if payload is None else {len(sources): payload}, len(sources)


WRONG = {
    # structure
    "id": (IRProgram((IRNode(1, "input", (), ()),)), {}, 0, "its id is not its place"),
    "id-bool": (IRProgram((IRNode(False, "input", (), ()),)), {}, 0, "its id is not its place"),
    "id-negative": (IRProgram((IRNode(-1, "input", (), ()),)), {}, 0, "its id is not its place"),
    "id-huge": (IRProgram((IRNode(HUGE, "input", (), ()),)), {}, 0, "its id is not its place: id = <int>"),
    "node": (IRProgram((None,)), {}, 0, "it is no node: type = <class 'NoneType'>"),
    "kind": (program(X, ("gelu", (0,), (2, 3))), {}, 1, "there is no such kind: kind = 'gelu'"),
    "kind-none": (program((None, (), ())), {}, 0, "there is no such kind: kind = None"),
    "kind-list": (program(([], (), ())), {}, 0, "there is no such kind"),
    "parents-text": (program(X, ("relu", "0", (2, 3))), {}, 1, "parents must be a tuple of ids: parents = '0'"),
    "parents-bool": (program(X, ("relu", (False,), (2, 3))), {}, 1, "parents must be a tuple of ids"),
    "parent-later": (program(X, ("relu", (1,), (2, 3))), {}, 1, "a parent does not come before it: parent = 1"),
    "parent-negative": (program(X, ("relu", (-1,), (2, 3))), {}, 1, "a parent does not come before it"),
    "parent-huge": (program(X, ("relu", (HUGE,), (2, 3))), {}, 1, "a parent does not come before it"),
    "shape-list": (program(("input", (), [2])), {}, 0, "no array has this shape: shape = [2]"),
    "shape-negative": (program(("input", (), (-2,))), {}, 0, "no array has this shape"),
    "shape-bool": (program(("input", (), (True,))), {}, 0, "no array has this shape"),
    "shape-huge": (program(("input", (), (2**40, 2**40))), {}, 0, "no array has this shape"),
    "shape-digits": (program(("input", (), (HUGE,))), {}, 0, "no array has this shape: shape = <tuple>"),
    "shape-rank": (program(("input", (), (1,) * 65)), {}, 0, "no array has this shape"),
    "shape-none": (program(("const", (), None)), {0: Const(1.0)}, 0, "no array has this shape"),
    # attributes
    "attributes-none": (program(X, ("relu", (0,), (2, 3), None)), {}, 1, "attributes must be a mapping"),
    "attributes-names": (program(X, ("relu", (0,), (2, 3), {1: 2})), {}, 1, "attributes must be a mapping"),
    "attributes-unknown": (program(X, ("relu", (0,), (2, 3), {"axis": 0})), {}, 1, "unknown attributes"),
    "attributes-missing": (program(X, ("softmax", (0,), (2, 3))), {}, 1, "missing: attributes = ['axis']; it has"),
    "axis-text": (*wrong("softmax", [(2,)], (2,), axis="0"), "axis must be a natural number: axis = '0'"),
    "axis-bool": (*wrong("softmax", [(2,)], (2,), axis=True), "axis must be a natural number"),
    "axis-float": (*wrong("softmax", [(2,)], (2,), axis=0.0), "axis must be a natural number"),
    "axis-negative": (*wrong("softmax", [(2,)], (2,), axis=-1), "axis must be a natural number"),
    "axis-huge": (*wrong("softmax", [(2,)], (2,), axis=HUGE), "axis must be a natural number: axis = <int>"),
    "perm-list": (*wrong("permute", [(2,)], (2,), perm=[0]), "perm must be natural numbers"),
    "perm-none": (*wrong("permute", [(2,)], (2,), perm=(None,)), "perm must be natural numbers"),
    "target-int": (*wrong("reshape", [(2,)], (2,), source=(2,), target=2), "target must be natural numbers"),
    "seed": (*wrong("rand_uniform", [], (2,), seed=2**64), "seed must be a natural number"),
    "stream": (*wrong("rand_uniform", [], (2,), seed=0, stream=None), "stream must be a natural number"),
    # parents
    "input-parents": (program(X, ("input", (0,), (2, 3))), {}, 1, "wrong number of parents"),
    "relu-parents": (program(X, ("relu", (0, 0), (2, 3))), {}, 1, "wrong number of parents"),
    "add-parents": (program(X, ("add", (0,), (2, 3))), {}, 1, "wrong number of parents: parents = (0,); it takes 2"),
    "concat-parents": (program(X, ("concat", (0,), (2, 3), {"axis": 0})), {}, 1, "it takes 2 or more"),
    # payloads
    "const-missing": (program(("const", (), ())), {}, 0, "there is no payload"),
    "const-none": (program(("const", (), ())), {0: None}, 0, "wrong payload"),
    "const-shape": (program(("const", (), (2, 3))), {0: Const(np.ones((3, 2)))}, 0, "the payload does not fit"),
    "const-length": (program(("const", (), (2, 3))), {0: Const(np.ones(5))}, 0, "the payload does not fit"),
    "const-text": (program(("const", (), ())), {0: Const("1")}, 0, "value is no array of real numbers"),
    "const-complex": (program(("const", (), ())), {0: Const(1j)}, 0, "value is no array of real numbers"),
    "const-object": (program(("const", (), ())), {0: Const(None)}, 0, "value is no array of real numbers"),
    "const-ragged": (program(("const", (), (2,))), {0: Const([[1.0], [1.0, 2.0]])}, 0, "value is no array"),
    "const-huge": (program(("const", (), ())), {0: Const(HUGE)}, 0, "value is no array of real numbers"),
    "unused": (program(X, ("relu", (0,), (2, 3))), {1: DENSE}, 1, "a payload that is not used"),
    "unused-none": (program(X), {0: None}, 0, "a payload that is not used"),
    "linear-missing": (*wrong("linear", [(3,)], (2,)), "there is no payload"),
    "linear-other": (*wrong("linear", [(3,)], (2,), Const(1.0)), "Const'>; give it an ir.Linear"),
    "conv2d-missing": (*wrong("conv2d", [(1, 4, 4)], (2, 2, 2), **CONV), "there is no payload"),
    "batch-norm-missing": (program(BATCH, (*NORM, {"channels": 3})), {}, 1, "there is no payload"),
    "linear-input": (*wrong("linear", [(2,)], (2,), DENSE), "differ in I"),
    "linear-scalar": (*wrong("linear", [()], (2,), DENSE), "wrong rank"),
    "linear-weight": (*wrong("linear", [(3,)], (2,), Linear(np.ones(3), np.ones(2))), "wrong rank"),
    "linear-bias": (*wrong("linear", [(3,)], (2,), Linear(np.ones((2, 3)), np.ones(3))), "differ in O"),
    "linear-shape": (*wrong("linear", [(3,)], (3,), DENSE), "it declares another shape"),
    "conv2d-rank": (*wrong("conv2d", [(4, 4)], (2, 2, 2), KERNEL, **CONV), "the parent must be (I,H,W)"),
    "conv2d-batch": (*wrong("conv2d", [(1, 1, 4, 4)], (1, 2, 2, 2), KERNEL, **CONV), "the parent must be (I,H,W)"),
    "conv2d-input": (*wrong("conv2d", [(2, 4, 4)], (2, 2, 2), KERNEL, **CONV), "channels"),
    "conv2d-fits": (*wrong("conv2d", [(1, 2, 4)], (2, 0, 2), KERNEL, **CONV), "the kernel is larger than the padded"),
    "conv2d-bias": (
        *wrong("conv2d", [(1, 4, 4)], (2, 2, 2), Conv2d(KERNEL.weight, np.ones(3)), **CONV), "node 1 (conv2d): conv: "
    ),
    "conv2d-weight-rank": (
        *wrong("conv2d", [(1, 4, 4)], (2, 2, 2), Conv2d(np.ones((2, 1, 3)), np.ones(2)), **CONV),
        "the attributes are not those of the payload",
    ),
    "conv2d-stride-0": (
        *wrong("conv2d", [(1, 4, 4)], (2, 2, 2), Conv2d(KERNEL.weight, KERNEL.bias, 0), **CONV | {"stride": 0}),
        "stride must be at least 1",
    ),
    "conv2d-kernel-0": (
        *wrong("conv2d", [(1, 4, 4)], (2, 5, 2), Conv2d(np.ones((2, 1, 0, 3)), np.ones(2)), **CONV | {"kernel_h": 0}),
        "the kernel is empty",
    ),
    "conv2d-declared": (*wrong("conv2d", [(1, 4, 4)], (2, 2, 3), KERNEL, **CONV), "it declares another shape"),
    "batch-norm-rank": (
        *wrong("batch_norm2d_nchw_eval", [(3, 1, 1)], (3, 1, 1), norm(3), channels=3), "the parent must be (N,C,H,W)"
    ),
    "batch-norm-channels": (program(BATCH, (*NORM, {"channels": 2})), {1: norm(3)}, 1, "gamma does not fit"),
    "batch-norm-input": (program(BATCH, (*NORM, {"channels": 2})), {1: norm(2)}, 1, "differ in C"),
    "batch-norm-var": (
        program(BATCH, (*NORM, {"channels": 3})), {1: BatchNorm2d(*[np.ones(3)] * 3, np.ones(2))}, 1, "var does not fit"
    ),
    "batch-norm-eps-0": (program(BATCH, (*NORM, {"channels": 3})), {1: norm(3, 0.0)}, 1, "eps must be positive"),
    "batch-norm-eps-nan": (program(BATCH, (*NORM, {"channels": 3})), {1: norm(3, np.nan)}, 1, "eps must be positive"),
    "batch-norm-eps-text": (program(BATCH, (*NORM, {"channels": 3})), {1: norm(3, "1")}, 1, "eps must be a float"),
    "batch-norm-eps-huge": (program(BATCH, (*NORM, {"channels": 3})), {1: norm(3, HUGE)}, 1, "float: eps = <int>"),
    # random
    "mask-computed": (
        program(("input", (), ()), ("bernoulli_mask", (0,), (2,), {"seed": 0})), {}, 1, "make the parent a const"
    ),
    "mask-vector": (
        program(("const", (), (1,)), ("bernoulli_mask", (0,), (2,), {"seed": 0})), {0: Const([0.5])}, 1, "no scalar"
    ),
    "mask-probability": (
        program(("const", (), ()), ("bernoulli_mask", (0,), (2,), {"seed": 0})), {0: Const(1.5)}, 1, "no probability"
    ),
    "mask-nan": (
        program(("const", (), ()), ("bernoulli_mask", (0,), (2,), {"seed": 0})), {0: Const(np.nan)}, 1, "no probability"
    ),
    # shapes and axes
    "permute-twice": (*wrong("permute", [(2, 3)], (2, 2), perm=(0, 0)), "perm is no permutation of the axes"),
    "permute-rank": (*wrong("permute", [(2, 3)], (2,), perm=(0,)), "perm is no permutation of the axes"),
    "permute-axis": (*wrong("permute", [(2, 3)], (2, 3), perm=(0, 2)), "perm is no permutation of the axes"),
    "permute-declared": (*wrong("permute", [(2, 3)], (2, 3), perm=(1, 0)), "declared = (2, 3), value = (3, 2)"),
    "detach-declared": (*wrong("detach", [(2, 3)], (3, 2)), "it declares another shape"),
    "broadcast-left": (*wrong("broadcast_to", [(2,)], (2, 3), source=(2,), target=(2, 3)), "do not broadcast"),
    "broadcast-rank": (*wrong("broadcast_to", [(2, 3)], (3,), source=(2, 3), target=(3,)), "fewer axes"),
    "broadcast-source": (*wrong("broadcast_to", [(1,)], (3,), source=(3,), target=(3,)), "source is not the shape"),
    "broadcast-declared": (*wrong("broadcast_to", [(1,)], (2,), source=(1,), target=(3,)), "it declares another shape"),
    "reduce-sum-axis": (*wrong("reduce_sum", [(2, 3)], (2,), axis=2), "there is no such axis"),
    "reduce-sum-scalar": (*wrong("reduce_sum", [()], (), axis=0), "there is no such axis"),
    "reduce-mean-axis": (*wrong("reduce_mean", [(2, 3)], (2,), axis=2), "there is no such axis"),
    "reduce-mean-empty": (*wrong("reduce_mean", [(2, 0)], (2,), axis=1), "node 1 (reduce_mean): "),
    "reduce-declared": (*wrong("reduce_sum", [(2, 3)], (2,), axis=0), "it declares another shape"),
    "sum-declared": (*wrong("sum", [(2,)], (1,)), "declared = (1,), value = ()"),
    "mse-declared": (*wrong("mse_loss", [(2,), (2,)], (1,)), "declared = (1,), value = ()"),
    "mse-shapes": (*wrong("mse_loss", [(2, 1), (2,)], ()), "the parents differ in shape: a = (2, 1), b = (2,)"),
    "mse-empty": (*wrong("mse_loss", [(0,), (0,)], ()), "the mean of nothing"),
    "matmul-inner": (*wrong("matmul", [(2, 3), (2, 3)], (2, 3)), "differ in K"),
    "matmul-batch": (*wrong("matmul", [(2, 1, 3), (1, 3, 2)], (2, 1, 2)), "differ in B"),
    "matmul-vector": (*wrong("matmul", [(2, 3), (3,)], (2,)), "the ranks are not supported"),
    "matmul-mixed": (*wrong("matmul", [(1, 2, 3), (3, 2)], (1, 2, 2)), "the ranks are not supported"),
    "matmul-rank4": (*wrong("matmul", [(1, 1, 2, 3), (1, 1, 3, 2)], (1, 1, 2, 2)), "the ranks are not supported"),
    "matmul-declared": (*wrong("matmul", [(2, 3), (3, 4)], (4, 2)), "it declares another shape"),
    "softmax-axis": (*wrong("softmax", [(2, 3)], (2, 3), axis=2), "there is no such axis: axis = 2, rank = 2"),
    "softmax-scalar": (*wrong("softmax", [()], (), axis=0), "there is no such axis"),
    "layernorm-axis": (*wrong("layernorm", [(2, 3)], (2, 3), axis=2), "there is no such axis"),
    "layernorm-before": (*wrong("layernorm", [(0, 3)], (0, 3), axis=1), "there is nothing to normalize"),
    "layernorm-after": (*wrong("layernorm", [(2, 0)], (2, 0), axis=1), "there is nothing to normalize"),
    "reshape-size": (*wrong("reshape", [(2, 3)], (5,), source=(2, 3), target=(5,)), "the sizes differ"),
    "reshape-source": (*wrong("reshape", [(2, 3)], (6,), source=(3, 2), target=(6,)), "source is not the shape"),
    "reshape-declared": (*wrong("reshape", [(2, 3)], (3, 2), source=(2, 3), target=(6,)), "it declares another shape"),
    "flatten-source": (*wrong("flatten", [(2, 3)], (6,), source=(6,)), "source is not the shape of the parent"),
    "flatten-declared": (*wrong("flatten", [(2, 3)], (2, 3), source=(2, 3)), "it declares another shape"),
    "concat-rank": (*wrong("concat", [(2,), (2, 3)], (4,), axis=0), "the ranks do not fit"),
    "concat-scalars": (*wrong("concat", [(), ()], (2,), axis=0), "the ranks do not fit"),
    "concat-axis": (*wrong("concat", [(2,), (2,)], (4,), axis=1), "there is no such axis"),
    "concat-tail": (*wrong("concat", [(2, 3), (2, 4)], (4, 3), axis=0), "the shapes differ"),
    "concat-tail-moved": (*wrong("concat", [(2, 3), (3, 3)], (2, 6), axis=1), "the shapes differ"),
    "concat-declared": (*wrong("concat", [(2, 3), (1, 3)], (2, 3), axis=0), "it declares another shape"),
    "swap-rank": (*wrong("swap_first_two", [(2,)], (2,)), "the parent needs two axes"),
    "swap-declared": (*wrong("swap_first_two", [(2, 3)], (2, 3)), "it declares another shape"),
    "transpose3d-rank": (*wrong("transpose3d_last_two", [(2, 3)], (3, 2)), "the parent must be (A,B,C)"),
    "transpose3d-declared": (*wrong("transpose3d_last_two", [(1, 2, 3)], (1, 2, 3)), "it declares another shape"),
}
for kind in ("max_pool2d", "max_pool2d_pad", "avg_pool2d", "avg_pool2d_pad"):
    pad = {"padding": 0} if kind.endswith("pad") else {}
    for name, source, extra, text in [
        ("kernel-h", (1, 4, 4), window(0, 2, 1), "kernel must be at least 1"),
        ("kernel-w", (1, 4, 4), window(2, 0, 1), "kernel must be at least 1"),
        ("stride", (1, 4, 4), window(2, 2, 0), "stride must be at least 1"),
        ("fits", (1, 4, 4), window(2, 5, 1), "the kernel is larger than the padded input"),
        ("rank", (4, 4), window(2, 2, 2), "the parent must be (C,H,W)"),
        ("batch", (1, 1, 4, 4), window(2, 2, 2), "the parent must be (C,H,W)"),
        ("declared", (1, 4, 4), window(2, 2, 1), "it declares another shape"),
    ]:
        WRONG[f"{kind}-{name}"] = (*wrong(kind, [source], (1, 2, 2), **extra | pad), text)
    if pad:
        padded = wrong(kind, [(1, 4, 4)], (1, 4, 4), **window(2, 3, 1, 2))
        WRONG[f"{kind}-padding"] = (*padded, "a window could be all padding")
for name in ("in_channels", "out_channels", "kernel_h", "kernel_w"):
    WRONG[f"conv2d-{name}"] = (
        *wrong("conv2d", [(1, 4, 4)], (2, 2, 2), KERNEL, **CONV | {name: 4}),
        "the attributes are not those of the payload",
    )
for name, value in [("stride", 2), ("padding", 1), ("stride", True), ("padding", None)]:
    entry = Conv2d(KERNEL.weight, KERNEL.bias, **{"stride": 1, "padding": 0, name: value})
    WRONG[f"conv2d-{name}-{value}"] = (
        *wrong("conv2d", [(1, 4, 4)], (2, 2, 2), entry, **CONV), f"{name} is not that of the payload"
    )
for kind in BINARY:
    WRONG[f"{kind}-shapes"] = (*wrong(kind, [(2, 3), (3,)], (2, 3)), "the parents differ in shape")
for kind in UNARY:
    WRONG[f"{kind}-shape"] = (*wrong(kind, [(2, 3)], (3, 2)), "it declares another shape")


@pytest.mark.parametrize("case", WRONG)
def test_an_error_names_its_node(case):
    prog, payload, number, text = WRONG[case]
    inputs = [np.ones(node.shape) for node in prog.nodes[:number] if node.kind == "input"]
    for check in (
        lambda: ir.check_well_formed(prog, payload),
        lambda: ir.lower(prog, payload),
        lambda: ir.lower(prog, payload, "float32", trainable=True),
        lambda: ir.denote(prog, payload, inputs),
    ):
        with pytest.raises(IRError) as caught:
            check()
        assert caught.value.node == number
        assert text in str(caught.value)
        known = isinstance(prog.nodes[number], IRNode) and prog.nodes[number].kind in [*ir.KINDS]
        assert caught.value.kind == (prog.nodes[number].kind if known else "?")
        assert str(caught.value).startswith(f"node {number} ({caught.value.kind}): ")


def test_an_error_behind_a_good_part():
    prog = program(X, ("relu", (0,), (2, 3)), ("input", (), (3,)), ("add", (1, 2), (2, 3)))
    with pytest.raises(gp.NodeError, match=r"node 3 \(add\): the parents differ") as caught:
        ir.lower(prog, {})
    copy = pickle.loads(pickle.dumps(caught.value))
    assert (type(copy), copy.node, copy.kind, str(copy)) == (IRError, 3, "add", str(caught.value))


@pytest.mark.parametrize(
    ("prog", "payload", "text"),
    [
        (None, {}, "this is no program"),
        (IRProgram([]), {}, "this is no program"),
        (IRProgram(()), {}, "the program has no node"),
        (program(X), None, "the payload is no mapping"),
        (program(X), {1: DENSE}, "a payload belongs to no node: id = 1"),
        (program(X), {-1: DENSE}, "a payload belongs to no node"),
        (program(X), {"0": DENSE}, "a payload belongs to no node"),
        (program(X, ("linear", (0,), (2, 2))), {True: DENSE}, "a payload belongs to no node: id = True"),
        (program(X), {HUGE: DENSE}, "a payload belongs to no node: id = <int>"),
    ],
)
def test_errors_without_a_node(prog, payload, text):
    for check in (ir.check_well_formed, ir.infer, ir.lower, lambda p, q: ir.denote(p, q, [])):
        with pytest.raises(gp.GraphError, match=text) as caught:
            check(prog, payload)
        assert not isinstance(caught.value, IRError)


def test_errors_of_denote_and_dtypes():
    prog = program(X, ("relu", (0,), (2, 3)))
    x = np.ones((2, 3))
    for error, text, inputs, dtype in [
        (gp.GraphError, "wrong number of inputs", [], "float64"),
        (gp.GraphError, "wrong number of inputs", [x, x], "float64"),
        (gp.ShapeError, "another shape", [x.T], "float64"),
        (gp.ShapeError, "another shape", [x.T], object),
        (gp.DtypeError, "another dtype", [x], "float32"),
        (gp.DtypeError, "float32 or float64", [x], "float16"),
        (gp.DtypeError, "float32 or float64", [x], "int64"),
    ]:
        with pytest.raises(error, match=text):
            ir.denote(prog, {}, inputs, dtype)
    for dtype in ("float16", bool, object, "no dtype"):
        with pytest.raises(gp.DtypeError):
            ir.lower(prog, {}, dtype)


# Programs at random.

LONG = st.sampled_from([5000, 5001]).map(lambda digits: 10**digits)  # their repr raises
NUMBERS = st.one_of(st.integers(-2, 6), st.sampled_from([True, None, "1", 1.5, 2**63, 2**64, float("nan"), ()]), LONG)
EXTENTS = st.integers(0, 4)
SHAPES = st.one_of(
    st.lists(EXTENTS, max_size=4).map(tuple), st.lists(NUMBERS, max_size=3).map(tuple), st.lists(EXTENTS), NUMBERS
)
VALUES = st.one_of(NUMBERS, SHAPES)
NAMES = sorted({name for kind in ir.KINDS.values() for name in kind.attributes})
ARRAYS = st.one_of(
    st.lists(EXTENTS, max_size=4).map(lambda shape: np.ones(tuple(shape))),
    st.sampled_from([None, "1", 1j, [[1.0], []], np.ones(2, bool), np.array("a"), [None]]),
    NUMBERS,
)
ENTRIES = st.one_of(
    st.builds(Const, ARRAYS), st.builds(Linear, ARRAYS, ARRAYS), st.builds(Conv2d, ARRAYS, ARRAYS, NUMBERS, NUMBERS),
    st.builds(BatchNorm2d, ARRAYS, ARRAYS, ARRAYS, ARRAYS, NUMBERS), NUMBERS,
)  # fmt: skip


@st.composite
def garbage(draw):
    nodes = []
    for number in range(draw(st.integers(1, 4))):
        if draw(st.integers(0, 3)) == 0:
            nodes.append(IRNode(number, "input", (), draw(st.lists(EXTENTS, max_size=4).map(tuple))))
            continue
        name = draw(st.sampled_from(sorted(ir.KINDS)) if draw(st.integers(0, 9)) else NUMBERS)
        kind = ir.KINDS.get(name) if isinstance(name, str) else None
        parents, attributes = draw(VALUES), draw(st.dictionaries(st.one_of(st.sampled_from(NAMES), NUMBERS), VALUES))
        if kind is not None and draw(st.integers(0, 5)):
            earlier = st.integers(0, max(number - 1, 0))
            parents = tuple(draw(earlier) for _ in range(kind.parents))
            attributes = {key: draw(VALUES) for key in kind.attributes}
        at = draw(NUMBERS) if draw(st.integers(0, 9)) == 0 else number
        nodes.append(draw(st.sampled_from([None, "relu"])) if draw(st.integers(0, 19)) == 0 else
                     IRNode(at, name, parents, draw(SHAPES), attributes))  # fmt: skip
    payload = draw(st.dictionaries(st.one_of(st.integers(0, 3), st.sampled_from([True, "0", None]), LONG), ENTRIES))
    return IRProgram(tuple(nodes)), payload


@st.composite
def damaged(draw):
    """A good program with one or two fields replaced."""
    prog, payload = draw(st.sampled_from([*CASES.values(), network()]))
    nodes, payload = list(prog.nodes), dict(payload)
    for _ in range(draw(st.integers(1, 2))):
        number = draw(st.integers(0, len(nodes) - 1))
        node = nodes[number]
        name = draw(st.sampled_from(["kind", "parents", "shape", "attributes", "attributes", "payload", "payload"]))
        if name == "kind":
            nodes[number] = replace(node, kind=draw(st.sampled_from(sorted(ir.KINDS))))
        elif name == "attributes" and node.attributes:
            key = draw(st.sampled_from(sorted(node.attributes)))
            nodes[number] = replace(node, attributes={**node.attributes, key: draw(VALUES)})
        elif name == "payload" and number in payload:
            key = draw(st.sampled_from(sorted(vars(payload[number]))))
            payload[number] = replace(payload[number], **{key: draw(ARRAYS)})
        elif name == "parents":
            nodes[number] = replace(node, parents=tuple(draw(st.lists(st.integers(-1, number), max_size=3))))
        else:
            nodes[number] = replace(node, shape=draw(SHAPES))
    return IRProgram(tuple(nodes)), payload


def outcome(check, prog, payload):
    """None, or the error, which must be ours."""
    try:
        check(prog, payload)
    except gp.GradproofError as error:
        return type(error), str(error)
    return None


def agree(prog, payload):
    """Whether the program is well formed, in which case inferring and lowering find it so."""
    checked, inferred, lowered, trainable = (
        outcome(check, prog, payload)
        for check in (ir.check_well_formed, ir.infer, ir.lower, lambda p, q: ir.lower(p, q, trainable=True))
    )
    assert checked == lowered == trainable
    assert inferred is None or checked is not None
    outcome(lambda p, q: ir.lower(p, q, "float32"), prog, payload)
    return checked is None


FUZZ = settings(deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))


@settings(FUZZ, max_examples=150)
@given(garbage())
def test_garbage_raises_only_our_errors(case):
    prog, payload = case
    if not agree(prog, payload):
        with pytest.raises(gp.GradproofError):
            ir.denote(prog, payload, [])


@settings(FUZZ, max_examples=400)
@given(damaged())
def test_what_is_accepted_of_damaged_programs_is_denoted(case):
    prog, payload = case
    if not agree(prog, payload):
        with pytest.raises(gp.GradproofError):
            ir.denote(prog, payload, [])
    elif all(np.prod(node.shape) < 10**4 for node in prog.nodes):
        lowered, inputs = ir.lower(prog, payload), inputs_of(prog)
        lowered.graph.check_well_formed()
        with np.errstate(all="ignore"):
            values = lowered.graph.denote(*inputs)
        for number, value in zip(lowered.ids, ir.denote(prog, payload, inputs), strict=True):
            np.testing.assert_allclose(values[number], value, rtol=1e-7, atol=1e-9)


def grown(seed, length):
    """A well-formed program: nodes at random, of which those stay whose shape can be inferred."""
    rng = np.random.default_rng(seed)
    shapes = [(2, 3), (1, 4, 4), (3,), (2, 2, 3)]
    nodes = [IRNode(i, "input", (), shape) for i, shape in enumerate(shapes)] + [IRNode(4, "const", (), ())]
    payload = {4: Const(0.5)}
    kinds = [kind for kind in ir.KINDS if kind not in ("input", "const")]
    shapes.append(())
    for _ in range(60 * length):
        if len(nodes) == length:
            break
        number, name = len(nodes), str(rng.choice(kinds))
        parents = tuple(int(p) for p in rng.integers(0, number, ir.KINDS[name].parents))
        node, entry = candidate(rng, number, name, parents, [shapes[p] for p in parents])
        tried = IRProgram((*nodes, node))
        try:
            shape = ir.infer(tried, payload | entry)[-1]
        except IRError as error:
            assert error.node == number
            continue
        if np.prod(shape) > 200:
            continue
        nodes.append(IRNode(number, name, parents, shape, node.attributes))
        shapes.append(shape)
        payload |= entry
    return IRProgram(tuple(nodes)), payload


def candidate(rng, number, name, parents, sources):
    first = sources[0] if sources else ()
    sizes = {"kernel_h": 2, "kernel_w": 2, "stride": int(rng.integers(1, 3)), "padding": int(rng.integers(0, 2))}
    size = int(np.prod(first))
    choices = {
        **sizes, "seed": 3, "stream": 5, "axis": int(rng.integers(0, 3)),
        "perm": tuple(int(axis) for axis in rng.permutation(len(first))),
        "source": first, "target": (1, size) if name == "reshape" else (2, *first),
        "channels": first[1] if len(first) > 1 else 1, "in_channels": first[0] if first else 1, "out_channels": 2,
    }  # fmt: skip
    attributes = {key: choices[key] for key in ir.KINDS[name].attributes}
    entries = {
        "linear": Linear(array((2, first[-1] if first else 1)), array((2,))),
        "conv2d": Conv2d(array((2, choices["in_channels"], 2, 2)), array((2,)), sizes["stride"], sizes["padding"]),
        "batch_norm2d_nchw_eval": norm(choices["channels"]),
    }
    shape = (2, 3) if name in ("rand_uniform", "bernoulli_mask") else ()
    return IRNode(number, name, parents, shape, attributes), {number: entries[name]} if name in entries else {}


@pytest.mark.parametrize("seed", range(25))
def test_programs_at_random(seed):
    prog, payload = grown(seed, 20)
    assert len(prog.nodes) == 20
    ir.check_well_formed(prog, payload)
    inputs = inputs_of(prog, seed)
    lowered = ir.lower(prog, payload, trainable=True)
    lowered.graph.check_well_formed()
    with np.errstate(all="ignore"):
        values = lowered.graph.denote(*inputs, *lowered.parameters)
    for number, value in zip(lowered.ids, ir.denote(prog, payload, inputs), strict=True):
        np.testing.assert_allclose(values[number], value, rtol=1e-7, atol=1e-9)
