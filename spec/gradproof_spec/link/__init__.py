"""The link between the specification and the runtime that ships: kernels, shapes, floats, replay."""

from . import ops  # noqa: F401  declares every op to the modules of this package
