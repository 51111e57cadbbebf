"""Attention. A mask is True where a query may read a key. What is blocked has weight exactly 0, and whatever stands
there, nan and inf too, reaches no result and no gradient."""

from __future__ import annotations

from math import sqrt
from typing import Any, cast

import numpy as np
from numpy.typing import ArrayLike

from ..attributes import broadcast_shape, integer, number
from ..dtypes import floats, snapshot, traced_of_kind
from ..errors import DomainError, DtypeError, GraphError, ShapeError, describe
from ..op import Array, Op, Residual, Shape
from ..tape import Traced, apply
from .explicit import broadcasted
from .linalg import flat, transposed

Arrays = tuple[Array, ...]

# The parts that both ops share: s = scale q kᵀ, w = softmax(s) over the allowed keys, y = w v


def weights(q: Array, k: Array, mask: Array | None, scale: float) -> Array:
    """w[..., n, m] = exp(s - max s) / Σ exp(s - max s) over the allowed m; a row without any is 0."""
    s: Array = (q * scale) @ transposed(k)
    if k.shape[-2] == 0:
        return s
    if mask is None:
        s -= s.max(axis=-1, keepdims=True)
        np.exp(s, out=s)
        s /= s.sum(axis=-1, keepdims=True)
        return s
    first = mask.argmax(axis=-1, keepdims=True)  # an allowed score stands in for the blocked ones until exp is taken
    s = np.where(mask, s, np.take_along_axis(s, first, axis=-1))
    s -= s.max(axis=-1, keepdims=True)
    w = np.where(mask, np.exp(s, out=s), 0)
    w /= np.where(mask.any(axis=-1, keepdims=True), w.sum(axis=-1, keepdims=True), 1)
    return w


def centred(t: Array, w: Array, mask: Array | None) -> Array:
    """w (t - Σ w t), the JVP and the VJP of the softmax."""
    wt = t * w
    if mask is None:
        wt -= w * wt.sum(axis=-1, keepdims=True)
        return wt
    wt = np.where(mask, wt, 0)
    return np.where(mask, wt - w * wt.sum(axis=-1, keepdims=True), 0)


def mixed(p: Array, x: Array, mask: Array | None) -> Array:
    """Σ_m p[..., n, m] x[..., m, :] over the allowed m. p is 0 elsewhere, but 0 times nan or inf would not be."""
    finite = np.isfinite(x)
    if mask is None or finite.all():
        return p @ x
    y: Array = p @ np.where(finite, x, 0)
    for m in np.flatnonzero(~finite.all(axis=(*range(x.ndim - 2), x.ndim - 1))):
        one = slice(m, m + 1)
        y += np.where(mask[..., one], p[..., one] * np.where(finite[..., one, :], 0, x[..., one, :]), 0)
    return y


def reversed_mask(mask: Array | None) -> Array | None:
    """The mask of the products over the queries."""
    return None if mask is None else transposed(mask)


def allowed(op: str, mask: ArrayLike | None, shape: Shape, beside: tuple[Any, ...]) -> tuple[Array, ...]:
    """The mask, broadcast to (..., n, m), or nothing."""
    if mask is None:
        return ()
    if isinstance(mask, Traced):
        traced_of_kind(op, "mask", mask, "b", "Boolean")
        return (broadcasted(cast(Array, mask), shape),)
    array = mask if isinstance(mask, np.ndarray) else np.asarray(mask)
    if array.dtype.kind != "b":
        raise DtypeError(describe(op, "mask must be Boolean", "True = allowed; write mask != 0", dtype=array.dtype))
    if any(isinstance(x, Traced) and x.trace.keeps_inputs for x in beside):
        array = snapshot(array)
    try:
        return (np.broadcast_to(array, shape),)
    except ValueError:
        remedy = "it must broadcast to (..., queries, keys)"
        raise ShapeError(describe(op, "the mask does not fit", remedy, mask=array.shape, expected=shape)) from None


def causal(mask: tuple[Array, ...], shape: Shape) -> tuple[Array, ...]:
    """The mask without the keys after the query."""
    if mask and isinstance(mask[0], Traced):
        raise GraphError(
            describe("causal attention", "the mask is an input of a graph", "let it block the keys after the query")
        )
    before = np.arange(shape[-1]) <= np.arange(shape[-2])[:, None]
    return (mask[0] & before if mask else np.broadcast_to(before, shape),)


# scaled_dot_product_attention: y = softmax(scale q kᵀ) v; at the entry the batch axes are equal

sdpa_op = Op(
    "scaled_dot_product_attention",
    inputs=("q", "k", "v", "mask"),
    differentiable=("q", "k", "v"),
    optional=("mask",),
)


def parts(inputs: Arrays) -> tuple[Array, Array, Array, Array | None]:
    q, k, v, *mask = inputs
    return q, k, v, mask[0] if mask else None


@sdpa_op.shape_rule
def sdpa_shape(q: Shape, k: Shape, v: Shape, mask: Shape | None = None, *, scale: float) -> Shape:
    name, layout = "scaled_dot_product_attention", "pass q (...,n,E), k (...,m,E) and v (...,m,F)"
    if len(q) < 2 or len(k) != len(q) or len(v) != len(q):
        raise ShapeError(describe(name, "the ranks do not fit", layout, q=q, k=k, v=v))
    for a, b, c in zip(q[:-2], k[:-2], v[:-2], strict=True):
        if a != b or a != c:
            raise ShapeError(describe(name, "the batch axes differ", "broadcast first", q=q, k=k, v=v))
    if q[-1] != k[-1]:
        raise ShapeError(describe(name, "q and k differ in E", layout, q=q, k=k))
    if k[-2] != v[-2]:
        raise ShapeError(describe(name, "k and v differ in the number of keys", layout, k=k, v=v))
    if mask is not None:
        wanted = (*q[:-1], k[-2])
        if len(mask) != len(wanted):
            raise ShapeError(describe(name, "the mask does not fit", "pass (...,n,m)", mask=mask, expected=wanted))
        for extent, want in zip(mask, wanted, strict=True):
            if extent != want:
                raise ShapeError(describe(name, "the mask does not fit", "pass (...,n,m)", mask=mask, expected=wanted))
    return (*q[:-1], v[-1])


@sdpa_op.forward
def sdpa_y(inputs: Arrays, *, scale: float) -> tuple[Array, Residual]:
    q, k, v, mask = parts(inputs)
    w = weights(q, k, mask, scale)
    return mixed(w, v, mask), (w,)


@sdpa_op.jvp_of("q")
def sdpa_dy_q(dq: Array, inputs: Arrays, out: Array, residual: tuple[Array], *, scale: float) -> Array:
    _, k, v, mask = parts(inputs)
    (w,) = residual
    return mixed(centred((dq * scale) @ transposed(k), w, mask), v, mask)


@sdpa_op.jvp_of("k")
def sdpa_dy_k(dk: Array, inputs: Arrays, out: Array, residual: tuple[Array], *, scale: float) -> Array:
    q, _, v, mask = parts(inputs)
    (w,) = residual
    return mixed(centred((q * scale) @ transposed(dk), w, mask), v, mask)


@sdpa_op.jvp_of("v")
def sdpa_dy_v(dv: Array, inputs: Arrays, out: Array, residual: tuple[Array], *, scale: float) -> Array:
    (w,) = residual
    return mixed(w, dv, parts(inputs)[3])


@sdpa_op.vjp_shared
def sdpa_gs(g: Array, inputs: Arrays, out: Array, residual: tuple[Array], *, scale: float) -> tuple[Array, Array]:
    """The weights, and the cotangent of scale q kᵀ times the scale."""
    _, _, v, mask = parts(inputs)
    (w,) = residual
    return w, centred((g * scale) @ transposed(v), w, mask)


@sdpa_op.vjp_of("q")
def sdpa_gq(g: Array, inputs: Arrays, out: Array, shared: tuple[Array, Array], *, scale: float) -> Array:
    _, k, _, mask = parts(inputs)
    return mixed(shared[1], k, mask)


@sdpa_op.vjp_of("k")
def sdpa_gk(g: Array, inputs: Arrays, out: Array, shared: tuple[Array, Array], *, scale: float) -> Array:
    q, _, _, mask = parts(inputs)
    return mixed(transposed(shared[1]), q, reversed_mask(mask))


@sdpa_op.vjp_of("v")
def sdpa_gv(g: Array, inputs: Arrays, out: Array, shared: tuple[Array, Array], *, scale: float) -> Array:
    return mixed(transposed(shared[0]), g, reversed_mask(parts(inputs)[3]))


@sdpa_op.public
def scaled_dot_product_attention(
    q: ArrayLike,
    k: ArrayLike,
    v: ArrayLike,
    mask: ArrayLike | None = None,
    is_causal: bool = False,
    scale: float | None = None,
) -> Array:
    """y[..., n, :] = Σ_m w[n, m] v[..., m, :], w[n, m] = exp(s[n, m]) / Σ_m exp(s[n, m]), s = scale q kᵀ.

    The sums are over the keys m that the query n may read: those where `mask` is True and, with `is_causal`, m <= n,
    also if there are more keys than queries. A query that may read none gives 0. What is blocked has no influence on
    the result or on a gradient, whatever stands there.

    Shapes: q (...,n,E), k (...,m,E), v (...,m,F) -> (...,n,F), batch axes broadcast; mask Boolean, broadcast to
    (...,n,m). `scale` None is 1/sqrt(E). Raises ShapeError, DtypeError.
    Vaswani et al. 2017, Attention Is All You Need, arXiv:1706.03762.

    >>> q, k, v = np.zeros((2, 4)), np.ones((3, 4)), np.array([[1.0], [2.0], [6.0]])
    >>> scaled_dot_product_attention(q, k, v)
    array([[3.],
           [3.]])
    >>> scaled_dot_product_attention(q, k, v, is_causal=True)
    array([[1. ],
           [1.5]])
    """
    name = "scaled_dot_product_attention"
    q_, k_, v_ = floats(name, q=q, k=k, v=v)
    if min(q_.ndim, k_.ndim, v_.ndim) < 2:
        remedy = "pass q (...,n,E), k (...,m,E) and v (...,m,F)"
        raise ShapeError(describe(name, "the ranks do not fit", remedy, q=q_.shape, k=k_.shape, v=v_.shape))
    if k_.shape[-2] != v_.shape[-2]:
        remedy = "pass k (...,m,E) and v (...,m,F)"
        raise ShapeError(describe(name, "k and v differ in the number of keys", remedy, k=k_.shape, v=v_.shape))
    batch = broadcast_shape(name, q=q_.shape[:-2], k=k_.shape[:-2], v=v_.shape[:-2])
    inputs = tuple(broadcasted(x, batch + x.shape[-2:]) for x in (q_, k_, v_))
    shape = (*batch, q_.shape[-2], k_.shape[-2])
    may_read = allowed(name, mask, shape, inputs)
    if is_causal:
        may_read = causal(may_read, shape)
    factor = 1 / sqrt(max(q_.shape[-1], 1)) if scale is None else number(name, "scale", scale)
    return apply(sdpa_op, *inputs, *may_read, scale=factor)


# multi_head_attention: y = Σ_h c_h wo_h, c_h = softmax(scale q_h k_hᵀ) v_h, q_h = x wq_h and so on

mha_op = Op(
    "multi_head_attention",
    inputs=("x", "wq", "wk", "wv", "wo", "mask"),
    differentiable=("x", "wq", "wk", "wv", "wo"),
    optional=("mask",),
)


def split(x: Array, w: Array, num_heads: int) -> Array:
    """x w, (..., n, H E), with the heads in front: (..., H, n, E)."""
    heads = (flat(x) @ w).reshape((*x.shape[:-1], num_heads, w.shape[1] // num_heads))
    return np.swapaxes(heads, -2, -3)


def merged(heads: Array) -> Array:
    """(..., H, n, E) -> (..., n, H E)."""
    rows = np.swapaxes(heads, -2, -3)
    return rows.reshape((*rows.shape[:-2], rows.shape[-2] * rows.shape[-1]))


def head_mask(inputs: Arrays) -> Array | None:
    """The mask, the same for every head."""
    return inputs[5][..., None, :, :] if len(inputs) > 5 else None


def read(x: Array, inputs: Arrays) -> Array:
    """x, or its tangent, with 0 for the positions that neither read nor are read."""
    if len(inputs) == 5:
        return x
    used: Any = inputs[5].any(axis=-1) | inputs[5].any(axis=-2)
    return np.where(used[..., None], x, 0)


@mha_op.shape_rule
def mha_shape(
    x: Shape, wq: Shape, wk: Shape, wv: Shape, wo: Shape, mask: Shape | None = None, *, num_heads: int, scale: float
) -> Shape:
    name, layout = "multi_head_attention", "pass x (...,n,D), wq, wk and wv (D,H*E), wo (H*E,D)"
    if len(x) < 2 or len(wq) != 2 or len(wk) != 2 or len(wv) != 2 or len(wo) != 2:
        raise ShapeError(describe(name, "the ranks do not fit", layout, x=x, wq=wq, wk=wk, wv=wv, wo=wo))
    if x[-1] != wq[0] or x[-1] != wk[0] or x[-1] != wv[0] or x[-1] != wo[1]:
        raise ShapeError(describe(name, "x and the weights differ in D", layout, x=x, wq=wq, wk=wk, wv=wv, wo=wo))
    if wq[1] != wk[1] or wq[1] != wv[1] or wq[1] != wo[0]:
        raise ShapeError(describe(name, "the weights differ in H*E", layout, wq=wq, wk=wk, wv=wv, wo=wo))
    if num_heads < 1:
        raise DomainError(describe(name, "there must be a head", "use num_heads >= 1", num_heads=num_heads))
    if mask is not None:
        wanted = (*x[:-1], x[-2])
        if len(mask) != len(wanted):
            raise ShapeError(describe(name, "the mask does not fit", "pass (...,n,n)", mask=mask, expected=wanted))
        for extent, want in zip(mask, wanted, strict=True):
            if extent != want:
                raise ShapeError(describe(name, "the mask does not fit", "pass (...,n,n)", mask=mask, expected=wanted))
    return x


@mha_op.forward
def mha_y(inputs: Arrays, *, num_heads: int, scale: float) -> tuple[Array, Residual]:
    x, wq, wk, wv, wo = inputs[:5]
    x, mask = read(x, inputs), head_mask(inputs)
    q, k, v = (split(x, w, num_heads) for w in (wq, wk, wv))
    w = weights(q, k, mask, scale)
    c = merged(mixed(w, v, mask))
    return (flat(c) @ wo).reshape(x.shape), (q, k, v, w, c)


@mha_op.jvp_of("x")
def mha_dy_x(dx: Array, inputs: Any, out: Array, residual: Any, *, num_heads: int, scale: float) -> Any:
    _, wq, wk, wv, wo = inputs[:5]
    dx, mask = read(dx, inputs), head_mask(inputs)
    q, k, v, w, _ = residual
    dq, dk, dv = (split(dx, weight, num_heads) for weight in (wq, wk, wv))
    ds = (dq * scale) @ transposed(k) + (q * scale) @ transposed(dk)
    dc = mixed(centred(ds, w, mask), v, mask) + mixed(w, dv, mask)
    return (flat(merged(dc)) @ wo).reshape(out.shape)


@mha_op.jvp_of("wq")
def mha_dy_wq(dwq: Array, inputs: Any, out: Array, residual: Any, *, num_heads: int, scale: float) -> Any:
    mask = head_mask(inputs)
    _, k, v, w, _ = residual
    dq = split(read(inputs[0], inputs), dwq, num_heads)
    dc = mixed(centred((dq * scale) @ transposed(k), w, mask), v, mask)
    return (flat(merged(dc)) @ inputs[4]).reshape(out.shape)


@mha_op.jvp_of("wk")
def mha_dy_wk(dwk: Array, inputs: Any, out: Array, residual: Any, *, num_heads: int, scale: float) -> Any:
    mask = head_mask(inputs)
    q, _, v, w, _ = residual
    dk = split(read(inputs[0], inputs), dwk, num_heads)
    dc = mixed(centred((q * scale) @ transposed(dk), w, mask), v, mask)
    return (flat(merged(dc)) @ inputs[4]).reshape(out.shape)


@mha_op.jvp_of("wv")
def mha_dy_wv(dwv: Array, inputs: Any, out: Array, residual: Any, *, num_heads: int, scale: float) -> Any:
    dc = mixed(residual[3], split(read(inputs[0], inputs), dwv, num_heads), head_mask(inputs))
    return (flat(merged(dc)) @ inputs[4]).reshape(out.shape)


@mha_op.jvp_of("wo")
def mha_dy_wo(dwo: Array, inputs: Any, out: Array, residual: Any, *, num_heads: int, scale: float) -> Any:
    return (flat(residual[4]) @ dwo).reshape(out.shape)


@mha_op.vjp_shared
def mha_gqkv(g: Array, inputs: Any, out: Array, residual: Any, *, num_heads: int, scale: float) -> Any:
    """The cotangents of x wq, x wk and x wv, and the output of the heads."""
    mask = head_mask(inputs)
    q, k, v, w, c = residual
    gc = split(g, inputs[4].T, num_heads)
    gs = centred((gc * scale) @ transposed(v), w, mask)
    gq, gk = mixed(gs, k, mask), mixed(transposed(gs), q, reversed_mask(mask))
    gv = mixed(transposed(w), gc, reversed_mask(mask))
    return flat(merged(gq)), flat(merged(gk)), flat(merged(gv)), flat(c)


@mha_op.vjp_of("x")
def mha_gx(g: Array, inputs: Any, out: Array, shared: Any, *, num_heads: int, scale: float) -> Any:
    x, wq, wk, wv = inputs[:4]
    gq, gk, gv, _ = shared
    gx = gq @ wq.T
    gx += gk @ wk.T
    gx += gv @ wv.T
    return gx.reshape(x.shape)


@mha_op.vjp_of("wq")
def mha_gwq(g: Array, inputs: Any, out: Array, shared: Any, *, num_heads: int, scale: float) -> Any:
    return flat(read(inputs[0], inputs)).T @ shared[0]


@mha_op.vjp_of("wk")
def mha_gwk(g: Array, inputs: Any, out: Array, shared: Any, *, num_heads: int, scale: float) -> Any:
    return flat(read(inputs[0], inputs)).T @ shared[1]


@mha_op.vjp_of("wv")
def mha_gwv(g: Array, inputs: Any, out: Array, shared: Any, *, num_heads: int, scale: float) -> Any:
    return flat(read(inputs[0], inputs)).T @ shared[2]


@mha_op.vjp_of("wo")
def mha_gwo(g: Array, inputs: Any, out: Array, shared: Any, *, num_heads: int, scale: float) -> Any:
    return shared[3].T @ flat(g)


@mha_op.recall
def mha_recall(x: Any, wq: Any, wk: Any, wv: Any, wo: Any, mask: Any = None, *, num_heads: Any, scale: Any) -> Array:
    return multi_head_attention(x, wq, wk, wv, wo, num_heads, mask)  # the scale follows from the heads


@mha_op.public
def multi_head_attention(
    x: ArrayLike,
    wq: ArrayLike,
    wk: ArrayLike,
    wv: ArrayLike,
    wo: ArrayLike,
    num_heads: int,
    mask: ArrayLike | None = None,
) -> Array:
    """y = Σ_h softmax(q_h k_hᵀ / sqrt(E)) v_h wo_h, with q_h = x wq_h, k_h = x wk_h, v_h = x wv_h.

    The head h owns the columns h E to (h+1) E of wq, wk and wv and those rows of wo. A query that the mask lets read no
    key gives 0; what is blocked has no influence on the result or on a gradient.

    Shapes: x (...,n,D), wq, wk and wv (D,H*E), wo (H*E,D) -> (...,n,D); mask Boolean, True = allowed, broadcast to
    (...,n,n): query by key. Raises ShapeError, DomainError for num_heads, DtypeError.
    Vaswani et al. 2017, Attention Is All You Need, arXiv:1706.03762.

    >>> x, w = np.array([[1.0, 0.0], [0.0, 1.0]]), np.eye(2)
    >>> multi_head_attention(x, 0 * w, w, w, w, num_heads=2)
    array([[0.5, 0.5],
           [0.5, 0.5]])
    """
    name = "multi_head_attention"
    x_, *matrices = floats(name, x=x, wq=wq, wk=wk, wv=wv, wo=wo)
    heads = integer(name, "num_heads", num_heads)
    if x_.ndim < 2 or matrices[0].ndim != 2:
        remedy = "pass x (...,n,D), wq, wk and wv (D,H*E), wo (H*E,D)"
        raise ShapeError(describe(name, "the ranks do not fit", remedy, x=x_.shape, wq=matrices[0].shape))
    columns = matrices[0].shape[1]
    if heads >= 1 and columns % heads != 0:
        remedy = "H*E must be a multiple of num_heads"
        raise ShapeError(describe(name, "the heads do not divide the weights", remedy, H_E=columns, num_heads=heads))
    may_read = allowed(name, mask, (*x_.shape[:-1], x_.shape[-2]), (x_, *matrices))
    scale = 1 / sqrt(max(columns // max(heads, 1), 1))
    return apply(mha_op, x_, *matrices, *may_read, num_heads=heads, scale=scale)
