"""JAX functions translated to NumPy: the same numbers as JAX (forward, VJP, JVP), on floats and on symbols."""
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from jax.ad_checkpoint import checkpoint_name
from symbolic_values import at

from gradproof_spec.jax_functions import numpy_functions
from gradproof_spec.jax_primitives import PRIMITIVES
from gradproof_spec.symbolic import Unsupported, explore, symbols

X, V, M, Q, K = (2, 3), (3,), (3, 2), (1, 2, 4, 4), (2, 1, 2, 2)
POSITIVE = {"roots", "logs", "powers", "norm", "std"}  # elsewhere ties and zeros are drawn too
TOLERANCE = {"rtol": 1e-10, "atol": 1e-12}  # a reference in float64, other orders of summation


@jax.custom_vjp
def clipped_gradient(x):
    return jnp.tanh(x)


clipped_gradient.defvjp(lambda x: (jnp.tanh(x), x),
                        lambda x, g: (jnp.where(jnp.abs(x) < 1, g, 0.1 * g) * (1 - jnp.tanh(x) ** 2),))


@jax.custom_vjp
def wrong_gradient(x, w):
    return x @ w


wrong_gradient.defvjp(lambda x, w: (x @ w, (x, w)), lambda r, g: (g @ r[1].T, 2 * r[0].T @ g))


@jax.custom_vjp
def wrong_primal(x):
    return jnp.sin(x)


wrong_primal.defvjp(lambda x: (jnp.cos(x), x), lambda x, g: (g * jnp.cos(x),))


@jax.custom_jvp
def softplus(x):
    return jnp.log1p(jnp.exp(x))


@softplus.defjvp
def _(primals, tangents):
    return softplus(primals[0]), tangents[0] * jax.nn.sigmoid(primals[0])


@jax.custom_vjp
def inside_jit(x):
    return jax.jit(lambda y: jnp.maximum(y, 0.5) ** 2)(x)


inside_jit.defvjp(lambda x: (inside_jit(x), x), jax.jit(lambda x, g: (jnp.where(x > 0.5, 2 * x, 0) * g,)))


def conv(**options):
    return lambda q, k: lax.conv_general_dilated(q, k, **options)


def pool(init, op, window, stride, padding="VALID"):
    return lambda q: lax.reduce_window(q, init, op, (1, 1, *window), (1, 1, *stride), padding)


def newton(x):
    return lax.fori_loop(0, 3, lambda i, y: 0.5 * (y + (1 + x * x) / y), 1 + x * x)


CASES = {
    # pointwise
    "polynomial": (lambda x, y: x * y - 3 * x**3 + y / 4 - (-x), X, X),
    "roots": (lambda x: jnp.sqrt(x) + lax.rsqrt(x) + 1 / x + x**-2 + x**0.5, X),
    "logs": (lambda x: jnp.log(x) + jnp.log1p(x) + jnp.expm1(x) + jnp.exp2(x), X),
    "powers": (lambda x: jnp.power(x, 2.5) + 2.0**x, X),
    "waves": (lambda x: jnp.sin(x) * jnp.cos(x) + jnp.tan(x / 4) + jnp.sinh(x) - jnp.cosh(x), X),
    "abs_sign": (lambda x: jnp.abs(x) + jnp.sign(x) * x, X),
    "max_min": (lambda x, y: jnp.maximum(x, y) + 2 * jnp.minimum(x, 0.5), X, X),
    "clip": (lambda x: jnp.clip(x, -0.5, 1) + lax.clamp(-1.0, x, 0.25), X),
    "where": (lambda x: jnp.where((x > 0) & ~(x == 1) | (x <= -1) ^ (x < 2), x, 0.5 * x), X),
    "markers": (lambda x: lax.reduce_precision(checkpoint_name(x, "saved"), 11, 52) * x, X),
    "booleans": (lambda x: jnp.all(x > -2) * x + jnp.any(x > 1, axis=0) * 2 + (x >= 0).astype(float), X),
    "finite": (lambda x: jnp.where(jnp.isfinite(x) & ~jnp.isnan(x), x, 7), X),
    "erf": (lambda x: lax.erf(x) + lax.erfc(x / 2), X),
    "logaddexp": (lambda x, y: jnp.logaddexp(x, y), X, X),
    # activations
    "relu": (jax.nn.relu, X), "relu6": (jax.nn.relu6, X), "sigmoid": (jax.nn.sigmoid, X), "tanh": (jnp.tanh, X),
    "gelu": (jax.nn.gelu, X), "gelu_erf": (lambda x: jax.nn.gelu(x, approximate=False), X), "silu": (jax.nn.silu, X),
    "elu": (jax.nn.elu, X), "leaky": (jax.nn.leaky_relu, X), "softplus": (jax.nn.softplus, X),
    "softmax": (jax.nn.softmax, X), "log_softmax": (lambda x: jax.nn.log_softmax(x, axis=0), X),
    "logsumexp": (lambda x: jax.nn.logsumexp(x, axis=1), X), "glu": (lambda x: jax.nn.glu(x.T), X),
    # reductions
    "mean_var": (lambda x: x.mean(0) + jnp.var(x, axis=0) + x.sum(), X),
    "std": (lambda x: jax.nn.standardize(x, axis=1), X),
    "max": (lambda x: x.max(axis=1) + x.min(), X), "prod": (lambda x: x.prod(axis=1), X),
    "norm": (lambda x: jnp.linalg.norm(x, axis=1), X),
    "argmax": (lambda x: jax.nn.one_hot(jnp.argmax(x, axis=1), 3) * x + jnp.argmin(x, axis=0), X),
    "scans": (lambda x: jnp.cumsum(x, axis=1) + jnp.cumprod(x, axis=0) + lax.cumsum(x, 1, reverse=True), X),
    "cummax": (lambda x: lax.cummax(x, 1) + lax.cummin(x, 0), X),
    "sort": (jnp.sort, V), "sort_pairs": (lambda v, w: lax.sort((v, w), num_keys=1)[1], V, V),
    "top_k": (lambda v: lax.top_k(v, 2)[0], V), "median": (jnp.median, V),
    # contractions
    "matmul": (lambda x, m: x @ m, X, M), "einsum": (lambda x, m: jnp.einsum("ij,jk->ki", x, m), X, M),
    "batched": (lambda x, m: jax.vmap(jnp.outer)(x, m.T), X, M),
    "dot": (lambda v, w: v @ w, V, V), "attention": (lambda x, y: jax.nn.softmax(x @ y.T / 2) @ y, X, X),
    # convolutions
    "conv": (conv(window_strides=(1, 1), padding="SAME", feature_group_count=2), Q, K),
    "conv_stride": (lambda q, k: conv(window_strides=(2, 1), padding=((1, 0), (0, 2)))(q[:, :1], k), Q, K),
    "conv_dilated": (lambda q, k: conv(window_strides=(1, 1), padding=((0, 0), (-1, 2)), rhs_dilation=(2, 1),
                                       lhs_dilation=(1, 2))(q[:, :1], k), Q, K),
    "conv_1d": (lambda x, m: lax.conv_general_dilated(x[None], m[:, None], (1,), ((1, 1),), feature_group_count=1,
                                                      dimension_numbers=("NCH", "HIO", "NCH")),
                (1, 5), (3, 2)),
    "conv_nhwc": (lambda q, k: lax.conv_general_dilated(q, k, (1, 1), "SAME",
                                                        dimension_numbers=("NHWC", "HWIO", "NHWC")),
                  (1, 3, 3, 2), (2, 2, 2, 1)),
    "conv_transpose": (lambda q, k: lax.conv_transpose(q, k, (2, 2), "SAME", dimension_numbers=("NCHW", "OIHW", "NCHW"),
                                                       transpose_kernel=True), (1, 2, 2, 2), (2, 1, 3, 3)),
    # pooling
    "max_pool": (pool(-jnp.inf, lax.max, (2, 2), (2, 2)), Q),
    "max_pool_over": (pool(-jnp.inf, lax.max, (3, 3), (2, 2), "SAME"), (1, 1, 4, 4)),
    "min_pool": (pool(jnp.inf, lax.min, (2, 2), (2, 1)), Q),
    "sum_pool": (pool(0.0, lax.add, (2, 3), (1, 2), "SAME"), Q),
    # indexing
    "index": (lambda x: x[1, :2] * x[0, ::2] + x[jnp.array([1, -1]), 1], X),
    "take": (lambda x: jnp.take(x, jnp.array([[2, 0], [1, 1]]), axis=1), X),
    "take_fill": (lambda x: jnp.take(x, jnp.array([0, 5]), axis=1, mode="fill", fill_value=2), X),
    "take_clip": (lambda x: jnp.take(x, jnp.array([0, 5]), axis=1, mode="clip"), X),
    "take_along": (lambda x: jnp.take_along_axis(x, jnp.argmax(x, axis=1)[:, None], axis=1), X),
    "chosen_rows": (lambda x, v: x[:, jnp.argmax(v)] + x[jnp.argmin(v) // 2, 0], X, V),
    "at_add": (lambda x, v: x.at[jnp.array([0, 1, 0]), 1].add(v).at[0].set(2 * x[1]), X, V),
    "at_mul": (lambda x: x.at[0, 1].mul(x[1, 2]), X), "at_drop": (lambda x: x.at[jnp.array([0, 7])].add(x), X),
    "at_chosen": (lambda x, v: x.at[jnp.argmax(x[:, 0]), jnp.argmax(v)].add(v[0]), X, V),
    "segment_sum": (lambda m: jax.ops.segment_sum(m, jnp.array([1, 0, 1]), 2), M),
    "dynamic": (lambda x: lax.dynamic_update_slice(x, 2 * lax.dynamic_slice(x, (0, 1), (2, 2)), (0, 9)), X),
    "dynamic_chosen": (lambda x, v: lax.dynamic_slice(x, (0, jnp.argmax(v)), (2, 2)), X, V),
    "triangle": (lambda x: jnp.tril(x) + jnp.triu(x, 1) * 2, X), "diagonal": (jnp.diagonal, X),
    # shapes
    "shapes": (lambda x: jnp.concatenate([x.T.reshape(2, 3)[::-1], x], 0)[:, None].squeeze(1), X),
    "pads": (lambda x: jnp.pad(x, ((1, 0), (0, 1))) + lax.pad(x, 0.5, ((1, 0, 0), (-1, 0, 1))), X),
    "reflect": (lambda x: jnp.pad(x, 1, mode="reflect"), X), "roll": (lambda x: jnp.roll(x, 1, 1) + jnp.flip(x, 0), X),
    "repeat": (lambda x: jnp.repeat(jnp.tile(x, 2), 2, axis=0), X),
    "results": (lambda x: {"a": x * 2, "b": tuple(jnp.split(x, 3, axis=1))}, X),
    "constants": (lambda x: x * jnp.arange(3) + np.float32(0.5) * jnp.eye(2, 3), X),
    "no_arguments_used": (lambda x: jnp.ones(2), X),
    # calls and control flow
    "jit": (jax.jit(lambda x: jax.nn.relu(x) * 2), X), "remat": (jax.checkpoint(lambda x: jnp.sin(jnp.exp(x))), X),
    "cond": (lambda x: lax.cond(x.sum() > 0, jnp.sin, lambda y: y * 3, x), X),
    "switch": (lambda x, v: lax.switch(jnp.argmax(v), [jnp.sin, jnp.cos, lambda y: y], x), X, V),
    "scan": (lambda x, v: lax.scan(lambda c, r: (0.5 * c + r * c, c.sum()), v, x), X, V),
    "scan_reverse": (lambda x: lax.scan(lambda c, r: (c + r, c * r), jnp.zeros(3), x, reverse=True)[1], X),
    "fori": (newton, X), "map": (lambda x: lax.map(jnp.cumsum, x), X),
    "stop_gradient": (lambda x: x * lax.stop_gradient(x), X),
    "dropout": (lambda x: jnp.where(jax.random.bernoulli(jax.random.key(0), 0.5, x.shape), x / 0.5, 0), X),
    "noise": (lambda x: x + jax.random.normal(jax.random.PRNGKey(3), x.shape), X),
    # custom derivatives
    "custom_vjp": (clipped_gradient, X), "custom_vjp_wrong": (wrong_gradient, X, M), "custom_primal": (wrong_primal, X),
    "custom_jvp": (softplus, X), "custom_vjp_jit": (inside_jit, X),
    "custom_inside": (lambda x: jax.jit(jax.vmap(clipped_gradient))(x) * x, X)}


FLOATS = {  # NumPy's own, on floats only
    "inverse": lambda x: jnp.arcsin(x / 2) + jnp.arccos(x / 2) + jnp.arctan(x) + jnp.arctan2(x, 2 * x),
    "inverse_hyperbolic": lambda x: jnp.arcsinh(x) + jnp.arccosh(x + 1) + jnp.arctanh(x / 2) + jnp.cbrt(x),
    "steps": lambda x: jnp.floor(x) + jnp.ceil(x) + x % 0.75}


def leaves(y):
    return [np.asarray(v) for v in jax.tree.leaves(y)]


def several(y):
    return y if isinstance(y, (tuple, list)) else [y]


def draws(name, shapes):
    rng = np.random.default_rng(len(name))
    yield [rng.uniform(0.3, 1.7, s) for s in shapes]
    if name not in POSITIVE:
        yield [rng.permutation(int(np.prod(s))).reshape(s) / 4 - 0.6 for s in shapes]
        yield [rng.integers(-4, 5, s) / 4 for s in shapes]


def reference(f, xs, seed=0):
    """Result, cotangent of the result, VJP by JAX in float64."""
    with jax.enable_x64(True):
        xs = [jnp.asarray(x) for x in xs]
        y = leaves(f(*xs))
        rng = np.random.default_rng(seed)
        gs = [rng.normal(size=v.shape) for v in y]
        primal, pull = jax.vjp(lambda *a: jax.tree.leaves(f(*a)), *xs)
        return y, gs, leaves(pull([jnp.asarray(g) for g in gs])), leaves(primal)


def compare(got, expected):
    for a, b in zip(several(got), expected, strict=True):
        np.testing.assert_allclose(a, b, **TOLERANCE)


@pytest.mark.parametrize("name", CASES)
def test_on_floats_and_on_symbols(name):
    f, *shapes = CASES[name]
    names = [f"x{k}" for k in range(len(shapes))]
    functions = numpy_functions(f, *shapes)
    n = len(several(functions.forward(*next(draws(name, shapes)))))
    ys = [np.shape(y) for y in several(functions.forward(*next(draws(name, shapes))))]
    xs = [symbols(s, shape) for s, shape in zip(names, shapes, strict=True)]
    gs = [symbols(f"g{k}", s) for k, s in enumerate(ys)]
    forward = explore(lambda: functions.forward(*xs))
    backward = explore(lambda: functions.vjp(gs[0] if n == 1 else gs, *xs))
    for case, values in enumerate(draws(name, shapes)):
        y, g, expected, primal = reference(f, values, case)
        compare(functions.forward(*values), y)
        compare(functions.primal(*values), primal)
        compare(functions.vjp(g[0] if n == 1 else g, *values), expected)
        inputs = dict(zip(names, values, strict=True)) | {f"g{k}": v for k, v in enumerate(g)}
        compare(at(forward, inputs), y)
        compare(at(backward, inputs), expected)


@pytest.mark.parametrize("name", FLOATS)
def test_on_floats_only(name):
    functions, x = numpy_functions(FLOATS[name], X), next(draws("roots", [X]))
    y, g, expected, _ = reference(FLOATS[name], x)
    compare(functions.forward(*x), y)
    compare(functions.vjp(*g, *x), expected)
    with pytest.raises(Unsupported, match=r"np\."):
        explore(lambda: functions.forward(symbols("x", X)))


@pytest.mark.parametrize("name", ["polynomial", "softmax", "max", "conv", "index", "cond", "scan", "custom_jvp"])
def test_jvp(name):
    f, *shapes = CASES[name]
    functions = numpy_functions(f, *shapes)
    primals = next(draws(name, shapes))
    tangents = [np.cos(np.arange(x.size)).reshape(x.shape) for x in primals]
    with jax.enable_x64(True):
        expected = jax.jvp(f, tuple(map(jnp.asarray, primals)), tuple(map(jnp.asarray, tangents)))[1]
    compare(functions.jvp(primals, tangents), leaves(expected))


def test_a_custom_vjp_has_no_jvp():
    assert numpy_functions(clipped_gradient, X).jvp is None


def test_a_wrong_primal_is_seen():
    functions, x = numpy_functions(wrong_primal, X), np.full(X, 0.25)
    np.testing.assert_allclose(functions.forward(x), np.sin(x), **TOLERANCE)
    np.testing.assert_allclose(functions.primal(x), np.cos(x), **TOLERANCE)


def test_integer_arguments_have_no_cotangent():
    functions = numpy_functions(lambda x, i: x[:, i] * 2, X, (2,), dtype=("float64", "int64"))
    x, i, g = np.arange(6.0).reshape(X), np.array([2, 2]), np.ones((2, 2))
    np.testing.assert_array_equal(functions.forward(x, i), x[:, [2, 2]] * 2)
    gx, gi = functions.vjp(g, x, i)
    np.testing.assert_array_equal(gx, [[0, 0, 4], [0, 0, 4]])
    assert gi is None


def test_float32_is_the_same_over_the_reals():
    constant = jnp.asarray(np.float32(0.1))
    assert constant.dtype == np.float32
    functions = numpy_functions(lambda x: x * constant + jnp.float32(0.7), V, dtype="float32")
    np.testing.assert_allclose(functions.forward(np.ones(3)), 0.8, rtol=1e-15)
    found = explore(lambda: functions.forward(symbols("x", V)))
    assert set(found.decimal_constants) == {"0.1", "0.7"}


def test_x64_is_restored():
    before = jax.config.jax_enable_x64
    numpy_functions(jnp.sin, X)
    assert jax.config.jax_enable_x64 == before


def branching(x):
    return x if x.sum() > 0 else -x


UNSUPPORTED = {
    "lu": (lambda x: jnp.linalg.solve(x @ x.T, x), X), "cholesky": (lambda x: jnp.linalg.cholesky(x @ x.T), X),
    "digamma": (jax.scipy.special.digamma, X), "random_bits": (lambda x: x * jax.random.bits(jax.random.key(
        jnp.argmax(x))), X),
    "numpy": (lambda x: jnp.asarray(np.sin(x)), X), "branch": (branching, X), "mask": (lambda x: x[x > 0].sum(), X),
    "complex": (lambda x: jnp.abs(jnp.fft.fft(x)), X)}
NAMED = {"numpy": "needs the values", "branch": "needs the values", "mask": "needs the values",
         "random_bits": "random_seed of values that depend", "complex": "complex"}


@pytest.mark.parametrize("name", UNSUPPORTED)
def test_what_is_not_modelled_is_named(name):
    f, *shapes = UNSUPPORTED[name]
    with pytest.raises(Unsupported, match=NAMED.get(name, f"primitive {name} is not modelled")):
        explore(lambda: numpy_functions(f, *shapes).forward(*(symbols("x", s) for s in shapes)))


def test_a_while_loop_has_a_forward_and_no_vjp():
    functions = numpy_functions(lambda x: lax.while_loop(lambda y: y.sum() < 5, lambda y: 2 * y, x), V)
    np.testing.assert_array_equal(functions.forward(np.ones(3)), np.full(3, 2.0))
    with pytest.raises(Unsupported, match="no VJP"):
        functions.vjp(np.ones(3), np.ones(3))


def test_arguments_are_checked():
    functions = numpy_functions(jnp.add, X, X)
    with pytest.raises(ValueError, match=r"argument 1: shape \(3,\)"):
        functions.forward(np.ones(X), np.ones(3))
    with pytest.raises(ValueError, match="1 arguments given"):
        functions.forward(np.ones(X))
    with pytest.raises(ValueError, match="the cotangent"):
        functions.vjp(np.ones(3), np.ones(X), np.ones(X))
    with pytest.raises(ValueError, match="2 shapes and 1 dtypes"):
        numpy_functions(jnp.add, X, X, dtype=["float64"])


def test_every_primitive_of_the_table_is_reached(monkeypatch):
    """By the cases above: a meaning that no case runs is not tested."""
    unreached = set(PRIMITIVES)
    for name, rule in PRIMITIVES.items():
        def seen(eqn, *xs, name=name, rule=rule):
            unreached.discard(name)
            return rule(eqn, *xs)
        monkeypatch.setitem(PRIMITIVES, name, seen)
    for name, (f, *shapes) in {**CASES, **{n: (f, X) for n, f in FLOATS.items()}}.items():
        functions, values = numpy_functions(f, *shapes), next(draws(name, shapes))
        y = functions.forward(*values)
        functions.vjp([np.ones_like(v) for v in several(y)], *values)
        if functions.jvp:
            functions.jvp(values, values)
    assert " ".join(sorted(unreached)) == ""
