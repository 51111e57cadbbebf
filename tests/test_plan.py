"""gradproof.compile: plans compute what the functions compute, bit for bit, in memory of their own; when they are made
anew; what they refuse."""

import copy
import random
import threading
import tracemalloc
from typing import Any, NamedTuple
from unittest.mock import patch

import hypothesis.strategies as st
import numpy as np
import pytest
from graph_programs import programs
from hypothesis import HealthCheck, given, settings

import gradproof as gp
import gradproof_spec.link.ops  # noqa: F401  fills EXAMPLES
from gradproof import optimizers
from gradproof.plan import memory
from gradproof.plan.memory import Buffer
from gradproof.trees import leaves, map_leaves
from gradproof_spec.link.examples import EXAMPLES
from gradproof_spec.link.kernels import Run
from gradproof_spec.link.sampling import draw

SETTINGS = settings(max_examples=40, deadline=None, derandomize=True, database=None,
                    suppress_health_check=[HealthCheck.too_slow])  # fmt: skip


def numbers(seed, *shape, dtype=np.float64):
    return np.random.default_rng(seed).uniform(-2, 2, shape).astype(dtype)


def clone(tree):
    return map_leaves(lambda x: x.copy() if isinstance(x, np.ndarray) else x, tree)


def same(got, want):
    """Bitwise, but for the payload of a nan; NumPy's numbers are arrays in results of plans."""
    if isinstance(want, dict):
        assert list(got) == list(want)
        got, want = list(got.values()), list(want.values())
    if isinstance(want, (tuple, list)):
        assert type(got) is type(want) and len(got) == len(want)
        for a, b in zip(got, want, strict=True):
            same(a, b)
    elif isinstance(want, (np.ndarray, np.generic)):
        assert type(got) is np.ndarray and (got.dtype, got.shape) == (want.dtype, want.shape)
        np.testing.assert_array_equal(got, want)
        assert want.dtype.kind != "f" or np.array_equal(np.signbit(got), np.signbit(want)) or np.isnan(want).any()
    else:
        assert type(got) is type(want) and got == want


def arrays_in(tree):
    return [x for x in leaves(tree) if isinstance(x, np.ndarray)]


def apart(results, *others):
    """No two share memory."""
    found = arrays_in(results)
    for k, a in enumerate(found):
        assert not any(np.shares_memory(a, b) for b in (*found[:k], *arrays_in(others)))


# ---------------------------------------------------------------- every op
def example_of_each_op():
    found = {}
    for example in EXAMPLES:
        if example.shapes:
            found[example.op] = example  # the last: it has the most attributes
    return list(found.values())


@pytest.mark.parametrize("example", example_of_each_op(), ids=lambda example: example.op)
def test_each_op_forward_tangent_and_cotangents(example):
    run, rng, op = Run(example, "forward"), random.Random(example.name), gp.OPS[example.op]
    names = run.names()
    moving = [k for k, name in enumerate(names) if name in run.link.case.differentiable]

    def program(xs, g, dxs):
        def function(*moved):
            given = dict(enumerate(xs)) | dict(zip(moving, moved, strict=True))
            return op.call(tuple(given[k] for k in range(len(xs))), **example.attributes)

        primals = tuple(xs[k] for k in moving)
        if not moving:
            return function()
        out, pullback = gp.vjp(function, *primals)
        return out, pullback(g), gp.jvp(function, primals, tuple(dxs))

    for donate in ((), (0, 1, 2)):
        compiled = gp.compile(program, donate=donate)
        for _ in range(3):
            values = draw(run, rng, largest=3)
            arguments = (
                tuple(values[name] for name in names), values["g"], tuple(values["d" + names[k]] for k in moving)
            )  # fmt: skip
            given_away = clone(arguments)
            try:
                want = program(*clone(arguments))
            except gp.IndexRangeError as error:
                with pytest.raises(gp.IndexRangeError) as caught:
                    compiled(*given_away)
                assert str(caught.value) == str(error)
                continue
            results = compiled(*given_away)
            same(results, want)
            apart(results, () if donate else given_away)
        assert len(compiled.plans) <= 3


# ---------------------------------------------------------------- training
def loss(params, x, y):
    h = gp.tanh(gp.linear(x, params["w"], params["b"]))
    return gp.mse_loss(gp.linear(h, params["v"]), y)


def parameters(dtype=np.float64):
    return {
        "w": numbers(1, 5, 3, dtype=dtype), "b": numbers(2, 5, dtype=dtype), "v": numbers(3, 2, 5, dtype=dtype)
    }  # fmt: skip


STEPS = {
    "sgd": lambda p, g, s, rate: optimizers.sgd(p, g, s, learning_rate=rate),
    "weight decay": lambda p, g, s, rate: optimizers.sgd(p, g, s, learning_rate=rate, weight_decay=0.01),
    "momentum": lambda p, g, s, rate: optimizers.sgd(p, g, s, learning_rate=rate, momentum=0.9),
    "nesterov": lambda p, g, s, rate: optimizers.sgd(p, g, s, learning_rate=rate, momentum=0.9, nesterov=True),
    "adam": lambda p, g, s, rate: optimizers.adam(p, g, s, learning_rate=rate),
    "adamw": lambda p, g, s, rate: optimizers.adamw(p, g, s, learning_rate=rate, weight_decay=0.1),
}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("update", STEPS.values(), ids=STEPS)
def test_training_with_a_schedule_and_the_state_donated(update, dtype):
    def step(params, state, x, y, rate):
        value, gradients = gp.value_and_grad(loss)(params, x, y)
        return *update(params, gradients, state, rate), value

    compiled = gp.compile(step, donate=(0, 1))
    (params, state), (want, want_state) = (parameters(dtype), None), (parameters(dtype), None)
    for t in range(12):
        x, y, rate = numbers(10 + t, 7, 3, dtype=dtype), numbers(30 + t, 7, 2, dtype=dtype), 0.1 / (1 + t)
        want, want_state, value = step(want, want_state, x, y, rate)
        params, state, found = compiled(params, state, x, y, rate)
        same((params, state, found), (want, want_state, value))
        assert len(compiled.plans) <= 2  # the first step has no state
    assert state.step == 12


def test_a_parameter_without_a_gradient_stays():
    def step(params, state, gradient):
        return optimizers.sgd(params, {"w": gradient, "k": None}, state, learning_rate=0.5, momentum=0.5)

    compiled = gp.compile(step, donate=(0, 1))
    before = {"w": numbers(1, 3), "k": np.arange(3)}, optimizers.SGDState(1, {"w": numbers(2, 3), "k": None})
    for seed in (3, 4):
        same(compiled(*clone(before), numbers(seed, 3)), step(*clone(before), numbers(seed, 3)))


# ---------------------------------------------------------------- when a plan is made
A = numbers(1, 4)


class Named(NamedTuple):
    a: Any
    b: Any


@pytest.mark.parametrize(
    ("arguments", "made"),
    [
        ([(A, 1.0), (A + 1, 2.0), (A, -1.0), (A, 0.0)], 1),
        ([(A, 1), (A, 2), (A, 1.0)], 2),
        ([(A,), (A[:2].copy(),), (A.reshape(2, 2),), (A[:2] * 2,), (A + 1,)], 3),
        ([(A,), (A.astype(np.float32),), (A.astype(int),), (A,), (A > 0,), (A.astype(">f8"),)], 5),
        ([(np.float64(1),), (np.array(1.0),), (1.0,), (np.float64(2),), (np.float32(1),)], 4),
        ([([A, A],), ((A, A),), ([A],), (Named(A, A),), ((A, A),), ([A + 1, A],)], 4),
        ([({"a": A},), ({"b": A},), ({"a": A, "b": A},), ({"b": A, "a": A},), ({"a": A + 1},)], 4),
        ([({1: A},), ({(1, "x"): A},), ({1: A},), ({None: A},)], 3),
        ([(A, None), (A, True), (A, False), (A, "x"), (A, "y"), (A, True), (A, "x")], 5),
        ([(A,), (A, A), ()], 3),
    ],
    ids=["values", "int, float", "shapes", "dtypes", "numbers", "structures", "dicts", "keys", "static", "count"],
)
def test_a_plan_is_made_for_each_kind_of_arguments(arguments, made):
    traced = []

    def function(*given):
        traced.append(1)
        return given

    compiled = gp.compile(function)
    for call in arguments + arguments[::-1]:
        same(compiled(*call), call)
    assert len(compiled.plans) == made == len(traced)


def test_a_plan_is_made_for_each_way_of_a_branch():
    def function(x, n):
        y = x * 2 if x.sum() > 0 else x - 1
        return (y + n if 0 < n <= 1 else y), n > 2

    compiled = gp.compile(function, donate=0)
    calls = [(sign * abs(A), n) for n in (0.5, 2.0, 0.25, 3.0, 7.0, -1.0) for sign in (1, -1)]
    for x, n in calls + calls[::-1]:
        same(compiled(x.copy(), n), function(x, n))
    assert len(compiled.plans) == 6


def test_beyond_a_number_of_plans_the_function_runs_itself(monkeypatch):
    monkeypatch.setattr("gradproof.plan.MOST_PLANS", 3)
    compiled = gp.compile(lambda x: x * 2.0)
    for size in (*range(6), *range(6)):
        same(compiled(numbers(size, size)), numbers(size, size) * 2)
    assert len(compiled.plans) == 3


# ---------------------------------------------------------------- memory
RESULTS = {
    "inputs": lambda x, y: (x, y, x),
    "exchanged": lambda x, y: (y, x),
    "views": lambda x, y: (x.T, y[0], x[1:], y[0, 1], x.reshape(-1), x.T[::-1]),
    "constants": lambda x, y: (np.zeros_like(x), np.ones_like(x), np.zeros_like(x), np.arange(3.0), x * 1),
    "one value": lambda x, y: (lambda z: (z, z, z[1:], z.T, z[::-1][::-1], [z]))(x + y),
    "still needed": lambda x, y: (y * 2.0, x + y, x, np.exp(x), x - y),
    "of plan's": lambda x, y: (lambda z: (z.sum(), z.sum(0), z[0].copy(), z[0, 0]))(x * y),
    "nothing": lambda x, y: (None, 3, "a", {}, [], ()),
}


@pytest.mark.parametrize("donate", [(), (0,), (1,), (0, 1)], ids=str)
@pytest.mark.parametrize("size", [3, 40])
@pytest.mark.parametrize("function", RESULTS.values(), ids=RESULTS)
def test_results_are_the_callers_alone(function, size, donate):
    compiled = gp.compile(function, donate=donate)
    kept = []
    for seed in (1, 2, 3):
        given = [numbers(seed, size, size), numbers(-seed % 7, size, size)]
        want, before = clone(function(*clone(given))), clone(given)
        results = compiled(*given)
        same(results, want)
        others = [x for k, x in enumerate(given) if k not in donate]
        apart(results, others, [old for old, _ in kept])
        same(others, [x for k, x in enumerate(before) if k not in donate])
        for old, as_it_was in kept:
            same(old, as_it_was)
        kept.append((results, clone(results)))
    for results, _ in kept:
        for x in arrays_in(results):
            x[...] = 7
    x = numbers(5, size, size)
    same(compiled(x.copy(), x.copy()), function(x, x.copy()))


def test_donated_arrays_are_overwritten_and_handed_back():
    compiled = gp.compile(lambda w, g: w - 0.5 * g, donate=0)
    w, g = numbers(1, 50, 50), numbers(2, 50, 50)
    want = w - 0.5 * g
    result = compiled(w, g)
    assert result is w
    same(result, want)


def read_only(x):
    x.flags.writeable = False
    return x


@pytest.mark.parametrize(
    "arguments",
    [
        lambda x: (x[1:3], x[:2].copy()), lambda x: (x[:2], x[1:3]), lambda x: (x[0::2], x[1::2]),
        lambda x: (x[:2], x[:2]), lambda x: (lambda y: (y, y))(x[:2].copy()), lambda x: (x[:2].T, x[2:].T.copy()),
        lambda x: (lambda y: (y, y[:]))(x[:2].copy()), lambda x: (read_only(x[:2].copy()), x[:2].copy()),
        lambda x: (np.broadcast_to(x[0], (2, 4)), x[:2].copy()), lambda x: (np.asfortranarray(x[:2]), x[:2].copy()),
    ],
)  # fmt: skip
@pytest.mark.parametrize("donate", [(0,), (0, 1), (1,)], ids=str)
def test_what_cannot_be_overwritten_is_copied(arguments, donate):
    compiled = gp.compile(lambda x, y: (x * 2 + y, x - y), donate=donate)
    for seed in (1, 2):
        memory = numbers(seed, 4, 4)
        x, y = arguments(memory)
        before, want = memory.copy(), (x * 2 + y, x - y)
        same(compiled(x, y), want)
        same(memory, before)


def test_an_error_on_the_way_leaves_the_donated_arrays_as_they_are():
    def function(w, x, labels):
        doubled = w * 2.0
        return doubled, gp.gather_vec(x, labels).sum() + np.take(x, labels).sum() + doubled.sum()

    compiled = gp.compile(function, donate=0)
    w, x = numbers(1, 40, 40), numbers(2, 5)
    for labels in (np.array([0, 4]), np.array([1, 2])):
        same(compiled(w.copy(), x, labels), function(w, x, labels))
    given_away = w.copy()
    with pytest.raises(IndexError, match="out of bounds"):
        compiled(given_away, x, np.array([0, 9]))
    same(given_away, w)
    assert len(compiled.plans) == 1


@pytest.mark.parametrize(
    ("x", "y"),
    [
        (numbers(1, 4, 3).T, numbers(2, 3, 4)), (numbers(1, 6, 8)[::2, ::2], numbers(2, 3, 4)[::-1]),
        (np.asfortranarray(numbers(1, 3, 4)), numbers(2, 4)), (numbers(1, 3, 1), numbers(2, 1, 4)),
        (np.broadcast_to(numbers(1, 4), (3, 4)), numbers(2, 3, 4)),
        (np.array(2.0), np.array(3.0)), (np.zeros((0, 3)), np.zeros((1, 3))),
        (np.zeros((2, 0)), np.array(1.0)), (numbers(1, 3, 4).astype(">f4"), numbers(2, 3, 4)),
    ],
)  # fmt: skip
@pytest.mark.parametrize("donate", [(), (0, 1)], ids=str)
def test_layouts_and_sizes(x, y, donate):
    """Without sums: those of what lies otherwise in memory are rounded otherwise."""

    def function(x, y):
        z = x * y + x
        return z, np.exp(z) * 2, z.T, np.where(z > 0, z, 0), np.maximum(x, y), np.concatenate([z, z]) if z.ndim else z

    compiled = gp.compile(function, donate=donate)
    for _ in range(3):
        want = function(x, y)
        same(compiled(x.copy(order="K"), y.copy(order="K")), want)
        if not donate:
            same(compiled(x, y), want)
    assert len(compiled.plans) == 1


def test_a_step_allocates_nothing_large():
    rng = np.random.default_rng(0)
    params = {"w0": rng.normal(size=(256, 256)) * 0.1, "w1": rng.normal(size=(10, 256)) * 0.1}

    def step(params, state, x, labels, rate):
        def objective(params):
            return gp.cross_entropy(gp.linear(gp.relu(gp.linear(x, params["w0"])), params["w1"]), labels)

        value, gradients = gp.value_and_grad(objective)(params)
        return *optimizers.sgd(params, gradients, state, learning_rate=rate, momentum=0.9), value

    compiled = gp.compile(step, donate=(0, 1))
    x, labels, state = rng.normal(size=(128, 256)), rng.integers(0, 10, 128), None
    for _ in range(3):
        params, state, _ = compiled(params, state, x, labels, 0.1)
    tracemalloc.start()
    try:
        params, state, _ = compiled(params, state, x, labels, 0.1)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 100_000  # NumPy's own buffer for casts has 65,536; one of the hidden arrays would have 262,144


# ---------------------------------------------------------------- errors
def test_labels_out_of_range_raise_at_every_call():
    def function(x, labels):
        return gp.value_and_grad(lambda x: gp.cross_entropy(x, labels))(x)

    x = numbers(1, 3, 4)
    bad, good = np.array([0, 1, 9]), np.array([0, 1, 3])
    with pytest.raises(gp.IndexRangeError) as plain:
        function(x, bad)
    compiled = gp.compile(function)
    for labels in (bad, good, bad, good):
        if labels is bad:
            with pytest.raises(gp.IndexRangeError) as caught:
                compiled(x, labels)
            assert str(caught.value) == str(plain.value)
        else:
            same(compiled(x, labels), function(x, labels))
    assert len(compiled.plans) == 1


def test_what_the_function_raises_is_raised():
    def function(x, n):
        if n > 1:
            raise KeyError("its own")
        return x + n

    compiled = gp.compile(function)
    for n in (2, 1, 2, 0):
        if n > 1:
            with pytest.raises(KeyError, match="its own"):
                compiled(A, n)
        else:
            same(compiled(A, n), A + n)


@pytest.mark.parametrize("donate", [-1, True, 1.5, "a", [0], (0, "x"), None, (0, -1)])
def test_donate_must_be_positions(donate):
    with pytest.raises(gp.DtypeError, match="donate"):
        gp.compile(lambda x: x, donate=donate)


def test_donate_must_name_arguments():
    with pytest.raises(gp.DomainError, match=r"donate names no argument: donate = \(3,\), given = 1"):
        gp.compile(lambda x: x, donate=3)(A)


def test_only_functions_are_compiled():
    with pytest.raises(gp.GraphError, match="cannot be called"):
        gp.compile(3)


# ---------------------------------------------------------------- compiled functions inside others
def test_a_compiled_function_is_differentiated_compiled_and_traced():
    def f(x, c):
        return gp.reduce_sum(gp.mul(gp.exp(x), gp.add(x, c)))

    compiled = gp.compile(f, donate=0)
    twice = gp.compile(lambda x, c: (*gp.value_and_grad(compiled)(x, c), compiled(x, c) * 2))
    for x in (A, A + 1):
        kept = x.copy()
        for _ in range(2):
            same(gp.grad(compiled)(x, 2.0), gp.grad(f)(x, 2.0))
            same(gp.jvp(lambda x: compiled(x, 2.0), (x,), (x,)), gp.jvp(lambda x: f(x, 2.0), (x,), (x,)))
            same(twice(x, 2.0), (*gp.value_and_grad(f)(x, 2.0), f(x, 2.0) * 2))
            same(compiled(x.copy(), 2.0), f(x, 2.0))
        same(x, kept)
    assert len(compiled.plans) == 1 == len(twice.plans)
    assert gp.trace(lambda x: compiled(x, 2.0), (4,)) == gp.trace(lambda x: f(x, 2.0), (4,))


def test_a_graph_builder_takes_a_compiled_function():
    compiled = gp.compile(lambda x: gp.add(gp.exp(x), x))
    compiled(A)
    same(gp.trace(compiled, (4,))(A), compiled(A))
    session = gp.Session()
    same(session.value(session.call(compiled, session.input(A))), compiled(A))


def test_recursion():
    def power(x, n):
        return x if n == 0 else compiled(x * x, n - 1) + x

    def plain(x, n):
        return x if n == 0 else plain(x * x, n - 1) + x

    compiled = gp.compile(power)
    for n in (3, 0, 2, 3):
        same(compiled(A, n), plain(A, n))


def test_threads():
    def function(x, n):
        y = np.exp(x * n) - x
        return y, y.sum() if y[0] > 0.5 else y.max()

    compiled, wrong = gp.compile(function), []
    barrier = threading.Barrier(4)

    def work(seed):
        barrier.wait()
        for k in range(40):
            x = numbers(seed + k, 3 + (seed + k) % 4, 200)[:, k % 7]
            try:
                same(compiled(np.tile(x, 300), 0.5), function(np.tile(x, 300), 0.5))
            except Exception as error:
                wrong.append(error)

    workers = [threading.Thread(target=work, args=(1000 * k,)) for k in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert wrong == []


@pytest.mark.parametrize("copy", [
    np.copy, lambda x: x.copy(), lambda x: np.copy(x, "C"), lambda x: np.copy(x, order="F"), lambda x: x.astype("f4"),
    np.zeros_like, lambda x: np.empty_like(x, shape=(3, 4, 5)) * 0, lambda x: x * 2.0, lambda x: x.copy("K"),
    lambda x: np.where(x > 0, x, 0.0), lambda x: np.maximum(x, x[::-1]), lambda x: gp.relu(x), lambda x: gp.silu(x),
])  # fmt: skip
def test_the_order_in_memory_is_that_without_a_plan(copy):
    """Seen from inside: what the plan hands out is laid out as it likes."""
    seen = []

    def function(x):
        y = copy(x.transpose(2, 0, 1))
        seen.append(tuple(s // y.itemsize for s in y.strides))
        return y + 0.0

    x = numbers(3, 5, 4, 3)
    function(x)
    gp.compile(function)(x)
    assert seen[0] == seen[1]


def test_a_number_beside_a_large_array_in_a_chain():
    x = numbers(1, 1100, 1000, dtype=np.float32)
    compiled = gp.compile(lambda x: gp.square(gp.relu(x)))
    same(compiled(x), gp.square(gp.relu(x)))
    assert "for block, front in" in compiled.plans[0].source


# ---------------------------------------------------------------- where buffers are
@SETTINGS
@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 12), st.integers(0, 12)), max_size=30), st.integers(1, 40))
def test_buffers_in_use_at_the_same_time_do_not_overlap(sizes_and_times, group):
    buffers = [Buffer(np.dtype(float), size, first, first + more) for size, first, more in sizes_and_times]
    with patch.object(memory, "GROUP", group):
        size = memory.fitted(buffers)
    for k, a in enumerate(buffers):
        assert 0 <= a.start <= a.start + a.size <= size
        for b in buffers[:k]:
            assert not a.meets(b) or a.start + a.size <= b.start or b.start + b.size <= a.start
        assert a.meets(a)
    at_once = [sum(b.size for b in buffers if b.first <= t <= b.last) for t in range(25)]
    assert group < len(buffers) or size <= 2 * max(at_once) + 16 * len(buffers)


def test_a_training_step_keeps_little_more_than_it_needs_at_once():
    """A convolution, its activation and their gradients: x, the windows of a row at a time, y, relu of y, g."""
    def step(w, x):
        return gp.value_and_grad(lambda w: gp.reduce_sum(gp.square(gp.relu(gp.conv(x, w, padding=1)))))(w)

    x, w = numbers(1, 16, 4, 20, 20, dtype=np.float32), numbers(2, 4, 4, 3, 3, dtype=np.float32)
    compiled = gp.compile(step)
    compiled(w, x)
    assert compiled.plans[0].nbytes <= 6 * x.nbytes  # im2col alone would be 9


# ---------------------------------------------------------------- the source
def test_the_source_is_what_runs():
    compiled = gp.compile(lambda x, n: np.exp(x * n) + 1.0, donate=0)
    compiled(A.copy(), 2.0)
    (plan,) = compiled.plans
    names = {}
    exec(plan.source, names)
    for part in ("co_code", "co_consts", "co_names", "co_varnames"):
        assert getattr(names["run"].__code__, part) == getattr(plan._run.__code__, part)
    assert plan.source.splitlines()[0] == "def run(a0, n0):"
    assert "exp(" in plan.source and "multiply(" in plan.source
    assert plan.nbytes <= A.nbytes
    assert repr(plan).startswith("<plan of ")


# ---------------------------------------------------------------- random programs
@SETTINGS
@given(programs(), st.booleans())
def test_random_graphs(program, donate):
    graph, inputs = program.graph, tuple(program.inputs)
    cotangents = [numbers(k, *graph.nodes[k].shape).astype(graph.nodes[k].dtype) for k in graph.outputs]
    g = tuple(cotangents) if len(cotangents) > 1 else cotangents[0]

    def both(inputs, g):
        out, pullback = gp.vjp(program, *inputs)
        return out, pullback(g)

    compiled = gp.compile(program, donate=tuple(range(len(inputs))) if donate else ())
    gradients = gp.compile(both, donate=(0, 1) if donate else ())
    values = graph.denote(*inputs)
    want = tuple(values[number] for number in graph.outputs)
    for _ in range(2):
        found = compiled(*clone(inputs))
        same(found if isinstance(found, tuple) else (found,), want)
        same(gradients(clone(inputs), clone(g)), both(inputs, g))


UNARY = (np.negative, np.tanh, np.square, np.abs, np.floor)
BINARY = (np.add, np.subtract, np.multiply, np.maximum, np.minimum)
VIEWS = (
    lambda x: x[1:], lambda x: x[:-1], lambda x: x[::-1], lambda x: x[::2], lambda x: x.reshape(-1), lambda x: x.T,
    lambda x: x[...], lambda x: x[:], lambda x: x[None], lambda x: x[-1:], lambda x: x.reshape(*x.shape, 1),
    lambda x: np.broadcast_to(x, (2, *x.shape)), lambda x: x.reshape(2, -1) if x.size % 2 == 0 else x,
)  # fmt: skip
WRITES = (
    lambda z, y: np.add(z, y, out=z), lambda z, y: np.multiply(z, 0.5, out=z), lambda z, y: z.__setitem__(..., y),
    lambda z, y: np.subtract(y, z, out=z), lambda z, y: z.__setitem__(0, z[-1]),
    lambda z, y: z.__setitem__(slice(1, None), z[:-1]),
)  # fmt: skip
SHAPES = ([(6,), (6,)], [(2, 3), (2, 3)], [(6,), (2, 3)], [(4,), (4,), (4,)], [(1, 4), (4,)], [(2, 2, 2), (8,)])


def numpy_program(seed, steps=14):
    """A function of arrays by NumPy: views of views, writes into them, values used again, any of them as results."""

    def function(*given):
        rng = random.Random(seed)
        pool = [(x, False) for x in given]  # and whether it may be written into
        for _ in range(steps):
            what, (x, made) = rng.randrange(13), rng.choice(pool)
            alike = [y for y, _ in pool if y.shape == x.shape]
            if what == 0:
                pool.append((rng.choice(UNARY)(x), True))
            elif what <= 2:
                y = rng.choice([rng.choice(alike), rng.choice([0.5, 2, 1, 1.0, 0, -0.0])])
                pool.append((rng.choice(BINARY)(*rng.choice([(x, y), (y, x)])), True))
            elif what <= 4 and 0 < x.ndim < 4 and 0 < x.size < 200:
                view = rng.choice(VIEWS)(x)
                pool.append((view, made and view.flags.writeable))
            elif what == 5:
                pool.append((x.copy(), True))
            elif what <= 8 and made and x.ndim and len(x):
                rng.choice(WRITES)(x, rng.choice([y for y, _ in pool if y.shape == x.shape or y.ndim == 0]))
            elif what == 9:
                pool.append((np.where(x > 0.1, x, rng.choice([x * 2, 0.0])), True))
            elif what == 10 and x.ndim:
                pool.append((x.sum(axis=0), x.ndim > 1))
            elif what == 11:
                pool.append((rng.choice([np.zeros_like, np.ones_like])(x), x.ndim > 0))
            elif what == 12 and x.ndim and x.size:
                pool += [(np.concatenate([x, x[:1]]), True), *((part, made) for part in np.split(x, [1]))]
                pool.append((rng.choice([x.flatten("F"), x.astype(np.float32)]), False))
        return tuple(rng.choice(pool)[0] for _ in range(rng.randrange(1, 5)))

    return function


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("start", range(0, 240, 40))
def test_random_numpy_programs(start, monkeypatch):
    for seed in range(start, start + 40):
        rng, function = random.Random(-seed), numpy_program(seed)
        shapes = rng.choice(SHAPES)
        donate = tuple(k for k in range(len(shapes)) if rng.random() < 0.5)
        monkeypatch.setattr("gradproof.plan.blocks.LEAST", 1 if seed % 3 else 10**6)
        monkeypatch.setattr("gradproof.plan.blocks.ELEMENTS", rng.choice([1, 2, 3, 5]))
        monkeypatch.setattr("gradproof.plan.memory.SMALL", 1 if seed % 2 else 256)
        monkeypatch.setattr("gradproof.plan.memory.FEW", 1 if seed % 2 else 4096)
        monkeypatch.setattr("gradproof.plan.source.FEW", 2 if seed % 2 else 4096)
        compiled, kept = gp.compile(function, donate=donate), []
        for t in range(3):
            given = [numbers([seed, t, k], *shape) for k, shape in enumerate(shapes)]
            if t == 2:
                given[0].flat[0], given[1].flat[-1] = np.nan, -0.0
            want, mine = function(*clone(given)), clone(given)
            results = compiled(*mine)
            same(results, want)
            others = [x for k, x in enumerate(mine) if k not in donate]
            apart(results, others, [old for old, _ in kept])
            same(others, [x for k, x in enumerate(given) if k not in donate])
            same([old for old, _ in kept], [as_it_was for _, as_it_was in kept])
            kept.append((results, copy.deepcopy(results)))
