"""Session: what it records, when it computes, its gradients, and what it refuses."""
import importlib.util
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

import gradproof as gp
from gradproof import ops, session

EXAMPLE = Path(__file__).parent.parent / "examples" / "session_regression.py"
SPEC = importlib.util.spec_from_file_location("session_regression_here", EXAMPLE)
example = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(example)

X = np.array([[1.0, -2.0, 0.5], [3.0, 0.25, -1.0]])


@pytest.fixture
def s():
    return gp.Session()


@pytest.fixture
def runs(monkeypatch):
    """How often each op's forward rule has run."""
    counts = Counter()
    for name, op in gp.OPS.items():
        def counted(*args, rule=op.rules["forward"], name=name, **attributes):
            counts[name] += 1
            return rule(*args, **attributes)

        monkeypatch.setitem(op.rules, "forward", counted)
    return counts


def state(s):
    """All that a failing op must leave as it was."""
    recording = s._recording
    return (list(recording.nodes), dict(recording.payload), list(recording.inputs), list(recording.tape.nodes),
            list(recording.tape.differentiable), dict(recording.used), set(recording._constants))


def equal(ours, wanted):
    np.testing.assert_array_equal(ours, wanted, strict=True)


# Parameters and leaves


def test_a_parameter_has_an_array_of_its_own():
    init = np.array([1.0, 2.0])
    p = gp.Session().param(init, name="w")
    init[0] = 9
    equal(p.value, np.array([1.0, 2.0]))
    with pytest.raises(ValueError, match="read-only"):
        p.value[0] = 9
    new = np.array([3.0, 4.0])
    p.value = new
    new[0] = 9
    equal(p.value, np.array([3.0, 4.0]))
    assert (p.name, p.requires_grad) == ("w", True)
    assert repr(p) == "Parameter('w', shape=(2,), dtype=float64)"


@pytest.mark.parametrize(("value", "error", "text"), [
    (np.ones(3), gp.ShapeError, r"has = \(2,\), given = \(3,\)"),
    (1.0, gp.ShapeError, r"given = \(\)"),
    (np.ones(2, np.float32), gp.DtypeError, "expected = .*float64.*, given = .*float32"),
    (np.ones(2, np.int64), gp.DtypeError, "float32 or float64"),
    ("no", gp.DtypeError, "not an array"),
])
def test_assigning_checks_and_leaves_the_parameter(s, value, error, text):
    p = s.param([1.0, 2.0])
    with pytest.raises(error, match=text):
        p.value = value
    equal(p.value, np.array([1.0, 2.0]))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_numbers_and_lists_take_the_dtype_and_arrays_must_have_it(dtype):
    s = gp.Session(dtype)
    other = {"float32": "float64", "float64": "float32"}[dtype]
    assert s.param([1, 2]).value.dtype == dtype
    assert s.use(s.param(0.5)).dtype == dtype
    assert s.input([1, 2]).dtype == s.const(1).dtype == s.const([0.1]).dtype == dtype
    assert s.value(s.add(s.input([1.0]), 0.1)).dtype == dtype
    for method in (s.param, s.input, s.const):
        with pytest.raises(gp.DtypeError, match="another dtype"):
            method(np.ones(2, other))
    with pytest.raises(gp.DtypeError, match=r"parameter\.value has another dtype"):
        s.use(gp.Parameter(np.ones(2, other)))
    assert s.input(np.array([1], np.uint8)).dtype == np.uint8
    assert s.input(np.array(True)).dtype == s.const(np.array(True)).dtype == np.bool_


@pytest.mark.parametrize("dtype", ["float16", "int64", "text", object])
def test_a_session_is_of_float32_or_float64(dtype):
    with pytest.raises(gp.DtypeError, match="Session: dtype must be float32 or float64"):
        gp.Session(dtype)


@pytest.mark.parametrize(("call", "error", "text"), [
    (lambda s: s.param(np.ones(2, np.int64)), gp.DtypeError, "init must be float32 or float64"),
    (lambda s: s.param([[1.0], [1.0, 2.0]]), gp.ShapeError, "rows differ in length"),
    (lambda s: s.param(1.0, name=3), gp.DtypeError, "name must be text"),
    (lambda s: s.param(1.0, requires_grad=1), gp.DtypeError, "requires_grad must be True or False"),
    (lambda s: s.param(s.input(1.0)), gp.DtypeError, "init is a traced value"),
    (lambda s: s.input(s.input(1.0)), gp.DtypeError, "value is a traced value"),
    (lambda s: s.const(s.input(1.0)), gp.DtypeError, "value is a traced value"),
    (lambda s: s.input(1.0, name=3), gp.DtypeError, "name must be text"),
    (lambda s: s.input(1.0, requires_grad="yes"), gp.DtypeError, "requires_grad must be True or False"),
    (lambda s: s.input(np.array([1]), requires_grad=True), gp.DtypeError, "only floats have a gradient"),
    (lambda s: s.input(np.ma.masked_array([1], [True])), gp.DtypeError, "masked"),
    (lambda s: s.input(np.ones(1, np.float16)), gp.DtypeError, "float32 or float64"),
    (lambda s: s.use(np.ones(2)), gp.GraphError, "this is no Parameter"),
    (lambda s: s.matmul(s.param(X), X), gp.DtypeError, "Parameter"),
])
def test_unfit_leaves_are_refused_and_leave_nothing(s, call, error, text):
    with pytest.raises(error, match=text):
        call(s)
    assert all(node.op == "input" for node in s._recording.nodes)
    assert len(s._recording.nodes) <= 1  # the input that was passed on


def test_inputs_and_constants_are_copied(s):
    a, b = np.ones(2), np.ones(2)
    x, c = s.input(a), s.const(b)
    y = x + c + a
    a[:] = b[:] = 5
    equal(s.value(y), np.full(2, 3.0))


def test_a_parameter_used_twice_is_one_leaf_with_the_whole_gradient(s):
    p = s.param([1.0, 2.0])
    first = s.use(p)
    y = s.reduce_sum(first * first)
    second = s.use(p)
    assert first is second
    equal(s.backward_scalar(y + s.reduce_sum(second))[first], np.array([3.0, 5.0]))


def test_what_is_assigned_later_counts_from_the_next_recording_on(s):
    p = s.param(2.0)
    y = s.use(p) * 3.0
    p.value = 5.0
    equal(s.value(y), np.array(6.0))
    equal(s.value(s.use(p)), np.array(2.0))
    s.reset()
    equal(s.value(s.use(p) * 3.0), np.array(15.0))


def test_leaves_may_follow_ops_and_a_constant_may_come_first(s):
    c = s.const([2.0, 3.0])
    x = s.input([1.0, 1.0], requires_grad=True)
    y = c * x
    late = s.input([5.0, 7.0], requires_grad=True)
    gradients = s.backward_scalar(s.reduce_sum(y * late))
    equal(gradients[x], np.array([10.0, 21.0]))
    equal(gradients[late], np.array([2.0, 3.0]))
    equal(gradients[c], np.zeros(2))


# Ops


def test_every_op_is_a_method_and_hides_none_of_the_session():
    own = {name for name in vars(session.Session) if not name.startswith("__")} - set(vars(ops))
    assert {"param", "use", "input", "const", "value", "jvp", "grad", "reset", "freeze", "call"} <= own
    for name in gp.OPS:
        assert getattr(gp.Session, name).__doc__ == getattr(ops, name).__doc__


def test_methods_functions_and_operators_record_the_same():
    a, b, c = gp.Session(), gp.Session(), gp.Session()
    x, y, z = (t.input(X) for t in (a, b, c))
    a.sub(a.neg(a.add(a.mul(x, x), x)), a.matmul(x, np.eye(3)))
    gp.sub(gp.neg(gp.add(gp.mul(y, y), y)), gp.matmul(y, np.eye(3)))
    -(z * z + z) - z @ np.eye(3)
    assert a.freeze() == b.freeze() == c.freeze()


@pytest.mark.parametrize("fail", [
    lambda s, x: s.matmul(x, np.ones((5, 2))),
    lambda s, x: s.add(x, np.ones(7)),
    lambda s, x: s.relu("no"),
    lambda s, x: s.concat((x, np.ones((2, 9))), axis=0),
    lambda s, x: s.batch_norm(x, np.ones(4), np.ones(4)),
    lambda s, x: s.multi_head_attention(x, *(np.ones((3, 4)),) * 4, num_heads=3),
    lambda s, x: s.cross_entropy(x, np.ones(2)),
    lambda s, x: s.nonsense(x),
])
def test_a_failing_op_leaves_the_session_as_it_was(s, fail):
    x = s.input(X)
    s.value(x + 1.0)
    before = state(s)
    with pytest.raises((gp.GradproofError, AttributeError)):
        fail(s, x)
    assert state(s) == before


def test_a_failing_program_leaves_nothing_of_what_it_recorded_used_and_computed(s):
    x, p = s.input(X), s.param(2.0)
    before = state(s)

    def program(y):
        s.value(s.reduce_sum(y * s.use(p)))
        return s.matmul(y, y)

    with pytest.raises(gp.ShapeError):
        s.call(program, x)
    assert state(s) == before
    total = s.reduce_sum(x * s.use(p))
    equal(s.value(total), np.array(2 * X.sum()))
    equal(s.backward_scalar(total)[s.use(p)], np.array(X.sum()))


def test_random_methods_number_the_streams_and_a_reset_goes_on(s):
    def draw():
        return s.value(s.rand_uniform((3,), 7, dtype="float64"))

    numbers = [draw(), draw()]
    s.reset()
    numbers.append(draw())
    for stream, drawn in enumerate(numbers):
        equal(drawn, gp.rand_uniform((3,), 7, stream, np.float64))
    x = s.input(np.ones(50))
    equal(s.value(s.dropout(x, 0.5, 7)), gp.dropout(np.ones(50), 0.5, 7, 3))
    equal(s.value(s.dropout(x, 0.5, 7, stream=9)), gp.dropout(np.ones(50), 0.5, 7, 9))
    equal(s.value(s.dropout(x, 0.5, 7)), gp.dropout(np.ones(50), 0.5, 7, 4))


# Evaluation


def test_a_value_is_computed_when_it_is_needed_and_once(s, runs):
    x = s.input(X)
    a = s.exp(x)
    b, other = s.tanh(a), s.sin(a)
    assert not runs
    wanted = np.tanh(np.exp(X))
    np.testing.assert_array_equal(s.value(b), wanted)
    s.value(b)
    s.value(a)
    assert runs == {"exp": 1, "tanh": 1}
    s.backward_scalar(s.reduce_sum(b * b))
    assert runs == {"exp": 1, "tanh": 1, "mul": 1, "reduce_sum": 1}
    s.value(other)
    assert runs["sin"] == runs["exp"] == 1


def test_a_value_is_the_callers_own(s):
    x = s.input(X)
    for ref in (x, s.reshape(x, (6,)), s.const(X), x * 2.0):
        wanted = s.value(ref)
        s.value(ref)[...] = 99
        equal(s.value(ref), wanted)


def test_derivatives_evaluate_only_the_ancestors(s, runs):
    x = s.input(X, requires_grad=True)
    z, y = s.reduce_sum(s.exp(x)), s.reduce_sum(s.square(x))
    s.backward_scalar(y)
    s.jvp_leaf(y, x, X)
    assert runs == {"square": 1, "reduce_sum": 1}
    s.value(z)
    with pytest.MonkeyPatch.context() as patch:  # a value that exists and is no ancestor is not differentiated either
        patch.setitem(gp.OPS["exp"].rules, "jvp x", None)
        patch.setitem(gp.OPS["exp"].rules, "vjp x", None)
        assert s.jvp_scalar_leaf(y, x, X) == 2 * (X * X).sum()
        equal(s.backward_scalar(y)[x], 2 * X)


def test_what_the_ops_raise_for_unfit_values_comes_with_the_value_and_can_be_mended(s):
    logits, label = s.input(X, requires_grad=True), s.nat_vec([0, 3])
    loss = s.cross_entropy(logits, label)
    for attempt in (lambda: s.value(loss), lambda: s.backward_scalar(loss), lambda: s.jvp_leaf(loss, logits, X)):
        with pytest.raises(gp.IndexRangeError):
            attempt()
    s.set_nat_vec(label, [0, 2])
    equal(s.value(loss), gp.cross_entropy(X, np.array([0, 2])))


def chain(s, x, length):
    for _ in range(length):
        x = -x
    return x


def test_a_chain_of_ten_thousand_ops(s, runs):
    x = s.input([1.0, 2.0], requires_grad=True)
    y = chain(s, x, 10_000)
    equal(s.value(y), np.array([1.0, 2.0]))
    equal(s.backward(y, [3.0, 4.0])[x], np.array([3.0, 4.0]))
    equal(s.jvp_leaf(y, x, [5.0, 6.0]), np.array([5.0, 6.0]))
    assert runs == {"neg": 10_000}


def calls_made(work):
    """The calls of functions, Python's and NumPy's, within work()."""
    count = 0

    def profile(frame, event, argument):
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(profile)
    try:
        work()
    finally:
        sys.setprofile(None)
    return count


@pytest.mark.parametrize("each", [False, True], ids=["at-the-end", "after-each-op"])
def test_the_work_is_linear_in_the_length(each):
    def work(length):
        s = gp.Session()
        x = s.input(1.0, requires_grad=True)
        y = x
        for _ in range(length):
            y = chain(s, y, 1)
            if each:
                s.value(y)
        s.value(y)
        s.backward_scalar(y)
        s.jvp_leaf(y, x, 1.0)

    work(1)
    few, many = calls_made(lambda: work(500)), calls_made(lambda: work(2000))
    assert 3.5 * few < many < 4.1 * few


# Natural numbers


GATHERS = {
    "gather_scalar": (lambda s, x, n: s.gather_scalar(x, n), (4,), 2),
    "gather_row": (lambda s, x, n: s.gather_row(x, n), (4, 3), 2),
    "gather_vec": (lambda s, x, n: s.gather_vec(x, n), (4,), [2, 0, 2]),
    "gather_rows": (lambda s, x, n: s.gather_rows(x, n), (4, 3), [2, 0, 2]),
    "embedding-nat": (lambda s, x, n: s.embedding(n, x), (4, 3), 1),
    "embedding-vec": (lambda s, x, n: s.embedding(n, x), (4, 3), [1, 1, 3]),
    "function": (lambda s, x, n: gp.gather_rows(x, n), (4, 3), [2, 0, 2]),
}


@pytest.mark.parametrize("name", GATHERS)
def test_gathers_by_a_natural_number_have_a_jvp_and_a_vjp(s, name):
    gather, shape, where = GATHERS[name]
    values = np.arange(1.0, 1.0 + np.prod(shape)).reshape(shape)
    x = s.input(values, requires_grad=True)
    n = s.nat(where) if isinstance(where, int) else s.nat_vec(where)
    y = gather(s, x, n)
    equal(s.value(y), values[where])
    tangent = values**2
    equal(s.jvp_leaf(y, x, tangent), tangent[where])
    assert np.all(s.jvp_leaf(y, x, tangent) != 0)
    wanted = np.zeros(shape)
    np.add.at(wanted, where, 1.0)
    equal(s.backward(y, np.ones(y.shape))[x], wanted)
    equal(s.backward(y, np.ones(y.shape))[n], np.zeros(n.shape, np.int64))


@pytest.mark.parametrize("name", GATHERS)
def test_a_number_outside_the_axis_gives_zero_and_no_gradient(s, name):
    gather, shape, where = GATHERS[name]
    x = s.input(np.ones(shape), requires_grad=True)
    if isinstance(where, int):
        n = s.nat(where)
        y = gather(s, x, n)
        assert np.all(s.value(y) == 1)
        s.set_nat(n, 4)
    else:
        n = s.nat_vec(where)
        y = gather(s, x, n)
        assert np.all(s.value(y) == 1)
        s.set_nat_vec(n, [4, 7, 2**63 - 1])
    equal(s.value(y), np.zeros(y.shape))
    equal(s.jvp_leaf(y, x, np.ones(shape)), np.zeros(y.shape))
    equal(s.backward(y, np.ones(y.shape))[x], np.zeros(shape))


def test_scatters_and_labels_take_natural_numbers(s):
    x, v, row = s.input(np.zeros(3)), s.input([1.0, 2.0, 4.0]), s.input([1.0, 2.0])
    equal(s.value(s.scatter_add(x, v, s.nat_vec([1, 1, 5]))), np.array([0.0, 3.0, 0.0]))
    equal(s.value(s.scatter_add_vec(x, s.input(8.0), s.nat(2))), np.array([0.0, 0.0, 8.0]))
    equal(s.value(s.scatter_add_row(s.input(np.zeros((2, 2))), row, s.nat(1))), np.array([[0.0, 0.0], [1.0, 2.0]]))
    labels = s.nat_vec([2, 0])
    equal(s.value(s.cross_entropy(s.input(X), labels)), gp.cross_entropy(X, np.array([2, 0])))
    equal(s.value(s.nll_loss(s.input(X), labels)), gp.nll_loss(X, np.array([2, 0])))


def test_setting_a_number_drops_what_depends_on_it_and_nothing_else(s, runs):
    x, n = s.input([1.0, 2.0, 4.0], requires_grad=True), s.nat(0)
    before = s.exp(x)
    y = s.gather_scalar(before, n)
    z, beside, later = s.square(y), s.sin(x), s.tanh(s.gather_scalar(x, s.nat(1)))
    old = [s.value(ref) for ref in (z, beside, later)]
    gradients = s.backward_scalar(z)
    runs.clear()
    s.set_nat(n, 2)
    assert s.get_nat(n) == 2
    assert not runs
    assert s.value(z) == np.square(np.exp(4.0)) != old[0]
    equal(s.value(beside), old[1])
    equal(s.value(later), old[2])
    assert not runs.keys() & {"exp", "sin", "tanh"}
    assert runs["square"] == 1
    assert np.flatnonzero(gradients[x]).tolist() == [0]  # as it was computed
    assert np.flatnonzero(s.backward_scalar(z)[x]).tolist() == [2]


def test_natural_numbers_are_read_and_set(s):
    n, v, empty = s.nat(np.uint8(3)), s.nat_vec(np.array([1, 2], np.uint16)), s.nat_vec([])
    assert isinstance(n, gp.NatRef) and isinstance(v, gp.NatVecRef) and isinstance(n, gp.Var)
    assert (n.shape, v.shape, empty.shape) == ((), (2,), (0,))
    assert n.dtype == v.dtype == empty.dtype == np.int64
    assert s.get_nat(n) == 3
    s.get_nat_vec(v)[:] = 9
    equal(s.get_nat_vec(v), np.array([1, 2]))
    equal(s.value(s.gather_vec(s.input([1.0]), empty)), np.zeros(0))
    s.set_nat(n, 2**63 - 1)
    assert s.get_nat(n) == 2**63 - 1
    assert repr(n) == "NatRef(%0, shape=(), dtype=int64)"


@pytest.mark.parametrize(("call", "error", "text"), [
    (lambda s, n, v: s.nat(-1), gp.DomainError, "nat: value is no natural number of 64 bits: value = -1"),
    (lambda s, n, v: s.nat(2**63), gp.DomainError, "value = 9223372036854775808"),
    (lambda s, n, v: s.nat(1.0), gp.DtypeError, "value must be an integer"),
    (lambda s, n, v: s.nat(True), gp.DtypeError, "value must be an integer"),
    (lambda s, n, v: s.nat(n), gp.GradproofError, "NatRef"),
    (lambda s, n, v: s.nat_vec([0, -7]), gp.DomainError, r"values\[1\] = -7"),
    (lambda s, n, v: s.nat_vec(np.array([0.0])), gp.DtypeError, r"values\[0\] must be an integer"),
    (lambda s, n, v: s.nat_vec(np.array([[0]])), gp.DtypeError, r"values\[0\] must be an integer"),
    (lambda s, n, v: s.nat_vec(3), gp.DtypeError, "must be a list of integers"),
    (lambda s, n, v: s.nat_vec(np.array(3)), gp.DtypeError, "must be a list of integers"),
    (lambda s, n, v: s.set_nat(n, -2), gp.DomainError, "set_nat: .*value = -2"),
    (lambda s, n, v: s.set_nat_vec(v, [1, -2]), gp.DomainError, r"values\[1\] = -2"),
    (lambda s, n, v: s.set_nat_vec(v, [1]), gp.ShapeError, r"has = \(2,\), given = \(1,\)"),
    (lambda s, n, v: s.set_nat(v, 1), gp.GraphError, "set_nat: this is no NatRef"),
    (lambda s, n, v: s.set_nat_vec(n, [1]), gp.GraphError, "set_nat_vec: this is no NatVecRef"),
    (lambda s, n, v: s.get_nat(v), gp.GraphError, "get_nat: this is no NatRef"),
    (lambda s, n, v: s.get_nat_vec(s.input([1.0])), gp.GraphError, "get_nat_vec: this is no NatVecRef"),
    (lambda s, n, v: s.get_nat(gp.Session().nat(1)), gp.GraphError, "%0 belongs to another session"),
    (lambda s, n, v: s.set_nat(gp.Session().nat(1), 1), gp.GraphError, "%0 belongs to another session"),
    (lambda s, n, v: s.add(n, 1.0), gp.DtypeError, "must be float32 or float64"),
    (lambda s, n, v: s.gather_scalar(s.input([1.0]), v), gp.ShapeError, "wrong rank"),
])
def test_unfit_natural_numbers_are_refused(s, call, error, text):
    n, v = s.nat(5), s.nat_vec([6, 7])
    with pytest.raises(error, match=text):
        call(s, n, v)
    assert s.get_nat(n) == 5
    equal(s.get_nat_vec(v), np.array([6, 7]))


# Gradients and tangents


def program(s, x, w, n):
    return s.reduce_sum(s.gather_row(s.tanh(s.matmul(x, w)), n) * s.const([1.0, 2.0]))


def test_gradients_are_those_of_the_transforms(s):
    w = np.array([[0.5, -1.0], [2.0, 0.25], [-0.5, 1.5]])
    x_, w_ = s.input(X, requires_grad=True), s.use(s.param(w))
    n = s.nat(1)
    hidden = s.tanh(s.matmul(x_, w_))
    loss = s.reduce_sum(s.gather_row(hidden, n) * s.const([1.0, 2.0]))
    value, (gx, gw) = gp.value_and_grad(
        lambda x, w: gp.reduce_sum(gp.gather_row(gp.tanh(x @ w), np.array(1)) * np.array([1.0, 2.0])), (0, 1))(X, w)
    gradients = s.backward_scalar(loss)
    equal(s.value(loss), value)
    equal(gradients[x_], gx)
    equal(gradients[w_], gw)
    equal(s.grad(gradients, w_), gw)
    seed = np.array([[1.0, 2.0], [3.0, 4.0]])
    _, pullback = gp.vjp(lambda x, w: gp.tanh(x @ w), X, w)
    for ref, wanted in zip((x_, w_), pullback(seed), strict=True):
        equal(s.backward(hidden, seed)[ref], wanted)
    _, tangent = gp.jvp(lambda x, w: gp.tanh(x @ w), (X, w), (X * X, w * w))
    equal(s.jvp(hidden, {x_: X * X, w_: w * w}), tangent)
    assert s.jvp_scalar_leaf(loss, w_, w) == pytest.approx((gw * w).sum(), rel=1e-14)  # two orders of summation
    assert isinstance(s.jvp_scalar_leaf(loss, w_, w), float)


def test_gradients_of_inner_values_and_of_the_output_itself(s):
    x = s.input([1.0, 2.0], requires_grad=True)
    y = s.square(x)
    gradients = s.backward_scalar(loss := s.reduce_sum(y * 3.0))
    equal(gradients[y], np.array([3.0, 3.0]))
    equal(gradients[loss], np.array(1.0))
    equal(s.backward(x, [5.0, 6.0])[x], np.array([5.0, 6.0]))


def test_what_has_no_gradient_has_explicit_zeros(s):
    used, unused = s.use(s.param([1.0, 2.0])), s.use(s.param(np.ones((2, 3))))
    still, fixed = s.input([3.0, 4.0]), s.use(s.param([5.0, 6.0], requires_grad=False))
    constant, n, never = s.const([7.0, 8.0]), s.nat(1), s.exp(s.input(X, requires_grad=True))
    detached = s.detach(used)
    loss = s.reduce_sum(used * still * fixed * constant * detached) + s.gather_scalar(used, n)
    gradients = s.backward_scalar(loss)
    late = s.input([1.0])
    assert np.all(gradients[used] != 0)
    for ref in (unused, still, fixed, constant, never, late):
        equal(gradients[ref], np.zeros(ref.shape))
    equal(gradients[n], np.zeros((), np.int64))
    for ref in (still, fixed, constant):  # also where the seed is its own
        equal(s.backward(ref, [1.0, 1.0])[ref], np.zeros(2))


def test_dense_gradients_are_one_per_value_and_those_of_the_frozen_graph(s):
    w = s.use(s.param([[0.5, -1.0], [2.0, 0.25], [-0.5, 1.5]]))
    loss = program(s, s.input(X, requires_grad=True), w, s.nat(1))
    graph = s.freeze(loss)
    ours = s.backward_dense_all(loss)
    tape, context = gp.compile_tape(graph, s.leaf_values())
    theirs = gp.backward_dense_all(tape)
    assert len(ours) == len(theirs) == len(graph.nodes)
    for mine, wanted in zip(ours, theirs, strict=True):
        equal(mine, wanted)
    refs = [session.Ref(s._recording, k, node.shape, node.dtype) for k, node in enumerate(graph.nodes)]
    for ref, wanted in zip(refs, context, strict=True):
        equal(s.value(ref), wanted)


def test_gradients_and_tangents_are_the_callers_own(s):
    x = s.input([1.0, 2.0], requires_grad=True)
    seed = np.array([1.0, 1.0])
    y = x + s.const([0.0, 0.0])
    gradients = s.backward(y, seed)
    gradients[x][:] = 9
    seed[:] = 9
    equal(gradients[x], np.array([1.0, 1.0]))
    tangent = np.array([1.0, 1.0])
    s.jvp_leaf(y, x, tangent)[:] = 9
    s.jvp_leaf(x, x, tangent)[:] = 9
    equal(tangent, np.array([1.0, 1.0]))
    dense = s.backward_dense_all(s.reduce_sum(y))
    dense[0][:] = 9
    equal(dense[1], np.zeros(2))


def test_tangents_not_mentioned_are_zero(s):
    x, y = s.input(2.0, requires_grad=True), s.input(3.0, requires_grad=True)
    z = x * y
    assert s.jvp(z, {}) == 0
    assert s.jvp(z, {x: 1.0}) == 3
    assert s.jvp(z, {x: 1.0, y: 1.0}) == 5
    assert s.jvp_leaf(s.exp(y), x, 1.0) == 0
    equal(s.jvp(s.nat(3), {x: 1.0}), np.zeros((), np.int64))


def test_float32_gradients_and_tangents_are_float32():
    s = gp.Session("float32")
    x = s.input([1.0, 2.0], requires_grad=True)
    y = s.square(x)
    equal(s.backward(y, [1.0, 1.0])[x], np.array([2.0, 4.0], np.float32))
    equal(s.jvp_leaf(y, x, [1.0, 1.0]), np.array([2.0, 4.0], np.float32))


@pytest.mark.parametrize(("call", "error", "text"), [
    (lambda s, x, y: s.backward(y, np.ones(3)), gp.ShapeError, r"backward: seed has the wrong shape: .*\(3,\)"),
    (lambda s, x, y: s.backward(y, None), gp.GraphError, "seed is missing"),
    (lambda s, x, y: s.backward(y, y), gp.GraphError, "seed is a traced value"),
    (lambda s, x, y: s.backward(y, np.ones(2, np.int64)), gp.DtypeError, "seed must be float32 or float64"),
    (lambda s, x, y: s.backward(s.nat(1), 1.0), gp.GraphError, "no float value"),
    (lambda s, x, y: s.backward_scalar(y), gp.ShapeError, "backward_scalar: the output is no scalar"),
    (lambda s, x, y: s.backward_dense_all(y), gp.ShapeError, "the output is no scalar"),
    (lambda s, x, y: s.backward_scalar(s.nat(1)), gp.GraphError, "no float value"),
    (lambda s, x, y: s.backward_scalar(np.ones(())), gp.GraphError, "this is no Var"),
    (lambda s, x, y: s.value(np.ones(2)), gp.GraphError, "this is no Var"),
    (lambda s, x, y: s.value(gp.Session().input(1.0)), gp.GraphError, "%0 belongs to another session"),
    (lambda s, x, y: s.value(gp.GraphBuilder().input(())), gp.GraphError, "another session or builder"),
    (lambda s, x, y: s.relu(gp.Session().input(1.0)), gp.GraphError, "%0 belongs to another session"),
    (lambda s, x, y: gp.add(x, gp.Session().input([1.0, 2.0])), gp.GraphError, "Ref"),
    (lambda s, x, y: s.jvp(y, {y: np.ones(2)}), gp.GraphError, "%1 is no leaf"),
    (lambda s, x, y: s.jvp(y, {s.const(1.0): 1.0}), gp.GraphError, "%2 is no leaf"),
    (lambda s, x, y: s.jvp_leaf(y, s.input(1.0), 1.0), gp.GraphError, "%2 requires no gradient"),
    (lambda s, x, y: s.jvp_leaf(y, s.nat(1), 1.0), gp.GraphError, "%2 requires no gradient"),
    (lambda s, x, y: s.jvp_leaf(y, x, np.ones(3)), gp.ShapeError, "tangent of %0 has the wrong shape"),
    (lambda s, x, y: s.jvp_leaf(y, x, None), gp.GraphError, "tangent of %0 is missing"),
    (lambda s, x, y: s.jvp(y, [np.ones(2)]), gp.GraphError, "tangents must be a mapping"),
    (lambda s, x, y: s.jvp(y, {0: np.ones(2)}), gp.GraphError, "this is no Var"),
    (lambda s, x, y: s.jvp_leaf(y, gp.Session().input(1.0), 1.0), gp.GraphError, "%0 belongs to another session"),
    (lambda s, x, y: s.jvp_scalar_leaf(y, x, np.ones(2)), gp.ShapeError, "jvp_scalar_leaf: the output is no scalar"),
    (lambda s, x, y: s.freeze(gp.Session().input(1.0)), gp.GraphError, "%0 belongs to another session"),
    (lambda s, x, y: gp.Session().freeze(), gp.GraphError, "no node"),
    (lambda s, x, y: y.value, gp.GraphError, r"use session.value\(ref\)"),
])
def test_unfit_requests_are_refused_before_anything_is_computed(s, runs, call, error, text):
    x = s.input([1.0, 2.0], requires_grad=True)
    y = s.exp(x)
    s.backward(x, np.ones(2))
    with pytest.raises(error, match=text):
        call(s, x, y)
    assert not runs
    equal(s.backward(y, np.ones(2))[x], s.value(y))


@pytest.mark.parametrize(("call", "text"), [
    (lambda s, g, x: g[gp.Session().input(1.0)], "%0 belongs to another session"),
    (lambda s, g, x: g[0], "this is no Var"),
    (lambda s, g, x: s.grad(g, 0), "this is no Var"),
    (lambda s, g, x: s.grad({}, x), "grad: these are no Gradients"),
    (lambda s, g, x: gp.Session().grad(g, x), "the gradients are of another session"),
])
def test_unfit_requests_for_gradients_are_refused(s, call, text):
    x = s.input([1.0, 2.0], requires_grad=True)
    with pytest.raises(gp.GraphError, match=text):
        call(s, s.backward(x, np.ones(2)), x)


# Training


def test_sgd_steps_every_used_parameter_that_requires_a_gradient(s):
    a, b = s.param([1.0, 2.0]), s.param([3.0, 4.0], requires_grad=False)
    c, d = s.param([5.0, 6.0]), s.param(7.0)
    x, y, _ = s.use(a), s.use(b), s.use(d)
    loss = s.reduce_sum(x * x * y)
    s.sgd_step_all(0.25, s.backward_scalar(loss))
    equal(a.value, np.array([1.0, 2.0]) - 0.25 * np.array([6.0, 16.0]))
    equal(b.value, np.array([3.0, 4.0]))
    equal(c.value, np.array([5.0, 6.0]))
    equal(d.value, np.array(7.0))
    equal(s.value(x), np.array([1.0, 2.0]))  # the recording stays


def test_sgd_of_a_parameter_switched_off_and_of_none(s):
    p = s.param(1.0)
    gradients = s.backward_scalar(s.use(p) * 2.0)
    p.requires_grad = False
    s.sgd_step_all(0.5, gradients)
    assert p.value == 1
    s.reset()
    x = s.input(1.0, requires_grad=True)
    s.sgd_step_all(0.5, s.backward_scalar(x * x))
    assert s.value(x) == 1


@pytest.mark.parametrize(("rate", "error"), [
    (-0.1, gp.DomainError), (np.nan, gp.DomainError), (np.inf, gp.DomainError), ("fast", gp.DtypeError)])
def test_an_unfit_rate_steps_nothing(s, rate, error):
    p = s.param(1.0)
    gradients = s.backward_scalar(s.use(p) * 2.0)
    with pytest.raises(error, match="learning_rate"):
        s.sgd_step_all(rate, gradients)
    assert p.value == 1


def test_unfit_gradients_step_nothing(s):
    p, other = s.param(1.0), gp.Session()
    gradients = s.backward_scalar(s.use(p) * 2.0)
    with pytest.raises(gp.GraphError, match="sgd_step_all: these are no Gradients"):
        s.sgd_step_all(0.1, {})
    with pytest.raises(gp.GraphError, match="the gradients are of another session or from before the reset"):
        other.sgd_step_all(0.1, gradients)
    s.reset()
    with pytest.raises(gp.GraphError, match="the gradients are of another session or from before the reset"):
        s.sgd_step_all(0.1, gradients)
    assert p.value == 1


def test_sgd_changes_all_or_none(s, monkeypatch):
    first, second = s.param(1.0), s.param(2.0)
    gradients = s.backward_scalar(s.use(first) * s.use(second))
    rule, steps = gp.OPS["sgd_update"].rules["forward"], []

    def fails_at_the_second(*args, **attributes):
        steps.append(args)
        if len(steps) == 2:
            raise MemoryError
        return rule(*args, **attributes)

    monkeypatch.setitem(gp.OPS["sgd_update"].rules, "forward", fails_at_the_second)
    with pytest.raises(MemoryError):
        s.sgd_step_all(0.1, gradients)
    assert (first.value, second.value) == (1, 2)


def test_the_example_trains(capsys):
    losses = example.main(201)
    assert len(losses) == 201
    assert losses[200] < 0.1 * losses[0]
    assert capsys.readouterr().out.splitlines() == [f"step {k:3}   loss {losses[k]:.6f}" for k in (0, 100, 200)]


# Reset


USES = {
    "value": lambda s, old: s.value(old),
    "method": lambda s, old: s.relu(old),
    "method-beside-a-new-one": lambda s, old: s.add(s.input([1.0, 2.0]), old),
    "function": lambda s, old: gp.relu(old),
    "function-beside-a-new-one": lambda s, old: gp.add(s.input([1.0, 2.0]), old),
    "operator": lambda s, old: old + 1.0,
    "operator-on-the-right": lambda s, old: np.ones(2) * old,
    "in-a-list": lambda s, old: s.concat([old, old], axis=0),
    "backward": lambda s, old: s.backward(old, np.ones(2)),
    "backward-scalar": lambda s, old: s.backward_scalar(old),
    "dense": lambda s, old: s.backward_dense_all(old),
    "jvp": lambda s, old: s.jvp(old, {}),
    "jvp-leaf": lambda s, old: s.jvp_leaf(s.input(1.0), old, np.ones(2)),
    "freeze": lambda s, old: s.freeze(old),
    "gradients": lambda s, old: s.backward_scalar(s.input(1.0))[old],
    "another-session": lambda s, old: gp.Session().value(old),
    "builder": lambda s, old: gp.GraphBuilder().relu(old),
    "random": lambda s, old: gp.dropout(old, 0.5, 1),
    "transform": lambda s, old: gp.grad(lambda x: gp.reduce_sum(x * old))(np.ones(2)),
}


@pytest.mark.parametrize("use", USES)
def test_a_ref_from_before_the_reset_is_dangling(s, use):
    s.const(1.0)
    old = s.use(s.param([1.0, 2.0]))
    s.reset()
    s.input([5.0, 6.0])
    s.input([7.0, 8.0])  # takes the number of the old one
    with pytest.raises(gp.GraphError, match="%1 is from before the reset"):
        USES[use](s, old)


def test_old_numbers_and_gradients_are_dangling(s):
    n, v, x = s.nat(1), s.nat_vec([1]), s.input(1.0, requires_grad=True)
    gradients = s.backward_scalar(x * x)
    s.reset()
    new = s.nat(0)
    for call in (lambda: s.get_nat(n), lambda: s.set_nat(n, 1), lambda: s.get_nat_vec(v),
                 lambda: s.set_nat_vec(v, [1]), lambda: s.gather_vec(s.input([1.0]), v), lambda: gradients[x]):
        with pytest.raises(gp.GraphError, match=r"%\d is from before the reset"):
            call()
    with pytest.raises(gp.GraphError, match="another session"):
        gradients[new]
    with pytest.raises(gp.GraphError, match="from before the reset"):
        s.grad(gradients, new)
    assert repr(n) == "NatRef(%0, shape=(), dtype=int64)"


def test_a_reset_drops_all_but_the_parameters(s):
    p = s.param([1.0], name="w")
    old = s.use(p)
    s.value(s.exp(old))
    s.nat(3)
    s.reset()
    assert s.leaf_values() == []
    assert state(s) == ([], {}, [], [], [], {}, set())
    assert old._recording.tape.nodes == []  # an old ref keeps no array alive
    equal(p.value, np.array([1.0]))
    assert s.use(p).id == 0


# The frozen graph


def test_the_frozen_graph_computes_what_the_session_does(s):
    w = s.use(s.param([[0.5, -1.0], [2.0, 0.25], [-0.5, 1.5]], name="w"))
    x, n = s.input(X, name="x"), s.nat(1)
    y = program(s, x, w, n)
    dropped = s.dropout(s.input(np.ones(20)), 0.5, 3)
    graph = s.freeze(y, dropped)
    graph.check_well_formed()
    assert [graph.nodes[k].name for k in graph.inputs] == ["w", "x", "x2", "x3"]
    assert [graph.nodes[k].dtype for k in graph.inputs] == ["float64", "float64", "int64", "float64"]
    for found, ref in zip(graph(*s.leaf_values()), (y, dropped), strict=True):
        equal(found, s.value(ref))
    s.set_nat(n, 0)
    equal(graph(*s.leaf_values())[0], s.value(y))
    assert graph(*s.leaf_values())[0] != graph(*(s.leaf_values()[:2]), 1, np.ones(20))[0]


def test_the_frozen_graph_is_independent_of_the_session(s):
    x = s.input([1.0, 2.0])
    graph = s.freeze(x * s.const([3.0, 4.0]))
    text, payload = str(graph), dict(graph.payload)
    s.exp(x)
    s.reset()
    s.const(5.0)
    assert str(graph) == text
    assert graph.payload.keys() == payload.keys()
    equal(graph([1.0, 1.0]), np.array([3.0, 4.0]))
    s.leaf_values()


def test_leaf_values_are_the_callers_own(s):
    x = s.input([1.0, 2.0])
    s.leaf_values()[0][:] = 9
    equal(s.value(x), np.array([1.0, 2.0]))


def test_a_graph_runs_on_the_values_of_a_session(s):
    graph = gp.trace(lambda x, w: gp.tanh(x @ w), (2, 3), (3, 1))
    w = s.use(s.param(np.ones((3, 1))))
    y = graph(s.input(X), w)
    equal(s.value(y), np.tanh(X @ np.ones((3, 1))))
    assert np.all(s.backward(y, np.ones((2, 1)))[w] != 0)


def test_how_a_session_reads(s):
    s.input(1.0)
    assert repr(s) == "Session(dtype='float64', 1 values)"
    assert repr(s.exp(s.const(1.0))) == "Ref(%2, shape=(), dtype=float64)"
    assert repr(s.backward_scalar(s.input(1.0))) == "Gradients(4 values)"
