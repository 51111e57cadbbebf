"""Reductions, softmax, normalization, losses where no obligation covers them: errors, compositions, corner cases."""

import numpy as np
import pytest

import gradproof as gp

X = np.arange(6.0).reshape(2, 3)
ONES, ZEROS = np.ones(3), np.zeros(3)
IMAGE = np.random.default_rng(0).normal(size=(2, 4, 3, 2))
GAMMA, BETA = np.array([1.0, -2.0, 0.5, 3.0]), np.array([0.0, 1.0, -1.0, 2.0])

ERRORS = [
    (gp.DomainError, "var-correction", lambda: gp.var(X, 1, correction=3)),
    (gp.DomainError, "var-of-one", lambda: gp.var(1.0)),
    (gp.DtypeError, "var-correction-real", lambda: gp.var(X, correction=0.5)),
    (gp.ShapeError, "var-empty", lambda: gp.var(np.ones((2, 0)), 1, correction=-1)),
    (gp.ShapeError, "max-empty", lambda: gp.max_axis(np.ones((2, 0)), 1)),
    (gp.ShapeError, "max-empty-all", lambda: gp.max_axis(np.ones((2, 0)))),
    (gp.ShapeError, "min-empty", lambda: gp.min_axis(np.ones((0, 2)), (0, 1))),
    (gp.DomainError, "max-axis-twice", lambda: gp.max_axis(X, (1, -1))),
    (gp.DomainError, "cumsum-axis", lambda: gp.cumsum(X, 2)),
    (gp.DomainError, "cumsum-0d", lambda: gp.cumsum(1.0, 0)),
    (gp.DtypeError, "cumsum-axes", lambda: gp.cumsum(X, (0, 1))),
    (gp.DomainError, "logsumexp-axis", lambda: gp.logsumexp(X, 2)),
    (gp.DomainError, "logsumexp-0d", lambda: gp.logsumexp(1.0, 1)),
    (gp.DomainError, "logsumexp-axis-twice", lambda: gp.logsumexp(X, (0, 0))),
    (gp.DomainError, "softmax-0d", lambda: gp.softmax(1.0, 1)),
    (gp.DomainError, "rms-eps", lambda: gp.rms_norm(X, ONES, eps=0.0)),
    (gp.ShapeError, "rms-extent", lambda: gp.rms_norm(X, np.ones(2))),
    (gp.ShapeError, "rms-0d", lambda: gp.rms_norm(1.0, ONES)),
    (gp.ShapeError, "rms-empty", lambda: gp.rms_norm(np.ones((2, 0)), np.ones(0))),
    (gp.DomainError, "batch-norm-eps", lambda: gp.batch_norm(X, ONES, ZEROS, eps=-1e-5)),
    (gp.DomainError, "batch-norm-axis", lambda: gp.batch_norm(ONES, ONES, ZEROS)),
    (gp.ShapeError, "batch-norm-channels", lambda: gp.batch_norm(X, ONES, ZEROS, channel_axis=0)),
    (gp.ShapeError, "batch-norm-rank", lambda: gp.batch_norm(X, ONES[None], ZEROS)),
    (gp.ShapeError, "batch-norm-empty", lambda: gp.batch_norm(np.ones((0, 3)), ONES, ZEROS)),
    (gp.ShapeError, "batch-norm-no-channels", lambda: gp.batch_norm(np.ones((0, 0)), np.ones(0), np.ones(0))),
    (gp.DomainError, "eval-eps", lambda: gp.batch_norm_eval(X, ONES, ZEROS, ZEROS, ONES, eps=0)),
    (gp.ShapeError, "eval-mean", lambda: gp.batch_norm_eval(X, ONES, ZEROS, np.ones(2), ONES)),
    (gp.ShapeError, "groups-uneven", lambda: gp.group_norm(X, ONES, ZEROS, 2)),
    (gp.ShapeError, "groups-too-many", lambda: gp.group_norm(X, ONES, ZEROS, 6)),
    (gp.DomainError, "groups-0", lambda: gp.group_norm(X, ONES, ZEROS, 0)),
    (gp.DtypeError, "groups-real", lambda: gp.group_norm(X, ONES, ZEROS, 1.0)),
    (gp.DomainError, "groups-eps", lambda: gp.group_norm(X, ONES, ZEROS, 1, eps=0.0)),
    (gp.ShapeError, "groups-rank", lambda: gp.group_norm(ONES, ONES, ZEROS, 1)),
    (gp.ShapeError, "groups-empty", lambda: gp.group_norm(np.ones((2, 3, 0)), ONES, ZEROS, 1)),
    (gp.ShapeError, "groups-no-channels", lambda: gp.group_norm(np.ones((2, 0)), np.ones(0), np.ones(0), 1)),
    (gp.ShapeError, "instance-no-positions", lambda: gp.instance_norm(X, ONES, ZEROS)),
    (gp.ShapeError, "instance-empty", lambda: gp.instance_norm(np.ones((2, 3, 0)), ONES, ZEROS)),
    (gp.ShapeError, "instance-channels", lambda: gp.instance_norm(IMAGE, ONES, ZEROS)),
    (gp.DomainError, "instance-eps", lambda: gp.instance_norm(IMAGE, GAMMA, BETA, eps=0)),
    (gp.DomainError, "reduction", lambda: gp.mse_loss(X, X, reduction="average")),
    (gp.DomainError, "reduction-none", lambda: gp.kl_div(X, X, reduction=None)),
    (gp.ShapeError, "mean-of-nothing", lambda: gp.bce_with_logits(np.ones((2, 0)), np.ones((2, 0)))),
    (gp.ShapeError, "do-not-broadcast", lambda: gp.kl_div(X, ONES)),
    (gp.IndexRangeError, "label-too-large", lambda: gp.cross_entropy(X, [0, 3])),
    (gp.IndexRangeError, "label-negative", lambda: gp.nll_loss(X, [0, -1])),
    (gp.IndexRangeError, "label-alone", lambda: gp.cross_entropy(ONES, 3)),
    (gp.IndexRangeError, "label-unsigned", lambda: gp.cross_entropy(X, np.array([0, 255], np.uint8))),
    (gp.DtypeError, "label-real", lambda: gp.cross_entropy(X, [0.0, 1.0])),
    (gp.DtypeError, "label-bool", lambda: gp.nll_loss(X, [True, False])),
    (gp.ShapeError, "labels-too-many", lambda: gp.cross_entropy(X, [0, 1, 2])),
    (gp.ShapeError, "labels-rank", lambda: gp.cross_entropy(X, [[0, 1]])),
    (gp.ShapeError, "class-axis-is-1", lambda: gp.cross_entropy(IMAGE, np.zeros((2, 4, 3), int))),
    (gp.ShapeError, "no-class-axis", lambda: gp.cross_entropy(1.0, 0)),
    (gp.ShapeError, "no-labels", lambda: gp.cross_entropy(np.ones((0, 3)), [])),
    (gp.ShapeError, "no-classes", lambda: gp.nll_loss(np.ones((0, 0)), [], reduction="sum")),
]


@pytest.mark.parametrize("error, call", [pytest.param(e, f, id=name) for e, name, f in ERRORS])
def test_errors_come_before_anything_is_computed(error, call):
    with pytest.raises(error) as found:
        call()
    assert ";" in str(found.value)  # a remedy


# ---------------------------------------------------------------- corner cases of shapes
@pytest.mark.parametrize("axis", [-1, 0, None, ()])
def test_logsumexp_of_a_0d_array_is_the_array(axis):
    y, pullback = gp.vjp(lambda x: gp.logsumexp(x, axis), np.array(-3.0, np.float32))
    assert (y, y.shape, y.dtype) == (-3, (), np.float32)
    assert pullback(np.array(2.0, np.float32)) == (2,)
    assert gp.logsumexp(2.0, axis, keepdims=True).shape == ()


@pytest.mark.parametrize("op, value", [(gp.softmax, 1), (gp.log_softmax, 0)])
def test_softmax_of_a_0d_array(op, value):
    y, dy = gp.jvp(op, (np.array(5.0),), (np.array(7.0),))
    assert (y, dy, y.shape) == (value, 0, ())


@pytest.mark.parametrize("op", [gp.softmax, gp.log_softmax])
@pytest.mark.parametrize("shape, axis", [((2, 0), -1), ((0,), 0), ((0, 3), 1)])
def test_softmax_over_nothing_or_of_nothing_is_empty(op, shape, axis):
    y, pullback = gp.vjp(lambda x: op(x, axis), np.zeros(shape, np.float32))
    assert (y.shape, y.dtype) == (shape, np.float32)
    assert pullback(y)[0].shape == shape


def test_logsumexp_over_an_empty_axis_is_minus_infinity_and_depends_on_nothing():
    x = np.zeros((2, 0, 3), np.float32)
    y, pullback = gp.vjp(lambda x: gp.logsumexp(x, 1), x)
    assert (y == -np.inf).all() and (y.shape, y.dtype) == ((2, 3), np.float32)
    (gx,) = pullback(np.ones((2, 3), np.float32))
    assert (gx.shape, gx.dtype) == (x.shape, np.float32)
    assert gp.logsumexp(x, (0, 1), keepdims=True).shape == (1, 1, 3)
    assert gp.logsumexp(x, (0, 2)).shape == (0,)
    _, dy = gp.jvp(lambda x: gp.logsumexp(x, 1), (x,), (x,))
    assert (dy == 0).all()


def test_logsumexp_over_axes_is_logsumexp_of_logsumexp():
    assert np.allclose(gp.logsumexp(IMAGE, (1, -1)), gp.logsumexp(gp.logsumexp(IMAGE, -1), 1), rtol=1e-14)
    assert np.allclose(gp.logsumexp(IMAGE, None), np.log(np.exp(IMAGE).sum()), rtol=1e-14)


def test_extrema_and_var_over_no_axis():
    assert (gp.max_axis(X, ()) == X).all() and (gp.min_axis(X, ()) == X).all()
    assert (gp.var(X, (), correction=0) == 0).all()
    assert gp.max_axis(3.0) == 3 and gp.max_axis(3.0).shape == ()


@pytest.mark.parametrize("op", [gp.max_axis, gp.min_axis, gp.logsumexp])
def test_no_rows_to_reduce(op):
    y, pullback = gp.vjp(lambda x: op(x, 1), np.ones((0, 2)))
    assert y.shape == (0,) and pullback(y)[0].shape == (0, 2)


def test_var_is_numpys():
    assert np.allclose(gp.var(IMAGE, (0, 2)), IMAGE.var(axis=(0, 2), ddof=1), rtol=1e-14)
    assert gp.var(IMAGE, keepdims=True, correction=0).shape == (1, 1, 1, 1)


# ---------------------------------------------------------------- compositions
def test_sum_is_over_all_axes():
    y, pullback = gp.vjp(gp.sum, X)
    assert y == 15 and y.shape == ()
    assert (pullback(np.array(2.0))[0] == 2).all()
    assert gp.sum(np.zeros((2, 0))) == 0


def results(f, *primals):
    y, pullback = gp.vjp(f, *primals)
    return y, *pullback(np.cos(np.arange(y.size)).reshape(y.shape))


def assert_same(found, wanted):
    for a, b in zip(found, wanted, strict=True):
        assert a.shape == b.shape and np.allclose(a, b, rtol=1e-12, atol=1e-12)


def test_instance_norm_normalizes_each_channel_of_each_sample():
    def one_by_one(x, gamma, beta):
        flat = gp.reshape(x, (8, 6))
        y = gp.reshape(gp.layer_norm(flat, np.ones(6), np.zeros(6)), x.shape)
        return y * gp.reshape(gamma, (4, 1, 1)) + gp.reshape(beta, (4, 1, 1))

    assert_same(results(gp.instance_norm, IMAGE, GAMMA, BETA), results(one_by_one, IMAGE, GAMMA, BETA))


def test_one_group_is_layer_norm_over_all_but_the_samples():
    def layer(x, gamma, beta):
        y = gp.reshape(gp.layer_norm(gp.reshape(x, (2, 24)), np.ones(24), np.zeros(24)), x.shape)
        return y * gp.reshape(gamma, (4, 1, 1)) + gp.reshape(beta, (4, 1, 1))

    def one_group(x, gamma, beta):
        return gp.group_norm(x, gamma, beta, 1)

    assert_same(results(one_group, IMAGE, GAMMA, BETA), results(layer, IMAGE, GAMMA, BETA))


def test_batch_norm_is_batch_norm_eval_at_its_own_statistics():
    mean, var = gp.reduce_mean(IMAGE, (0, 2, 3)), gp.var(IMAGE, (0, 2, 3), correction=0)
    assert np.allclose(gp.batch_norm(IMAGE, GAMMA, BETA), gp.batch_norm_eval(IMAGE, GAMMA, BETA, mean, var))


def test_batch_norm_of_one_element_is_beta():
    assert (gp.batch_norm(np.full((1, 3), 7.0), ONES, X[1]) == X[1:]).all()
    assert (gp.batch_norm(ONES, ONES, X[1], channel_axis=-1) == X[1]).all()


def test_cross_entropy_is_nll_loss_of_log_softmax():
    labels = np.array([[[1, 0], [2, 3], [0, 0]], [[3, 3], [1, 2], [2, 1]]])
    for reduction in ("mean", "sum", "none"):
        assert_same(
            results(lambda x: gp.cross_entropy(x, labels, reduction), IMAGE),  # noqa: B023
            results(lambda x: gp.nll_loss(gp.log_softmax(x, 1), labels, reduction), IMAGE),  # noqa: B023
        )


def test_losses_of_one_element_or_one_sample():
    assert gp.mse_loss(2.0, 5.0) == 9
    assert np.allclose(gp.cross_entropy(np.zeros(4), 2), np.log(4))
    assert np.allclose(gp.cross_entropy(np.zeros((1, 4)), [2], reduction="none"), [np.log(4)])


def test_sums_of_no_losses_are_0():
    assert gp.mse_loss(np.ones(0), np.ones(0), reduction="sum") == 0
    assert gp.cross_entropy(np.ones((0, 3)), [], reduction="sum") == 0
    assert gp.nll_loss(np.ones((0, 3, 2)), np.zeros((0, 2), int), reduction="none").shape == (0, 2)


@pytest.mark.parametrize("dtype", [np.int8, np.uint16, np.uint64])
def test_labels_of_any_integer_dtype(dtype):
    labels = np.array([2, 0], dtype)
    y, pullback = gp.vjp(lambda x: gp.cross_entropy(x, labels), X.astype(np.float32))
    (glogits,) = pullback(np.float32(1))
    assert y.dtype == glogits.dtype == np.float32
    assert np.allclose(glogits.sum(axis=1), 0, atol=1e-6) and glogits[0, 2] < 0 and glogits[1, 0] < 0


def test_bce_stays_accurate_where_the_sigmoid_is_1():
    (glogits, _) = gp.vjp(gp.bce_with_logits, np.array(40.0), np.array(1.0))[1](np.array(1.0))
    assert np.isclose(glogits, -np.exp(-40.0), rtol=1e-14)
    assert gp.bce_with_logits(1e300, 1.0) == 0 and gp.bce_with_logits(-1e300, 1.0) == 1e300


def test_kl_div_of_equal_distributions_is_0_and_a_target_of_0_adds_0():
    p = np.array([0.25, 0.75, 0.0])
    with np.errstate(divide="ignore", invalid="ignore"):
        assert gp.kl_div(np.log(p), p, reduction="sum") == 0
