"""Whole training steps, forward, backward and SGD update, against PyTorch, JAX, autograd, MyGrad and NumPy by hand.

    python benchmarks/training_steps.py [--write] [--profile] [WORKLOAD ...]

float32, 2 threads (or OMP_NUM_THREADS of them), the same arrays in the same process. The implementations are first
checked against each other. Then they run in turn, and a figure is the median over the rounds of the ratio to PyTorch
eager in the same round (in brackets: the ratio of the shortest times). --write puts the tables into docs/speed.md.
--profile: only the time of each line of the plans.
"""

import os

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = os.environ.get("OMP_NUM_THREADS", "2")

import argparse
import re
import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from statistics import median
from time import perf_counter
from types import SimpleNamespace
from typing import Any

import autograd
import autograd.numpy as anp
import jax
import jax.numpy as jnp
import mygrad as mg
import numpy as np
import torch
import torch.nn.functional as F
from graph_growth import write_section
from mygrad.nnet.activations import softmax as mg_softmax
from mygrad.nnet.layers import conv_nd, max_pool
from mygrad.nnet.losses import softmax_crossentropy

import gradproof as gp

THREADS = int(os.environ["OMP_NUM_THREADS"])
RATE, HEADS, CLASSES, EPS = 1e-3, 8, 10, np.float32(1e-5)
FEW = 8  # images at once, by hand
STEPS = 3  # of the check that all agree
ROUNDS, TIMED, UNTIMED = 15, 0.04, 0.02  # rounds per workload; seconds per figure, and seconds before it
GOALS = {"tiny MLP": 0.35, "MLP": 0.80, "CNN": 1.0, "attention": 0.75}  # of the time of PyTorch eager
NEAR_JAX = {"tiny MLP": 1.15, "MLP": 1.15, "CNN": 1.0, "attention": 1.15}

Params = dict[str, Any]
Step = Callable[[], Any]  # one step on its own parameters -> loss
Made = tuple[Step, Callable[[], Params]]  # the step, and its parameters now


# ---------------------------------------------------------------- the models, on the functions o of a library
def tiny_mlp(o: Any, p: Params, x: Any, y: Any) -> Any:
    return o.mse_loss(o.linear(o.tanh(o.linear(x, p["w1"], p["b1"])), p["w2"], p["b2"]), y)


def mlp(o: Any, p: Params, x: Any, y: Any) -> Any:
    return o.cross_entropy(o.linear(o.relu(o.linear(x, p["w1"], p["b1"])), p["w2"], p["b2"]), y)


def cnn(o: Any, p: Params, x: Any, y: Any) -> Any:
    h = o.relu(o.conv(x, p["k1"], p["c1"]))
    h = o.max_pool(o.relu(o.conv(h, p["k2"], p["c2"])))
    return o.cross_entropy(o.linear(o.reshape(h, (x.shape[0], -1)), p["w"], p["b"]), y)


def attention(o: Any, p: Params, x: Any, y: Any) -> Any:
    n, d = x.shape
    h = o.layer_norm(x, p["gain"], p["shift"])
    q, k, v = (o.transpose(o.reshape(o.matmul(h, p[w]), (n, HEADS, d // HEADS)), (1, 0, 2)) for w in ("wq", "wk", "wv"))
    scores = o.scale(o.matmul(q, o.transpose(k, (0, 2, 1))), (d // HEADS) ** -0.5)
    heads = o.reshape(o.transpose(o.matmul(o.softmax(scores), v), (1, 0, 2)), (n, d))
    return o.mse_loss(x + o.matmul(heads, p["wo"]), y)


# ---------------------------------------------------------------- the functions of each library
GRADPROOF = SimpleNamespace(
    linear=gp.linear, tanh=gp.tanh, relu=gp.relu, reshape=gp.reshape, transpose=gp.transpose, matmul=gp.matmul,
    softmax=gp.softmax, layer_norm=gp.layer_norm, mse_loss=gp.mse_loss, cross_entropy=gp.cross_entropy,
    scale=gp.scale, conv=partial(gp.conv, padding=1), max_pool=lambda x: gp.max_pool2d(x, 2),
)  # fmt: skip
TORCH = SimpleNamespace(
    linear=F.linear, tanh=torch.tanh, relu=torch.relu, reshape=torch.reshape, transpose=torch.permute,
    matmul=torch.matmul, softmax=partial(torch.softmax, dim=-1), mse_loss=F.mse_loss, cross_entropy=F.cross_entropy,
    layer_norm=lambda x, gain, shift: F.layer_norm(x, gain.shape, gain, shift),
    scale=torch.mul, conv=partial(F.conv2d, padding=1), max_pool=lambda x: F.max_pool2d(x, 2),
)  # fmt: skip


def composed(np_: Any, **special: Any) -> SimpleNamespace:
    """What a library that is a differentiable NumPy is given by its users."""

    def layer_norm(x: Any, gain: Any, shift: Any) -> Any:
        centred = x - np_.mean(x, -1, keepdims=True)
        return centred / np_.sqrt(np_.mean(centred * centred, -1, keepdims=True) + EPS) * gain + shift

    def softmax(x: Any) -> Any:
        e = np_.exp(x - np_.max(x, -1, keepdims=True))
        return e / np_.sum(e, -1, keepdims=True)

    def cross_entropy(x: Any, y: Any) -> Any:
        shifted = x - np_.max(x, -1, keepdims=True)
        logs = shifted - np_.log(np_.sum(np_.exp(shifted), -1, keepdims=True))
        return -np_.sum(logs * (np.arange(CLASSES) == y[:, None])) / len(y)

    def max_pool(x: Any) -> Any:
        n, c, h, w = x.shape
        return np_.max(np_.reshape(x, (n, c, h // 2, 2, w // 2, 2)), (3, 5))

    def conv(x: Any, weight: Any, bias: Any) -> Any:
        n, _, h, w = x.shape
        x = np_.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)), "constant")
        windows = np_.stack([x[:, :, u : u + h, v : v + w] for u in range(3) for v in range(3)], 2)
        columns = np_.reshape(windows, (n, -1, h * w))
        return np_.reshape(np_.matmul(np_.reshape(weight, (len(bias), -1)), columns) + bias[:, None], (n, -1, h, w))

    functions = dict(
        linear=lambda x, weight, bias: np_.matmul(x, weight.T) + bias, tanh=np_.tanh,
        relu=lambda x: np_.maximum(x, 0), reshape=np_.reshape, transpose=np_.transpose, matmul=np_.matmul,
        softmax=softmax, layer_norm=layer_norm, cross_entropy=cross_entropy, conv=conv, max_pool=max_pool,
        mse_loss=lambda x, y: np_.mean((x - y) * (x - y)), scale=lambda x, a: x * np.float32(a),
    )  # fmt: skip
    return SimpleNamespace(**functions | special)


def jax_conv(x: Any, weight: Any, bias: Any) -> Any:
    return jax.lax.conv(x, weight, (1, 1), "SAME") + bias[:, None, None]


JAX = composed(jnp, softmax=jax.nn.softmax, relu=jax.nn.relu, conv=jax_conv)
AUTOGRAD = composed(anp)
MYGRAD = composed(
    mg, softmax=mg_softmax, cross_entropy=softmax_crossentropy, max_pool=lambda x: max_pool(x, (2, 2), 2),
    conv=lambda x, weight, bias: conv_nd(x, weight, stride=1, padding=1) + bias[:, None, None],
)  # fmt: skip


# ---------------------------------------------------------------- a step in each library
def by_gradproof(w: "Workload", compiled: bool = True) -> Made:
    def step(p: Params, x: Any, y: Any) -> Any:
        loss, gradients = gp.value_and_grad(lambda p: w.model(GRADPROOF, p, x, y))(p)
        return gp.optimizers.sgd(p, gradients, learning_rate=RATE)[0], loss

    params = w.copied()
    fast = gp.compile(step, donate=0) if compiled else step

    def run() -> Any:
        nonlocal params
        params, loss = fast(params, w.x, w.y)
        return loss

    run.compiled = fast  # type: ignore[attr-defined]
    return run, lambda: params


def by_torch(w: "Workload", compiled: bool = False) -> Made:
    params = {name: torch.from_numpy(value).requires_grad_() for name, value in w.copied().items()}
    x, y = torch.from_numpy(w.x), torch.from_numpy(w.y)
    leaves = list(params.values())
    loss_of = partial(w.model, TORCH)
    if compiled:
        loss_of = torch.compile(loss_of)

    def run() -> Any:
        loss = loss_of(params, x, y)
        gradients = torch.autograd.grad(loss, leaves)
        with torch.no_grad():
            for p, g in zip(leaves, gradients, strict=True):
                p.sub_(g, alpha=RATE)
        return loss.detach()

    return run, lambda: {name: value.detach().numpy() for name, value in params.items()}


def by_jax(w: "Workload", read: bool = False) -> Made:
    """read: the loop waits for the loss of each step, as all others do, rather than ask for the next step at once."""

    def step(p: Params, x: Any, y: Any) -> Any:
        loss, gradients = jax.value_and_grad(lambda p: w.model(JAX, p, x, y))(p)
        return {name: p[name] - RATE * gradients[name] for name in p}, loss

    params, x, y = jax.tree.map(jnp.array, (w.copied(), w.x, w.y))
    fast = jax.jit(step, donate_argnums=0)

    def run() -> Any:
        nonlocal params
        params, loss = fast(params, x, y)
        return float(loss) if read else loss

    run.memory = lambda: fast.lower(params, x, y).compile().memory_analysis().temp_size_in_bytes  # type: ignore[attr-defined]
    return run, lambda: params


def by_autograd(w: "Workload") -> Made:
    params = w.copied()
    value_and_grad = autograd.value_and_grad(lambda p: w.model(AUTOGRAD, p, w.x, w.y))

    def run() -> Any:
        loss, gradients = value_and_grad(params)
        for name in params:
            params[name] -= np.float32(RATE) * gradients[name]
        return loss

    return run, lambda: params


def by_mygrad(w: "Workload") -> Made:
    mg.turn_memory_guarding_off()
    params = {name: mg.tensor(value) for name, value in w.copied().items()}

    def run() -> Any:
        loss = w.model(MYGRAD, params, w.x, w.y)
        loss.backward()
        for p in params.values():
            p.data -= np.float32(RATE) * p.grad
            p.null_grad()
        return loss.data

    return run, lambda: {name: value.data for name, value in params.items()}


# ---------------------------------------------------------------- NumPy by hand: arrays made once, the rate in the loss
def cross_entropy_by_hand(s: Any, onehot: Any) -> Any:
    """The loss; s becomes rate times the gradient."""
    s -= s.max(1, keepdims=True)
    picked = np.vdot(s, onehot)
    np.exp(s, out=s)
    total = s.sum(1, keepdims=True)
    loss = (np.log(total).sum() - picked) / len(s)
    s /= total
    s -= onehot
    s *= np.float32(RATE / len(s))
    return loss


def mlp_by_hand(w: "Workload") -> Made:
    p, x, y = w.copied(), w.x, w.y
    w1, b1, w2, b2 = p.values()
    regression = w.model is tiny_mlp
    h, s = (np.empty((len(x), len(b)), np.float32) for b in (b1, b2))
    gh, mask, g1, g2 = np.empty_like(h), np.empty(h.shape, bool), np.empty_like(w1), np.empty_like(w2)
    onehot = None if regression else np.eye(CLASSES, dtype=np.float32)[y]
    rate, one = np.float32(2 * RATE / s.size), np.float32(1)

    def run() -> Any:
        np.dot(x, w1.T, out=h)
        np.add(h, b1, out=h)
        np.tanh(h, out=h) if regression else np.maximum(h, 0, out=h)
        np.dot(h, w2.T, out=s)
        np.add(s, b2, out=s)
        if regression:
            np.subtract(s, y, out=s)
            loss = np.vdot(s, s) / s.size
            np.multiply(s, rate, out=s)
        else:
            loss = cross_entropy_by_hand(s, onehot)
        np.dot(s, w2, out=gh)
        np.dot(s.T, h, out=g2)
        if regression:
            np.multiply(h, h, out=h)
            np.subtract(one, h, out=h)
            np.multiply(gh, h, out=gh)
        else:
            np.greater(h, 0, out=mask)
            np.multiply(gh, mask, out=gh)
        np.dot(gh.T, x, out=g1)
        np.subtract(w1, g1, out=w1)
        np.subtract(b1, np.add.reduce(gh), out=b1)
        np.subtract(w2, g2, out=w2)
        np.subtract(b2, np.add.reduce(s), out=b2)
        return loss

    return run, lambda: p


def cnn_by_hand(w: "Workload") -> Made:
    """Images lie flat in a frame of zeros, so that the windows at an offset are one shifted stretch. The second
    convolution goes by a few images, whose windows stay in the cache and are taken again in the backward pass. Pooling
    before bias and relu, which changes nothing."""
    p, x, y = w.copied(), w.x, w.y
    k1, c1, k2, c2, weight, bias = p.values()
    N, _, H, W = x.shape
    row, C, D = W + 2, len(c1), len(c2)
    size, offsets = H * row, [u * row + v for u in range(3) for v in range(3)]

    def framed(channels: int) -> tuple[Any, Any]:
        """Zeros, and the view of what is inside the frame."""
        a = np.zeros((N, channels, row * (H + 2) + 2), np.float32)
        return a, a[..., :-2].reshape(N, channels, H + 2, row)[..., 1:-1, 1:-1]

    def outputs(channels: int) -> tuple[Any, Any]:
        """Zeros for each place where a window begins, and the view of those within a row."""
        a = np.zeros((N, channels, size), np.float32)
        return a, a.reshape(N, channels, H, row)[..., :W]

    def windows_of(a: Any, columns: Any) -> None:
        for k, o in enumerate(offsets):
            columns[:, k::9] = a[:, :, o : o + size]

    (x1, x1_inside), (x2, h1), (gx2, gh1) = framed(1), framed(C), framed(C)
    columns1, columns2 = np.empty((N, 9, size), np.float32), np.empty((min(N, FEW), 9 * C, size), np.float32)
    parts = [slice(n, min(n + FEW, N)) for n in range(0, N, FEW)]
    (z1, v1), (z2, v2), (gz1, gv1), (gz2, gv2) = outputs(C), outputs(D), outputs(C), outputs(D)
    top, h2 = (np.empty((N, D, H // 2, W // 2), np.float32) for _ in range(2))
    mask1, mask2 = np.empty(h1.shape, bool), np.empty(h2.shape, bool)
    corners = [(slice(i, None, 2), slice(j, None, 2)) for i in (0, 1) for j in (0, 1)]
    f1, f2, flat = k1.reshape(C, 9), k2.reshape(D, -1), h2.reshape(N, -1)
    gf1, gf2 = np.empty((N, *f1.shape), np.float32), np.empty((N, *f2.shape), np.float32)
    gweight, s, onehot = np.empty_like(weight), np.empty((N, CLASSES), np.float32), np.eye(CLASSES, dtype=np.float32)[y]
    gflat = np.empty_like(flat)
    g2 = gflat.reshape(h2.shape)

    def run() -> Any:
        x1_inside[...] = x
        windows_of(x1, columns1)
        np.matmul(f1, columns1, out=z1)
        np.add(v1, c1[:, None, None], out=h1)
        np.maximum(h1, 0, out=h1)
        for part in parts:
            columns = columns2[: part.stop - part.start]
            windows_of(x2[part], columns)
            np.matmul(f2, columns, out=z2[part])
        np.maximum(v2[..., *corners[0]], v2[..., *corners[1]], out=top)
        for corner in corners[2:]:
            np.maximum(top, v2[..., *corner], out=top)
        np.add(top, c2[:, None, None], out=h2)
        np.maximum(h2, 0, out=h2)
        np.dot(flat, weight.T, out=s)
        np.add(s, bias, out=s)
        loss = cross_entropy_by_hand(s, onehot)
        np.dot(s.T, flat, out=gweight)
        np.dot(s, weight, out=gflat)
        np.subtract(weight, gweight, out=weight)
        np.subtract(bias, s.sum(0), out=bias)
        np.greater(h2, 0, out=mask2)
        np.multiply(g2, mask2, out=g2)
        np.subtract(c2, g2.sum((0, 2, 3)), out=c2)
        for corner in corners:
            np.equal(v2[..., *corner], top, out=mask2)
            np.multiply(g2, mask2, out=gv2[..., *corner])
        gx2[...] = 0
        for part in parts:
            columns, gx = columns2[: part.stop - part.start], gx2[part]
            windows_of(x2[part], columns)
            np.matmul(gz2[part], columns.transpose(0, 2, 1), out=gf2[part])
            np.matmul(f2.T, gz2[part], out=columns)  # from here on their gradients
            for k, o in enumerate(offsets):
                np.add(gx[:, :, o : o + size], columns[:, k::9], out=gx[:, :, o : o + size])
        np.subtract(f2, gf2.sum(0), out=f2)
        np.greater(h1, 0, out=mask1)
        np.multiply(gh1, mask1, out=gv1)
        np.matmul(gz1, columns1.transpose(0, 2, 1), out=gf1)
        np.subtract(f1, gf1.sum(0), out=f1)
        np.subtract(c1, gz1.sum((0, 2)), out=c1)
        return loss

    return run, lambda: p


def attention_by_hand(w: "Workload") -> Made:
    """The three projections in one product."""
    p, x, y = w.copied(), w.x, w.y
    N, D = x.shape
    gain, shift, wo = p["gain"], p["shift"], p["wo"]
    qkv = np.concatenate([p["wq"], p["wk"], p["wv"]], 1)  # (D, 3 D)
    gqkv, gwo, part = np.empty_like(qkv), np.empty_like(wo), np.float32((D // HEADS) ** -0.5)
    unit, h, joined, out, gh = (np.empty((N, D), np.float32) for _ in range(5))
    projected, gprojected = (np.empty((N, 3 * D), np.float32) for _ in range(2))
    q, k, v = projected.reshape(N, 3, HEADS, D // HEADS).transpose(1, 2, 0, 3)
    gq, gk, gv = gprojected.reshape(N, 3, HEADS, D // HEADS).transpose(1, 2, 0, 3)
    heads = joined.reshape(N, HEADS, D // HEADS).transpose(1, 0, 2)
    a, ga = (np.empty((HEADS, N, N), np.float32) for _ in range(2))
    rate = np.float32(2 * RATE / x.size)

    def run() -> Any:
        np.subtract(x, np.add.reduce(x, 1, keepdims=True) / D, out=unit)
        deviation = np.sqrt(np.einsum("nd,nd->n", unit, unit) / D + EPS)
        np.divide(unit, deviation[:, None], out=unit)
        np.multiply(unit, gain, out=h)
        np.add(h, shift, out=h)
        np.dot(h, qkv, out=projected)
        np.multiply(q, part, out=q)
        np.matmul(q, k.transpose(0, 2, 1), out=a)
        np.subtract(a, a.max(2, keepdims=True), out=a)
        np.exp(a, out=a)
        np.divide(a, a.sum(2, keepdims=True), out=a)
        np.matmul(a, v, out=heads)
        np.dot(joined, wo, out=out)
        np.add(out, x, out=out)
        np.subtract(out, y, out=out)
        loss = np.vdot(out, out) / out.size
        np.multiply(out, rate, out=out)
        np.dot(joined.T, out, out=gwo)
        np.dot(out, wo.T, out=joined)  # from here on the gradients of the heads
        np.subtract(wo, gwo, out=wo)
        np.matmul(a.transpose(0, 2, 1), heads, out=gv)
        np.matmul(heads, v.transpose(0, 2, 1), out=ga)
        np.subtract(ga, np.einsum("hij,hij->hi", ga, a)[:, :, None], out=ga)
        np.multiply(ga, a, out=ga)
        np.matmul(ga, k, out=gq)
        np.multiply(gq, part, out=gq)
        np.matmul(ga.transpose(0, 2, 1), q, out=gk)
        np.dot(gprojected, qkv.T, out=gh)
        np.dot(h.T, gprojected, out=gqkv)
        np.subtract(qkv, gqkv, out=qkv)
        np.subtract(shift, np.add.reduce(gh), out=shift)
        np.subtract(gain, np.einsum("nd,nd->d", gh, unit), out=gain)
        return loss

    return run, lambda: p | dict(zip(("wq", "wk", "wv"), np.split(qkv, 3, 1), strict=True))


# ---------------------------------------------------------------- workloads
@dataclass(frozen=True)
class Workload:
    """What is computed, by whom by hand, and the arrays at the start."""

    name: str
    description: str
    model: Callable[..., Any]
    by_hand: Callable[["Workload"], Made]
    params: Params
    x: Any
    y: Any

    def copied(self) -> Params:
        return {name: value.copy() for name, value in self.params.items()}


def normal(*shape: int) -> Any:
    """Of variance 1 / (number of inputs) where it is the weight of that many."""
    return (np.random.default_rng(sum(shape)).normal(size=shape) / np.sqrt(np.prod(shape[1:]))).astype(np.float32)


def data(*shape: int) -> Any:
    return np.random.default_rng(len(shape)).normal(size=shape).astype(np.float32)


def zeros(count: int) -> Any:
    return np.zeros(count, np.float32)


def classes(count: int) -> Any:
    return np.random.default_rng(0).integers(0, CLASSES, count)


def workloads(small: bool = False) -> Iterator[Workload]:
    def layers(a: int, b: int, c: int) -> Params:
        return {"w1": normal(b, a), "b1": zeros(b), "w2": normal(c, b), "b2": zeros(c)}

    n = 5 if small else 16
    yield Workload("tiny MLP", f"{n}x2-8-1, tanh, mean square", tiny_mlp, mlp_by_hand, layers(2, 8, 1), data(n, 2),
                   data(n, 1))  # fmt: skip
    n, a, b = (5, 12, 7) if small else (128, 784, 256)
    yield Workload("MLP", f"{n}x{a}-{b}-{CLASSES}, relu, cross entropy", mlp, mlp_by_hand, layers(a, b, CLASSES),
                   data(n, a), classes(n))  # fmt: skip
    n, side, c, d = (3, 6, 2, 4) if small else (32, 28, 8, 16)
    params = {"k1": normal(c, 1, 3, 3), "c1": zeros(c), "k2": normal(d, c, 3, 3), "c2": zeros(d),
              "w": normal(CLASSES, d * side * side // 4), "b": zeros(CLASSES)}  # fmt: skip
    yield Workload("CNN", f"{n}x1x{side}x{side}, 3x3 conv to {c}, relu, 3x3 conv to {d}, relu, 2x2 max_pool, linear",
                   cnn, cnn_by_hand, params, data(n, 1, side, side), classes(n))  # fmt: skip
    n, d = (5, 16) if small else (128, 256)
    params = {"gain": zeros(d) + 1, "shift": zeros(d), **{name: normal(d + k, d)[:d] for k, name in enumerate(
        ("wq", "wk", "wv", "wo"))}}  # fmt: skip
    yield Workload("attention", f"{n}x{d}, {HEADS} heads, layer norm, residual", attention, attention_by_hand, params,
                   data(n, d), normal(n, d))  # fmt: skip


EAGER, COMPILED, TORCH_COMPILE, BY_HAND, JIT = (
    "PyTorch eager", "gradproof.compile", "torch.compile", "NumPy by hand", "JAX jit")  # fmt: skip
IMPLEMENTATIONS: dict[str, Callable[[Workload], Made]] = {
    EAGER: by_torch,
    TORCH_COMPILE: partial(by_torch, compiled=True),
    JIT: by_jax,
    "JAX jit, each loss read": partial(by_jax, read=True),
    "HIPS autograd": by_autograd,
    "MyGrad": by_mygrad,
    "gradproof, tape": partial(by_gradproof, compiled=False),
    COMPILED: by_gradproof,
    BY_HAND: lambda w: w.by_hand(w),
}


def checked(w: Workload, names: list[str]) -> tuple[dict[str, Step], dict[str, str]]:
    """The steps, after a few that agree, and why others do not run here. Raises ValueError where one disagrees."""
    steps: dict[str, Step] = {}
    absent: dict[str, str] = {}
    expected: tuple[list[float], Params] = ([], {})
    for name in names:
        step, parameters = IMPLEMENTATIONS[name](w)
        try:
            step_losses = [float(step()) for _ in range(STEPS)]
        except Exception as fault:
            if name != TORCH_COMPILE:  # it needs a C++ compiler and Python's headers
                raise
            absent[name] = f"{type(fault).__name__}: {str(fault).strip().splitlines()[0][:100]}"
            continue
        now = {key: np.array(value) for key, value in parameters().items()}
        if not expected[1]:
            expected = step_losses, now
        np.testing.assert_allclose(step_losses, expected[0], rtol=2e-6, err_msg=f"losses of {name} on {w.name}")
        for key, start in w.params.items():
            # 1e-3 of what the steps have changed, and the rounding of each step
            moved = np.abs(expected[1][key] - start).max()
            atol = 1e-3 * moved + STEPS * np.finfo(np.float32).eps * np.abs(start).max()
            np.testing.assert_allclose(now[key], expected[1][key], rtol=0, atol=atol, err_msg=f"{key}, {name}")
        steps[name] = step
    return steps, absent


# ---------------------------------------------------------------- time
def repeated(step: Step, count: int) -> float:
    start = perf_counter()
    for _ in range(count):
        loss = step()
    float(loss)
    return (perf_counter() - start) / count


def times(steps: dict[str, Step]) -> dict[str, list[float]]:
    """Seconds per step in each round. Before each figure the same steps run untimed: what another library has left in
    the cache, and its waiting threads."""
    once = {name: min(repeated(step, 1) for _ in range(3)) for name, step in steps.items()}
    result: dict[str, list[float]] = {name: [] for name in steps}
    names = list(steps)
    for r in range(ROUNDS):
        for name in names[r % len(names) :] + names[: r % len(names)]:
            repeated(steps[name], max(1, int(UNTIMED / once[name])))
            result[name].append(repeated(steps[name], max(1, int(TIMED / once[name]))))
    return result


@dataclass(frozen=True)
class Ratio:
    median: float
    least: float

    @classmethod
    def of(cls, ours: list[float], theirs: list[float]) -> "Ratio":
        return cls(median(a / b for a, b in zip(ours, theirs, strict=True)), min(ours) / min(theirs))

    def __str__(self) -> str:
        return f"{self.median:.2f} ({self.least:.2f})"


# ---------------------------------------------------------------- the plan, line by line
class Lines:
    """A plan whose lines are watched: after(k) is called after line k, and once before the first with -1."""

    def __init__(self, step: Step, w: Workload) -> None:
        (self.plan,) = step.compiled.plans  # type: ignore[attr-defined]
        head, *lines, last = self.plan.source.rstrip().split("\n")
        self.lines = [line.strip() for line in lines]
        text = [head, "    after(-1)"]
        for k, line in enumerate(lines):
            product = re.fullmatch(r" *(?:\w+ = )?((?:\w+\.)?(?:matmul|dot))\((.*)\)", line)
            if product:
                text.append(f"    products.append(partial({product[1]}, {product[2]}))")
            text += [line, f"    after({k})"]
        self.products: list[Callable[[], Any]] = []  # the calls of BLAS in the last run
        self.names = self.plan.bind().__globals__ | {"partial": partial, "products": self.products}
        exec(compile("\n".join([*text, last]), "<watched plan>", "exec"), self.names)
        self.arguments = self.plan.kind.unpack((w.copied(), w.x, w.y))
        self.run(lambda k: None)

    def run(self, after: Callable[[int], None]) -> None:
        self.names["after"] = after
        self.products.clear()
        self.names["run"](*self.arguments)

    def seconds(self, runs: int) -> Any:
        """The median time of each line."""
        marks = [0.0] * (len(self.lines) + 1)

        def after(k: int) -> None:
            marks[k + 1] = perf_counter()

        samples = []
        for _ in range(runs):
            self.run(after)
            samples.append(np.diff(marks))
        return np.median(samples, 0)

    def largest(self) -> tuple[int, str]:
        """The most bytes that a line of the run allocates, and the line."""
        peaks = [0] * len(self.lines)
        before = 0

        def after(k: int) -> None:
            nonlocal before
            now, peak = tracemalloc.get_traced_memory()
            if k >= 0:
                peaks[k] = peak - before
            tracemalloc.reset_peak()
            before = now

        tracemalloc.start()
        for _ in range(3):
            self.run(after)
        tracemalloc.stop()
        size = max(peaks)
        return size, self.lines[peaks.index(size)]

    def blas(self) -> Any:
        """The products alone, back to back, with the same arrays."""
        for product in self.products:
            product()
        return 0.0


def profile(w: Workload) -> None:
    """The lines that take longest, and what the lines of each kind take."""
    steps, _ = checked(w, [COMPILED])
    once = repeated(steps[COMPILED], 3)
    lines = Lines(steps[COMPILED], w)
    seconds = lines.seconds(max(20, min(2000, int(1 / once))))
    print(f"\n{w.name}: {1e6 * sum(seconds):.0f} us in {len(seconds)} lines")
    for k in sorted(range(len(seconds)), key=lambda k: -seconds[k])[:25]:
        print(f"{1e6 * seconds[k]:>10.1f} us {seconds[k] / sum(seconds):>6.1%}  line {k + 1:>3}  {lines.lines[k]}")
    kinds = [kind_of(line) for line in lines.lines]
    of = {kind: [t for t, other in zip(seconds, kinds, strict=True) if other == kind] for kind in kinds}
    for kind, some in sorted(of.items(), key=lambda item: -sum(item[1])):
        print(f"{1e6 * sum(some):>10.1f} us {sum(some) / sum(seconds):>6.1%}  {len(some):>3} lines  {kind}")


def kind_of(line: str) -> str:
    """What a line calls."""
    called = re.search(r"(\w+)\(", line)
    if "[...] =" in line or not called:
        return "fills" if "[...] =" in line else "other"
    return "products of matrices" if called[1] in ("matmul", "dot") else called[1]


# ---------------------------------------------------------------- memory
def most_allocated(step: Step) -> int:
    """Bytes, by NumPy, beyond what there is before the step."""
    for _ in range(2):
        step()
    tracemalloc.start()
    step()
    before, _ = tracemalloc.get_traced_memory()
    tracemalloc.reset_peak()
    step()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak - before


def most_allocated_by_torch(step: Step) -> int:
    step()
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True) as profiler:
        step()
    events = [e for e in profiler.profiler.kineto_results.events() if e.name() == "[memory]"]
    return int(max(np.cumsum([e.nbytes() for e in sorted(events, key=lambda e: e.start_ns())])))


def kilobytes(count: int) -> str:
    return f"{count / 1000:,.1f}" if count < 100_000 else f"{count / 1000:,.0f}"


def memory_row(w: Workload, steps: dict[str, Step]) -> str:
    """A row of the table."""
    kept = steps[COMPILED].compiled.plans[0].nbytes  # type: ignore[attr-defined]
    extra, theirs = most_allocated(steps[COMPILED]), most_allocated_by_torch(steps[EAGER])
    size, line = Lines(steps[COMPILED], w).largest()
    given = sum(x.nbytes for x in (*w.params.values(), w.x, w.y))
    cells = [w.name, *map(kilobytes, (given, kept, extra)), f"{kilobytes(size)}, `{line}`", kilobytes(theirs)]
    cells += [kilobytes(steps[JIT].memory()), f"{(kept + extra) / theirs:.2f}"]  # type: ignore[attr-defined]
    return "| " + " | ".join(cells) + " |"


MEMORY_HEAD = """\
Kilobytes beside parameters and data, in the steady state of a training loop. gradproof: the buffers that the plan
keeps; the most that a step allocates beyond them, which it frees (tracemalloc, so Python's objects too); the line that
allocates most. PyTorch eager: the peak of its allocator within a step (torch.profiler, arrays only). JAX jit: the
temporary memory of the compiled program. The ratio is gradproof (buffers and step) / PyTorch; the goal is 1.3.

| workload | parameters, data | buffers | step | most in one line | PyTorch eager | JAX jit | ratio |
|---|--:|--:|--:|--:|--:|--:|--:|"""


# ---------------------------------------------------------------- the tables
def time_text(seconds: float) -> str:
    return f"{1e6 * seconds:.0f} µs" if seconds < 1e-3 else f"{1e3 * seconds:.2f} ms"


def steps_tables(of: dict[str, dict[str, list[float]]], absent: dict[str, str], described: list[str]) -> str:
    """of[workload][implementation]: the times of the rounds."""
    lines = [
        "Time of a step / time of PyTorch eager: the median of the rounds' ratios, in brackets the ratio of the",
        f"shortest times. float32, {THREADS} thread{'s' * (THREADS > 1)}; PyTorch has one for the tiny MLP, where it",
        "is slower with more.",
        "",
        *described,
        "",
        "| | " + " | ".join(of) + " |",
        "|---|" + "--:|" * len(of),
        f"| {EAGER} | " + " | ".join(time_text(median(times[EAGER])) for times in of.values()) + " |",
    ]
    for name in IMPLEMENTATIONS:
        if name not in (EAGER, *absent):
            lines.append(f"| {name} | " + " | ".join(str(Ratio.of(t[name], t[EAGER])) for t in of.values()) + " |")
    lines += ["", *(f"{name} does not run here: {why}" for name, why in absent.items())] if absent else []
    lines += [
        "",
        "The goals, and what the products of matrices alone take (the calls of BLAS in the plan, back to back):",
        "",
        "| | gradproof.compile / PyTorch eager | goal | gradproof.compile / JAX jit | goal | BLAS / PyTorch eager "
        "| BLAS / gradproof.compile |",
        "|---|" + "--:|" * 6,
    ]
    for workload, t in of.items():
        ours, jits, blas = Ratio.of(t[COMPILED], t[EAGER]), Ratio.of(t[COMPILED], t[JIT]), Ratio.of(t[BLAS], t[EAGER])
        share = Ratio.of(t[BLAS], t[COMPILED])
        cells = [ours, GOALS[workload], jits, NEAR_JAX[workload], blas, share]
        lines.append(f"| {workload} | " + " | ".join(map(str, cells)) + " |")
    return "\n".join(lines)


BLAS = "BLAS alone"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="WORKLOAD", help="only those whose name contains this")
    parser.add_argument("--write", action="store_true", help="put the tables into docs/speed.md")
    parser.add_argument("--profile", action="store_true", help="only the time of each line of the plans")
    options = parser.parse_args()
    if options.write and (options.names or options.profile):
        parser.error("--write needs the whole tables")
    if hasattr(os, "sched_setaffinity"):  # JAX takes as many threads as there are processors
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:THREADS])
    of: dict[str, dict[str, list[float]]] = {}
    absent: dict[str, str] = {}
    described, memory = [], [MEMORY_HEAD]
    for w in workloads():
        if options.names and not any(name in w.name for name in options.names):
            continue
        if options.profile:
            profile(w)
            continue
        torch.set_num_threads(1 if w.model is tiny_mlp else THREADS)  # with more it is slower there
        steps, missing = checked(w, [name for name in IMPLEMENTATIONS if name not in absent])
        absent |= missing
        described.append(f"- {w.name}: {w.description}")
        of[w.name] = times(steps | {BLAS: Lines(steps[COMPILED], w).blas})
        print(f"{w.name}: {', '.join(f'{n} {time_text(median(t))}' for n, t in of[w.name].items())}", flush=True)
        memory.append(memory_row(w, steps))
    if not of:
        return
    tables = {"training steps": steps_tables(of, absent, described), "memory": "\n".join(memory)}
    for name, text in tables.items():
        print(f"\n{text}")
        if options.write:
            write_section(name, text)


if __name__ == "__main__":
    main()
