"""Planted wrong rules: loss."""

from ..terms import Sum
from .fault import plant

plant(
    "mse_loss", "without-the-2", "adjoint", yhat=lambda yhat, target, g, i, size: (yhat[i] - target[i]) * g[()] / size.I
)
plant(
    "mse_loss",
    "target-sign",
    "adjoint",
    target=lambda yhat, target, g, i, size: 2 * (yhat[i] - target[i]) * g[()] / size.I,
)
plant(
    "mse_loss",
    "without-the-2-in-all",
    "derivative",
    jvp=lambda yhat, target, dyhat, dtarget, size: (
        Sum((yhat[i] - target[i]) * (dyhat[i] - dtarget[i]) for i in size.I) / size.I
    ),
    yhat=lambda yhat, target, g, i, size: (yhat[i] - target[i]) * g[()] / size.I,
    target=lambda yhat, target, g, i, size: (target[i] - yhat[i]) * g[()] / size.I,
)
plant("mse_loss", "empty-allowed", "bounds", fields={"domain": None})
