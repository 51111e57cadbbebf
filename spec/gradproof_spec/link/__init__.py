"""The link between the specification and the runtime that ships: kernels, shapes, floats, replay."""
