"""Losses, with a form for every reduction. I counts the elements, each of which has a loss, C the classes."""
from ..op import Op, positive
from ..terms import ONE, Sum, equal, function, in_range, indicator


def forms(inputs):
    return {"mean": f"{inputs} -> loss[]", "sum": f"{inputs} -> loss[]", "none": f"{inputs} -> loss[I]"}


def not_empty_if_mean(size):
    return [size.I >= 1] if size.case.label == "mean" else []


def reduced(loss, index, size):
    """The output at `index`: the loss of that element, or the sum or the mean of all."""
    if size.case.label == "none":
        return loss(*index)
    total = Sum(loss(i) for i in size.I)
    return total / size.I if size.case.label == "mean" else total


def cotangent(g, i, size):
    """The cotangent of the loss of element i."""
    return g[i] if size.case.label == "none" else g[()] / size.I if size.case.label == "mean" else g[()]


mse_loss = Op("mse_loss", forms("yhat[I] target[I]"), domain=not_empty_if_mean)


@mse_loss.forward
def mse_loss_loss(yhat, target, index, size):
    return reduced(lambda i: (yhat[i] - target[i]) ** 2, index, size)


@mse_loss.jvp
def mse_loss_dloss(yhat, target, dyhat, dtarget, index, size):
    return reduced(lambda i: 2 * (yhat[i] - target[i]) * (dyhat[i] - dtarget[i]), index, size)


@mse_loss.vjp("yhat")
def mse_loss_gyhat(yhat, target, g, i, size):
    return 2 * (yhat[i] - target[i]) * cotangent(g, i, size)


@mse_loss.vjp("target")
def mse_loss_gtarget(yhat, target, g, i, size):
    return 2 * (target[i] - yhat[i]) * cotangent(g, i, size)


# A label outside [0, C) is an error of the public function; in the formulas its loss is 0.
def has_classes(size):
    return [size.C >= 1, *not_empty_if_mean(size)]


cross_entropy = Op("cross_entropy", forms("logits[I,C] labels:int[I]"), domain=has_classes)


def is_class(labels, i, size):
    return indicator(in_range(labels[i], size.C))


def probability(logits, i, c, size):
    return function("exp", logits[i, c]) / Sum(function("exp", logits[i, k]) for k in size.C)


@cross_entropy.forward
def cross_entropy_loss(logits, labels, index, size):
    return reduced(lambda i: is_class(labels, i, size) * (
        function("log", Sum(function("exp", logits[i, c]) for c in size.C)) - logits[i, labels[i]]), index, size)


@cross_entropy.jvp
def cross_entropy_dloss(logits, labels, dlogits, index, size):
    return reduced(lambda i: is_class(labels, i, size) * (
        Sum(probability(logits, i, c, size) * dlogits[i, c] for c in size.C) - dlogits[i, labels[i]]), index, size)


@cross_entropy.vjp("logits")
def cross_entropy_glogits(logits, labels, g, i, c, size):
    return is_class(labels, i, size) * cotangent(g, i, size) * (
        probability(logits, i, c, size) - indicator(equal(labels[i], c)))


nll_loss = Op("nll_loss", forms("log_p[I,C] labels:int[I]"), domain=has_classes)


@nll_loss.forward
def nll_loss_loss(log_p, labels, index, size):
    return reduced(lambda i: -is_class(labels, i, size) * log_p[i, labels[i]], index, size)


@nll_loss.jvp
def nll_loss_dloss(labels, dlog_p, index, size):
    return nll_loss_loss(dlog_p, labels, index, size)


@nll_loss.vjp("log_p")
def nll_loss_glog_p(labels, g, i, c, size):
    return -indicator(equal(labels[i], c)) * cotangent(g, i, size)


bce_with_logits = Op("bce_with_logits", forms("logits[I] target[I]"), domain=not_empty_if_mean)


def sigmoid(x):
    return ONE / (1 + function("exp", -x))


@bce_with_logits.forward
def bce_with_logits_loss(logits, target, index, size):  # -target log p - (1 - target) log(1 - p), p = sigmoid(logits)
    return reduced(lambda i: function("log", 1 + function("exp", logits[i])) - target[i] * logits[i], index, size)


@bce_with_logits.jvp
def bce_with_logits_dloss(logits, target, dlogits, dtarget, index, size):
    return reduced(lambda i: (sigmoid(logits[i]) - target[i]) * dlogits[i] - logits[i] * dtarget[i], index, size)


@bce_with_logits.vjp("logits")
def bce_with_logits_glogits(logits, target, g, i, size):
    return (sigmoid(logits[i]) - target[i]) * cotangent(g, i, size)


@bce_with_logits.vjp("target")
def bce_with_logits_gtarget(logits, g, i, size):
    return -logits[i] * cotangent(g, i, size)


kl_div = Op("kl_div", forms("log_p[I] target[I]"), domain=not_empty_if_mean, elements={"target": positive})


@kl_div.forward
def kl_div_loss(log_p, target, index, size):
    return reduced(lambda i: target[i] * (function("log", target[i]) - log_p[i]), index, size)


@kl_div.jvp
def kl_div_dloss(log_p, target, dlog_p, dtarget, index, size):
    return reduced(lambda i: (function("log", target[i]) - log_p[i] + 1) * dtarget[i] - target[i] * dlog_p[i],
                   index, size)


@kl_div.vjp("log_p")
def kl_div_glog_p(target, g, i, size):
    return -target[i] * cotangent(g, i, size)


@kl_div.vjp("target")
def kl_div_gtarget(log_p, target, g, i, size):
    return (function("log", target[i]) - log_p[i] + 1) * cotangent(g, i, size)


for op in (mse_loss, cross_entropy, nll_loss, bce_with_logits, kl_div):
    op.register()
