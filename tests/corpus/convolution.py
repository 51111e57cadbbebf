"""Convolutions."""

import numpy as np
from numpy.lib.stride_tricks import as_strided, sliding_window_view

from .case import Case


def conv1d(x, w):
    return sliding_window_view(x, w.shape[0]) @ w


def conv1d_backward(g, x, w):
    gw = sliding_window_view(x, w.shape[0]).T @ g
    gx = np.zeros(x.shape)
    for k in range(w.shape[0]):
        gx[k : k + g.shape[0]] += g * w[k]
    return gx, gw


def conv1d_flipped(g, x, w):
    gw = sliding_window_view(x, w.shape[0]).T @ g
    gx = np.zeros(x.shape)
    for k in range(w.shape[0]):
        gx[k : k + g.shape[0]] += g * w[::-1][k]
    return gx, gw


def conv1d_overwrites(g, x, w):
    gw = sliding_window_view(x, w.shape[0]).T @ g
    gx = np.zeros(x.shape)
    for i in range(g.shape[0]):
        gx[i : i + w.shape[0]] = g[i] * w
    return gx, gw


def conv1d_clipped(g, x, w):
    gx, gw = conv1d_backward(g, x, w)
    return np.clip(gx, -100, 100), np.clip(gw, -100, 100)


def conv1d_pruned(g, x, w):
    gx, gw = conv1d_backward(g, x, w)
    gw[w == 0] = 0  # pruned taps stay pruned
    return gx, gw


def conv1d_stride(x, w, stride, padding):
    xp = np.pad(x, padding)
    k = len(w)
    n = (len(xp) - k) // stride + 1
    return np.array([np.sum(xp[i * stride : i * stride + k] * w) for i in range(n)])


def conv1d_stride_backward(g, x, w, stride, padding):
    xp = np.pad(x, padding)
    k = len(w)
    gxp, gw = np.zeros(xp.shape), np.zeros(w.shape)
    for i in range(len(g)):
        gxp[i * stride : i * stride + k] += g[i] * w
        gw += g[i] * xp[i * stride : i * stride + k]
    return gxp[padding : len(xp) - padding], gw


def conv1d_stride_keeps_padding(g, x, w, stride, padding):
    xp = np.pad(x, padding)
    k = len(w)
    gxp, gw = np.zeros(xp.shape), np.zeros(w.shape)
    for i in range(len(g)):
        gxp[i * stride : i * stride + k] += g[i] * w
        gw += g[i] * xp[i * stride : i * stride + k]
    return gxp[: len(x)], gw


def conv1d_stride_last_window(g, x, w, stride, padding):
    xp = np.pad(x, padding)
    k = len(w)
    gxp, gw = np.zeros(xp.shape), np.zeros(w.shape)
    for i in range((len(xp) - k) // stride):
        gxp[i * stride : i * stride + k] += g[i] * w
        gw += g[i] * xp[i * stride : i * stride + k]
    return gxp[padding : len(xp) - padding], gw


def conv2d(x, w, b):
    win = sliding_window_view(x, w.shape[2:], axis=(2, 3))
    return np.einsum("ncpquv,ocuv->nopq", win, w) + b[None, :, None, None]


def conv2d_backward(g, x, w, b):
    win = sliding_window_view(x, w.shape[2:], axis=(2, 3))
    gw = np.einsum("ncpquv,nopq->ocuv", win, g)
    gx = np.zeros_like(x)
    p, q = g.shape[2:]
    for u in range(w.shape[2]):
        for v in range(w.shape[3]):
            gx[:, :, u : u + p, v : v + q] += np.einsum("nopq,oc->ncpq", g, w[:, :, u, v])
    return gx, gw, g.sum(axis=(0, 2, 3))


def conv2d_bias_mean(g, x, w, b):
    gx, gw, _ = conv2d_backward(g, x, w, b)
    return gx, gw, g.mean(axis=(0, 2, 3))


def conv2d_transposed_kernel(g, x, w, b):
    _, gw, gb = conv2d_backward(g, x, w, b)
    gx = np.zeros_like(x)
    p, q = g.shape[2:]
    for u in range(w.shape[2]):
        for v in range(w.shape[3]):
            gx[:, :, u : u + p, v : v + q] += np.einsum("nopq,oc->ncpq", g, w[:, :, v, u])
    return gx, gw, gb


def patches(xp, k, stride):
    h = (xp.shape[0] - k) // stride + 1
    w = (xp.shape[1] - k) // stride + 1
    s0, s1 = xp.strides
    return as_strided(xp, (h, w, k, k), (s0 * stride, s1 * stride, s0, s1))


def conv2d_strided(x, w):
    xp = np.zeros((x.shape[0] + 2, x.shape[1] + 2), dtype=x.dtype)
    xp[1:-1, 1:-1] = x
    return np.tensordot(patches(xp, 3, 2), w, axes=([2, 3], [0, 1]))


def conv2d_strided_backward(g, x, w):
    xp = np.pad(x, 1)
    gw = np.tensordot(g, patches(xp, 3, 2), axes=([0, 1], [0, 1]))
    gxp = np.zeros(xp.shape)
    for i in range(g.shape[0]):
        for j in range(g.shape[1]):
            gxp[2 * i : 2 * i + 3, 2 * j : 2 * j + 3] += g[i, j] * w
    return gxp[1:-1, 1:-1], gw


def depthwise(x, w):
    n = x.shape[1] - w.shape[1] + 1
    y = np.zeros((x.shape[0], n))
    for k in range(w.shape[1]):
        y += x[:, k : k + n] * w[:, k : k + 1]
    return y


def depthwise_backward(g, x, w):
    n = g.shape[1]
    gx, gw = np.zeros(x.shape), np.zeros(w.shape)
    for k in range(w.shape[1]):
        gx[:, k : k + n] += g * w[:, k : k + 1]
        gw[:, k] = (g * x[:, k : k + n]).sum(axis=1)
    return gx, gw


def depthwise_mixes_channels(g, x, w):
    n = g.shape[1]
    gx, gw = np.zeros(x.shape), np.zeros(w.shape)
    for k in range(w.shape[1]):
        gx[:, k : k + n] += g * w[:, k : k + 1]
        gw[:, k] = (g * x[:, k : k + n]).sum()
    return gx, gw


def transposed(x, w, stride):
    y = np.zeros((len(x) - 1) * stride + len(w))
    for i in range(len(x)):
        y[i * stride : i * stride + len(w)] += x[i] * w
    return y


def transposed_backward(g, x, w, stride):
    win = sliding_window_view(g, len(w))[::stride]
    return win @ w, x @ win


def transposed_unstrided_weight(g, x, w, stride):
    gx = np.array([g[i * stride : i * stride + len(w)] @ w for i in range(len(x))])
    gw = np.array([g[k : k + len(x)] @ x for k in range(len(w))])
    return gx, gw


def dilated(x, w, dilation):
    n = len(x) - dilation * (len(w) - 1)
    return sum(w[k] * x[k * dilation : k * dilation + n] for k in range(len(w)))


def dilated_backward(g, x, w, dilation):
    gx = np.zeros(len(x))
    gw = np.zeros(len(w))
    for k in range(len(w)):
        part = slice(k * dilation, k * dilation + len(g))
        gx[part] += w[k] * g
        gw[k] = np.dot(g, x[part])
    return gx, gw


def dilated_dense_input(g, x, w, dilation):
    _, gw = dilated_backward(g, x, w, dilation)
    gx = np.zeros(len(x))
    for k in range(len(w)):
        gx[k : k + len(g)] += w[k] * g
    return gx, gw


GAUSS = np.array([np.exp(-0.5), 1.0, np.exp(-0.5)])


def blur(x):
    return np.convolve(x, GAUSS, mode="valid")


def blur_backward(g, x):
    return np.convolve(g, GAUSS, mode="full")


def blur_mistyped(g, x):
    gx = np.zeros(x.shape)
    for k, c in enumerate([0.6065306, 1.0, 0.6065306]):
        gx[k : k + g.shape[0]] += c * g
    return gx


def taps(x, w, at):
    return x[at] @ w


def taps_backward(g, x, w, at):
    gx = np.zeros(x.shape)
    np.add.at(gx, at, g * w)
    return gx, g * x[at], None


def taps_fancy_add(g, x, w, at):
    gx = np.zeros(x.shape)
    gx[at] += g * w
    return gx, g * x[at], None


D1 = {"x": (4,), "w": (2,)}
STRIDED = {"stride": 2, "padding": 1}
D2 = {"x": (1, 1, 3, 3), "w": (1, 1, 2, 2), "b": (1,)}
DEPTH = {"x": (2, 3), "w": (2, 2)}
TAPS = {"x": (3,), "w": (2,), "at": (2,)}
AT1 = {"x": [1.0, 2.0, -1.0, 0.5], "w": [1.0, 3.0], "g": [1.0, 0.0, 2.0]}
AT_STRIDED = {"x": [1.0, 2.0, -1.0, 0.5], "w": [1.0, 3.0, -1.0], "g": [1.0, 2.0]}
AT2 = {
    "x": [[[[1.0, 2.0, 0.0], [0.5, 1.0, 3.0], [2.0, 0.0, 1.0]]]], "w": [[[[1.0, 2.0], [3.0, 4.0]]]], "b": [0.5],
    "g": [[[[1.0, 0.0], [2.0, 1.0]]]],
}

CASES = [
    Case("conv1d-windows", conv1d, vjp=conv1d_backward, shapes=D1, right=True),
    Case(
        "conv1d-stride-padding", conv1d_stride, vjp=conv1d_stride_backward, shapes={"x": (4,), "w": (3,)},
        params=STRIDED, right=True,
    ),
    Case("conv2d-bias", conv2d, vjp=conv2d_backward, shapes=D2, right=True),
    Case(
        "conv2d-as-strided", conv2d_strided, vjp=conv2d_strided_backward, shapes={"x": (3, 3), "w": (3, 3)}, right=True
    ),
    Case("depthwise", depthwise, vjp=depthwise_backward, shapes=DEPTH, right=True),
    Case(
        "transposed-conv1d", transposed, vjp=transposed_backward, shapes={"x": (2,), "w": (3,)}, params={"stride": 2},
        right=True,
    ),
    Case(
        "dilated-conv1d", dilated, vjp=dilated_backward, shapes={"x": (5,), "w": (2,)}, params={"dilation": 2},
        right=True,
    ),
    Case("gaussian-blur", blur, vjp=blur_backward, shapes={"x": (4,)}, right=True),
    Case("conv-taps", taps, vjp=taps_backward, shapes=TAPS, integers={"at": (0, 3)}, right=True),
    Case("conv1d-flipped", conv1d, vjp=conv1d_flipped, shapes=D1, right=False, bug="kernel flipped in gx", at=AT1),
    Case(
        "conv1d-overwrites", conv1d, vjp=conv1d_overwrites, shapes=D1,
        right=False, bug="= instead of += where windows overlap", at=AT1,
    ),
    Case(
        "conv1d-clipped", conv1d, vjp=conv1d_clipped, shapes=D1,
        right=False, bug="the backward clips the cotangents to +-100", hidden="far",
        at={"x": [1.0, 2.0, 0.0, 0.5], "w": [1.0, 300.0], "g": [1.0, 0.0, 2.0]},
    ),
    Case(
        "conv1d-pruned", conv1d, vjp=conv1d_pruned, shapes=D1,
        right=False, bug="cotangent of a weight that is exactly 0 is dropped", hidden="tie",
        at={"x": [1.0, 2.0, -1.0, 0.5], "w": [0.0, 3.0], "g": [1.0, 0.0, 2.0]},
    ),
    Case(
        "conv1d-keeps-padding", conv1d_stride, vjp=conv1d_stride_keeps_padding, shapes={"x": (4,), "w": (3,)},
        params=STRIDED, right=False, bug="cropped at the end only: shifted by the padding", at=AT_STRIDED,
    ),
    Case(
        "conv1d-last-window", conv1d_stride, vjp=conv1d_stride_last_window, shapes={"x": (4,), "w": (3,)},
        params=STRIDED, right=False, bug="off by one: the last window is missing", at=AT_STRIDED,
    ),
    Case("conv2d-bias-mean", conv2d, vjp=conv2d_bias_mean, shapes=D2, right=False, bug="bias: mean, not sum", at=AT2),
    Case(
        "conv2d-transposed-kernel", conv2d, vjp=conv2d_transposed_kernel, shapes=D2,
        right=False, bug="rows and columns of the kernel exchanged in gx", at=AT2,
    ),
    Case(
        "depthwise-mixes-channels", depthwise, vjp=depthwise_mixes_channels, shapes=DEPTH,
        right=False, bug="gw is summed over the channels too",
        at={"x": [[1.0, 2.0, 0.0], [1.0, -1.0, 3.0]], "w": [[1.0, 2.0], [3.0, 4.0]], "g": [[1.0, 0.0], [2.0, 1.0]]},
    ),
    Case(
        "transposed-unstrided-weight", transposed, vjp=transposed_unstrided_weight, shapes={"x": (2,), "w": (3,)},
        params={"stride": 2}, right=False, bug="stride forgotten in gw",
        at={"x": [1.0, 2.0], "w": [1.0, 0.0, 2.0], "g": [1.0, 2.0, 3.0, 5.0, 8.0]},
    ),
    Case(
        "dilated-dense-input", dilated, vjp=dilated_dense_input, shapes={"x": (5,), "w": (2,)}, params={"dilation": 2},
        right=False, bug="dilation forgotten in gx",
        at={"x": [1.0, 2.0, 0.0, 1.0, 3.0], "w": [1.0, 2.0], "g": [1.0, 2.0, 3.0]},
    ),
    Case(
        "blur-mistyped", blur, vjp=blur_mistyped, shapes={"x": (4,)},
        right=False, bug="exp(-1/2) typed as 0.6065306", hidden="small",
        at={"x": [1.0, 2.0, 0.0, 1.0], "g": [1.0, 2.0]},
    ),
    Case(
        "taps-fancy-add", taps, vjp=taps_fancy_add, shapes=TAPS, integers={"at": (0, 3)},
        right=False, bug="gx[at] += adds a repeated tap only once", hidden="coincide",
        at={"x": [1.0, 2.0, 3.0], "w": [1.0, 2.0], "at": [1, 1], "g": 1.0},
    ),
]
