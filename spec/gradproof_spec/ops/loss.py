"""Losses."""
from ..op import Op
from ..terms import Sum

mse_loss = Op("mse_loss", "yhat[I] target[I] -> loss[]", domain=lambda size: [size.I >= 1])


@mse_loss.forward
def mse_loss_loss(yhat, target, size):
    return Sum((yhat[i] - target[i]) ** 2 for i in size.I) / size.I


@mse_loss.jvp
def mse_loss_dloss(yhat, target, dyhat, dtarget, size):
    return 2 * Sum((yhat[i] - target[i]) * (dyhat[i] - dtarget[i]) for i in size.I) / size.I


@mse_loss.vjp("yhat")
def mse_loss_gyhat(yhat, target, g, i, size):
    return 2 * (yhat[i] - target[i]) * g[()] / size.I


@mse_loss.vjp("target")
def mse_loss_gtarget(yhat, target, g, i, size):
    return 2 * (target[i] - yhat[i]) * g[()] / size.I


mse_loss.register()
