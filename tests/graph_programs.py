"""Random programs for tests: calls of public functions on a growing pool of values, recorded as graphs.

A program is drawn call by call. Each call is first run on arrays, so that one whose result is wild (not finite,
or large)
is dropped, and then recorded in a GraphBuilder. The same calls can be run on arrays, on traced values or on the Vars of
another builder.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from typing import Any

import hypothesis.strategies as st
import numpy as np

import gradproof as gp

SHAPES = ((), (3,), (4,), (2, 3), (3, 3), (3, 4), (2, 2, 3), (1, 2, 4, 4), (2, 4, 3), (1, 4, 5))
WILD = 20.0  # values beyond are dropped


@dataclass(frozen=True)
class Ref:
    """A value of the pool."""

    number: int


class Program:
    """graph is what `self` records; self(*inputs) runs the calls on whatever the inputs are."""

    def __init__(self):
        self.inputs: list[np.ndarray] = []
        self.calls: list[tuple[Callable[..., Any], tuple, dict]] = []
        self.outputs: tuple[int, ...] = ()
        self.graph: gp.Graph | None = None

    def __call__(self, *inputs):
        pool = list(inputs)
        for function, args, kwargs in self.calls:
            extend(pool, function(*resolved(args, pool), **kwargs))
        results = tuple(pool[number] for number in self.outputs)
        return results if len(results) > 1 else results[0]

    def specs(self):
        return [gp.TensorSpec(x.shape, x.dtype.name) for x in self.inputs]

    def __repr__(self):  # in Hypothesis' reports
        return f"<{self.graph}\nat {self.inputs}>"


def extend(pool, made):
    pool.extend(made if isinstance(made, tuple) else (made,))


def resolved(args, pool):
    return [pool[arg.number] if isinstance(arg, Ref) else resolved(arg, pool) if isinstance(arg, list) else arg
            for arg in args]  # fmt: skip


class Drawing:
    """A program on its way: `values` are its arrays, `pool` its Vars."""

    def __init__(self, draw, float32):
        self.draw = draw
        self.float32 = float32
        self.rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
        self.program = Program()
        self.builder = gp.GraphBuilder()
        self.pool: list[gp.Var] = []
        self.values: list[np.ndarray] = []

    def choose(self, options):
        return options[self.draw(st.integers(0, len(options) - 1))]

    def coin(self):
        return self.draw(st.booleans())

    # Arrays.

    def array(self, shape, dtype="float64"):
        return self.rng.uniform(-1.5, 1.5, shape).astype(dtype)

    def dtype(self):
        return "float32" if self.float32 and self.choose(range(6)) == 5 else "float64"

    def input(self, array):
        self.program.inputs.append(array)
        self.values.append(array)
        self.pool.append(self.builder.input(array.shape, array.dtype))

    # Operands.

    def some(self, fits=lambda x: True, kind="f"):
        """A value of the pool for which `fits` is true, rather one that was made late; None if there is none."""
        found = [n for n, x in enumerate(self.values) if x.dtype.kind in kind and fits(x)]
        if not found:
            return None
        return Ref(max(self.choose(found), self.choose(found)))

    def like(self, shape):
        """An operand of this shape: a value of the pool or a constant."""
        found = self.some(lambda x: x.shape == tuple(shape))
        return found if found is not None and self.coin() else self.array(shape, self.dtype())

    def of_kind(self, shape, kind, fits, make):
        found = self.some(lambda x: x.shape == tuple(shape) and fits(x), kind)
        return found if found is not None else make()

    def indices(self, shape, low, high):
        dtype = self.choose(("int64", "int32", "int64", "uint8") if low >= 0 else ("int64", "int16"))
        return self.of_kind(shape, "iu", lambda x: x.size == 0 or (x.min() >= low and x.max() < high),
                            lambda: self.rng.integers(low, high, shape).astype(dtype))  # fmt: skip

    def mask(self, shape):
        return self.of_kind(shape, "b", lambda x: True, lambda: self.rng.random(shape) < 0.7)

    def shape(self, ref):
        return self.values[ref.number].shape

    def axis(self, ref):
        rank = len(self.shape(ref))
        return self.choose(range(-rank, rank))

    def axes(self, ref):
        rank = len(self.shape(ref))
        return self.choose((None, *range(-rank, rank), tuple(range(rank))))

    # Calls.

    def do(self, function, *args, **kwargs):
        """Run the call, and record it unless its result is wild."""
        arrays = self.values
        with np.errstate(all="ignore"):
            made = function(*resolved(args, arrays), **kwargs)
        pieces = made if isinstance(made, tuple) else (made,)
        if any(x.dtype.kind == "f" and x.size and not np.abs(x).max() < WILD for x in pieces):
            return
        self.program.calls.append((function, args, kwargs))
        extend(self.values, made)
        with self.builder.recording():
            extend(self.pool, function(*resolved(args, self.pool), **kwargs))


STEPS: dict[str, Callable[[Drawing], None]] = {}


def step(function):
    STEPS[function.__name__] = function
    return function


def at_least(rank):
    return lambda x: x.ndim >= rank and x.size > 0


def positive(x):
    return x.size == 0 or bool(x.min() > 0.1)


UNARY = (
    "neg",
    "exp",
    "relu",
    "square",
    "abs",
    "sigmoid",
    "tanh",
    "softplus",
    "silu",
    "sin",
    "cos",
    "detach",
    "safe_log",
)
BINARY = ("add", "sub", "mul", "maximum", "minimum")


def unary(name):
    def draw_call(d):
        x = d.some(positive if name == "safe_log" else lambda x: True)
        if x is not None:
            d.do(getattr(gp, name), x)

    STEPS[name] = draw_call


def of_positive(name, *attributes):
    def draw_call(d):
        x = d.some(positive)
        if x is not None:
            d.do(getattr(gp, name), x, *attributes)

    STEPS[name] = draw_call


def binary(name):
    def draw_call(d):
        a = d.some()
        shape = d.shape(a)
        b = d.choose(
            (a, d.like(shape), d.like(shape), d.array(shape[len(shape) // 2 :]), d.some(lambda x: x.ndim == 0), 0.5)
        )
        pair = (a, a if b is None else b)
        d.do(getattr(gp, name), *(pair if d.coin() else pair[::-1]))

    STEPS[name] = draw_call


for name in UNARY:
    unary(name)
for name in BINARY:
    binary(name)
for name in ("sqrt", "log", "reciprocal"):
    of_positive(name)
of_positive("pow", 0.5)


@step
def div(d):
    b = d.some(positive)
    if b is not None:
        d.do(gp.div, d.like(d.shape(b)), b)


@step
def attributes(d):
    """Pointwise ops with an attribute."""
    function, *values = d.choose([(gp.gelu,), (gp.gelu, "tanh"), (gp.leaky_relu, 0.1), (gp.elu, 0.5), (gp.scale,
                                  -0.7), (gp.pow, 2),
                                  (gp.hardtanh, -0.5, 0.5), (gp.clamp, -0.5, None), (gp.clamp, -1, 1.0),
                                  (gp.clamp_min, 0.25),
                                  (gp.clamp_max, 0.25)])  # fmt: skip
    d.do(function, d.some(), *values)


@step
def where(d):
    a = d.some()
    d.do(gp.where, d.mask(d.shape(a)), a, d.like(d.shape(a)))


@step
def matmul(d):
    a = d.some(at_least(2))
    if a is not None:
        d.do(gp.matmul, a, d.like((d.shape(a)[-1], d.choose((1, 2, 3)))))


@step
def einsum(d):
    a = d.some(lambda x: x.ndim == 2)
    if a is not None:
        d.do(gp.einsum, d.choose(("ij,kj->ik", "ij,ij->j", "ij,ij")), a, d.like(d.shape(a)))


@step
def linear(d):
    x = d.some(at_least(1))
    if x is not None:
        out = d.choose((1, 3))
        bias = [d.like((out,))] if d.coin() else []
        d.do(gp.linear, x, d.like((out, d.shape(x)[-1])), *bias)


@step
def conv(d):
    x = d.some(lambda x: x.ndim >= 3 and x.shape[-1] >= 2 and x.shape[-2] >= 1)
    if x is not None:
        channels = d.shape(x)[-2]
        groups = d.choose([g for g in (1, 2) if channels % g == 0])
        bias = [d.like((2,))] if d.coin() else []
        d.do(
            gp.conv,
            x,
            d.like((2, channels // groups, 2)),
            *bias,
            stride=d.choose((1, 2)),
            padding=d.choose((0, 1)),
            groups=groups,
        )


@step
def conv2d(d):
    x = d.some(lambda x: x.ndim >= 3 and min(x.shape[-2:]) >= 2 and x.shape[-3] >= 1)
    if x is not None:
        d.do(gp.conv, x, d.like((2, d.shape(x)[-3], 2, 2)), stride=(1, 2), padding=1)


@step
def conv_transpose(d):
    x = d.some(lambda x: x.ndim >= 3 and x.size > 0 and x.size < 60)
    if x is not None:
        d.do(gp.conv_transpose, x, d.like((d.shape(x)[-2], 2, 2)), stride=d.choose((1, 2)))


def windows(name, rank, **attributes):
    def draw_call(d):
        x = d.some(lambda x: x.ndim >= rank and x.size > 0 and min(x.shape[-rank:]) >= 2)
        if x is not None:
            d.do(
                getattr(gp, name), x, (2,) * rank, stride=d.choose((1, 2, None)), padding=d.choose((0, 1)), **attributes
            )

    STEPS[f"{name}{rank}"] = draw_call


windows("max_pool", 1)
windows("max_pool", 2)
windows("avg_pool", 2, count_include_pad=False)
windows("smooth_max_pool", 1, beta=2.0)


@step
def adaptive_avg_pool(d):
    x = d.some(at_least(2))
    if x is not None:
        d.do(gp.adaptive_avg_pool, x, (d.choose((1, 2)), d.choose((1, 3))))


@step
def softmaxes(d):
    x = d.some(at_least(1))
    if x is not None:
        d.do(d.choose((gp.softmax, gp.log_softmax, gp.logsumexp)), x, d.axis(x))


@step
def reductions(d):
    x = d.some(lambda x: x.size > 0)
    if x is not None:
        d.do(d.choose((gp.reduce_sum, gp.reduce_mean, gp.max_axis, gp.min_axis)), x, d.axes(x), d.coin())


@step
def var(d):
    x = d.some(lambda x: x.ndim >= 1 and min(x.shape) >= 2)
    if x is not None:
        d.do(gp.var, x, d.axes(x))


@step
def cumsum(d):
    x = d.some(at_least(1))
    if x is not None:
        d.do(gp.cumsum, x, d.axis(x))


@step
def reshape(d):
    x = d.some()
    size = prod(d.shape(x))
    d.do(gp.reshape, x, d.choose([s for s in ((-1,), *SHAPES) if s == (-1,) or prod(s) == size]))


@step
def transpose(d):
    x = d.some()
    rank = len(d.shape(x))
    d.do(gp.transpose, x, d.choose((None, tuple(range(rank)), (*range(1, rank), 0) if rank else None)))


@step
def structural(d):
    x = d.some(at_least(1))
    if x is not None:
        axis = d.axis(x)
        function, *values = d.choose([(gp.flip, axis), (gp.roll, 1, axis), (gp.repeat, 2, axis), (gp.flatten,)])
        d.do(function, x, *values)


@step
def pad(d):
    x = d.some(lambda x: 1 <= x.ndim <= 3)
    if x is not None:
        widths = [(d.choose((0, 1)), d.choose((0, 1))) for _ in d.shape(x)]
        d.do(gp.pad, x, widths, d.choose((0, -1.5, float("inf"))) if not any(map(any, widths)) else 0.5)


@step
def concat(d):
    x = d.some(at_least(1))
    if x is not None:
        d.do(gp.concat, [x, d.like(d.shape(x)), x][: d.choose((1, 2, 3))], d.axis(x))


@step
def stack(d):
    x = d.some(lambda x: x.ndim <= 3)
    if x is not None:
        d.do(gp.stack, [x, d.like(d.shape(x))], 0)


@step
def split(d):
    x = d.some(lambda x: x.ndim >= 1 and x.shape[0] >= 2)
    if x is not None:
        d.do(gp.split, x, [1, d.shape(x)[0] - 1])


@step
def slice_range(d):
    x = d.some(at_least(1))
    if x is not None:
        axis = d.axis(x)
        start = d.choose(range(d.shape(x)[axis]))
        d.do(gp.slice_range, x, start, d.choose(range(d.shape(x)[axis] - start + 1)) or 1, axis)


@step
def broadcast_to(d):
    x = d.some(lambda x: x.ndim <= 2)
    if x is not None:
        d.do(gp.broadcast_to, x, (2, *d.shape(x)))


@step
def upsample_nearest(d):
    x = d.some(at_least(1))
    if x is not None and prod(d.shape(x)) < 60:
        d.do(gp.upsample_nearest, x, (d.choose((1, 5)),))


@step
def gather_rows(d):
    x = d.some(lambda x: x.ndim == 2)
    if x is not None:
        d.do(gp.gather_rows, x, d.indices((3,), -1, d.shape(x)[0] + 1))


@step
def gather_vec(d):
    x = d.some(lambda x: x.ndim == 1)
    if x is not None:
        d.do(gp.gather_vec, x, d.indices((3,), -1, d.shape(x)[0] + 1))


@step
def scatter_add(d):
    x = d.some(at_least(1))
    if x is not None:
        d.do(gp.scatter_add, x, d.like((3, *d.shape(x)[1:])), d.indices((3,), -1, d.shape(x)[0] + 1))


@step
def layer_norm(d):
    x = d.some(lambda x: x.ndim >= 1 and x.shape[-1] >= 2)
    if x is not None:
        extent = d.shape(x)[-1]
        d.do(gp.layer_norm, x, d.like((extent,)), d.like((extent,)), eps=0.01)


@step
def rms_norm(d):
    x = d.some(at_least(1))
    if x is not None:
        d.do(gp.rms_norm, x, d.like((d.shape(x)[-1],)), eps=0.01)


@step
def channel_norms(d):
    x = d.some(lambda x: x.ndim >= 2 and x.shape[1] >= 1 and x.size >= 2 * x.shape[1])
    if x is not None:
        channels = d.shape(x)[1]
        weights = d.like((channels,)), d.like((channels,))
        if d.coin():
            d.do(gp.batch_norm, x, *weights, eps=0.01)
        else:
            d.do(gp.group_norm, x, *weights, num_groups=channels, eps=0.01)


@step
def attention(d):
    q = d.some(at_least(2))
    if q is not None:
        shape = d.shape(q)
        mask = d.choose((None, d.mask((shape[-2], shape[-2]))))
        causal = d.coin() and not isinstance(mask, Ref)  # a mask that is an input has to be causal itself
        d.do(gp.scaled_dot_product_attention, q, d.like(shape), d.like(shape), mask, is_causal=causal)


@step
def multi_head_attention(d):
    x = d.some(lambda x: x.ndim >= 2 and x.shape[-1] >= 1)
    if x is not None:
        rows, width = d.shape(x)[-2:]
        weights = [d.like((width, 4)), d.like((width, 4)), d.like((width, 4)), d.like((4, width))]
        d.do(gp.multi_head_attention, x, *weights, 2, d.choose((None, d.mask((rows, rows)))))


@step
def label_losses(d):
    logits = d.some(lambda x: x.ndim in (1, 2) and x.size > 0 and x.shape[-1] >= 2)
    if logits is not None:
        shape = d.shape(logits)
        labels = d.indices(shape[:-1], 0, shape[-1])
        d.do(d.choose((gp.cross_entropy, gp.nll_loss)), logits, labels, d.choose(("mean", "sum", "none")))


@step
def losses(d):
    x = d.some(lambda x: x.size > 0)
    function = d.choose((gp.mse_loss, gp.bce_with_logits))
    d.do(function, x, d.like(d.shape(x)), d.choose(("mean", "sum", "none")))


@step
def kl_div(d):
    target = d.some(lambda x: x.size > 0 and positive(x))
    if target is not None:
        d.do(gp.kl_div, d.like(d.shape(target)), target)


@step
def random_numbers(d):
    seed, stream, dtype = d.choose((0, 7, 2**63)), d.choose((0, 1)), d.dtype()
    if d.coin():
        d.do(gp.rand_uniform, d.choose(SHAPES), seed, stream, dtype)
    else:
        d.do(gp.bernoulli_mask, 0.6, d.choose(SHAPES), seed, stream, d.choose((dtype, "bool")))


@step
def dropout(d):
    d.do(gp.dropout, d.some(), d.choose((0.5, 0.9, 1.0, 0.0)), d.choose((0, 3)), d.choose((0, 1, 2)))


@step
def updates(d):
    p = d.some()
    shape = d.shape(p)
    if d.coin():
        d.do(gp.sgd_update, p, d.like(shape), 0.1)
    else:
        d.do(gp.momentum_update, p, d.like(shape), 0.9)


@st.composite
def programs(draw, only=None, float32=True, inputs=("float64", "float64", "float64", "float32"), most=14):
    """A Program with its graph. only: the names of the steps that may be taken; float32: whether constants and random
    numbers may be; inputs: the dtypes of the float inputs."""
    d = Drawing(draw, float32)
    d.input(d.array(d.choose(SHAPES)))
    for _ in range(d.choose((1, 1, 2, 3))):
        d.input(d.array(d.choose(SHAPES), d.choose(inputs)))
    if d.coin():
        d.input(d.rng.integers(0, 2, (3,)).astype(d.choose(("int64", "int32"))))
    if d.coin():
        d.input(d.rng.random((3, 3)) < 0.7)
    names = d.rng.permutation(sorted(STEPS if only is None else only))  # Hypothesis likes what comes first
    for _ in range(draw(st.integers(4, most))):
        STEPS[d.choose(names)](d)
    if not d.program.calls:
        d.do(gp.tanh, Ref(0))
    first = len(d.program.inputs)
    made = [
        n for n in range(len(d.values)) if d.values[n].dtype.kind == "f" and (n >= first or d.choose(range(20)) == 0)
    ]
    if not made:
        d.do(gp.tanh, Ref(0))
        made = [len(d.values) - 1]
    d.program.outputs = (*(d.choose(made) for _ in range(d.choose((0, 0, 1, 2)))), made[-1])
    d.program.graph = d.builder.build(*(d.pool[number] for number in d.program.outputs))
    return d.program


def graph_of(example):
    """A graph of one op, straight from a kernel example."""
    op = gp.OPS[example.op]
    integers = {"condition": "bool", "mask": "bool", "x": "float64"}
    dtypes = [
        "float64" if op.is_differentiable(k) else integers.get(op.inputs[k], "int64")
        for k in range(len(example.shapes))
    ]
    inputs = [
        gp.GraphNode("input", shape=shape, dtype=dtype) for shape, dtype in zip(example.shapes, dtypes, strict=True)
    ]
    shape = op.shape(*example.shapes, **example.attributes)
    dtype = example.attributes.get("dtype", "float64")
    made = gp.GraphNode(op.name, tuple(range(len(inputs))), dict(example.attributes), shape, dtype)
    return gp.Graph((*inputs, made), (len(inputs),))
