"""Losses of the elements, and their mean or sum. At the table entry `reduction` is "mean", "sum" or "none"."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from .. import dtypes
from ..dtypes import floats
from ..errors import DomainError, IndexRangeError, ShapeError, describe
from ..op import Array, Op, Residual, Shape
from ..tape import apply
from .linalg import product

Reduction = Literal["mean", "sum", "none"]


def checked(op: str, reduction: str) -> str:
    if reduction not in ("mean", "sum", "none"):
        raise DomainError(describe(op, "unknown reduction", "use 'mean', 'sum' or 'none'", reduction=reduction))
    return reduction


def reduced_shape(op: str, elements: Shape, reduction: str) -> Shape:
    if reduction == "none":
        return elements
    if reduction == "mean":
        for extent in elements:
            if extent == 0:
                raise ShapeError(describe(op, "the mean of nothing is undefined", "pass data", shape=elements))
    return ()


def same_shape(op: str, **shapes: Shape) -> Shape:
    first, second = shapes.values()
    if len(first) != len(second):
        raise ShapeError(describe(op, "the ranks differ", "broadcast or reshape one first", **shapes))
    for one, other in zip(first, second, strict=True):
        if one != other:
            raise ShapeError(describe(op, "the shapes differ", "broadcast or reshape one first", **shapes))
    return first


def reduced(losses: Array, reduction: str) -> Array:
    if reduction == "none":
        return losses
    total: Array = np.sum(losses)
    return total / np.size(losses) if reduction == "mean" else total


def cotangent(g: Array, count: int, reduction: str) -> Array:
    """The cotangent of the loss of one of `count` elements; it broadcasts."""
    return g / count if reduction == "mean" else g


# mse_loss: the mean, sum or none of (yhat - target)²

mse_loss_op = Op("mse_loss", inputs=("yhat", "target"))


def twice_difference(inputs: tuple[Array, Array]) -> Array:
    yhat, target = inputs
    return (yhat - target) * 2


@mse_loss_op.shape_rule
def mse_loss_shape(yhat: Shape, target: Shape, *, reduction: str) -> Shape:
    return reduced_shape("mse_loss", same_shape("mse_loss", yhat=yhat, target=target), reduction)


@mse_loss_op.forward
def mse_loss_y(inputs: tuple[Array, Array], *, reduction: str) -> tuple[Array, Residual]:
    yhat, target = inputs
    difference = yhat - target
    return reduced(difference * difference, reduction), None


@mse_loss_op.jvp_of("yhat")
def mse_loss_dy_yhat(
    dyhat: Array, inputs: tuple[Array, Array], out: Array, residual: Residual, *, reduction: str
) -> Array:
    return reduced(twice_difference(inputs) * dyhat, reduction)


@mse_loss_op.jvp_of("target")
def mse_loss_dy_target(
    dtarget: Array, inputs: tuple[Array, Array], out: Array, residual: Residual, *, reduction: str
) -> Array:
    return -reduced(twice_difference(inputs) * dtarget, reduction)


@mse_loss_op.vjp_of("yhat")
def mse_loss_gyhat(g: Array, inputs: tuple[Array, Array], out: Array, residual: Residual, *, reduction: str) -> Array:
    return twice_difference(inputs) * cotangent(g, inputs[0].size, reduction)


@mse_loss_op.vjp_of("target")
def mse_loss_gtarget(g: Array, inputs: tuple[Array, Array], out: Array, residual: Residual, *, reduction: str) -> Array:
    return twice_difference(inputs) * -cotangent(g, inputs[0].size, reduction)


@mse_loss_op.public
def mse_loss(yhat: ArrayLike, target: ArrayLike, reduction: Reduction = "mean") -> Array:
    """loss = (yhat - target)², then its mean over all elements, its sum, or nothing more. A gradient to both.

    Shapes: yhat s, target s -> (), with reduction="none" s. They do not broadcast: (N,1) against (N,) is a well-known
    mistake, not a wish.
    Raises ShapeError, also for the mean of empty arrays, DomainError for the reduction, DtypeError.

    >>> mse_loss(np.array([1.0, 2.0]), np.array([0.0, 2.0]))
    array(0.5)
    """
    arrays = floats("mse_loss", yhat=yhat, target=target)
    return apply(mse_loss_op, *arrays, reduction=checked("mse_loss", reduction))


# The class axis is 1, or 0 where there is no other. A label outside [0, C) never gets past the public functions; at the
# table entry its loss is 0.


def class_axis(rank: int) -> int:
    return 1 if rank > 1 else 0


def labelled_shape(op: str, name: str, scores: Shape, labels: Shape) -> Shape:
    if len(scores) < 1:
        what, remedy = "there is no class axis", f"pass {name} (C,), (N,C) or (N,C,...)"
        raise ShapeError(describe(op, what, remedy, **{name: scores}))
    axis = class_axis(len(scores))
    elements = scores[:axis] + scores[axis + 1 :]
    remedy = f"labels must have the shape of {name} without its class axis {axis}"
    if len(elements) != len(labels):
        raise ShapeError(describe(op, "the ranks do not fit", remedy, **{name: scores}, labels=labels))
    for one, other in zip(elements, labels, strict=True):
        if one != other:
            raise ShapeError(describe(op, "the shapes do not fit", remedy, **{name: scores}, labels=labels))
    if scores[axis] < 1:
        raise ShapeError(describe(op, "there are no classes", "C must be at least 1", **{name: scores}))
    return elements


def need_classes(op: str, scores: Array, labels: Array) -> None:
    """Each label is a class."""
    classes = scores.shape[class_axis(scores.ndim)]
    outside = (labels < 0) | (labels >= classes)
    if outside.any():
        label = int(labels[outside][0])
        raise IndexRangeError(describe(op, "a label is no class", "use 0 <= label < C", label=label, C=classes))


def blocks(t: Array) -> Array:
    """The axes before the classes joined, and those behind: (N, C, M)."""
    axis = class_axis(t.ndim)
    return t.reshape((product(t.shape[:axis]), t.shape[axis], product(t.shape[axis + 1 :])))


def positions(labels: Array, block: Array) -> tuple[tuple[Array, ...], Array]:
    """(index of the labels' classes in a block, whether a label is a class), of shape (N, M)."""
    N, classes, M = block.shape
    along = labels.reshape((N, M))
    inside = (along >= 0) & (along < classes)
    return (np.arange(N)[:, None], np.where(inside, along, 0), np.arange(M)), inside


# cross_entropy: log Σ_c exp(logits[c]) - logits[label]; residual (exp(logits - max), its sum over the classes)

cross_entropy_op = Op("cross_entropy", inputs=("logits", "labels"), differentiable=("logits",))


@cross_entropy_op.shape_rule
def cross_entropy_shape(logits: Shape, labels: Shape, *, reduction: str) -> Shape:
    elements = labelled_shape("cross_entropy", "logits", logits, labels)
    return reduced_shape("cross_entropy", elements, reduction)


@cross_entropy_op.check
def cross_entropy_check(inputs: tuple[Array, Array], *, reduction: str) -> None:
    need_classes("cross_entropy", *inputs)


@cross_entropy_op.forward
def cross_entropy_y(inputs: tuple[Array, Array], *, reduction: str) -> tuple[Array, Residual]:
    logits, labels = blocks(inputs[0]), inputs[1]
    index, inside = positions(labels, logits)
    exps = logits - logits.max(axis=1, keepdims=True)
    picked = exps[index]
    np.exp(exps, out=exps)
    total = exps.sum(axis=1)
    losses = np.where(inside, np.log(total) - picked, 0)
    return reduced(losses.reshape(labels.shape), reduction), (exps, total)


@cross_entropy_op.jvp_of("logits")
def cross_entropy_dy_logits(
    dlogits: Array, inputs: tuple[Array, Array], out: Array, residual: tuple[Array, Array], *, reduction: str
) -> Array:
    _, labels = inputs
    exps, total = residual
    dlogits = blocks(dlogits)
    index, inside = positions(labels, exps)
    expected = (exps / total[:, None] * dlogits).sum(axis=1)
    losses = np.where(inside, expected - dlogits[index], 0)
    return reduced(losses.reshape(labels.shape), reduction)


@cross_entropy_op.vjp_of("logits")
def cross_entropy_glogits(
    g: Array, inputs: tuple[Array, Array], out: Array, residual: tuple[Array, Array], *, reduction: str
) -> Array:
    logits, labels = inputs
    exps, total = residual
    index, inside = positions(labels, exps)
    share = np.broadcast_to(cotangent(g, labels.size, reduction), labels.shape).reshape(inside.shape)
    share = np.where(inside, share, 0)
    glogits = exps * (share / total)[:, None]
    glogits[index] -= share
    return glogits.reshape(logits.shape)


@cross_entropy_op.public
def cross_entropy(logits: ArrayLike, labels: ArrayLike, reduction: Reduction = "mean") -> Array:
    """loss = log Σ_c exp(logits[c]) - logits[label], then its mean over all labels, its sum, or nothing more.

    Shapes: logits (C,), (N,C) or (N,C,...), integer labels (), (N,) or (N,...) -> (), with reduction="none" that of
    the labels. Raises IndexRangeError for a label outside [0, C), ShapeError, also for the mean of no labels and for
    C = 0, DomainError for the reduction, DtypeError.

    >>> cross_entropy(np.array([[0.0, 0.0], [0.0, 1000.0]]), [0, 1], reduction="none").round(3)
    array([0.693, 0.   ])
    """
    (logits_,) = floats("cross_entropy", logits=logits)
    labels_ = dtypes.indices("cross_entropy", "labels", labels, beside=logits_)
    return apply(cross_entropy_op, logits_, labels_, reduction=checked("cross_entropy", reduction))


# nll_loss: -log_p[label]

nll_loss_op = Op("nll_loss", inputs=("log_p", "labels"), differentiable=("log_p",))


def minus_picked(t: Array, labels: Array) -> Array:
    """-t[label]."""
    index, inside = positions(labels, blocks(t))
    return np.where(inside, -blocks(t)[index], 0).reshape(labels.shape)


@nll_loss_op.shape_rule
def nll_loss_shape(log_p: Shape, labels: Shape, *, reduction: str) -> Shape:
    return reduced_shape("nll_loss", labelled_shape("nll_loss", "log_p", log_p, labels), reduction)


@nll_loss_op.check
def nll_loss_check(inputs: tuple[Array, Array], *, reduction: str) -> None:
    need_classes("nll_loss", *inputs)


@nll_loss_op.forward
def nll_loss_y(inputs: tuple[Array, Array], *, reduction: str) -> tuple[Array, Residual]:
    log_p, labels = inputs
    return reduced(minus_picked(log_p, labels), reduction), None


@nll_loss_op.jvp_of("log_p")
def nll_loss_dy_log_p(
    dlog_p: Array, inputs: tuple[Array, Array], out: Array, residual: Residual, *, reduction: str
) -> Array:
    _, labels = inputs
    return reduced(minus_picked(dlog_p, labels), reduction)


@nll_loss_op.vjp_of("log_p")
def nll_loss_glog_p(g: Array, inputs: tuple[Array, Array], out: Array, residual: Residual, *, reduction: str) -> Array:
    log_p, labels = inputs
    glog_p = np.zeros_like(blocks(log_p))
    index, inside = positions(labels, glog_p)
    share = np.broadcast_to(cotangent(g, labels.size, reduction), labels.shape).reshape(inside.shape)
    glog_p[index] = np.where(inside, -share, 0)
    return glog_p.reshape(log_p.shape)


@nll_loss_op.public
def nll_loss(log_p: ArrayLike, labels: ArrayLike, reduction: Reduction = "mean") -> Array:
    """loss = -log_p[label], then its mean over all labels, its sum, or nothing more.

    Shapes: log_p (C,), (N,C) or (N,C,...), integer labels (), (N,) or (N,...) -> (), with reduction="none" that of the
    labels. Raises IndexRangeError for a label outside [0, C), ShapeError, also for the mean of no labels and for C = 0,
    DomainError for the reduction, DtypeError.

    >>> nll_loss(np.array([[-0.5, -1.0], [-2.0, -0.25]]), [0, 1], reduction="sum")
    array(0.75)
    """
    (log_p_,) = floats("nll_loss", log_p=log_p)
    labels_ = dtypes.indices("nll_loss", "labels", labels, beside=log_p_)
    return apply(nll_loss_op, log_p_, labels_, reduction=checked("nll_loss", reduction))


# bce_with_logits: log(1 + exp(logits)) - target logits

bce_with_logits_op = Op("bce_with_logits", inputs=("logits", "target"))


def sigmoid_minus_target(inputs: tuple[Array, Array]) -> Array:
    """Without the cancellation of sigmoid with 1."""
    logits, target = inputs
    small = np.exp(-np.abs(logits))
    tail = small / (1 + small)  # sigmoid(-|logits|)
    result: Array = np.where(logits >= 0, (1 - target) - tail, tail - target)
    return result


@bce_with_logits_op.shape_rule
def bce_with_logits_shape(logits: Shape, target: Shape, *, reduction: str) -> Shape:
    elements = same_shape("bce_with_logits", logits=logits, target=target)
    return reduced_shape("bce_with_logits", elements, reduction)


@bce_with_logits_op.forward
def bce_with_logits_y(inputs: tuple[Array, Array], *, reduction: str) -> tuple[Array, Residual]:
    logits, target = inputs
    losses = ((logits >= 0) - target) * logits + np.log1p(np.exp(-np.abs(logits)))
    return reduced(losses, reduction), None


@bce_with_logits_op.jvp_of("logits")
def bce_with_logits_dy_logits(
    dlogits: Array, inputs: tuple[Array, Array], out: Array, residual: Residual, *, reduction: str
) -> Array:
    return reduced(sigmoid_minus_target(inputs) * dlogits, reduction)


@bce_with_logits_op.jvp_of("target")
def bce_with_logits_dy_target(
    dtarget: Array, inputs: tuple[Array, Array], out: Array, residual: Residual, *, reduction: str
) -> Array:
    logits, _ = inputs
    return -reduced(logits * dtarget, reduction)


@bce_with_logits_op.vjp_of("logits")
def bce_with_logits_glogits(
    g: Array, inputs: tuple[Array, Array], out: Array, residual: Residual, *, reduction: str
) -> Array:
    return sigmoid_minus_target(inputs) * cotangent(g, inputs[0].size, reduction)


@bce_with_logits_op.vjp_of("target")
def bce_with_logits_gtarget(
    g: Array, inputs: tuple[Array, Array], out: Array, residual: Residual, *, reduction: str
) -> Array:
    logits, _ = inputs
    return logits * -cotangent(g, logits.size, reduction)


@bce_with_logits_op.public
def bce_with_logits(logits: ArrayLike, target: ArrayLike, reduction: Reduction = "mean") -> Array:
    """loss = -target log p - (1 - target) log(1 - p) with p = 1 / (1 + exp(-logits)), then its mean over all elements,
    its sum, or nothing more; computed without p. A gradient to both.

    Shapes: logits s, target s -> (), with reduction="none" s. They do not broadcast.
    Raises ShapeError, also for the mean of empty arrays, DomainError for the reduction, DtypeError.

    >>> bce_with_logits(np.array([0.0, 1000.0]), np.array([1.0, 0.0]), reduction="none").round(3)
    array([6.93e-01, 1.00e+03])
    """
    arrays = floats("bce_with_logits", logits=logits, target=target)
    return apply(bce_with_logits_op, *arrays, reduction=checked("bce_with_logits", reduction))


# kl_div: target (log target - log_p), and 0 where target = 0

kl_div_op = Op("kl_div", inputs=("log_p", "target"))


def target_slope(inputs: tuple[Array, Array]) -> Array:
    log_p, target = inputs
    result: Array = np.log(target) - log_p + 1
    return result


@kl_div_op.shape_rule
def kl_div_shape(log_p: Shape, target: Shape, *, reduction: str) -> Shape:
    return reduced_shape("kl_div", same_shape("kl_div", log_p=log_p, target=target), reduction)


@kl_div_op.forward
def kl_div_y(inputs: tuple[Array, Array], *, reduction: str) -> tuple[Array, Residual]:
    log_p, target = inputs
    absent = target == 0
    losses = np.where(absent, 0, target * (np.log(np.where(absent, 1, target)) - log_p))
    return reduced(losses, reduction), None


@kl_div_op.jvp_of("log_p")
def kl_div_dy_log_p(
    dlog_p: Array, inputs: tuple[Array, Array], out: Array, residual: Residual, *, reduction: str
) -> Array:
    _, target = inputs
    return -reduced(target * dlog_p, reduction)


@kl_div_op.jvp_of("target")
def kl_div_dy_target(
    dtarget: Array, inputs: tuple[Array, Array], out: Array, residual: Residual, *, reduction: str
) -> Array:
    return reduced(target_slope(inputs) * dtarget, reduction)


@kl_div_op.vjp_of("log_p")
def kl_div_glog_p(g: Array, inputs: tuple[Array, Array], out: Array, residual: Residual, *, reduction: str) -> Array:
    _, target = inputs
    return target * -cotangent(g, target.size, reduction)


@kl_div_op.vjp_of("target")
def kl_div_gtarget(g: Array, inputs: tuple[Array, Array], out: Array, residual: Residual, *, reduction: str) -> Array:
    return target_slope(inputs) * cotangent(g, inputs[0].size, reduction)


@kl_div_op.public
def kl_div(log_p: ArrayLike, target: ArrayLike, reduction: Reduction = "mean") -> Array:
    """loss = target (log target - log_p), 0 where target is 0, then its mean over all elements, its sum, or nothing
    more. Defined for target > 0, with a gradient to both; the one to target is infinite at 0.

    The arguments are those of PyTorch: the logarithm of the approximation, then the target as it is.
    Shapes: log_p s, target s -> (), with reduction="none" s. They do not broadcast.
    Raises ShapeError, also for the mean of empty arrays, DomainError for the reduction, DtypeError.

    >>> kl_div(np.log([0.5, 0.5]), np.array([1.0, 0.0]), reduction="none").round(3)
    array([0.693, 0.   ])
    """
    arrays = floats("kl_div", log_p=log_p, target=target)
    return apply(kl_div_op, *arrays, reduction=checked("kl_div", reduction))
