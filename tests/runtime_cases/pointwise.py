import math

import numpy as np

import gradproof as gp

from .arrays import apart, normal, positive


def each(f):
    """f of a Python float, for every element."""
    return lambda *xs: np.array([f(*items) for items in zip(*map(np.ravel, xs), strict=True)]).reshape(xs[0].shape)


def normal_distribution(x):
    return (1 + math.erf(x / math.sqrt(2))) / 2


def gelu_by_tanh(x):
    return x / 2 * (1 + math.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


def selected(condition, a, b):
    condition, a, b = np.broadcast_arrays(condition, a, b)
    return np.array([a[i] if condition[i] else b[i] for i in np.ndindex(a.shape)]).reshape(a.shape)


SOME = np.array([[True, False, True], [False, False, True]])
CASES = [
    ("add", gp.add, np.add, (normal(2, 3), normal(2, 3, seed=1))),
    ("add-broadcast", gp.add, np.add, (normal(2, 1, 3), normal(4, 1))),
    ("add-scalar", lambda a: gp.add(a, 2), lambda a: a + 2, (normal(3),)),
    ("add-0d", gp.add, np.add, (np.array(1.5), np.array(-0.5))),
    ("sub", gp.sub, np.subtract, (normal(2, 3), normal(3))),
    ("sub-scalar", lambda b: gp.sub(1.0, b), lambda b: 1 - b, (normal(2, 2),)),
    ("mul", gp.mul, np.multiply, (normal(2, 3), normal(2, 1))),
    ("mul-empty", gp.mul, np.multiply, (normal(0, 3), normal(1, 3))),
    ("neg", gp.neg, np.negative, (normal(2, 3),)),
    ("exp", gp.exp, np.exp, (normal(2, 3),)),
    ("maximum", gp.maximum, np.maximum, (apart(2, 3), apart(2, 3, seed=4) + 0.03)),
    ("maximum-broadcast", gp.maximum, np.maximum, (apart(2, 3), np.array(0.0))),
    ("relu", gp.relu, lambda x: x * (x > 0), (apart(3, 4),)),
    ("relu-empty", gp.relu, lambda x: x, (normal(0),)),
    ("div", gp.div, each(lambda a, b: a / b), (normal(2, 3), -positive(2, 3))),
    ("div-broadcast", gp.div, lambda a, b: a * b**-1.0, (normal(2, 1, 3), positive(4, 1))),
    ("div-scalar", lambda b: gp.div(2, b), lambda b: 2 * b**-1.0, (positive(3),)),
    ("div-0d", gp.div, lambda a, b: np.array(0.25), (np.array(0.5), np.array(2.0))),
    ("square", gp.square, lambda x: x**2, (normal(2, 3),)),
    ("square-0d", gp.square, lambda x: x * x, (np.array(-1.5),)),
    ("square-empty", gp.square, lambda x: x, (normal(0, 2),)),
    ("scale", lambda x: gp.scale(x, -2.5), lambda x: -2.5 * x, (normal(2, 3),)),
    ("scale-integer", lambda x: gp.scale(x, c=3), lambda x: x + x + x, (normal(2),)),
    ("scale-by-0", lambda x: gp.scale(x, 0.0), np.zeros_like, (np.array(1.5),)),
    ("reciprocal", gp.reciprocal, each(lambda x: 1 / x), (positive(2, 3),)),
    ("reciprocal-negative", gp.reciprocal, lambda x: x**-1.0, (-positive(3),)),
    ("reciprocal-0d", gp.reciprocal, lambda x: np.array(-4.0), (np.array(-0.25),)),
    ("minimum", gp.minimum, each(min), (apart(2, 3), apart(2, 3, seed=4) + 0.03)),
    ("minimum-broadcast", gp.minimum, lambda a, b: -np.maximum(-a, -b), (apart(2, 3), apart(2, 1, seed=1) + 0.02)),
    ("minimum-scalar", lambda a: gp.minimum(a, 0), lambda a: a * (a < 0), (apart(5),)),
    ("abs", gp.abs, each(lambda x: x if x > 0 else -x), (apart(2, 3),)),
    ("abs-0d", gp.abs, lambda x: -x, (np.array(-1.5),)),
    ("abs-empty", gp.abs, lambda x: x, (normal(0),)),
    ("sqrt", gp.sqrt, lambda x: x**0.5, (positive(2, 3),)),
    ("sqrt-0d", gp.sqrt, lambda x: np.array(1.5), (np.array(2.25),)),
    ("log", gp.log, each(math.log), (positive(2, 3),)),
    ("log-empty", gp.log, lambda x: x, (normal(2, 0),)),
    ("sigmoid", gp.sigmoid, lambda x: 1 / (1 + np.exp(-x)), (3 * normal(3, 4),)),
    ("sigmoid-0d", gp.sigmoid, lambda x: np.array(0.5), (np.array(0.0),)),
    ("tanh", gp.tanh, lambda x: (np.exp(x) - np.exp(-x)) / (np.exp(x) + np.exp(-x)), (normal(2, 3),)),
    ("tanh-0d", gp.tanh, each(math.tanh), (np.array(-0.75),)),
    ("softplus", gp.softplus, lambda x: np.log(1 + np.exp(x)), (3 * normal(3, 4),)),
    ("softplus-0d", gp.softplus, each(lambda x: math.log(2)), (np.array(0.0),)),
    ("safe_log", lambda x: gp.safe_log(x, 0.3), each(lambda x: math.log(max(x, 0.3))), (apart(3, 4),)),
    ("safe_log-usual", gp.safe_log, each(lambda x: math.log(max(x, 1e-6))), (apart(2, 3),)),
    ("safe_log-0d", lambda x: gp.safe_log(x, eps=2), each(lambda x: math.log(2)), (np.array(0.5),)),
    ("clamp", lambda x: gp.clamp(x, -0.2, 0.3), each(lambda x: min(max(x, -0.2), 0.3)), (apart(3, 4),)),
    ("clamp-no-max", lambda x: gp.clamp(x, min=0), each(lambda x: max(x, 0)), (apart(2, 3),)),
    ("clamp-no-min", lambda x: gp.clamp(x, max=0.1), each(lambda x: min(x, 0.1)), (apart(2, 3),)),
    ("clamp-to-one-value", lambda x: gp.clamp(x, 0.2, 0.2), lambda x: np.full(x.shape, 0.2), (apart(2, 3),)),
    ("clamp_min", lambda x: gp.clamp_min(x, -0.2), each(lambda x: max(x, -0.2)), (apart(2, 3),)),
    ("clamp_min-0d", lambda x: gp.clamp_min(x, min=1), lambda x: np.array(1.0), (np.array(-2.0),)),
    ("clamp_min-empty", lambda x: gp.clamp_min(x, 0), lambda x: x, (normal(0, 2),)),
    ("clamp_max", lambda x: gp.clamp_max(x, -0.2), each(lambda x: min(x, -0.2)), (apart(2, 3),)),
    ("clamp_max-0d", lambda x: gp.clamp_max(x, max=1), lambda x: x, (np.array(-2.0),)),
    ("clamp_max-empty", lambda x: gp.clamp_max(x, 0), lambda x: x, (normal(0, 2),)),
    ("detach", gp.detach, lambda x: x, (normal(2, 3),)),
    ("detach-0d", gp.detach, lambda x: x, (np.array(1.5),)),
    ("gelu", gp.gelu, each(lambda x: x * normal_distribution(x)), (2 * normal(3, 4),)),
    ("gelu-tanh", lambda x: gp.gelu(x, approximate="tanh"), each(gelu_by_tanh), (2 * normal(3, 4),)),
    ("gelu-0d", lambda x: gp.gelu(x, "none"), np.zeros_like, (np.array(0.0),)),
    ("silu", gp.silu, lambda x: x / (1 + np.exp(-x)), (2 * normal(3, 4),)),
    ("silu-0d", gp.silu, np.zeros_like, (np.array(0.0),)),
    ("leaky_relu", gp.leaky_relu, each(lambda x: x if x > 0 else 0.01 * x), (apart(2, 3),)),
    ("leaky_relu-slope", lambda x: gp.leaky_relu(x, -0.5), each(lambda x: x if x > 0 else -0.5 * x), (apart(2, 3),)),
    ("leaky_relu-0d", lambda x: gp.leaky_relu(x, negative_slope=2), lambda x: 2 * x, (np.array(-1.5),)),
    ("elu", gp.elu, each(lambda x: x if x > 0 else math.expm1(x)), (2 * apart(2, 3),)),
    ("elu-alpha", lambda x: gp.elu(x, 0.5), each(lambda x: x if x > 0 else 0.5 * math.exp(x) - 0.5), (apart(2, 3),)),
    ("elu-0d", lambda x: gp.elu(x, alpha=2.0), each(lambda x: 2 * math.exp(x) - 2), (np.array(-1.5),)),
    ("hardtanh", gp.hardtanh, each(lambda x: min(max(x, -1), 1)), (3 * apart(2, 4),)),
    ("hardtanh-bounds", lambda x: gp.hardtanh(x, min_val=0, max_val=0.2), each(lambda x: min(max(x, 0), 0.2)),
     (apart(2, 3),)),
    ("hardtanh-0d", gp.hardtanh, lambda x: x, (np.array(0.5),)),
    ("sin", gp.sin, lambda x: np.exp(1j * x).imag, (3 * normal(2, 3),)),
    ("sin-0d", gp.sin, each(math.sin), (np.array(0.5),)),
    ("cos", gp.cos, lambda x: np.exp(1j * x).real, (3 * normal(2, 3),)),
    ("cos-0d", gp.cos, each(math.cos), (np.array(0.5),)),
    ("pow", lambda x: gp.pow(x, 3), lambda x: x * x * x, (normal(2, 3),)),
    ("pow-0", lambda x: gp.pow(x, 0), np.ones_like, (normal(2, 3),)),
    ("pow-1", lambda x: gp.pow(x, 1), lambda x: x, (normal(2),)),
    ("pow-integral-float", lambda x: gp.pow(x, 2.0), lambda x: x * x, (normal(2, 3),)),
    ("pow-negative", lambda x: gp.pow(x, -2), lambda x: 1 / (x * x), (-positive(2, 3),)),
    ("pow-many-factors", lambda x: gp.pow(x, 11), each(lambda x: math.prod([x] * 11)), (positive(3),)),
    ("pow-real", lambda x: gp.pow(x, 0.5), np.sqrt, (positive(2, 3),)),
    ("pow-real-negative", lambda x: gp.pow(x, exponent=-1.25), lambda x: np.exp(-1.25 * np.log(x)), (positive(2, 3),)),
    ("pow-real-large", lambda x: gp.pow(x, 100), lambda x: np.exp(100 * np.log(x)), (1 + 0.1 * normal(3),)),
    ("where", lambda a, b: gp.where(SOME, a, b), lambda a, b: selected(SOME, a, b), (normal(2, 3), normal(2, 3))),
    ("where-broadcast", lambda a, b: gp.where(SOME, a, b), lambda a, b: selected(SOME, a, b),
     (normal(4, 1, 1), normal(3))),
    ("where-condition-broadcasts", lambda a, b: gp.where(SOME[:, :1], a, b), lambda a, b: selected(SOME[:, :1], a, b),
     (normal(2, 3), normal(2, 3, seed=1))),
    ("where-scalar", lambda a: gp.where(SOME, a, 0.0), lambda a: a * SOME, (normal(2, 3),)),
    ("where-0d", lambda a, b: gp.where(False, a, b), lambda a, b: b, (np.array(1.0), np.array(2.0))),
    ("where-empty", lambda a, b: gp.where(np.zeros((0, 3), bool), a, b), lambda a, b: np.zeros((0, 3)),
     (normal(1, 3), normal(3))),
]  # fmt: skip
