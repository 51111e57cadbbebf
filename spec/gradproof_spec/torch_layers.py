"""TRUSTED. ATen's convolution, pooling and normalisation in NumPy, with PyTorch's own arguments; see torch_ops.py."""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from . import foreign_arrays as fa
from .foreign_arrays import Array


def _pair(x: Any, rank: int = 2) -> list[int]:
    return list(x) if len(x) == rank else list(x) * rank


def _geometry(x: Array, w: Array, stride: Any, padding: Any, dilation: Any) -> tuple[list[int], list[int], list[int]]:
    rank = w.ndim - 2
    return _pair(stride, rank), _pair(padding, rank), _pair(dilation, rank)


def _with_padding(x: Array, padding: Sequence[int], fill: Any = 0.0, extra: Sequence[int] | None = None) -> Array:
    low = [0] * (x.ndim - len(padding)) + list(padding)
    high = [a + b for a, b in zip(low, [0] * (x.ndim - len(padding)) + list(extra or [0] * len(padding)), strict=True)]
    return fa.padded(x, low, high, fill=fill)


def _without_padding(x: Array, padding: Sequence[int]) -> Array:
    return _with_padding(x, [-p for p in padding])


def convolution(x: Array, w: Array, bias: Any, stride: Any, padding: Any, dilation: Any, transposed: bool,
                 output_padding: Any, groups: int) -> Array:
    s, p, d = _geometry(x, w, stride, padding, dilation)
    if transposed:
        extra = _pair(output_padding, len(s))
        full = [(n - 1) * a + c * (k - 1) + 1 + e
                for n, a, c, k, e in zip(x.shape[2:], s, d, w.shape[2:], extra, strict=True)]
        y = _without_padding(fa.convolution_gx(x, w, full, s, d, groups), p)
    else:
        y = fa.convolution(_with_padding(x, p), w, s, d, groups)
    return y if bias is None else y + bias.reshape(-1, *[1] * len(s))


def convolution_backward(g: Array, x: Array, w: Array, bias: Any, stride: Any, padding: Any, dilation: Any,
                          transposed: bool, output_padding: Any, groups: int, wanted: Sequence[bool]) -> list[Any]:
    s, p, d = _geometry(x, w, stride, padding, dilation)
    kernel = w.shape[2:]
    if transposed:  # a convolution of g
        g_padded = _with_padding(g, p)
        gx = fa.convolution(g_padded, w, s, d, groups)[(..., *map(slice, x.shape[2:]))]
        gw = fa.convolution_gw(x, g_padded, kernel, s, d, groups)
    else:
        x_padded = _with_padding(x, p)
        gx = _without_padding(fa.convolution_gx(g, w, x_padded.shape[2:], s, d, groups), p)
        gw = fa.convolution_gw(g, x_padded, kernel, s, d, groups)
    gb = np.sum(g, axis=(0, *range(2, g.ndim)))
    return [v if want else None for v, want in zip((gx, gw, gb), wanted, strict=True)]


# ---------------------------------------------------------------- pooling
def _pool(x: Array, kernel: Any, stride: Any, padding: Any, dilation: Any, ceil_mode: bool) -> tuple[Any, ...]:
    k = _pair(kernel)
    s, p, d = _pair(stride or k), _pair(padding), _pair(dilation)
    extra = [0, 0]
    for i, n in enumerate(x.shape[-2:]):
        covered = n + 2 * p[i] - d[i] * (k[i] - 1) - 1
        out = covered // s[i] + 1
        if ceil_mode and covered % s[i] and out * s[i] < n + p[i]:  # the last window starts inside
            extra[i] = s[i] - covered % s[i]
    return k, s, p, d, extra


def max_pool(x: Array, kernel: Any, stride: Any = (), padding: Any = (0, 0), dilation: Any = (1, 1),
              ceil_mode: bool = False) -> list[Array]:
    k, s, p, d, extra = _pool(x, kernel, stride, padding, dilation, ceil_mode)
    stack = fa.window_stack(_with_padding(x, p, -np.inf, extra), k, s, d)
    cells = np.arange(x.shape[-2] * x.shape[-1]).reshape(x.shape[-2:])
    table = fa.window_stack(_with_padding(cells, p, -1, extra), k, s, d)
    winner = np.argmax(stack, axis=0)
    return [np.max(stack, axis=0), fa.read(table, [winner, *(fa.grid(table.shape[1:], a) for a in range(2))])]


def max_pool_backward(g: Array, x: Array, kernel: Any, stride: Any, padding: Any, dilation: Any, ceil_mode: bool,
                       indices: Array) -> Array:
    rows = x.reshape(-1, x.shape[-2] * x.shape[-1])
    places = indices.reshape(len(rows), -1)
    zero = np.zeros_like(g, shape=rows.shape)
    return fa.written(zero, fa.along_axis(places, 1), g.reshape(places.shape), "add").reshape(x.shape)


def _pool_counts(x: Array, k: Any, s: Any, p: Any, extra: Any, include_pad: bool, divisor: Any) -> Any:
    if divisor:
        return divisor
    ones = np.ones(x.shape[-2:])
    ones = _with_padding(ones, p, 1.0 if include_pad else 0.0)
    return np.sum(fa.window_stack(_with_padding(ones, [0, 0], 0.0, extra), k, s, (1, 1)), axis=0)


def avg_pool(x: Array, kernel: Any, stride: Any = (), padding: Any = (0, 0), ceil_mode: bool = False,
              include_pad: bool = True, divisor: Any = None) -> Array:
    k, s, p, d, extra = _pool(x, kernel, stride, padding, (1, 1), ceil_mode)
    total = np.sum(fa.window_stack(_with_padding(x, p, 0.0, extra), k, s, d), axis=0)
    return total / _pool_counts(x, k, s, p, extra, include_pad, divisor)


def avg_pool_backward(g: Array, x: Array, kernel: Any, stride: Any, padding: Any, ceil_mode: bool, include_pad: bool,
                       divisor: Any) -> Array:
    k, s, p, d, extra = _pool(x, kernel, stride, padding, (1, 1), ceil_mode)
    share = g / _pool_counts(x, k, s, p, extra, include_pad, divisor)
    size = [n + 2 * a + e for n, a, e in zip(x.shape[-2:], p, extra, strict=True)]
    gx = np.zeros_like(g, shape=(*x.shape[:-2], *size))
    for _, where in fa.windows(size, k, s, d):
        gx[where] += share
    return fa.padded(gx, [0] * (x.ndim - 2) + [-a for a in p],
                     [0] * (x.ndim - 2) + [-a - e for a, e in zip(p, extra, strict=True)])


# ---------------------------------------------------------------- normalisation
def _normalized(x: Array, axes: tuple[int, ...], eps: float) -> tuple[Array, Array, Array]:
    mean = np.mean(x, axis=axes, keepdims=True)
    centred = x - mean
    scale = 1 / np.sqrt(np.mean(centred * centred, axis=axes, keepdims=True) + eps)
    return centred * scale, mean, scale


def _affine(x: Array, w: Any, b: Any) -> Array:
    x = x if w is None else x * w
    return x if b is None else x + b


def layer_norm(x: Array, shape: Sequence[int], w: Any, b: Any, eps: float) -> list[Array]:
    y, mean, scale = _normalized(x, tuple(range(x.ndim - len(shape), x.ndim)), eps)
    return [_affine(y, w, b), mean, scale]


def group_norm(x: Array, w: Any, b: Any, n: int, c: int, size: int, groups: int, eps: float) -> list[Array]:
    y, mean, scale = _normalized(x.reshape(n, groups, -1), (2,), eps)
    w, b = (None if v is None else v.reshape(1, c, *[1] * (x.ndim - 2)) for v in (w, b))
    return [_affine(y.reshape(x.shape), w, b), mean.reshape(n, groups), scale.reshape(n, groups)]


def batch_norm(x: Array, w: Any, b: Any, running_mean: Any, running_var: Any, training: bool, momentum: float,
                eps: float) -> list[Array]:
    column = (1, -1, *[1] * (x.ndim - 2))
    w, b = (None if v is None else v.reshape(column) for v in (w, b))
    if training:
        y, mean, scale = _normalized(x, (0, *range(2, x.ndim)), eps)
        return [_affine(y, w, b), mean.reshape(-1), scale.reshape(-1)]
    y = (x - running_mean.reshape(column)) * (1 / np.sqrt(running_var.reshape(column) + eps))
    return [_affine(y, w, b), np.zeros(0), np.zeros(0)]
