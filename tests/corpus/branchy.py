"""Python control flow: if, loops, early returns, pieces that join."""

import numpy as np

from .case import Case


def clip_by_norm(x, limit):
    n = np.sqrt(np.sum(x * x))
    if n > limit:
        return x * limit / n
    return x


def clip_by_norm_backward(g, x, limit):
    n = np.sqrt(np.sum(x * x))
    if n <= limit:
        return g
    u = x / n
    return (g - u * np.dot(u, g)) * limit / n


def clip_by_norm_no_projection(g, x, limit):
    n = np.sqrt(np.sum(x * x))
    if n <= limit:
        return g
    return g * limit / n


def clip_by_norm_blend(g, x, limit):
    n = np.sqrt(np.sum(x * x))
    u = x / n
    clipped = (g - u * np.dot(u, g)) * limit / n
    return (n > limit) * clipped + (n <= limit) * g


def hard_swish(x):
    y = np.zeros(x.shape)
    for i in range(x.shape[0]):
        if x[i] <= -3:
            continue
        y[i] = x[i] if x[i] >= 3 else x[i] * (x[i] + 3) / 6
    return y


def hard_swish_backward(g, x):
    gx = g.copy()
    for i in range(x.shape[0]):
        if x[i] <= -3:
            gx[i] = 0
        elif x[i] < 3:
            gx[i] *= (2 * x[i] + 3) / 6
    return gx


def hard_swish_half(g, x):
    gx = g.copy()
    for i in range(x.shape[0]):
        if x[i] <= -3:
            gx[i] = 0
        elif x[i] < 3:
            gx[i] *= (x[i] + 3) / 6
    return gx


def smooth_hinge(z):
    out = []
    for v in z:
        if v >= 1:
            out.append(0.0 * v)
        elif v <= 0:
            out.append(0.5 - v)
        else:
            out.append(0.5 * (1 - v) ** 2)
    return np.array(out)


def smooth_hinge_backward(g, z):
    return -g * np.clip(1 - z, 0, 1)


def smooth_hinge_open(g, z):
    gz = np.zeros(z.shape)
    gz[z < 0] = -1
    inner = (z > 0) & (z < 1)
    gz[inner] = z[inner] - 1
    return g * gz


def squared_hinge(s, y):
    m = 1 - y * s
    if m > 0:
        return m**2
    return 0 * m


def squared_hinge_backward(g, s, y):
    m = 1 - y * s
    if m <= 0:
        return 0 * g, 0 * g
    return -2 * g * m * y, -2 * g * m * s


def squared_hinge_linear(g, s, y):
    m = 1 - y * s
    if m <= 0:
        return 0 * g, 0 * g
    return -2 * g * y, -2 * g * s


def relu_early(x):
    if x.max() <= 0:
        return np.zeros_like(x)
    return np.maximum(x, 0)


def relu_early_backward(g, x):
    if x.max() <= 0:
        return np.zeros_like(x)
    gx = g.copy()
    gx[x <= 0] = 0
    return gx


def relu_early_by_sum(g, x):
    if x.sum() <= 0:
        return np.zeros_like(x)
    return g * (x > 0)


def repeated_square(x, times):
    y = x
    while times > 0:
        y = y * y
        times -= 1
    return y


def repeated_square_backward(g, x, times):
    seen = [x]
    while len(seen) <= times:
        seen.append(seen[-1] * seen[-1])
    gx = g
    for y in reversed(seen[:-1]):
        gx = 2 * gx * y
    return gx


def repeated_square_one_short(g, x, times):
    seen = [x]
    while len(seen) < times:
        seen.append(seen[-1] * seen[-1])
    gx = g
    for y in reversed(seen[:-1]):
        gx = 2 * gx * y
    return gx


def horner(x, c):
    y = 0 * x
    for k in range(c.shape[0]):
        y = y * x + c[k]
    return y


def horner_backward(g, x, c):
    gc = np.zeros(c.shape)
    y = dy = 0 * x
    for k in range(c.shape[0]):
        dy = dy * x + y
        y = y * x + c[k]
    power = g
    for k in reversed(range(c.shape[0])):
        gc[k] = np.sum(power)
        power = power * x
    return g * dy, gc


def horner_clipped(g, x, c):
    return horner_backward(g, np.clip(x, -20, 20), c)


def horner_after_update(g, x, c):
    _, gc = horner_backward(g, x, c)
    y = dy = 0 * x
    for k in range(c.shape[0]):
        y = y * x + c[k]
        dy = dy * x + y
    return g * dy, gc


def smoothstep(x):
    t = np.clip(x, 0, 1)
    return t * t * (3 - 2 * t)


def smoothstep_backward(g, x):
    t = np.clip(x, 0.0, 1.0)
    return g * 6 * t * (1 - t)


def smoothstep_linear(g, x):
    return np.where((x > 0) & (x < 1), g * 6 * x, 0.0)


def signed_square(x):
    return np.where(x >= 0, x**2, -(x**2))


def signed_square_backward(g, x):
    return 2 * g * np.abs(x)


def signed_square_unsigned(g, x):
    return 2 * g * x


def ramp(x):
    if x <= 0:
        return 0.0 * x
    if x >= 1:
        return x - 0.5
    return 0.5 * x * x


def ramp_backward(g, x):
    if x <= 0:
        return 0.0 * g
    if x >= 1:
        return g
    return g * x


def ramp_open(g, x):
    if x > 1:
        return g
    if 0 < x < 1:
        return g * x
    return 0.0 * g


def cubic(x):
    return x**3 + 2 * x


def cubic_backward(g, x):
    return g * (3 * x**2 + 2)


def cubic_early_zero(g, x):
    if not np.any(x):
        return np.zeros_like(x)
    return g * (3 * x**2 + 2)


def overflow_guard(x):
    if x > 60:
        return 60 + 0.1 * (x - 60)
    return 1.0 * x


def overflow_guard_backward(g, x):
    return 0.1 * g if x > 60 else 1.0 * g


def overflow_guard_missing(g, x):
    return 1.0 * g


def quantize(x):
    return np.round(x * 4) / 4


def quantize_backward(g, x):
    return np.zeros_like(x)


def quantize_straight_through(g, x):
    return g


def abs_power(x):
    out = np.zeros(x.shape)
    for i, v in enumerate(x):
        if v != 0:
            out[i] = np.abs(v) ** 3 / v
    return out


def abs_power_backward(g, x):
    return g * 2 * np.abs(x)


V = {"x": (3,)}
Z = {"z": (3,)}
SCALAR = {"x": ()}
MARGIN = {"s": (), "y": ()}
POLY = {"x": (2,), "c": (3,)}
AT = {"x": [1.0, -0.5, 2.0], "g": [1.0, 2.0, -1.0]}

CASES = [
    Case("clip-by-norm", clip_by_norm, vjp=clip_by_norm_backward, shapes=V, params={"limit": "positive"}, right=True),
    Case("hard-swish-loop", hard_swish, vjp=hard_swish_backward, shapes=V, right=True),
    Case("smooth-hinge", smooth_hinge, vjp=smooth_hinge_backward, shapes=Z, right=True),
    Case("squared-hinge", squared_hinge, vjp=squared_hinge_backward, shapes=MARGIN, right=True),
    Case("relu-early-return", relu_early, vjp=relu_early_backward, shapes=V, right=True),
    Case(
        "repeated-square", repeated_square, vjp=repeated_square_backward, shapes={"x": (2,)}, params={"times": 3},
        right=True,
    ),
    Case("horner", horner, vjp=horner_backward, shapes=POLY, right=True),
    Case("smoothstep", smoothstep, vjp=smoothstep_backward, shapes=V, right=True),
    Case("signed-square", signed_square, vjp=signed_square_backward, shapes=V, right=True),
    Case("quadratic-ramp", ramp, vjp=ramp_backward, shapes=SCALAR, right=True),
    Case("cubic", cubic, vjp=cubic_backward, shapes=V, right=True),
    Case("overflow-guard", overflow_guard, vjp=overflow_guard_backward, shapes=SCALAR, right=True),
    Case("quantize", quantize, vjp=quantize_backward, shapes={"x": (2,)}, right=True),
    Case("signed-square-by-cases", abs_power, vjp=abs_power_backward, shapes={"x": (2,)}, right=True),
    Case(
        "clip-by-norm-no-projection", clip_by_norm, vjp=clip_by_norm_no_projection, shapes=V, params={"limit": 10.0},
        right=False, bug="scaled, but the cotangent through the norm is missing", hidden="far",
        at={"x": [20.0, 0.0, 5.0], "g": [1.0, 2.0, -1.0]},
    ),
    Case(
        "clip-by-norm-blend", clip_by_norm, vjp=clip_by_norm_blend, shapes=V, params={"limit": 2.0},
        right=False, bug="0 * nan at x = 0: both branches are computed", hidden="nan",
        at={"x": [0.0, 0.0, 0.0], "g": [1.0, 2.0, -1.0]},
    ),
    Case(
        "hard-swish-half", hard_swish, vjp=hard_swish_half, shapes=V, right=False, bug="x + 3 instead of 2x + 3", at=AT
    ),
    Case(
        "smooth-hinge-open", smooth_hinge, vjp=smooth_hinge_open, shapes=Z,
        right=False, bug="z = 0 belongs to no piece: 0 instead of -1", hidden="tie",
        at={"z": [0.0, 0.5, 2.0], "g": [1.0, 1.0, 1.0]},
    ),
    Case(
        "squared-hinge-linear", squared_hinge, vjp=squared_hinge_linear, shapes=MARGIN,
        right=False, bug="the margin is missing from the derivative of its square", at={"s": 0.5, "y": -1.0, "g": 1.0},
    ),
    Case(
        "relu-early-by-sum", relu_early, vjp=relu_early_by_sum, shapes=V,
        right=False, bug="returns early if the sum, not the maximum, is at most 0",
        at={"x": [1.0, -3.0, 1.5], "g": [1.0, 1.0, 1.0]},
    ),
    Case(
        "repeated-square-one-short", repeated_square, vjp=repeated_square_one_short, shapes={"x": (2,)},
        params={"times": 3}, right=False, bug="one step of the loop is missing", at={"x": [2.0, 0.5], "g": [1.0, 1.0]},
    ),
    Case(
        "horner-clipped", horner, vjp=horner_clipped, shapes=POLY,
        right=False, bug="the backward clips x to +-20", hidden="far",
        at={"x": [30.0, 1.0], "c": [1.0, 2.0, 3.0], "g": [1.0, 1.0]},
    ),
    Case(
        "horner-after-update", horner, vjp=horner_after_update, shapes=POLY,
        right=False, bug="the derivative is advanced after the value",
        at={"x": [2.0, 1.0], "c": [1.0, 2.0, 3.0], "g": [1.0, 1.0]},
    ),
    Case(
        "smoothstep-no-complement", smoothstep, vjp=smoothstep_linear, shapes=V,
        right=False, bug="6x instead of 6x(1 - x)", at={"x": [0.5, 0.25, 2.0], "g": [1.0, 1.0, 1.0]},
    ),
    Case(
        "signed-square-unsigned", signed_square, vjp=signed_square_unsigned, shapes=V,
        right=False, bug="2x instead of 2|x|", at=AT,
    ),
    Case(
        "quadratic-ramp-open", ramp, vjp=ramp_open, shapes=SCALAR,
        right=False, bug="0 instead of 1 exactly at the join x = 1", hidden="tie", at={"x": 1.0, "g": 1.0},
    ),
    Case(
        "cubic-early-zero", cubic, vjp=cubic_early_zero, shapes=V,
        right=False, bug="returns 0 early if all of x is 0, where the slope is 2", hidden="tie",
        at={"x": [0.0, 0.0, 0.0], "g": [1.0, 1.0, 1.0]},
    ),
    Case(
        "overflow-guard-missing", overflow_guard, vjp=overflow_guard_missing, shapes=SCALAR,
        right=False, bug="slope 1 beyond 60, where the forward has 0.1", hidden="far", at={"x": 70.0, "g": 1.0},
    ),
    Case(
        "quantize-straight-through", quantize, vjp=quantize_straight_through, shapes={"x": (2,)},
        right=False, bug="straight-through: the derivative of rounding is 0", at={"x": [0.3, 1.1], "g": [1.0, 2.0]},
    ),
]
