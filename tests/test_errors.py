"""Every error: its class, its base classes, and for a few the whole text."""

import pickle

import numpy as np
import pytest

import gradproof as gp
from gradproof.errors import describe

X, V, IMAGE = np.ones((2, 3)), np.ones(3), np.ones((2, 3, 4))
INNER = gp.grad(lambda y: y * y)


@pytest.mark.parametrize(
    ("error", "base"),
    [
        (gp.ShapeError, ValueError),
        (gp.DtypeError, TypeError),
        (gp.DomainError, ValueError),
        (gp.GraphError, ValueError),
        (gp.IndexRangeError, IndexError),
    ],
)
def test_base_classes(error, base):
    assert issubclass(error, gp.GradproofError) and issubclass(error, base)
    assert str(pickle.loads(pickle.dumps(error("text")))) == "text"


WRONG = [
    # shapes
    (gp.ShapeError, "add-shapes", lambda: gp.add(np.ones(2), np.ones(3))),
    (gp.ShapeError, "add-left-aligned", lambda: gp.add(np.ones(2), X)),
    (gp.ShapeError, "ragged-list", lambda: gp.exp([[1.0], [1.0, 2.0]])),
    (gp.ShapeError, "mean-of-nothing", lambda: gp.reduce_mean(np.ones((0, 3)), 0)),
    (gp.ShapeError, "mean-of-nothing-all", lambda: gp.reduce_mean(np.ones((0, 3)))),
    (gp.ShapeError, "mse-shapes", lambda: gp.mse_loss(np.ones((3, 1)), np.ones(3))),
    (gp.ShapeError, "mse-same-rank", lambda: gp.mse_loss(np.ones((3, 1)), np.ones((3, 3)))),
    (gp.ShapeError, "mse-empty", lambda: gp.mse_loss(np.ones(0), np.ones(0))),
    (gp.ShapeError, "linear-inner", lambda: gp.linear(X, np.ones((3, 2)))),
    (gp.ShapeError, "linear-0d", lambda: gp.linear(1.0, np.ones((3, 2)))),
    (gp.ShapeError, "linear-weight-rank", lambda: gp.linear(X, np.ones(3))),
    (gp.ShapeError, "linear-bias", lambda: gp.linear(X, np.ones((4, 3)), np.ones(3))),
    (gp.ShapeError, "linear-bias-rank", lambda: gp.linear(X, np.ones((4, 3)), np.ones((1, 4)))),
    (gp.ShapeError, "matmul-inner", lambda: gp.matmul(X, X)),
    (gp.ShapeError, "matmul-0d", lambda: gp.matmul(X, 2.0)),
    (gp.ShapeError, "matmul-batch", lambda: gp.matmul(np.ones((2, 2, 3)), np.ones((3, 3, 2)))),
    (gp.ShapeError, "concat-nothing", lambda: gp.concat([])),
    (gp.ShapeError, "concat-ranks", lambda: gp.concat([X, np.ones(3)])),
    (gp.ShapeError, "concat-extents", lambda: gp.concat([X, np.ones((2, 2))])),
    (gp.ShapeError, "concat-0d", lambda: gp.concat([1.0, 2.0])),
    (gp.ShapeError, "reshape-size", lambda: gp.reshape(X, (4,))),
    (gp.ShapeError, "reshape-negative", lambda: gp.reshape(X, (-2, -3))),
    (gp.ShapeError, "reshape-two-open", lambda: gp.reshape(X, (-1, -1))),
    (gp.ShapeError, "reshape-open-uneven", lambda: gp.reshape(X, (4, -1))),
    (gp.ShapeError, "reshape-open-zero", lambda: gp.reshape(np.ones((0, 2)), (0, -1))),
    (gp.ShapeError, "broadcast-left-aligned", lambda: gp.broadcast_to(np.ones(2), (2, 3))),
    (gp.ShapeError, "broadcast-fewer-axes", lambda: gp.broadcast_to(X, (3,))),
    (gp.ShapeError, "broadcast-down", lambda: gp.broadcast_to(np.ones(3), (1,))),
    (gp.ShapeError, "broadcast-negative", lambda: gp.broadcast_to(np.ones(1), (-1,))),
    (gp.ShapeError, "gather-rank", lambda: gp.gather_rows(np.ones(3), [0])),
    (gp.ShapeError, "gather-index-rank", lambda: gp.gather_rows(X, [[0]])),
    (gp.ShapeError, "conv-rank", lambda: gp.conv(np.ones((3, 3)), np.ones((1, 1, 2, 2)))),
    (gp.ShapeError, "conv-no-spatial-axis", lambda: gp.conv(X, X)),
    (gp.ShapeError, "conv-four-spatial-axes", lambda: gp.conv(np.ones((1,) * 6), np.ones((1,) * 6))),
    (gp.ShapeError, "conv-channels", lambda: gp.conv(np.ones((2, 3, 3)), np.ones((1, 3, 2, 2)))),
    (gp.ShapeError, "conv-window", lambda: gp.conv(np.ones((1, 2, 9)), np.ones((1, 1, 3, 3)))),
    (gp.ShapeError, "conv-empty-kernel", lambda: gp.conv(np.ones((1, 2, 9)), np.ones((1, 1, 0, 3)))),
    (gp.ShapeError, "conv-bias", lambda: gp.conv(np.ones((1, 3, 3)), np.ones((2, 1, 3, 3)), np.ones(1))),
    (gp.ShapeError, "conv-bias-rank", lambda: gp.conv(np.ones((1, 3, 3)), np.ones((2, 1, 3, 3)), np.ones((2, 1)))),
    (gp.ShapeError, "pool-rank", lambda: gp.max_pool(np.ones(3), (2, 2))),
    (gp.ShapeError, "pool-window", lambda: gp.max_pool(X, (3, 3))),
    (gp.ShapeError, "pool-empty", lambda: gp.max_pool(np.ones((0, 3)), (3, 3), padding=2)),
    (gp.ShapeError, "norm-extents", lambda: gp.layer_norm(X, np.ones(2), np.ones(3))),
    (gp.ShapeError, "norm-rank", lambda: gp.layer_norm(X, np.ones((1, 3)), np.ones(3))),
    (gp.ShapeError, "norm-empty", lambda: gp.layer_norm(np.ones((2, 0)), np.ones(0), np.ones(0))),
    (gp.ShapeError, "grad-not-scalar", lambda: gp.grad(gp.exp)(X)),
    (gp.ShapeError, "grad-one-element", lambda: gp.grad(gp.exp)(np.ones(1))),
    (gp.ShapeError, "tangent-shape", lambda: gp.jvp(gp.exp, (X,), (np.ones(3),))),
    (gp.ShapeError, "cotangent-shape", lambda: gp.vjp(gp.exp, X)[1](1.0)),
    (gp.ShapeError, "div-shapes", lambda: gp.div(np.ones(2), V)),
    (gp.ShapeError, "minimum-shapes", lambda: gp.minimum(X, np.ones(2))),
    (gp.ShapeError, "where-shapes", lambda: gp.where(np.array([True, False]), V, 0.0)),
    (gp.ShapeError, "var-empty", lambda: gp.var(np.ones((0, 3)), 0, correction=-1)),
    (gp.ShapeError, "max-empty", lambda: gp.max_axis(np.ones((0, 3)), 0)),
    (gp.ShapeError, "max-of-nothing", lambda: gp.max_axis(np.ones((0, 3)))),
    (gp.ShapeError, "min-empty", lambda: gp.min_axis(np.ones((2, 0)), (0, 1))),
    (gp.ShapeError, "einsum-extents", lambda: gp.einsum("ij,jk->ik", X, X)),
    (gp.ShapeError, "einsum-rank", lambda: gp.einsum("i", X)),
    (gp.ShapeError, "einsum-operands", lambda: gp.einsum("i,i", V)),
    (gp.ShapeError, "einsum-output", lambda: gp.einsum("i->j", V)),
    (gp.ShapeError, "einsum-output-twice", lambda: gp.einsum("i->ii", V)),
    (gp.ShapeError, "pad-pairs", lambda: gp.pad(X, ((1, 1),))),
    (gp.ShapeError, "upsample-empty", lambda: gp.upsample_nearest(np.ones((2, 0)), (3,))),
    (gp.ShapeError, "upsample-to-nothing", lambda: gp.upsample_nearest(X, (0,))),
    (gp.ShapeError, "upsample-rank", lambda: gp.upsample_nearest(V, (2, 2))),
    (gp.ShapeError, "scatter-rows", lambda: gp.scatter_add(X, X, [0])),
    (gp.ShapeError, "scatter-index-rank", lambda: gp.scatter_add(V, V, [[0, 1, 2]])),
    (gp.ShapeError, "conv-dilated-window", lambda: gp.conv(np.ones((1, 4)), np.ones((1, 1, 3)), dilation=2)),
    (gp.ShapeError, "conv-channels-of-a-group", lambda: gp.conv(np.ones((4, 3)), np.ones((2, 4, 1)), groups=2)),
    (gp.ShapeError, "conv-groups-uneven", lambda: gp.conv(np.ones((4, 3)), np.ones((3, 2, 1)), groups=2)),
    (gp.ShapeError, "convt-channels", lambda: gp.conv_transpose(np.ones((2, 3)), np.ones((3, 1, 2)))),
    (gp.ShapeError, "convt-groups-uneven", lambda: gp.conv_transpose(np.ones((3, 3)), np.ones((3, 1, 1)), groups=2)),
    (gp.ShapeError, "convt-bias", lambda: gp.conv_transpose(np.ones((1, 3)), np.ones((1, 2, 2)), np.ones(1))),
    (gp.ShapeError, "convt-empty", lambda: gp.conv_transpose(np.ones((1, 0)), np.ones((1, 1, 9)))),
    (gp.ShapeError, "convt-nothing-left", lambda: gp.conv_transpose(np.ones((1, 2)), np.ones((1, 1, 1)), padding=1)),
    (gp.ShapeError, "convt-rank", lambda: gp.conv_transpose(V, np.ones((1, 1, 1)))),
    (gp.ShapeError, "pool-below-dilation", lambda: gp.max_pool(np.ones(2), (2,), padding=3, dilation=3)),
    (gp.ShapeError, "avg-empty", lambda: gp.avg_pool(np.ones((2, 0)), (3,), padding=2)),
    (gp.ShapeError, "avg-window", lambda: gp.avg_pool(X, (4,))),
    (gp.ShapeError, "smooth-rank", lambda: gp.smooth_max_pool(V, (1, 1))),
    (gp.ShapeError, "adaptive-empty", lambda: gp.adaptive_avg_pool(np.ones((2, 0)), (1,))),
    (gp.ShapeError, "adaptive-rank", lambda: gp.adaptive_avg_pool(V, (1, 1))),
    (gp.ShapeError, "rms-empty", lambda: gp.rms_norm(np.ones((2, 0)), np.ones(0))),
    (gp.ShapeError, "rms-extents", lambda: gp.rms_norm(X, np.ones(2))),
    (gp.ShapeError, "batch-norm-empty", lambda: gp.batch_norm(np.ones((0, 3)), V, V)),
    (gp.ShapeError, "batch-norm-channels", lambda: gp.batch_norm(X, np.ones(2), np.ones(2))),
    (gp.ShapeError, "batch-norm-eval-channels", lambda: gp.batch_norm_eval(X, V, V, np.ones(2), V)),
    (gp.ShapeError, "group-norm-uneven", lambda: gp.group_norm(X, V, V, 2)),
    (gp.ShapeError, "group-norm-rank", lambda: gp.group_norm(V, V, V, 1)),
    (gp.ShapeError, "attention-features", lambda: gp.scaled_dot_product_attention(X, np.ones((2, 2)), X)),
    (gp.ShapeError, "attention-keys", lambda: gp.scaled_dot_product_attention(X, X, np.ones((3, 3)))),
    (gp.ShapeError, "attention-mask", lambda: gp.scaled_dot_product_attention(X, X, X, np.ones((3, 2), bool))),
    (gp.ShapeError, "attention-batch", lambda: gp.scaled_dot_product_attention(IMAGE, np.ones((3, 3, 4)), IMAGE)),
    (gp.ShapeError, "heads-uneven", lambda: gp.multi_head_attention(X, *[np.ones((3, 3))] * 4, 2)),
    (gp.ShapeError, "heads-out", lambda: gp.multi_head_attention(X, *[np.ones((3, 3))] * 3, np.ones((3, 2)), 1)),
    (gp.ShapeError, "cross-entropy-labels", lambda: gp.cross_entropy(X, [0, 1, 2])),
    (gp.ShapeError, "cross-entropy-last-axis", lambda: gp.cross_entropy(IMAGE, np.zeros((2, 3), int))),
    (gp.ShapeError, "cross-entropy-mean-of-nothing", lambda: gp.cross_entropy(np.ones((0, 3)), [])),
    (gp.ShapeError, "nll-no-classes", lambda: gp.nll_loss(np.ones((0, 0)), [], "sum")),
    (gp.ShapeError, "bce-shapes", lambda: gp.bce_with_logits(X, V)),
    (gp.ShapeError, "kl-shapes", lambda: gp.kl_div(np.ones((3, 1)), V)),
    (gp.ShapeError, "kl-mean-of-nothing", lambda: gp.kl_div(np.ones(0), np.ones(0))),
    (gp.ShapeError, "random-extent", lambda: gp.rand_uniform((2, -1), 0)),
    (gp.ShapeError, "mask-extent", lambda: gp.bernoulli_mask(0.5, -1, 0)),
    # attributes
    (gp.DomainError, "axis", lambda: gp.reduce_sum(X, 2)),
    (gp.DomainError, "axis-of-0d", lambda: gp.reduce_sum(1.0, 0)),
    (gp.DomainError, "axis-twice", lambda: gp.reduce_sum(X, (1, -1))),
    (gp.DomainError, "softmax-axis", lambda: gp.softmax(X, -3)),
    (gp.DomainError, "concat-axis", lambda: gp.concat([X], 2)),
    (gp.DomainError, "gather-mode", lambda: gp.gather_rows(X, [0], mode="clip")),
    (gp.DomainError, "conv-stride", lambda: gp.conv(np.ones((1, 3, 3)), np.ones((1, 1, 2, 2)), stride=0)),
    (gp.DomainError, "conv-padding", lambda: gp.conv(np.ones((1, 3, 3)), np.ones((1, 1, 2, 2)), padding=-1)),
    (gp.DomainError, "conv-three", lambda: gp.conv(np.ones((1, 3, 3)), np.ones((1, 1, 2, 2)), stride=(1, 1, 1))),
    (gp.DomainError, "pool-kernel", lambda: gp.max_pool(X, (0, 1))),
    (gp.DomainError, "pool-stride", lambda: gp.max_pool(X, (1, 1), 0)),
    (gp.DomainError, "pool-padding", lambda: gp.max_pool(X, (2, 2), padding=2)),
    (gp.DomainError, "pool-padding-negative", lambda: gp.max_pool(X, (2, 2), padding=-1)),
    (gp.DomainError, "pool-no-spatial-axis", lambda: gp.max_pool(X, ())),
    (gp.DomainError, "pool-four-spatial-axes", lambda: gp.max_pool(np.ones((1,) * 4), (1,) * 4)),
    (gp.DomainError, "norm-eps", lambda: gp.layer_norm(X, np.ones(3), np.ones(3), eps=0)),
    (gp.DomainError, "norm-eps-nan", lambda: gp.layer_norm(X, np.ones(3), np.ones(3), eps=np.nan)),
    (gp.DomainError, "safe-log-eps", lambda: gp.safe_log(X, 0)),
    (gp.DomainError, "safe-log-eps-negative", lambda: gp.safe_log(X, eps=-1e-6)),
    (gp.DomainError, "clamp-order", lambda: gp.clamp(X, 1, 0)),
    (gp.DomainError, "clamp-no-bound", lambda: gp.clamp(X)),
    (gp.DomainError, "clamp-nan", lambda: gp.clamp(X, 0, np.nan)),
    (gp.DomainError, "clamp-min-nan", lambda: gp.clamp_min(X, np.nan)),
    (gp.DomainError, "clamp-max-nan", lambda: gp.clamp_max(X, np.nan)),
    (gp.DomainError, "hardtanh-order", lambda: gp.hardtanh(X, 1, -1)),
    (gp.DomainError, "gelu-form", lambda: gp.gelu(X, approximate="erf")),
    (gp.DomainError, "pow-infinite", lambda: gp.pow(X, np.inf)),
    (gp.DomainError, "var-correction", lambda: gp.var(X, 1, correction=3)),
    (gp.DomainError, "var-of-one", lambda: gp.var(1.0)),
    (gp.DomainError, "max-axis-twice", lambda: gp.max_axis(X, (0, -2))),
    (gp.DomainError, "min-axis", lambda: gp.min_axis(1.0, 0)),
    (gp.DomainError, "cumsum-axis", lambda: gp.cumsum(X, 2)),
    (gp.DomainError, "cumsum-0d", lambda: gp.cumsum(1.0, 0)),
    (gp.DomainError, "slice-axis", lambda: gp.slice_range(X, 0, 1, 2)),
    (gp.DomainError, "transpose-twice", lambda: gp.transpose(X, (1, -1))),
    (gp.DomainError, "transpose-short", lambda: gp.transpose(X, (0,))),
    (gp.DomainError, "pad-negative", lambda: gp.pad(V, ((0, -1),))),
    (gp.DomainError, "flip-twice", lambda: gp.flip(X, (1, -1))),
    (gp.DomainError, "roll-axis", lambda: gp.roll(X, 1, 2)),
    (gp.DomainError, "roll-counts", lambda: gp.roll(X, (1, 2), (0,))),
    (gp.DomainError, "logsumexp-axis", lambda: gp.logsumexp(X, 2)),
    (gp.DomainError, "logsumexp-twice", lambda: gp.logsumexp(X, (0, 0))),
    (gp.DomainError, "softmax-axis-of-0d", lambda: gp.softmax(1.0, 1)),
    (gp.DomainError, "conv-dilation", lambda: gp.conv(IMAGE, np.ones((1, 3, 2)), dilation=0)),
    (gp.DomainError, "conv-groups", lambda: gp.conv(IMAGE, np.ones((1, 3, 2)), groups=0)),
    (gp.DomainError, "convt-stride", lambda: gp.conv_transpose(IMAGE, np.ones((3, 1, 2)), stride=0)),
    (gp.DomainError, "convt-padding", lambda: gp.conv_transpose(IMAGE, np.ones((3, 1, 2)), padding=-1)),
    (gp.DomainError, "convt-output-padding", lambda: gp.conv_transpose(IMAGE, np.ones((3, 1, 2)), output_padding=1)),
    (gp.DomainError, "convt-output-padding-negative",
     lambda: gp.conv_transpose(IMAGE, np.ones((3, 1, 2)), stride=2, output_padding=-1)),
    (gp.DomainError, "convt-dilation", lambda: gp.conv_transpose(IMAGE, np.ones((3, 1, 2)), dilation=0)),
    (gp.DomainError, "convt-groups", lambda: gp.conv_transpose(IMAGE, np.ones((3, 1, 2)), groups=0)),
    (gp.DomainError, "pool-dilation", lambda: gp.max_pool(X, (1, 1), dilation=0)),
    (gp.DomainError, "pool-padding-dilated", lambda: gp.max_pool(IMAGE, (2,), padding=3, dilation=2)),
    (gp.DomainError, "avg-padding", lambda: gp.avg_pool(X, (2, 2), padding=(0, 2))),
    (gp.DomainError, "avg-stride", lambda: gp.avg_pool(X, (2, 2), stride=0)),
    (gp.DomainError, "smooth-beta", lambda: gp.smooth_max_pool(X, (1, 1), beta=0)),
    (gp.DomainError, "smooth-beta-nan", lambda: gp.smooth_max_pool(X, (1, 1), beta=np.nan)),
    (gp.DomainError, "smooth-padding", lambda: gp.smooth_max_pool(X, (2, 2), padding=-1)),
    (gp.DomainError, "adaptive-size", lambda: gp.adaptive_avg_pool(X, (0,))),
    (gp.DomainError, "adaptive-no-spatial-axis", lambda: gp.adaptive_avg_pool(X, ())),
    (gp.DomainError, "rms-eps", lambda: gp.rms_norm(X, V, eps=0.0)),
    (gp.DomainError, "batch-norm-eps", lambda: gp.batch_norm(X, V, V, eps=-1)),
    (gp.DomainError, "batch-norm-axis", lambda: gp.batch_norm(V, V, V)),
    (gp.DomainError, "batch-norm-eval-eps", lambda: gp.batch_norm_eval(X, V, V, V, V, eps=0)),
    (gp.DomainError, "batch-norm-eval-axis", lambda: gp.batch_norm_eval(X, V, V, V, V, channel_axis=2)),
    (gp.DomainError, "group-norm-eps", lambda: gp.group_norm(X, V, V, 1, eps=0)),
    (gp.DomainError, "group-norm-groups", lambda: gp.group_norm(X, V, V, 0)),
    (gp.DomainError, "heads-none", lambda: gp.multi_head_attention(X, *[np.ones((3, 3))] * 4, 0)),
    (gp.DomainError, "mse-reduction", lambda: gp.mse_loss(X, X, "average")),
    (gp.DomainError, "cross-entropy-reduction", lambda: gp.cross_entropy(X, [0, 1], "batchmean")),
    (gp.DomainError, "nll-reduction", lambda: gp.nll_loss(X, [0, 1], reduction="")),
    (gp.DomainError, "bce-reduction", lambda: gp.bce_with_logits(X, X, reduction=None)),
    (gp.DomainError, "kl-reduction", lambda: gp.kl_div(X, X, reduction="batchmean")),
    (gp.DomainError, "random-seed", lambda: gp.rand_uniform(3, -1)),
    (gp.DomainError, "random-stream", lambda: gp.rand_uniform(3, 0, 2**64)),
    (gp.DomainError, "mask-probability", lambda: gp.bernoulli_mask(1.5, 3, 0)),
    (gp.DomainError, "mask-probability-nan", lambda: gp.bernoulli_mask(np.nan, 3, 0)),
    (gp.DomainError, "dropout-probability", lambda: gp.dropout(X, -0.1, 0)),
    (gp.DomainError, "argnums-range", lambda: gp.grad(gp.exp, 1)(1.0)),
    (gp.DomainError, "argnums-twice", lambda: gp.grad(gp.mul, (0, -2))(1.0, 2.0)),
    # dtypes
    (gp.DtypeError, "integers", lambda: gp.exp(np.arange(3))),
    (gp.DtypeError, "booleans", lambda: gp.relu(np.array([True]))),
    (gp.DtypeError, "bool", lambda: gp.mul(X, True)),
    (gp.DtypeError, "bool-list", lambda: gp.mul(X, [True, False, True])),
    (gp.DtypeError, "complex", lambda: gp.exp(np.ones(2, complex))),
    (gp.DtypeError, "float16", lambda: gp.exp(np.ones(2, np.float16))),
    (gp.DtypeError, "object", lambda: gp.exp(np.array([1.0, None]))),
    (gp.DtypeError, "text", lambda: gp.exp("1")),
    (gp.DtypeError, "none", lambda: gp.add(X, None)),
    (gp.DtypeError, "masked", lambda: gp.exp(np.ma.masked_array([1.0], [True]))),
    (gp.DtypeError, "concat-array", lambda: gp.concat(X)),
    (gp.DtypeError, "axis-float", lambda: gp.reduce_sum(X, 1.0)),
    (gp.DtypeError, "axis-bool", lambda: gp.reduce_sum(X, True)),
    (gp.DtypeError, "shape-float", lambda: gp.reshape(X, (2.0, 3))),
    (gp.DtypeError, "kernel-int", lambda: gp.max_pool(X, 2)),
    (gp.DtypeError, "eps-text", lambda: gp.layer_norm(X, np.ones(3), np.ones(3), eps=None)),
    (gp.DtypeError, "indices-float", lambda: gp.gather_rows(X, [0.0])),
    (gp.DtypeError, "indices-bool", lambda: gp.gather_rows(X, [True, False])),
    (gp.DtypeError, "indices-traced", lambda: gp.grad(lambda i: gp.gather_rows(X, i))(np.ones(2))),
    (gp.DtypeError, "detach-integers", lambda: gp.detach(np.arange(3))),
    (gp.DtypeError, "scale-array", lambda: gp.scale(X, V)),
    (gp.DtypeError, "scale-none", lambda: gp.scale(X, None)),
    (gp.DtypeError, "clamp-array", lambda: gp.clamp(X, V)),
    (gp.DtypeError, "pow-array", lambda: gp.pow(X, V)),
    (gp.DtypeError, "leaky-relu-slope", lambda: gp.leaky_relu(X, None)),
    (gp.DtypeError, "where-floats", lambda: gp.where(X, X, X)),
    (gp.DtypeError, "where-integers", lambda: gp.where([0, 1, 1], X, X)),
    (gp.DtypeError, "where-traced", lambda: gp.grad(lambda x: gp.where(x, 1.0, 2.0))(1.0)),
    (gp.DtypeError, "var-correction-real", lambda: gp.var(X, correction=0.5)),
    (gp.DtypeError, "cumsum-axes", lambda: gp.cumsum(X, (0, 1))),
    (gp.DtypeError, "einsum-equation", lambda: gp.einsum(X, "ij")),
    (gp.DtypeError, "slice-float", lambda: gp.slice_range(V, 0.0, 1)),
    (gp.DtypeError, "pad-value", lambda: gp.pad(V, ((0, 1),), value=None)),
    (gp.DtypeError, "roll-float", lambda: gp.roll(V, 1.0, 0)),
    (gp.DtypeError, "upsample-int", lambda: gp.upsample_nearest(V, 6)),
    (gp.DtypeError, "scatter-float", lambda: gp.scatter_add(V, V, [0.0, 1.0, 2.0])),
    (gp.DtypeError, "scatter-bool", lambda: gp.scatter_add(V, V, [True, False, True])),
    (gp.DtypeError, "avg-kernel-int", lambda: gp.avg_pool(X, 2)),
    (gp.DtypeError, "smooth-kernel-int", lambda: gp.smooth_max_pool(X, 2)),
    (gp.DtypeError, "group-norm-real", lambda: gp.group_norm(X, V, V, 1.0)),
    (gp.DtypeError, "attention-mask-floats", lambda: gp.scaled_dot_product_attention(X, X, X, np.ones((2, 2)))),
    (gp.DtypeError, "heads-real", lambda: gp.multi_head_attention(X, *[np.ones((3, 3))] * 4, 1.0)),
    (gp.DtypeError, "labels-real", lambda: gp.cross_entropy(X, [0.0, 1.0])),
    (gp.DtypeError, "labels-bool", lambda: gp.nll_loss(X, [True, False])),
    (gp.DtypeError, "random-seed-real", lambda: gp.rand_uniform(3, 1.0)),
    (gp.DtypeError, "random-dtype", lambda: gp.rand_uniform(3, 1, dtype=np.float16)),
    (gp.DtypeError, "mask-dtype", lambda: gp.bernoulli_mask(0.5, 3, 1, dtype=int)),
    (gp.DtypeError, "dropout-integers", lambda: gp.dropout(np.arange(3), 0.5, 0)),
    (gp.DtypeError, "grad-of-int", lambda: gp.grad(lambda x: x)(3)),
    (gp.DtypeError, "argnums-text", lambda: gp.grad(lambda x: x, "x")),
    (gp.DtypeError, "primal-complex", lambda: gp.vjp(lambda x: x, 1j)),
    (gp.DtypeError, "primal-object", lambda: gp.vjp(lambda x: x, object())),
    (gp.DtypeError, "tangent-of-int", lambda: gp.jvp(lambda n: n, (3,), (1.0,))),
    (gp.DtypeError, "tangent-integers", lambda: gp.jvp(gp.exp, (X,), (np.ones((2, 3), int),))),
    (gp.DtypeError, "cotangent-of-int", lambda: gp.vjp(lambda x: 3, 1.0)[1](1.0)),
    # indices
    (gp.IndexRangeError, "gather-raise", lambda: gp.gather_rows(X, [0, 2], mode="raise")),
    (gp.IndexRangeError, "gather-raise-negative", lambda: gp.gather_rows(X, [-1], mode="raise")),
    (gp.IndexRangeError, "slice-over", lambda: gp.slice_range(V, 2, 2)),
    (gp.IndexRangeError, "slice-negative-start", lambda: gp.slice_range(V, -1, 1)),
    (gp.IndexRangeError, "slice-negative-length", lambda: gp.slice_range(V, 1, -1)),
    (gp.IndexRangeError, "label-too-large", lambda: gp.cross_entropy(X, [0, 3])),
    (gp.IndexRangeError, "label-negative", lambda: gp.nll_loss(X, [0, -1])),
    # structures
    (gp.GraphError, "primals-not-tuple", lambda: gp.jvp(gp.exp, X, X)),
    (gp.GraphError, "tangents-count", lambda: gp.jvp(gp.add, (X, X), (X,))),
    (gp.GraphError, "tangents-keys", lambda: gp.jvp(lambda p: p["a"], ({"a": 1.0},), ({"b": 1.0},))),
    (gp.GraphError, "tangent-missing", lambda: gp.jvp(gp.exp, (X,), (None,))),
    (gp.GraphError, "cotangent-structure", lambda: gp.vjp(lambda x: (x, x), 1.0)[1](1.0)),
    (gp.GraphError, "cotangent-missing", lambda: gp.vjp(lambda x: (x, x), 1.0)[1]((1.0, None))),
    (gp.GraphError, "grad-two-outputs", lambda: gp.grad(lambda x: (x, x))(1.0)),
    (gp.GraphError, "grad-of-none", lambda: gp.grad(lambda x: None)(1.0)),
    (gp.GraphError, "grad-of-integers", lambda: gp.grad(lambda x: 3)(1.0)),
    # traced values where they do not belong
    (gp.GraphError, "nested-primal", lambda: gp.grad(lambda x: INNER(x))(1.0)),
    (gp.GraphError, "nested-in-structure", lambda: gp.grad(lambda x: gp.grad(lambda p: p[0])([x]))(1.0)),
    (gp.GraphError, "nested-closure", lambda: gp.grad(lambda x: gp.grad(lambda y: x * y)(1.0))(1.0)),
    (gp.GraphError, "nested-operator", lambda: gp.grad(lambda x: gp.grad(lambda y: y + x)(1.0))(1.0)),
    (gp.GraphError, "nested-foreign-output", lambda: gp.grad(lambda x: gp.grad(lambda y: gp.exp(x))(1.0))(1.0)),
    (gp.GraphError, "nested-keyword", lambda: gp.grad(lambda x: gp.grad(lambda y, c: y * c)(1.0, c=x))(1.0)),
    (gp.GraphError, "nested-forward", lambda: gp.jvp(lambda x: INNER(x), (1.0,), (1.0,))),
    (gp.GraphError, "nested-tangent", lambda: gp.grad(lambda x: gp.jvp(gp.exp, (1.0,), (x,))[1])(1.0)),
    (gp.GraphError, "nested-cotangent", lambda: gp.grad(lambda x: gp.vjp(gp.exp, 1.0)[1](x)[0])(1.0)),
    (gp.GraphError, "float", lambda: gp.grad(lambda x: float(x) * x)(1.0)),
    (gp.GraphError, "int", lambda: gp.grad(lambda x: int(x) * x)(1.0)),
    (gp.GraphError, "branch", lambda: gp.grad(lambda x: x if x else -x)(1.0)),
    (gp.GraphError, "compare", lambda: gp.grad(lambda x: x if x > 0 else -x)(1.0)),
    (gp.GraphError, "compare-array", lambda: gp.grad(lambda x: x if (np.ones(2) > x).any() else -x)(1.0)),
    (gp.GraphError, "equal", lambda: gp.grad(lambda x: x if x == 1.0 else -x)(1.0)),
    (gp.GraphError, "index", lambda: gp.grad(lambda x: x[0])(X)),
    (gp.GraphError, "iterate", lambda: gp.grad(lambda x: sum(x))(X)),
    (gp.GraphError, "len", lambda: gp.grad(lambda x: x * len(x))(X)),
    (gp.GraphError, "axis-traced", lambda: gp.grad(lambda x: gp.reduce_sum(X, x))(1.0)),
    (gp.GraphError, "numpy-ufunc", lambda: gp.grad(lambda x: np.tanh(x))(1.0)),
    (gp.GraphError, "numpy-reduce", lambda: gp.grad(lambda x: np.add.reduce(x))(X)),
    (gp.GraphError, "numpy-function", lambda: gp.grad(lambda x: np.concatenate([x, x]))(X)),
    (gp.GraphError, "numpy-sum", lambda: gp.grad(lambda x: np.sum(x))(X)),
    (gp.GraphError, "numpy-array", lambda: gp.grad(lambda x: gp.reduce_sum(np.array(x)))(X)),
    (gp.GraphError, "numpy-array-of-list", lambda: gp.grad(lambda x: gp.reduce_sum(np.array([x, x])))(1.0)),
    (gp.GraphError, "list", lambda: gp.grad(lambda x: gp.reduce_sum([x, 1.0]))(1.0)),
    (gp.GraphError, "in-place", lambda: gp.grad(lambda x: gp.reduce_sum(np.add(X, x, out=X.copy())))(1.0)),
    (gp.GraphError, "into-a-buffer", lambda: gp.grad(lambda x: into_a_buffer(x))(1.0)),
    (gp.GraphError, "divide", lambda: gp.grad(lambda x: np.ones(2) / x)(1.0)),
    (gp.GraphError, "escaped", lambda: gp.exp(escaped())),
    (gp.GraphError, "escaped-operator", lambda: escaped() * 2.0),
    (gp.GraphError, "escaped-then-differentiated", lambda: gp.grad(lambda y: escaped())(1.0)),
    # the table
    (gp.GraphError, "op-without-rules", lambda: gp.Op("half_done", inputs=("x",)).public(lambda x: x)),
    (gp.GraphError, "op-twice", lambda: complete_op("relu")),
    (gp.GraphError, "rule-of-no-input", lambda: gp.Op("f", inputs=("x",)).vjp_of("y")(lambda: None)),
    (gp.GraphError, "rule-twice", lambda: [gp.OPS["relu"].forward(lambda: None)]),
]  # fmt: skip


def into_a_buffer(x):
    buffer = np.zeros(2)
    buffer[0] = x
    return gp.reduce_sum(buffer)


def escaped():
    kept = []
    gp.grad(lambda x: kept.append(x) or x * 1.0)(1.0)
    return kept[0]


def complete_op(name):
    op = gp.Op(name, inputs=("x",))
    for decorate in (op.shape_rule, op.forward, op.jvp_of("x"), op.vjp_of("x")):
        decorate(lambda *_: None)
    return op.public(lambda x: x)


@pytest.mark.parametrize(("error", "call"), [(w[0], w[2]) for w in WRONG], ids=[w[1] for w in WRONG])
def test_error(error, call):
    with pytest.raises(gp.GradproofError) as caught:
        call()
    assert type(caught.value) is error
    text = str(caught.value)
    assert text.endswith(".") and "; " in text and ": " in text


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (
            lambda: gp.add(np.ones(2), np.ones((2, 3))),
            "add: the shapes do not broadcast: a = (2,), b = (2, 3); "
            "extents must be equal or 1, counted from the right; reshape one of them.",
        ),
        (
            lambda: gp.conv(np.ones((1, 2, 9)), np.ones((1, 1, 3, 3))),
            "conv: the kernel is larger than the padded input: x = (1, 2, 9), weight = (1, 1, 3, 3), "
            "padding = (0, 0), dilation = (1, 1); pad more or use a smaller kernel.",
        ),
        (
            lambda: gp.matmul(np.ones((2, 3)), np.ones(2)),
            "matmul: a and b differ in K: a = (2, 3), b = (2,); pass a (...,N,K) and b (...,K,M).",
        ),
        (
            lambda: gp.gather_rows(np.ones((2, 3)), [0, 7], mode="raise"),
            "gather_rows: an index is outside x: index = 7, R = 2; use 0 <= index < R.",
        ),
        (
            lambda: gp.exp(np.arange(3)),
            "exp: x must be float32 or float64: dtype = dtype('int64'); "
            "convert it with .astype(np.float32) or .astype(np.float64).",
        ),
        (
            lambda: gp.layer_norm(X, np.ones(3), np.ones(3), eps=-1),
            "layer_norm: eps must be positive: eps = -1.0; 1e-5 is usual.",
        ),
        (
            lambda: gp.grad(lambda x: gp.grad(lambda y: x * y)(1.0))(1.0),
            "mul: values of two different differentiations meet: value = Traced(shape=(), dtype=float64); "
            "derivatives of derivatives are not supported; pass the outer value as a plain array.",
        ),
        (
            lambda: gp.jvp(lambda p: p["a"], ({"a": 1.0},), ({"b": 1.0},)),
            "jvp: the structures differ at '[0]': expected = dict with keys ['a'], given = dict with keys ['b']; "
            "nest both in the same way.",
        ),
        (
            lambda: gp.Op("half_done", inputs=("x",)).public(lambda x: x),
            "half_done: the op has rules missing: missing = ['shape', 'forward', 'jvp x', 'vjp x']; "
            "write them above its public function.",
        ),
    ],
)
def test_whole_message(call, text):
    with pytest.raises(gp.GradproofError) as caught:
        call()
    assert str(caught.value) == text


def test_a_message_without_values():
    assert describe("op", "what", "do this") == "op: what; do this."


def test_nothing_is_half_done():
    assert "half_done" not in gp.OPS and "f" not in gp.OPS
    with pytest.raises(gp.ShapeError):
        gp.grad(lambda x: gp.reduce_sum(x @ x))(np.ones((2, 3)))
    assert gp.grad(lambda x: x * x)(2.0) == 4.0


def test_a_trace_closes_after_an_error():
    kept = []

    def fails(x):
        kept.append(x)
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        gp.grad(fails)(1.0)
    with pytest.raises(gp.GraphError, match="after its jvp, vjp or grad had finished"):
        gp.exp(kept[0])
