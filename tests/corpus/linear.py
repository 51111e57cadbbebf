"""Linear and multilinear layers."""

import numpy as np

from .case import Case


def linear(x, w, b):
    return x @ w.T + b


def linear_backward(g, x, w, b):
    return g @ w, g.T @ x, g.sum(axis=0)


def linear_bias_mean(g, x, w, b):
    return g @ w, g.T @ x, g.mean(axis=0)


def linear_skips_zeros(g, x, w, b):
    gx = np.zeros(x.shape)
    used = x != 0
    gx[used] = (g @ w)[used]
    return gx, g.T @ x, g.sum(axis=0)


def linear_jvp(primals, tangents):
    x, w, _ = primals
    dx, dw, db = tangents
    return dx @ w.T + x @ dw.T + db


def linear_jvp_no_weight(primals, tangents):
    _, w, _ = primals
    dx, _, db = tangents
    return dx @ w.T + db


def einsum_layer(x, w):
    return np.einsum("bti,io->bto", x, w)


def einsum_layer_backward(g, x, w):
    return np.einsum("bto,io->bti", g, w), np.einsum("bti,bto->io", x, g)


def einsum_layer_transposed(g, x, w):
    return np.einsum("bto,io->bti", g, w), np.einsum("bti,bto->oi", x, g)


def bilinear(x, w, z):
    return np.einsum("bi,kij,bj->bk", x, w, z)


def bilinear_backward(g, x, w, z):
    gx = np.einsum("bk,kij,bj->bi", g, w, z)
    gw = np.einsum("bk,bi,bj->kij", g, x, z)
    gz = np.einsum("bk,kij,bi->bj", g, w, x)
    return gx, gw, gz


def bilinear_symmetric(g, x, w, z):
    gx = np.einsum("bk,kij,bj->bi", g, w, z)
    gw = np.einsum("bk,bi,bj->kij", g, x, z)
    gz = np.einsum("bk,kij,bj->bi", g, w, x)
    return gx, gw, gz


def outer(a, b):
    return np.outer(a, b)


def outer_backward(g, a, b):
    return g @ b, a @ g


def outer_swapped(g, a, b):
    return a @ g, g @ b


def batched(a, b):
    return np.matmul(a, b)


def batched_backward(g, a, b):
    return np.matmul(g, b.swapaxes(-1, -2)), np.matmul(np.swapaxes(a, -1, -2), g)


def batched_order(g, a, b):
    return np.matmul(g, np.swapaxes(b, 1, 2)), np.matmul(g, np.swapaxes(a, 1, 2))


def sum_to(g, shape):
    while g.ndim > len(shape):
        g = g.sum(axis=0)
    for axis, size in enumerate(shape):
        if size == 1 and g.shape[axis] != 1:
            g = g.sum(axis=axis, keepdims=True)
    return g


def add(a, b):
    return a + b


def add_backward(g, a, b):
    return sum_to(g, a.shape), sum_to(g, b.shape)


def add_first_row(g, a, b):
    return g.sum(axis=1, keepdims=True), g[0]


def multiply(a, b):
    return a * b


def multiply_backward(g, a, b):
    return sum_to(g * b, a.shape), sum_to(g * a, b.shape)


def multiply_sums_first(g, a, b):
    return g * b, g.sum(axis=1, keepdims=True) * a.sum(axis=1, keepdims=True)


def quadratic(x, a):
    return x @ a @ x


def quadratic_backward(g, x, a):
    return g * (a + a.T) @ x, g * np.outer(x, x)


def quadratic_symmetric(g, x, a):
    return 2 * g * a @ x, g * np.outer(x, x)


def lora(x, w, a, b, scale):
    return x @ w + scale * (x @ a) @ b


def lora_backward(g, x, w, a, b, scale):
    gb_in = g @ b.T
    return g @ w.T + scale * gb_in @ a.T, x.T @ g, scale * x.T @ gb_in, scale * (x @ a).T @ g


def lora_unscaled(g, x, w, a, b, scale):
    gb_in = g @ b.T
    return g @ w.T + scale * gb_in @ a.T, x.T @ g, x.T @ gb_in, scale * (x @ a).T @ g


def inverse(m):
    a, b, c, d = m[0, 0], m[0, 1], m[1, 0], m[1, 1]
    return np.array([[d, -b], [-c, a]]) / (a * d - b * c)


def inverse_backward(g, m):
    y = inverse(m)
    return -y.T @ g @ y.T


def inverse_untransposed(g, m):
    y = inverse(m)
    return -y @ g @ y


def invertible(m):
    return m[0, 0] * m[1, 1] - m[0, 1] * m[1, 0] != 0


def rotate(x, degrees):
    t = degrees * np.pi / 180
    return np.stack([x[0] * np.cos(t) - x[1] * np.sin(t), x[0] * np.sin(t) + x[1] * np.cos(t)])


def rotate_backward(g, x, degrees):
    c, s = np.cos(degrees * np.pi / 180), np.sin(degrees * np.pi / 180)
    gx = np.array([c * g[0] + s * g[1], c * g[1] - s * g[0]])
    gt = g[0] * (-x[0] * s - x[1] * c) + g[1] * (x[0] * c - x[1] * s)
    return gx, gt * np.pi / 180


def rotate_mistyped(g, x, degrees):
    c, s = np.cos(degrees * np.pi / 180), np.sin(degrees * np.pi / 180)
    gx = np.array([c * g[0] + s * g[1], c * g[1] - s * g[0]])
    gt = g[0] * (-x[0] * s - x[1] * c) + g[1] * (x[0] * c - x[1] * s)
    return gx, gt * 0.01745329


def factorization(u, v, i, j):
    return np.sum(u[i] * v[j], axis=1)


def factorization_backward(g, u, v, i, j):
    gu, gv = np.zeros(u.shape), np.zeros(v.shape)
    for n in range(len(g)):
        gu[i[n]] += g[n] * v[j[n]]
        gv[j[n]] += g[n] * u[i[n]]
    return gu, gv, None, None


def factorization_assigns(g, u, v, i, j):
    gu, gv = np.zeros(u.shape), np.zeros(v.shape)
    gu[i] = g[:, None] * v[j]
    gv[j] = g[:, None] * u[i]
    return gu, gv, None, None


def pair_score(u, pair):
    return np.dot(u[pair[0]], u[pair[1]])


def pair_score_backward(g, u, pair):
    gu = np.zeros(u.shape)
    gu[pair[0]] += g * u[pair[1]]
    gu[pair[1]] += g * u[pair[0]]
    return gu, None


def pair_score_assigns(g, u, pair):
    gu = np.zeros(u.shape)
    gu[pair[0]] = g * u[pair[1]]
    gu[pair[1]] = g * u[pair[0]]
    return gu, None


LINEAR = {"x": (2, 2), "w": (2, 2), "b": (2,)}
LAYER = {"x": (1, 2, 2), "w": (2, 2)}
BILINEAR = {"x": (1, 2), "w": (1, 2, 2), "z": (1, 2)}
SQUARE = {"a": (2,), "b": (2,)}
BATCHED = {"a": (1, 2, 2), "b": (1, 2, 2)}
QUADRATIC = {"x": (2,), "a": (2, 2)}
LORA = {"x": (1, 2), "w": (2, 2), "a": (2, 1), "b": (1, 2)}
FACTORS = {"u": (2, 2), "v": (2, 2), "i": (2,), "j": (2,)}
TWO = {"i": (0, 2), "j": (0, 2)}
TABLE = {"u": (3, 2), "pair": (2,)}
M, N = [[1.0, 2.0], [0.0, 3.0]], [[2.0, 1.0], [-1.0, 1.0]]

CASES = [
    Case("linear-bias", linear, vjp=linear_backward, shapes=LINEAR, right=True),
    Case("linear-bias-jvp", linear, jvp=linear_jvp, shapes=LINEAR, right=True),
    Case("einsum-layer", einsum_layer, vjp=einsum_layer_backward, shapes=LAYER, right=True),
    Case("bilinear", bilinear, vjp=bilinear_backward, shapes=BILINEAR, right=True),
    Case("outer", outer, vjp=outer_backward, shapes={"a": (2,), "b": (3,)}, right=True),
    Case("matmul-batched", batched, vjp=batched_backward, shapes=BATCHED, right=True),
    Case("broadcast-add", add, vjp=add_backward, shapes={"a": (2, 1), "b": (3,)}, right=True),
    Case("broadcast-multiply", multiply, vjp=multiply_backward, shapes={"a": (2, 3), "b": (2, 1)}, right=True),
    Case("quadratic-form", quadratic, vjp=quadratic_backward, shapes=QUADRATIC, right=True),
    Case("lora", lora, vjp=lora_backward, shapes=LORA, params={"scale": "real"}, right=True),
    Case("inverse-2x2", inverse, vjp=inverse_backward, shapes={"m": (2, 2)}, domain=invertible, right=True),
    Case("rotate-degrees", rotate, vjp=rotate_backward, shapes={"x": (2,), "degrees": ()}, right=True),
    Case("factorization", factorization, vjp=factorization_backward, shapes=FACTORS, integers=TWO, right=True),
    Case("pair-score", pair_score, vjp=pair_score_backward, shapes=TABLE, integers={"pair": (0, 3)}, right=True),
    Case(
        "linear-bias-mean", linear, vjp=linear_bias_mean, shapes=LINEAR, right=False, bug="bias: mean, not sum",
        at={"x": M, "w": N, "b": [1.0, 0.0], "g": [[1.0, 0.0], [2.0, 1.0]]},
    ),
    Case(
        "linear-skips-zeros", linear, vjp=linear_skips_zeros, shapes=LINEAR,
        right=False, bug="no cotangent for an input that is exactly 0", hidden="tie",
        at={"x": M, "w": N, "b": [1.0, 0.0], "g": [[1.0, 0.0], [2.0, 1.0]]},
    ),
    Case(
        "linear-jvp-no-weight", linear, jvp=linear_jvp_no_weight, shapes=LINEAR,
        right=False, bug="tangent of the weight is dropped",
        at={"x": M, "w": N, "b": [1.0, 0.0], "dx": N, "dw": M, "db": [0.0, 0.0]},
    ),
    Case(
        "einsum-layer-transposed", einsum_layer, vjp=einsum_layer_transposed, shapes=LAYER,
        right=False, bug="gw transposed, which a square layer does not show",
        at={"x": [M], "w": N, "g": [[[1.0, 0.0], [2.0, 1.0]]]},
    ),
    Case(
        "bilinear-as-if-symmetric", bilinear, vjp=bilinear_symmetric, shapes=BILINEAR,
        right=False, bug="gz contracts the wrong index of w",
        at={"x": [[1.0, 2.0]], "w": [M], "z": [[1.0, -1.0]], "g": [[1.0]]},
    ),
    Case(
        "outer-swapped", outer, vjp=outer_swapped, shapes=SQUARE, right=False, bug="the two cotangents are exchanged",
        at={"a": [1.0, 2.0], "b": [3.0, 0.0], "g": M},
    ),
    Case(
        "matmul-batched-order", batched, vjp=batched_order, shapes=BATCHED,
        right=False, bug="g a^T instead of a^T g", at={"a": [M], "b": [N], "g": [[[1.0, 0.0], [2.0, 1.0]]]},
    ),
    Case(
        "broadcast-add-first-row", add, vjp=add_first_row, shapes={"a": (2, 1), "b": (3,)},
        right=False, bug="one row instead of the sum over the broadcast axis",
        at={"a": [[1.0], [2.0]], "b": [1.0, 2.0, 3.0], "g": [[1.0, 0.0, 2.0], [1.0, 1.0, 1.0]]},
    ),
    Case(
        "broadcast-multiply-sums-first", multiply, vjp=multiply_sums_first, shapes={"a": (2, 3), "b": (2, 1)},
        right=False, bug="product of sums instead of the sum of products",
        at={"a": [[1.0, 2.0, 3.0], [0.0, 1.0, 0.0]], "b": [[1.0], [2.0]], "g": [[1.0, 0.0, 2.0], [1.0, 1.0, 1.0]]},
    ),
    Case(
        "quadratic-as-if-symmetric", quadratic, vjp=quadratic_symmetric, shapes=QUADRATIC,
        right=False, bug="2 A x, right only for symmetric A", at={"x": [1.0, 2.0], "a": M, "g": 1.0},
    ),
    Case(
        "lora-unscaled", lora, vjp=lora_unscaled, shapes=LORA, params={"scale": "real"},
        right=False, bug="ga without the scale",
        at={"x": [[1.0, 2.0]], "w": M, "a": [[1.0], [0.5]], "b": [[2.0, 1.0]], "scale": 0.5, "g": [[1.0, 1.0]]},
    ),
    Case(
        "inverse-2x2-untransposed", inverse, vjp=inverse_untransposed, shapes={"m": (2, 2)}, domain=invertible,
        right=False, bug="the transposes are missing", at={"m": M, "g": N},
    ),
    Case(
        "rotate-mistyped", rotate, vjp=rotate_mistyped, shapes={"x": (2,), "degrees": ()},
        right=False, bug="pi/180 typed as 0.01745329", hidden="small",
        at={"x": [1.0, 2.0], "degrees": 30.0, "g": [1.0, -1.0]},
    ),
    Case(
        "factorization-assigns", factorization, vjp=factorization_assigns, shapes=FACTORS, integers=TWO,
        right=False, bug="= instead of += for a repeated row", hidden="coincide",
        at={"u": M, "v": N, "i": [1, 1], "j": [0, 1], "g": [1.0, 2.0]},
    ),
    Case(
        "pair-score-assigns", pair_score, vjp=pair_score_assigns, shapes=TABLE, integers={"pair": (0, 3)},
        right=False, bug="a row paired with itself gets u instead of 2 u", hidden="coincide",
        at={"u": [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]], "pair": [1, 1], "g": 1.0},
    ),
]
