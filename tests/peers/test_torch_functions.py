"""PyTorch functions and autograd.Functions translated to NumPy: PyTorch's numbers, on floats and on symbols."""
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from symbolic_values import at

from gradproof_spec.symbolic import Unsupported, explore, symbols
from gradproof_spec.torch_functions import numpy_functions
from gradproof_spec.torch_ops import OPS

X, V, M, Q, K = (2, 3), (3,), (3, 2), (1, 2, 4, 4), (2, 1, 2, 2)
POSITIVE = {"roots", "logs", "powers", "norms", "normalize", "cosine", "cross_entropy_weighted", "bce", "std", "xlogy"}
NO_TIES = {"max_dim", "sort", "top_k", "cummax"}  # PyTorch does not say which of equal elements it takes
TOLERANCE = {"rtol": 1e-10, "atol": 1e-12}  # a reference in float64, other orders of summation


class Saved(torch.autograd.Function):
    """Base of the Functions below: saves all its arguments."""

    @classmethod
    def save(cls, ctx, *xs):
        ctx.save_for_backward(*xs)


class Cube(Saved):
    @staticmethod
    def forward(ctx, x):
        Cube.save(ctx, x)
        return x**3

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return 3 * x * x * g

    @staticmethod
    def jvp(ctx, t):
        return t


class Relu(Saved):
    """Writes to a clone of g, through a mask."""

    @staticmethod
    def forward(ctx, x):
        Relu.save(ctx, x)
        return x.clamp(min=0)

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        g = g.clone()
        g[x < 0] = 0
        return g


class WritesCotangent(Relu):
    @staticmethod
    def backward(ctx, g):
        g.mul_(2)
        return g


class Linear(Saved):
    """The wrong factor 2 on the weight."""

    @staticmethod
    def forward(ctx, x, w, b):
        Linear.save(ctx, x, w)
        return x @ w + b

    @staticmethod
    def backward(ctx, g):
        x, w = ctx.saved_tensors
        return g @ w.t(), 2 * x.t().mm(g) if ctx.needs_input_grad[1] else None, g.sum(0)


class Softmax(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, axis):
        e = torch.exp(x - x.max(dim=axis, keepdim=True).values)
        y = e / e.sum(axis, keepdim=True)
        ctx.axis = axis
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx, g):
        (y,) = ctx.saved_tensors
        return y * (g - (g * y).sum(ctx.axis, keepdim=True)), None


class LayerNorm(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, gamma):
        mean, var = x.mean(-1, keepdim=True), x.var(-1, keepdim=True, unbiased=False)
        scale = torch.rsqrt(var + 1e-5)
        ctx.save_for_backward((x - mean) * scale, scale, gamma)
        return (x - mean) * scale * gamma

    @staticmethod
    def backward(ctx, g):
        y, scale, gamma = ctx.saved_tensors
        h = g * gamma
        gx = (h - h.mean(-1, keepdim=True) - y * (h * y).mean(-1, keepdim=True)) * scale
        return gx, (g * y).sum(0)


class TwoResults(Saved):
    @staticmethod
    def forward(ctx, x):
        TwoResults.save(ctx, x)
        return torch.sin(x), x.sum(1)

    @staticmethod
    def backward(ctx, g, h):
        (x,) = ctx.saved_tensors
        return g * torch.cos(x) + h.unsqueeze(1)


class NoGradient(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, y):
        return torch.round(x) if False else x + y

    @staticmethod
    def backward(ctx, g):
        return None, g


class Buffers(Saved):
    """In-place writes to temporaries, through views."""

    @staticmethod
    def forward(ctx, x):
        Buffers.save(ctx, x)
        y = torch.zeros(3, 3, dtype=x.dtype)
        y[:2].add_(x)
        y[1:] -= 2 * x
        y.t()[0].mul_(x[0, 0])
        return y

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        g = g.clone()
        gs = torch.empty_like(x)
        gs.copy_(g[:2] - 2 * g[1:])
        return torch.relu_(gs)


def in_place(x):
    y = x.clone()
    y.mul_(2).add_(x, alpha=3)
    y[0, 1:] = x[1, 1:] * x[1, :2]
    return y.clamp_(max=4)


def written_by_rows(x):
    made = [torch.empty(2, 3), torch.empty_like(x), x.new_empty(2, 3)]
    for y in made:
        y[0], y[1] = x[1], x[0] * 2
    return made[0] * made[1] + made[2]


IDS, ROWS = torch.tensor([[0, 2], [1, 0]]), torch.tensor([1, 0, 1])
LABELS, WEIGHT = torch.tensor([0, 2]), torch.tensor([0.5, 1.0, 0.25], dtype=torch.float64)
CASES = {
    # pointwise
    "polynomial": (lambda x, y: x * y - 3 * x**3 + y / 4 - (-x) + torch.addcmul(x, x, y), X, X),
    "roots": (lambda x: x.sqrt() + x.rsqrt() + x.reciprocal() + x**-2 + x**0.5, X),
    "logs": (lambda x: x.log() + x.log1p() + x.expm1() + torch.exp(x), X),
    "powers": (lambda x, y: x**2.5 + 2.0**x + x**y, X, X),
    "waves": (lambda x: x.sin() * x.cos() + (x / 4).tan() + x.sinh() - x.cosh() + x.tanh(), X),
    "abs_sign": (lambda x: x.abs() + x.sign() * x, X),
    "max_min": (lambda x, y: torch.maximum(x, y) + 2 * torch.minimum(x, y * 2) + torch.fmax(x, y), X, X),
    "clamp": (lambda x: x.clamp(-0.5, 1) + x.clamp_min(0.25) + x.clamp(max=0), X),
    "where": (lambda x: torch.where((x > 0) & ~(x == 1) | (x < -1), x, 0.5 * x), X),
    "masked_fill": (lambda x: x.masked_fill(x <= 0.25, 0.5), X),
    "booleans": (lambda x: (x > -2).all() * x + (x > 1).any(0) * 2 + (x >= 0).to(x.dtype), X),
    "finite": (lambda x: torch.where(torch.isfinite(x) & ~torch.isnan(x), x, 7.0), X),
    "erf": (lambda x: x.erf() + torch.erfc(x / 2), X), "hypot": (lambda x: torch.hypot(x, x * 2 + 9), X),
    "logaddexp": (torch.logaddexp, X, X), "xlogy": (lambda x: torch.xlogy(x, x), X),
    # activations
    "relu": (F.relu, X), "relu6": (F.relu6, X), "sigmoid": (torch.sigmoid, X), "silu": (F.silu, X), "elu": (F.elu, X),
    "gelu": (F.gelu, X), "gelu_tanh": (lambda x: F.gelu(x, approximate="tanh"), X), "softplus": (F.softplus, X),
    "leaky_relu": (F.leaky_relu, X), "hardtanh": (F.hardtanh, X), "mish": (F.mish, X), "hardswish": (F.hardswish, X),
    "selu": (F.selu, X), "logsigmoid": (F.logsigmoid, X), "shrink": (lambda x: F.softshrink(x) + F.hardshrink(x), X),
    "threshold": (lambda x: torch.threshold(x, 0.1, 20), X), "prelu": (F.prelu, X, (1,)),
    "softmax": (lambda x: F.softmax(x, 1), X), "log_softmax": (lambda x: F.log_softmax(x, 0), X),
    "logsumexp": (lambda x: torch.logsumexp(x, 1), X), "softsign": (F.softsign, X),
    # losses
    "cross_entropy": (lambda x: F.cross_entropy(x, LABELS), X), "nll": (lambda x: F.nll_loss(x, LABELS), X),
    "cross_entropy_weighted": (lambda x: F.cross_entropy(x, LABELS, weight=WEIGHT, label_smoothing=0.1), X),
    "mse": (F.mse_loss, X, X), "l1": (F.l1_loss, X, X), "huber": (F.huber_loss, X, X),
    "smooth_l1": (F.smooth_l1_loss, X, X),
    "bce": (lambda x: F.binary_cross_entropy(x / 2, x.detach() / 4), X),
    "bce_logits": (lambda x: F.binary_cross_entropy_with_logits(x, torch.full((2, 3), 0.25)), X),
    # reductions
    "sums": (lambda x: x.sum(0) + x.mean() + x.sum(1, keepdim=True).mean(0), X),
    "var": (lambda x: x.var(1) + x.var(unbiased=False), X), "std": (lambda x: x.std(0), X),
    "amax": (lambda x: x.amax(1) + x.amin(), X), "max": (lambda x: x.max() - x.min(), X),
    "max_dim": (lambda x: x.max(1)[0] + x.min(1).values, X), "prod": (lambda x: x.prod(1), X),
    "norms": (lambda x: x.norm() + x.norm(p=1, dim=1), X), "normalize": (F.normalize, X),
    "cosine": (F.cosine_similarity, X, X),
    "argmax": (lambda x: F.one_hot(x.argmax(1), 3) * x + x.argmin(0), X),
    "scans": (lambda x: x.cumsum(1) + x.cumprod(0), X), "sort": (lambda v: v.sort()[0] + v.sort(descending=True)[0], V),
    "top_k": (lambda v: v.topk(2)[0], V),
    # contractions
    "matmul": (lambda x, m: x @ m, X, M), "linear": (lambda x, w, b: F.linear(x, w, b), X, (4, 3), (4,)),
    "einsum": (lambda x, m: torch.einsum("ij,jk->ki", x, m), X, M), "bmm": (lambda a, b: a @ b, (2, 2, 3), (2, 3, 1)),
    "mv": (lambda x, v: x @ v + torch.dot(v, v), X, V),
    "attention": (F.scaled_dot_product_attention, (1, 1, 2, 3), (1, 1, 2, 3), (1, 1, 2, 3)),
    # convolutions and pooling
    "conv2d": (lambda q, k, b: F.conv2d(q, k, b, stride=2, padding=1, groups=2), Q, K, (2,)),
    "conv2d_dilated": (lambda q, k: F.conv2d(q[:, :1], k, stride=(1, 2), padding=(0, 1), dilation=(2, 1)), Q, K),
    "conv1d": (lambda x, w: F.conv1d(x[None], w, padding=1), (2, 4), (1, 2, 3)),
    "conv_transpose2d": (lambda q, k, b: F.conv_transpose2d(q, k, b, stride=2, padding=1, output_padding=1),
                         (1, 2, 2, 2), (2, 1, 3, 3), (1,)),
    "conv_transpose_groups": (lambda q, k: F.conv_transpose2d(q, k, groups=2), (1, 2, 2, 2), K),
    "max_pool": (lambda q: F.max_pool2d(q, 2), Q), "max_pool_over": (lambda q: F.max_pool2d(q, 3, 2, 1), (1, 1, 4, 4)),
    "max_pool_ceil": (lambda q: F.max_pool2d(q, 2, 2, ceil_mode=True), (1, 1, 3, 3)),
    "max_pool1d": (lambda x: F.max_pool1d(x[None], 2, 1), X),
    "avg_pool": (lambda q: F.avg_pool2d(q, 2, 1, 1), Q),
    "avg_pool_ceil": (lambda q: F.avg_pool2d(q, 2, 2, ceil_mode=True, count_include_pad=False), (1, 1, 3, 5)),
    "avg_pool1d": (lambda x: F.avg_pool1d(x[None], 2), X),
    "adaptive": (lambda q: F.adaptive_avg_pool2d(q, 1), Q),
    # normalisation
    "layer_norm": (lambda x, w, b: F.layer_norm(x, (3,), w, b), X, V, V),
    "group_norm": (lambda x, w: F.group_norm(x[:, :, None], 3, w), (2, 6), (6,)),
    "batch_norm": (lambda x, w, b: F.batch_norm(x, None, None, w, b, training=True), X, V, V),
    "batch_norm_eval": (lambda x: F.batch_norm(x, WEIGHT, WEIGHT, training=False), X),
    "rms_norm": (lambda x, v: F.rms_norm(x, (3,), v), X, V),
    # indexing
    "index": (lambda x: x[1, :2] * x[0, ::2] + x[[1, 0], [1, -1]], X),
    "index_rows": (lambda x: x[ROWS, :][:, 1:] * 2, X),
    "index_select": (lambda x: x.index_select(0, ROWS), X), "gather": (lambda x: x.gather(1, IDS), X),
    "gather_chosen": (lambda x: x.gather(1, x.argmax(1, keepdim=True)), X),
    "scatter_add": (lambda x: torch.zeros(2, 3).scatter_add(1, IDS, x[:, :2]), X),
    "scatter": (lambda x: x.scatter(1, IDS, x[:, 1:] * 2), X),
    "index_add": (lambda m: torch.ones(2, 2).index_add(0, ROWS, m), M),
    "index_put": (lambda m: torch.zeros(2, 2).index_put((ROWS,), m, accumulate=True), M),
    "embedding": (lambda m: F.embedding(IDS, m), M), "take_along": (lambda x: torch.take_along_dim(x, IDS, 1), X),
    # shapes
    "shapes": (lambda x: torch.cat([x.t().reshape(2, 3).flip(0), x], 0)[:, None].squeeze(1).permute(1, 0), X),
    "stack": (lambda x: torch.stack([x, 2 * x], 1).transpose(0, 2).contiguous().view(-1), X),
    "splits": (lambda x: x.split(1, 1)[1] * x.chunk(3, 1)[0] + x.unbind(1)[2][:, None], X),
    "pads": (lambda x: F.pad(x, (1, -1, 0, 2), value=0.5), X),
    "reflect": (lambda x: F.pad(x, (1, 1), mode="reflect"), X),
    "expand": (lambda v: v.expand(2, 3) * v[None, None].repeat(1, 2, 1)[0], V), "roll": (lambda x: x.roll(1, 1), X),
    "triangle": (lambda x: x.tril() + x.triu(1) * 2, X), "diagonal": (lambda x: x.diagonal() * x.diagonal(1), X),
    "unfold": (lambda x: x.unfold(1, 2, 1), X), "select": (lambda x: x.select(1, 2) * x.narrow(1, 0, 1)[:, 0], X),
    "constants": (lambda x: x * torch.arange(3) + torch.eye(2, 3) * 0.1 + torch.ones(3) + torch.full((2, 1), 2.0), X),
    "results": (lambda x: (x * 2, x.sum()), X), "in_place": (in_place, X), "detach": (lambda x: x * x.detach(), X),
    "rows_written": (written_by_rows, X),
    # autograd.Functions
    "cube": (Cube, X), "relu_mask": (Relu, X), "linear_wrong": (Linear, X, M, (2,)), "two_results": (TwoResults, X),
    "softmax_function": (lambda x: Softmax.apply(x, 1), X), "layer_norm_function": (LayerNorm, X, V),
    "no_gradient": (NoGradient, X, X), "buffers": (Buffers, X),
    "inside": (lambda x, y: Cube.apply(x) * Relu.apply(y) + Softmax.apply(x * y, 0), X, X)}


A, B = torch.linspace(0.2, 0.9, 6, dtype=torch.float64).reshape(2, 3), torch.eye(2, 3, dtype=torch.float64) - 0.5
# Operations that PyTorch 2.13 decomposes, and those without a meaning on symbols: called themselves.
DIRECT = {
    **{n: (B / 2,) for n in ("silu", "sgn", "square", "std", "t", "isfinite", "isinf", "detach", "lift_fresh", "asinh",
                             "asin", "acos", "atan", "atanh", "floor", "ceil", "trunc", "exp2", "unbind", "ones_like",
                             "zeros_like", "contiguous")},
    **{n: (A,) for n in ("log2", "log10")}, **{n: (A, B) for n in ("fmin", "rsub", "atan2", "fmod", "remainder")},
    "acosh": (A + 1,), "addcmul": (A, B, B), "addcdiv": (B, B, A), "masked_fill": (A, A > 0.5, 2.0),
    "clamp_max": (A, 0.5), "threshold_backward": (A, B, 0.0), "transpose": (A, 0, 1), "stack": ([A, B], 1),
    "roll": (A, [1, 1], [0, 1]), "index_add": (A, 1, torch.tensor([2, 2]), B[:, :2]), "ones": ([2, 3],),
    "zeros": ([2],),
    "new_ones": (A, [2]), "new_zeros": (A, [2]), "new_full": (A, [2], 3), "logical_xor": (A > 0.5, B > 0),
    "bitwise_xor": (A > 0.5, B > 0), "matmul": (A, B.T), "mv": (A, B[0]), "dot": (A[0], B[0]), "view": (A, [3, 2]),
    "reshape": (A, [3, 2]), "_unsafe_view": (A, [3, 2]), "addmv": (A[:, 0], A, B[0]), "copy_": (A.clone(), B[0]),
    "baddbmm": (A[None, :, :2], A[None], B.T[None]), "all": (A > 0.5,)}


def several(y):
    return y if isinstance(y, (tuple, list)) else [y]


def called(f):
    return f.apply if isinstance(f, type) else f


def draws(name, shapes):
    rng = np.random.default_rng(len(name))
    yield [rng.uniform(0.3, 1.7, s) for s in shapes]
    if name not in POSITIVE:
        yield [rng.permutation(int(np.prod(s))).reshape(s) / 4 - 0.6 for s in shapes]
        if name not in NO_TIES:
            yield [rng.integers(-4, 5, s) / 4 for s in shapes]


@pytest.fixture(autouse=True)
def double():
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(before)


def reference(f, values, seed=0):
    """Result, cotangent of the result, VJP by PyTorch in float64."""
    xs = [torch.tensor(x, requires_grad=True) for x in values]
    ys = several(called(f)(*xs))
    rng = np.random.default_rng(seed)
    gs = [rng.normal(size=tuple(y.shape)) for y in ys]
    found = torch.autograd.grad(ys, xs, list(map(torch.tensor, gs)), allow_unused=True)
    vjp = [np.zeros(x.shape) if v is None else v.numpy() for v, x in zip(found, values, strict=True)]
    return [y.detach().numpy() for y in ys], gs, vjp


def compare(got, expected):
    for a, b in zip(several(got), expected, strict=True):
        np.testing.assert_allclose(a, b, **TOLERANCE)


# Tracing takes most of the time: every third case here, all of them each night.
@pytest.mark.parametrize("name", [n if k % 3 == 0 else pytest.param(n, marks=pytest.mark.nightly)
                                  for k, n in enumerate(CASES)])
def test_on_floats_and_on_symbols(name):
    f, *shapes = CASES[name]
    names = [f"x{k}" for k in range(len(shapes))]
    functions = numpy_functions(f, *shapes)
    ys = [np.shape(y) for y in several(functions.forward(*next(draws(name, shapes))))]
    xs = [symbols(s, shape) for s, shape in zip(names, shapes, strict=True)]
    gs = [symbols(f"g{k}", s) for k, s in enumerate(ys)]
    forward = explore(lambda: functions.forward(*xs))
    backward = explore(lambda: functions.vjp(gs[0] if len(gs) == 1 else gs, *xs))
    for case, values in enumerate(draws(name, shapes)):
        y, g, expected = reference(f, values, case)
        compare(functions.forward(*values), y)
        compare(functions.primal(*values), y)
        compare(functions.vjp(g[0] if len(g) == 1 else g, *values), expected)
        inputs = dict(zip(names, values, strict=True)) | {f"g{k}": v for k, v in enumerate(g)}
        compare(at(forward, inputs), y)
        compare(at(backward, inputs), expected)


@pytest.mark.parametrize("name", DIRECT)
def test_an_operation_called_itself(name):
    def numbers(x):
        return [numbers(y) for y in x] if isinstance(x, list) else x.numpy() if isinstance(x, torch.Tensor) else x

    got = OPS[name](*map(numbers, DIRECT[name]))
    expected = getattr(torch.ops.aten, name)(*DIRECT[name])
    compare(got, [y.numpy() for y in expected] if isinstance(expected, (list, tuple)) else [expected.numpy()])


@pytest.mark.parametrize("name", ["polynomial", "softmax", "amax", "matmul", "index", "layer_norm"])
def test_jvp(name):
    f, *shapes = CASES[name]
    primals = next(draws(name, shapes))
    tangents = [np.cos(np.arange(x.size)).reshape(x.shape) for x in primals]
    expected = torch.func.jvp(f, tuple(map(torch.tensor, primals)), tuple(map(torch.tensor, tangents)))[1]
    compare(numpy_functions(f, *shapes).jvp(primals, tangents), [expected.numpy()])


def test_the_jvp_of_a_function_is_its_own():
    x, dx = np.full(X, 2.0), np.ones(X)
    np.testing.assert_array_equal(numpy_functions(Cube, X).jvp([x], [dx]), dx)  # wrong, as written above
    assert numpy_functions(Relu, X).jvp is None


def test_integer_arguments_have_no_cotangent():
    functions = numpy_functions(lambda x, i: x[:, i] * 2, X, (2,), dtype=("float64", torch.int64))
    x, i = np.arange(6.0).reshape(X), np.array([2, 2])
    np.testing.assert_array_equal(functions.forward(x, i), x[:, [2, 2]] * 2)
    gx, gi = functions.vjp(np.ones((2, 2)), x, i)
    np.testing.assert_array_equal(gx, [[0, 0, 4], [0, 0, 4]])
    assert gi is None


def test_float32_is_the_same_over_the_reals():
    weight = torch.tensor([0.1, 0.5, -0.7], dtype=torch.float32)
    functions = numpy_functions(lambda x: x * weight + 0.3, V, dtype="float32")
    np.testing.assert_allclose(functions.forward(np.ones(3)), [0.4, 0.8, -0.4], rtol=1e-15)
    found = explore(lambda: functions.forward(symbols("x", V)))
    assert set(found.decimal_constants) == {"0.1", "0.7", "0.3"}


def test_a_third_is_a_third():
    found = explore(lambda: numpy_functions(F.mse_loss, X, X).vjp(symbols("g", ()), symbols("x", X), symbols("y", X)))
    assert [str(v) for v in found.decimal_constants.values()] == ["1/3"]


def test_the_default_dtype_is_restored():
    for dtype in (torch.float32, torch.float64):
        torch.set_default_dtype(dtype)
        numpy_functions(torch.sin, X)
        assert torch.get_default_dtype() == dtype


class Branching(Relu):
    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return g if x.sum() > 0 else 0 * g


class Numpy(Relu):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return torch.from_numpy(np.maximum(x.detach().numpy(), 0))


UNSUPPORTED = {
    "aten._linalg_solve_ex": (lambda x: torch.linalg.solve(x[:, :2], x[:, 2]), X),
    "aten._cdist_forward": (lambda x: torch.cdist(x, x + 1), X), "aten.bernoulli": (F.dropout, X),
    "aten.digamma": (torch.digamma, X), "branch": (Branching, X), "numpy": (Numpy, X),
    "item": (lambda x: x * x.sum().item(), X), "mask": (lambda x: x[x > 0], X),
    "in_place_argument": (lambda x: x.mul_(2), X), "in_place_cotangent": (WritesCotangent, X),
    "aten._fft_r2c": (torch.fft.fft, X), "complex": (lambda x: torch.complex(x, x).real, X)}
NAMED = {**dict.fromkeys(("branch", "numpy", "item", "mask"), "needs the values"), "complex": "complex",
         **dict.fromkeys(("in_place_argument", "in_place_cotangent"), "writes to its argument in place")}


@pytest.mark.parametrize("name", UNSUPPORTED)
def test_what_is_not_modelled_is_named(name):
    f, *shapes = UNSUPPORTED[name]

    def run():
        functions = numpy_functions(f, *shapes)
        y = functions.forward(*(symbols("x", s) for s in shapes))
        functions.vjp(symbols("g", y.shape), *(symbols("x", s) for s in shapes))

    with pytest.raises(Unsupported, match=NAMED.get(name, name)):
        explore(run)


def test_arguments_are_checked():
    functions = numpy_functions(torch.add, X, X)
    with pytest.raises(ValueError, match=r"argument 1: shape \(3,\)"):
        functions.forward(np.ones(X), np.ones(3))
    with pytest.raises(ValueError, match="1 arguments given"):
        functions.forward(np.ones(X))
    with pytest.raises(ValueError, match="the cotangent"):
        functions.vjp(np.ones(3), np.ones(X), np.ones(X))
    with pytest.raises(ValueError, match="2 shapes and 1 dtypes"):
        numpy_functions(torch.add, X, X, dtype=["float64"])


@pytest.mark.nightly
def test_every_operation_of_the_table_is_reached(monkeypatch):
    """By the cases above: a meaning that no case runs is not tested."""
    unreached = set(OPS) - set(DIRECT)
    for name, rule in OPS.items():
        def seen(*xs, name=name, rule=rule, **named):
            unreached.discard(name)
            return rule(*xs, **named)
        monkeypatch.setitem(OPS, name, seen)
    for name, (f, *shapes) in CASES.items():
        functions, values = numpy_functions(f, *shapes), next(draws(name, shapes))
        y = functions.forward(*values)
        functions.vjp([np.ones_like(v) for v in several(y)], *values)
        if functions.jvp:
            functions.jvp(values, values)
    assert " ".join(sorted(unreached)) == ""
