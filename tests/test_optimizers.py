"""sgd, adam, adamw: pure, checked before anything is computed, the papers' steps. Against PyTorch: tests/peers."""

import copy
import pickle
from collections import namedtuple

import numpy as np
import pytest

import gradproof as gp
from gradproof.optimizers import AdamState, SGDState, adam, adamw, sgd
from gradproof.trees import leaves

R = np.random.default_rng
Layer = namedtuple("Layer", "weight bias")
OPTIMIZERS = {
    "sgd": lambda *args: sgd(*args, learning_rate=0.1),
    "momentum": lambda *args: sgd(*args, learning_rate=0.1, momentum=0.9, weight_decay=0.01),
    "nesterov": lambda *args: sgd(*args, learning_rate=0.1, momentum=0.9, nesterov=True),
    "adam": lambda *args: adam(*args, learning_rate=0.1, weight_decay=0.01),
    "adamw": lambda *args: adamw(*args, learning_rate=0.1),
}
every_optimizer = pytest.mark.parametrize("optimizer", OPTIMIZERS.values(), ids=OPTIMIZERS)
both_dtypes = pytest.mark.parametrize("dtype", [np.float32, np.float64])


def tree(seed, dtype=np.float64, number=True):
    """Parameters of every kind of container, or gradients for them."""
    rng = R(seed)

    def array(*shape):
        return rng.normal(size=shape).astype(dtype)

    return {
        "layers": [Layer(array(2, 3), array(3)), Layer(array(3, 1), array(1))],
        "scale": (array(), array(0, 2)),
        "steps": np.arange(3) if number else None,
    }


def arrays(nested):
    return [leaf for leaf in leaves(nested) if isinstance(leaf, np.ndarray)]


def same(first, second):
    """The same leaves, bit by bit."""
    pairs = zip(leaves(first), leaves(second), strict=True)
    return all(type(a) is type(b) and np.array_equal(a, b) for a, b in pairs)


# ---------------------------------------------------------------- what they compute


@every_optimizer
def test_a_quadratic_is_minimised(optimizer):
    """|A p - b|² with its gradient by gp.grad: after 300 steps near the solution."""
    A, b = np.linalg.qr(R(0).normal(size=(6, 3)))[0], 2 * R(1).normal(size=6)
    best = np.linalg.lstsq(A, b, rcond=None)[0]

    def loss(p):
        return gp.reduce_sum(gp.square(A @ p["p"] - b))

    params, state = {"p": np.zeros(3)}, None
    for _ in range(300):
        params, state = optimizer(params, gp.grad(loss)(params), state)
    assert np.abs(best).max() > 0.5
    np.testing.assert_allclose(params["p"], best, atol=0.05)  # weight decay draws it towards 0
    assert state.step == 300


def test_sgd_is_gradient_descent():
    params, state = sgd([np.array([1.0, 2.0])], [np.array([4.0, -4.0])], learning_rate=0.25)
    np.testing.assert_array_equal(params[0], [0.0, 3.0])
    assert state == SGDState(1, [None])


def test_the_velocity_is_the_gradient_first_then_the_dampened_sum():
    p, one = np.array(0.0), np.array(1.0)
    options = {"learning_rate": 1.0, "momentum": 0.5, "dampening": 0.25}
    p, state = sgd(p, one, **options)
    assert (p, state.velocity) == (-1.0, 1.0)
    p, state = sgd(p, one, state, **options)
    assert (p, state.velocity) == (-2.25, 1.25)  # 0.5 * 1 + 0.75 * 1


def test_nesterov_looks_ahead():
    p, one = np.array(0.0), np.array(1.0)
    options = {"learning_rate": 1.0, "momentum": 0.5, "nesterov": True}
    p, state = sgd(p, one, **options)
    assert (p, state.velocity) == (-1.5, 1.0)  # 1 + 0.5 * 1
    p, state = sgd(p, one, state, **options)
    assert (p, state.velocity) == (-3.25, 1.5)  # 1 + 0.5 * 1.5


@both_dtypes
def test_the_first_step_of_adam_has_the_length_of_the_learning_rate(dtype):
    gradient = np.array([1e-3, -5.0, 1e3], dtype)
    p, state = adam(np.zeros(3, dtype), gradient, learning_rate=0.5, eps=1e-30)
    np.testing.assert_allclose(p, [-0.5, 0.5, -0.5], rtol=4 * np.finfo(dtype).eps)
    np.testing.assert_allclose(state.first_moment, gradient / 10, rtol=2e-6)
    np.testing.assert_allclose(state.second_moment, gradient**2 / 1000, rtol=2e-6)


def test_two_steps_of_adam_by_hand():
    """beta1 = 1/2, beta2 = 3/4, eps = 1: the gradients 2 and 4, then p = 1 - (2/1) / (2 + 1), ..."""
    options = {"learning_rate": 1.0, "betas": (0.5, 0.75), "eps": 1.0}
    p, state = adam(np.array(1.0), np.array(2.0), **options)
    assert (state.first_moment, state.second_moment) == (1.0, 1.0)  # corrected: 1 / 0.5 = 2, 1 / 0.25 = 4
    np.testing.assert_allclose(p, 1 - 2 / 3, rtol=1e-15)
    p, state = adam(p, np.array(4.0), state, **options)
    assert (state.first_moment, state.second_moment) == (2.5, 4.75)  # corrected by 1 - 1/4 and 1 - 9/16
    np.testing.assert_allclose(p, 1 - 2 / 3 - (2.5 / 0.75) / (np.sqrt(4.75 / 0.4375) + 1), rtol=1e-15)


def test_the_decay_of_adamw_is_decoupled_that_of_adam_is_not():
    p, zero = np.array([1.0, -2.0]), np.zeros(2)
    np.testing.assert_array_equal(adamw(p, zero, learning_rate=0.5, weight_decay=0.5)[0], [0.75, -1.5])
    after, _ = adam(p, zero, learning_rate=0.5, weight_decay=0.5, eps=1e-30)
    np.testing.assert_allclose(after, [0.5, -1.5], rtol=1e-15)  # a step of full length
    np.testing.assert_array_equal(adamw(p, p, weight_decay=0)[0], adam(p, p)[0])


# ---------------------------------------------------------------- trees, purity, dtypes


@both_dtypes
@every_optimizer
def test_the_structure_and_the_dtype_stay(optimizer, dtype):
    params, state = tree(0, dtype), None
    for seed in (1, 2):
        new, state = optimizer(params, tree(seed, dtype, number=False), state)
        assert [type(layer) for layer in new["layers"]] == [Layer, Layer] and type(new["scale"]) is tuple
        assert [(x.shape, x.dtype) for x in arrays(new)] == [(x.shape, x.dtype) for x in arrays(params)]
        assert {x.dtype for x in arrays(state[-1])} <= {np.dtype(dtype)}
        assert not same(new["layers"], params["layers"])
        np.testing.assert_array_equal(new["steps"], [0, 1, 2])
        params = new
    assert state.step == 2


@every_optimizer
def test_nothing_that_is_passed_is_changed_and_no_result_shares_its_memory(optimizer):
    params, first, second = tree(0), tree(1, number=False), tree(2, number=False)
    middle, state = optimizer(params, first)
    given = (params, first, middle, second, state)
    before = copy.deepcopy(given)
    result = optimizer(middle, second, state)
    assert same(before, given)
    assert same(result, optimizer(middle, second, state))
    for x in arrays(result) + arrays((middle, state)):
        assert x.flags.writeable
    for new, old in (((middle, state), (params, first)), (result, (middle, second, state))):
        assert not any(np.shares_memory(x, y) for x in arrays(new) for y in arrays(old))
    with pytest.raises(AttributeError):
        state.step = 0


@every_optimizer
def test_what_stays_as_it_is_is_a_copy(optimizer):
    params, state = optimizer(tree(0), tree(1, number=False))
    nothing = {"layers": [Layer(None, None)] * 2, "scale": (None, None), "steps": None}
    result = optimizer(params, nothing, state)
    assert same(result[0], params) and same(result[1][1:], state[1:])
    assert not any(np.shares_memory(x, y) for x in arrays(result) for y in arrays((params, state)))


def test_momentum_0_keeps_the_velocity():
    p, g = np.ones(2), np.ones(2)
    _, state = sgd(p, g, learning_rate=0.1, momentum=0.9)
    _, after = sgd(p, 2 * g, state, learning_rate=0.1)
    np.testing.assert_array_equal(after.velocity, g)
    assert not np.shares_memory(after.velocity, state.velocity)


@every_optimizer
def test_the_leaves_are_independent_of_each_other(optimizer):
    """Each alone gives what all together give."""
    params, state = tree(0), None
    weight, of_weight = params["layers"][0].weight, None
    for seed in (1, 2, 3):
        gradients = tree(seed, number=False)
        params, state = optimizer(params, gradients, state)
        weight, of_weight = optimizer(weight, gradients["layers"][0].weight, of_weight)
    np.testing.assert_array_equal(params["layers"][0].weight, weight)


@every_optimizer
def test_a_parameter_without_gradient_stays_as_it_is(optimizer):
    """And so does its state: afterwards the other steps are those of an optimizer that has not seen this one."""
    params = {"a": np.array([1.0, -2.0]), "n": 3, "name": "x"}
    gradients = [{"a": g, "n": None, "name": None} for g in (None, np.ones(2), None, np.array([2.0, -1.0]), np.ones(2))]
    all_of_them, state, alone, of_one = params, None, params["a"], None
    for g in gradients:
        all_of_them, state = optimizer(all_of_them, g, state)
        if g["a"] is not None:
            alone, of_one = optimizer(alone, g["a"], of_one)
        np.testing.assert_array_equal(all_of_them["a"], alone)
    assert (all_of_them["n"], all_of_them["name"]) == (3, "x")
    assert (state.step, of_one.step) == (5, 3)


@every_optimizer
def test_gradients_of_grad_fit(optimizer):
    params = {"w": np.ones((2, 2), np.float32), "b": 0.5, "n": np.arange(2)}
    gradients = gp.grad(lambda p: gp.reduce_sum(p["w"]) * p["b"])(params)
    new, state = optimizer(params, gradients)
    assert (new["w"].dtype, new["b"].dtype) == (np.float32, np.float64)
    assert new["b"] < 0.5 and same(new["n"], params["n"])
    again, _ = optimizer(new, gradients, state)
    assert again["b"] < new["b"]


@every_optimizer
def test_a_state_may_be_stored_and_continued(optimizer):
    params, state = optimizer(tree(0), tree(1, number=False))
    stored = pickle.loads(pickle.dumps(state))
    g = tree(2, number=False)
    assert same(optimizer(params, g, stored), optimizer(params, g, state))


@every_optimizer
def test_there_may_be_no_parameters(optimizer):
    assert optimizer({}, {})[0] == {}


# ---------------------------------------------------------------- derivatives of a step


@every_optimizer
def test_a_step_is_differentiable(optimizer):
    """In the parameters and in the gradients, through two steps: what central differences say, and no zeros."""
    params, first, second = ({"p": R(s).normal(size=4)} for s in (0, 1, 2))

    def after(p, g):
        middle, state = optimizer(p, g)
        return gp.reduce_sum(gp.square(optimizer(middle, second, state)[0]["p"]))

    found = gp.grad(after, argnums=(0, 1))(params, first)
    for position, gradient in enumerate(found):
        for k in range(4):
            ahead, behind = ([copy.deepcopy(params), copy.deepcopy(first)] for _ in range(2))
            ahead[position]["p"][k] += 1e-6
            behind[position]["p"][k] -= 1e-6
            difference = float(after(*ahead) - after(*behind)) / 2e-6
            np.testing.assert_allclose(gradient["p"][k], difference, rtol=1e-5, atol=1e-7)
        assert np.abs(gradient["p"]).min() > 1e-4


def test_a_step_is_made_of_ops_of_the_table():
    p, g = np.ones(2), np.ones(2)
    assert gp.ops_used(lambda p, g: adam(p, g)[0], p, g) == ("exponential_average", "square", "adam_update")
    assert gp.ops_used(lambda p, g: adamw(p, g)[0], p, g)[0] == "scale"
    assert gp.ops_used(lambda p, g: sgd(p, g, learning_rate=1.0)[0], p, g) == ("sgd_update",)


# ---------------------------------------------------------------- errors

P, G = {"w": [np.ones((2, 3))], "n": 2}, {"w": [np.ones((2, 3))], "n": None}
VELOCITY = SGDState(1, {"w": [np.ones((2, 3))], "n": None})
MOMENTS = AdamState(1, {"w": [1], "n": 0}, VELOCITY.velocity, VELOCITY.velocity)


def descend(*args, **options):
    return sgd(*args, **{"learning_rate": 0.1, "momentum": 0.9, **options})


def with_weight(x, n=None):
    return {"w": [x], "n": n}


WRONG = [
    (gp.GraphError, "gradients['w']", lambda f: f(P, {"w": np.ones((2, 3)), "n": None})),
    (gp.GraphError, "gradients", lambda f: f(P, {"w": [np.ones((2, 3))]})),
    (gp.GraphError, "gradients['w']", lambda f: f(P, {"w": [], "n": None})),
    (gp.GraphError, "gradients['w'][0]", lambda f: f(P, with_weight([1.0, 2.0]))),
    (gp.GraphError, "gradients['w'][0]", lambda f: f(P, with_weight({"x": 1.0}))),
    (gp.ShapeError, "gradients['w'][0]", lambda f: f(P, with_weight(np.ones((2, 1))))),
    (gp.ShapeError, "gradients['w'][0]", lambda f: f(P, with_weight(np.ones(3)))),
    (gp.ShapeError, "gradients['w'][0]", lambda f: f(P, with_weight(1.0))),
    (gp.DtypeError, "gradients['w'][0]", lambda f: f(P, with_weight(np.ones((2, 3), np.float32)))),
    (gp.DtypeError, "gradients['w'][0]", lambda f: f(P, with_weight(np.ones((2, 3), int)))),
    (gp.DtypeError, "gradients['w'][0]", lambda f: f(P, with_weight(np.ma.ones((2, 3))))),
    (gp.DtypeError, "params['n']", lambda f: f(P, with_weight(np.ones((2, 3)), n=np.array(0)))),
    (gp.DtypeError, "params['n']", lambda f: f(P, with_weight(np.ones((2, 3)), n=0.0))),
    (gp.DtypeError, "params['w'][0]", lambda f: f(with_weight(np.ones((2, 3), np.float16)), G)),
    (gp.DtypeError, "params['w'][0]", lambda f: f(with_weight(None), G)),
    (gp.DomainError, "learning_rate", lambda f: f(P, G, learning_rate=-0.1)),
    (gp.DomainError, "learning_rate", lambda f: f(P, G, learning_rate=np.nan)),
    (gp.DomainError, "learning_rate", lambda f: f(P, G, learning_rate=np.inf)),
    (gp.DtypeError, "learning_rate", lambda f: f(P, G, learning_rate="0.1")),
    (gp.DtypeError, "learning_rate", lambda f: f(P, G, learning_rate=np.ones(2))),
    (gp.GraphError, "traced", lambda f: gp.grad(lambda r: gp.reduce_sum(f(P, G, learning_rate=r)[0]["w"][0]))(0.1)),
    (gp.DomainError, "weight_decay", lambda f: f(P, G, weight_decay=-1)),
    (gp.DomainError, "weight_decay", lambda f: f(P, G, weight_decay=np.nan)),
    (gp.DtypeError, "state", lambda f: f(P, G, {"step": 1})),
]
WRONG_FOR_SGD = [
    (gp.DomainError, "momentum", lambda f: f(P, G, momentum=-0.5)),
    (gp.DomainError, "momentum", lambda f: f(P, G, momentum=np.nan)),
    (gp.DomainError, "dampening", lambda f: f(P, G, dampening=np.nan)),
    (gp.DomainError, "nesterov", lambda f: f(P, G, momentum=0, nesterov=True)),
    (gp.DomainError, "nesterov", lambda f: f(P, G, dampening=0.5, nesterov=True)),
    (gp.DtypeError, "SGDState", lambda f: f(P, G, MOMENTS)),
    (gp.DomainError, "state.step", lambda f: f(P, G, VELOCITY._replace(step=-1))),
    (gp.GraphError, "state.velocity['w']", lambda f: f(P, G, SGDState(1, {"w": [], "n": None}))),
    (gp.ShapeError, "state.velocity['w'][0]", lambda f: f(P, G, SGDState(1, with_weight(np.ones(3))))),
    (gp.DtypeError, "state.velocity['w'][0]", lambda f: f(P, G, SGDState(1, with_weight(np.ones((2, 3), np.float32))))),
]
WRONG_FOR_ADAM = [
    (gp.DomainError, "betas[0]", lambda f: f(P, G, betas=(1.0, 0.9))),
    (gp.DomainError, "betas[0]", lambda f: f(P, G, betas=(-0.1, 0.9))),
    (gp.DomainError, "betas[1]", lambda f: f(P, G, betas=(0.9, 1))),
    (gp.DomainError, "betas[1]", lambda f: f(P, G, betas=(0.9, np.nan))),
    (gp.DtypeError, "betas", lambda f: f(P, G, betas=0.9)),
    (gp.DtypeError, "betas", lambda f: f(P, G, betas=(0.9,))),
    (gp.DomainError, "eps", lambda f: f(P, G, eps=0)),
    (gp.DomainError, "eps", lambda f: f(P, G, eps=-1e-8)),
    (gp.DomainError, "eps", lambda f: f(P, G, eps=np.nan)),
    (gp.DomainError, "eps", lambda f: f(np.ones(2, np.float32), np.ones(2, np.float32), eps=1e-60)),
    (gp.DtypeError, "AdamState", lambda f: f(P, G, VELOCITY)),
    (gp.ShapeError, "state.first_moment['w'][0]",
     lambda f: f(P, G, MOMENTS._replace(first_moment=with_weight(np.ones(3))))),
    (gp.DtypeError, "state.second_moment['w'][0]",
     lambda f: f(P, G, MOMENTS._replace(second_moment=with_weight(np.ones((2, 3), np.float32))))),
    (gp.GraphError, "state.second_moment", lambda f: f(P, G, MOMENTS._replace(second_moment=None))),
    (gp.GraphError, "count", lambda f: f(P, G, MOMENTS._replace(counts={"w": [0], "n": 0}))),
    (gp.GraphError, "count", lambda f: f(P, G, MOMENTS._replace(second_moment=with_weight(None)))),
    (gp.DomainError, "state.counts['w'][0]", lambda f: f(P, G, MOMENTS._replace(counts={"w": [-1], "n": 0}))),
    (gp.DtypeError, "state.counts['w'][0]", lambda f: f(P, G, MOMENTS._replace(counts={"w": [1.0], "n": 0}))),
]  # fmt: skip
EVERY_WRONG = [
    pytest.param(optimizer, error, named, call, id=f"{optimizer.__name__}-{k}-{error.__name__}")
    for optimizer, calls in ((descend, WRONG + WRONG_FOR_SGD), (adam, WRONG + WRONG_FOR_ADAM), (adamw, WRONG))
    for k, (error, named, call) in enumerate(calls)
]


@pytest.mark.parametrize(("optimizer", "error", "named", "call"), EVERY_WRONG)
def test_what_does_not_fit_is_named_before_anything_is_computed(optimizer, error, named, call, monkeypatch):
    def evaluate(self, *_, **__):
        raise AssertionError(f"{self.name} was computed")

    monkeypatch.setattr(gp.Op, "evaluate", evaluate)
    with pytest.raises(error) as raised:
        call(optimizer)
    assert type(raised.value) is error and named in str(raised.value)
    assert str(raised.value).startswith(("sgd: ", "adam: ", "adamw: ", "traced value: "))


def test_the_states_of_the_errors_are_states():
    assert descend(P, G, VELOCITY)[1].step == adam(P, G, MOMENTS)[1].step == 2


def test_the_text_of_an_error():
    with pytest.raises(gp.ShapeError) as raised:
        adam(P, with_weight(np.ones((2, 1))))
    assert str(raised.value) == ("adam: gradients['w'][0] has another shape than params['w'][0]: expected = (2, 3), "
                                 "given = (2, 1); give both one shape.")  # fmt: skip


# ---------------------------------------------------------------- errors of the ops

X = np.ones((2, 3))
WRONG_OPS = [
    (gp.ShapeError, lambda: gp.sgd_update(X, np.ones(3), 0.1)),
    (gp.ShapeError, lambda: gp.sgd_update(X, 1.0, 0.1)),
    (gp.ShapeError, lambda: gp.momentum_update(np.ones((2, 1)), X, 0.9)),
    (gp.ShapeError, lambda: gp.exponential_average(X, X[:1], 0.9)),
    (gp.ShapeError, lambda: gp.adam_update(X, X, X[0], 0.1, 1.0, 1.0)),
    (gp.ShapeError, lambda: gp.adam_update(X, X.T, X, 0.1, 1.0, 1.0)),
    (gp.DomainError, lambda: gp.adam_update(X, X, X, 0.1, 0.0, 1.0)),
    (gp.DomainError, lambda: gp.adam_update(X, X, X, 0.1, 1.0, -1.0)),
    (gp.DomainError, lambda: gp.adam_update(X, X, X, 0.1, 1.0, np.nan)),
    (gp.DomainError, lambda: gp.adam_update(X, X, X, 0.1, 1.0, 1.0, eps=0)),
    (gp.DomainError, lambda: gp.adam_update(*[np.ones(2, np.float32)] * 3, 0.1, 1.0, 1.0, eps=1e-60)),
    (gp.DtypeError, lambda: gp.sgd_update(X, X, None)),
    (gp.DtypeError, lambda: gp.sgd_update(X, np.ones((2, 3), int), 0.1)),
    (gp.DtypeError, lambda: gp.momentum_update(X, X, X)),
    (gp.GraphError, lambda: gp.grad(lambda d: gp.reduce_sum(gp.exponential_average(X, X, d)))(0.9)),
]


@pytest.mark.parametrize(("error", "call"), WRONG_OPS)
def test_errors_of_the_ops(error, call):
    with pytest.raises(error):
        call()


@both_dtypes
def test_a_second_moment_of_0_has_a_value(dtype):
    y = gp.adam_update(np.ones(2, dtype), np.array([0, 1], dtype), np.zeros(2, dtype), 0.5, 1.0, 1.0, eps=0.5)
    np.testing.assert_array_equal(y, np.array([1, 0], dtype), strict=True)
