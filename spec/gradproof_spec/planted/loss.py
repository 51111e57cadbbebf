"""Planted wrong rules: loss."""

from ..ops.loss import cotangent, is_class, probability, reduced, sigmoid
from ..terms import Sum, equal, function, indicator
from .fault import plant

plant(
    "mse_loss",
    "without-the-2",
    "adjoint",
    yhat=lambda yhat, target, g, i, size: (yhat[i] - target[i]) * cotangent(g, i, size),
)
plant(
    "mse_loss",
    "target-sign",
    "adjoint",
    target=lambda yhat, target, g, i, size: 2 * (yhat[i] - target[i]) * cotangent(g, i, size),
)
plant(
    "mse_loss",
    "without-the-2-in-all",
    "derivative",
    jvp=lambda yhat, target, dyhat, dtarget, index, size: reduced(
        lambda i: (yhat[i] - target[i]) * (dyhat[i] - dtarget[i]), index, size
    ),
    yhat=lambda yhat, target, g, i, size: (yhat[i] - target[i]) * cotangent(g, i, size),
    target=lambda yhat, target, g, i, size: (target[i] - yhat[i]) * cotangent(g, i, size),
)
plant(
    "mse_loss",
    "not-divided-by-the-number",
    "adjoint",
    yhat=lambda yhat, target, g, i, size: 2 * (yhat[i] - target[i]) * (g[i] if size.case.label == "none" else g[()]),
)
plant("mse_loss", "empty-allowed", "bounds", fields={"domain": None})

plant(
    "cross_entropy",
    "softmax-without-the-label",
    "adjoint",
    logits=lambda logits, labels, g, i, c, size: (
        is_class(labels, i, size) * cotangent(g, i, size) * probability(logits, i, c, size)
    ),
)
plant(
    "cross_entropy",
    "softmax-without-the-label-in-both",
    "derivative",
    jvp=lambda logits, labels, dlogits, index, size: reduced(
        lambda i: is_class(labels, i, size) * Sum(probability(logits, i, c, size) * dlogits[i, c] for c in size.C),
        index,
        size,
    ),
    logits=lambda logits, labels, g, i, c, size: (
        is_class(labels, i, size) * cotangent(g, i, size) * probability(logits, i, c, size)
    ),
)
plant(
    "cross_entropy",
    "label-not-guarded",
    "bounds",
    forward=lambda logits, labels, index, size: reduced(lambda i: -logits[i, labels[i]], index, size),
)
plant(
    "cross_entropy",
    "label-of-another-element",
    "adjoint",
    logits=lambda logits, labels, g, i, c, size: (
        is_class(labels, i, size) * cotangent(g, i, size) * (probability(logits, i, c, size) - indicator(equal(i, c)))
    ),
)

plant(
    "nll_loss",
    "sign",
    "adjoint",
    log_p=lambda labels, g, i, c, size: indicator(equal(labels[i], c)) * cotangent(g, i, size),
)
plant("nll_loss", "to-every-class", "adjoint", log_p=lambda g, i, size: -cotangent(g, i, size))
plant(
    "nll_loss",
    "the-next-class-in-both",
    "derivative",
    jvp=lambda labels, dlog_p, index, size: reduced(
        lambda i: -indicator(labels[i] >= 0, labels[i] + 1 < size.C) * dlog_p[i, labels[i] + 1], index, size
    ),
    log_p=lambda labels, g, i, c, size: -indicator(labels[i] >= 0, equal(labels[i] + 1, c)) * cotangent(g, i, size),
)
plant(
    "nll_loss",
    "label-not-guarded",
    "bounds",
    forward=lambda log_p, labels, index, size: reduced(lambda i: -log_p[i, labels[i]], index, size),
)

plant(
    "bce_with_logits",
    "sigmoid-without-target",
    "adjoint",
    logits=lambda logits, g, i, size: sigmoid(logits[i]) * cotangent(g, i, size),
)
plant("bce_with_logits", "no-gradient-to-target", "adjoint", target=lambda g, i, size: 0 * cotangent(g, i, size))
plant(
    "bce_with_logits",
    "sigmoid-of-minus-in-both",
    "derivative",
    jvp=lambda logits, target, dlogits, dtarget, index, size: reduced(
        lambda i: (sigmoid(-logits[i]) - target[i]) * dlogits[i] - logits[i] * dtarget[i], index, size
    ),
    logits=lambda logits, target, g, i, size: (sigmoid(-logits[i]) - target[i]) * cotangent(g, i, size),
)
plant("bce_with_logits", "empty-allowed", "bounds", fields={"domain": None})

plant(
    "kl_div",
    "gtarget-without-the-1",
    "adjoint",
    target=lambda log_p, target, g, i, size: (function("log", target[i]) - log_p[i]) * cotangent(g, i, size),
)
plant("kl_div", "glog-p-sign", "adjoint", log_p=lambda target, g, i, size: target[i] * cotangent(g, i, size))
plant(
    "kl_div",
    "without-the-1-in-both",
    "derivative",
    jvp=lambda log_p, target, dlog_p, dtarget, index, size: reduced(
        lambda i: (function("log", target[i]) - log_p[i]) * dtarget[i] - target[i] * dlog_p[i], index, size
    ),
    target=lambda log_p, target, g, i, size: (function("log", target[i]) - log_p[i]) * cotangent(g, i, size),
)
plant("kl_div", "no-gradient-to-target", "adjoint", target=lambda g, i, size: 0 * cotangent(g, i, size))
