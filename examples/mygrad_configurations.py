"""What examples/audit_mygrad.py tries: expressions in mg, np and the arguments x, y, z (tensors) and i (integers).

Statements stand before the last `;`, the result after it. A domain says where the function is differentiable, or leaves
out the points at which the gradient was refuted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from auditing import Case, Shape, Whole

Maker = Callable[..., Case]  # of(code, domain="", x=(2, 2), y=(2,), i=Whole(0, 2, (2,)))
BROADCAST: list[tuple[Shape, Shape]] = [((2,), (2,)), ((), ()), ((2, 1), (3,)), ((), (2,)), ((1, 2), (2, 1))]
POSITIVE, NOT_0, INSIDE_1, OVER_1 = "x > 0", "x != 0", "[x > -1, x < 1]", "x > 1"


def elementwise(of: Maker) -> Iterator[Case]:
    everywhere = ("exp exp2 expm1 sin cos arctan sinh cosh tanh arcsinh square negative positive absolute sinc sech "
                  "nnet.relu nnet.sigmoid nnet.selu nnet.soft_sign nnet.hard_tanh nnet.tanh")
    domains = {
        "log": POSITIVE, "log2": POSITIVE, "log10": POSITIVE, "sqrt": POSITIVE, "log1p": "x > -1", "reciprocal": NOT_0,
        "cbrt": NOT_0, "tan": INSIDE_1, "sec": INSIDE_1, "csc": "[x > 0, x < 3]", "cot": "[x > 0, x < 3]",
        "arcsin": INSIDE_1, "arccos": INSIDE_1, "arctanh": INSIDE_1, "arccosh": OVER_1, "arccsc": OVER_1,
        "arcsec": OVER_1, "arccot": NOT_0, "csch": NOT_0, "coth": NOT_0, "arccsch": NOT_0, "arccoth": OVER_1,
    }
    for shape in ((2,), ()):
        for name in everywhere.split():
            yield of(f"mg.{name}(x)", x=shape)
        for name, domain in domains.items():
            yield of(f"mg.{name}(x)", domain, x=shape)
        for alpha in ("0.1", "1.0", "-2.0", "0.0"):
            yield of(f"mg.nnet.elu(x, alpha={alpha})", x=shape)
            yield of(f"mg.nnet.leaky_relu(x, slope={alpha})", x=shape)
    for name, domain in (
        ("arccsc", "x < -1"), ("arcsec", "x < -1"), ("arccoth", "x < -1"), ("arccot", ""), ("sinc", NOT_0),
        ("sech", "[x > -100, x < 100]"), ("csch", "[x > 0.01, x < 100]"), ("coth", "[x > 0.01, x < 100]"),
        ("cbrt", "[x > 0.01, x < 100]"), ("reciprocal", "[x > 0.01, x < 100]"),
    ):  # fmt: skip
        yield of(f"mg.{name}(x)", domain, x=(2,))
    yield of("mg.absolute(x, nan_to_num=False)", NOT_0, x=(2,))
    yield of("mg.nnet.hard_tanh(x, lower_bound=0.0, upper_bound=2.0)", x=(2,))
    yield of("mg.nnet.hard_tanh(x, lower_bound=1.0, upper_bound=1.0)", x=(2,))
    for shape in ((2,), (2, 2)):
        yield of("mg.nnet.glu(x)", x=shape)
    yield of("mg.nnet.glu(x, axis=0)", x=(2, 2))
    # keywords of a ufunc
    yield of("mg.exp(x, dtype=float)", x=(2,))
    yield of("mg.exp(x, out=np.zeros(2))", x=(2,))
    yield of("mg.multiply(x, y, out=np.zeros((2, 2)))", x=(2,), y=(2, 2))
    mask = "np.array([True, False])"
    for name in ("exp", "sin", "square", "negative", "absolute", "tanh"):
        yield of(f"mg.{name}(x, out=np.zeros(2), where={mask})", x=(2,))
    for name in ("log", "sqrt", "reciprocal", "log2", "cbrt"):
        yield of(f"mg.{name}(x, out=np.zeros(2), where=x > 0)", x=(2,))
        yield of(f"mg.{name}(x, out=np.zeros(2), where={mask})", "x[0] > 0", x=(2,))
    yield of(f"mg.divide(x, y, out=np.zeros(2), where={mask})", "y[0] != 0", x=(2,), y=(2,))
    for name in ("add", "multiply", "maximum", "logaddexp"):
        yield of(f"mg.{name}(x, y, out=np.zeros(2), where={mask})", x=(2,), y=(2,))
        yield of(f"mg.{name}(x, y, out=np.zeros((2, 2)), where={mask})", x=(2, 1), y=())


def pairs(of: Maker) -> Iterator[Case]:
    names = ["add", "subtract", "multiply", "maximum", "minimum", "logaddexp", "logaddexp2"]
    for a, b in BROADCAST:
        for name in names:
            yield of(f"mg.{name}(x, y)", x=a, y=b)
        yield of("mg.divide(x, y)", "y != 0", x=a, y=b)
        yield of("mg.divide(x, y)", "[y > 0.01, y < 100]", x=a, y=b)
        yield of("mg.arctan2(x, y)", "y != 0", x=a, y=b)
        yield of("mg.power(x, y)", POSITIVE, x=a, y=b)
        yield of("mg.add_sequence(x, y, x)", x=a, y=b)
        yield of("mg.multiply_sequence(x, y)", x=a, y=b)
    yield of("mg.multiply_sequence(x, y, x)", x=(2,), y=())
    yield of("mg.multiply_sequence(x, y, z)", x=(1,), y=(2,), z=(1,))
    yield of("mg.add_sequence(x, y, z)", x=(2,), y=(2, 1), z=())
    for name in (*names, "divide", "power", "arctan2"):
        domain = {"divide": NOT_0, "power": POSITIVE, "arctan2": NOT_0}.get(name, "")
        yield of(f"mg.{name}(x, x)", domain, x=(2,))
    for name in ("maximum", "minimum"):
        yield of(f"mg.{name}(x, 0.0)", x=(3,))
        yield of(f"mg.{name}(1.0, x)", x=())
        yield of(f"mg.{name}(x * x, 0.0)", x=(2,))
        yield of(f"mg.{name}(x, x + y * y)", x=(2,), y=(2,))
    for exponent in ("0", "1", "2", "3", "4", "0.0", "1.0", "2.0", "3.0"):
        yield of(f"x ** {exponent}", x=(2,))
        yield of(f"mg.power(x, {exponent})", x=(2,))
    for exponent in ("-1", "-2", "-1.0", "-2.0"):
        yield of(f"x ** {exponent}", NOT_0, x=(2,))
    for exponent in ("0.5", "1.5", "-0.5"):
        yield of(f"x ** {exponent}", POSITIVE, x=(2,))
    yield of("x ** 1.5", "x >= 0", x=(2,))
    yield of("x ** np.array([0.0, 1.0, 2.0])", x=(3,))
    yield of("x ** np.array([0, 1, 2])", x=(3,))
    yield of("2.0 ** x", x=(2,))
    yield of("0.0 ** x", POSITIVE, x=(2,))
    for code in ("1.0 - x", "x / 2.0", "-x + 3 * x", "x * x + x * np.ones(2)"):
        yield of(code, x=(2,), name="operators")
    yield of("1.0 / x", "[x > 0.01, x < 100]", x=(2,), name="operators")
    for low, high in (("-1.0", "1.0"), ("0.0", "None"), ("None", "1.0"), ("1.0", "1.0"), ("1.0", "0.0"),
                      ("np.array([0.0, 1.0])", "np.array([2.0, 3.0])")):  # fmt: skip
        yield of(f"mg.clip(x, {low}, {high})", x=(2,))
    yield of("mg.clip(x, y, z)", x=(2,), y=(), z=(2,))
    for condition in ("np.array([True, False])", "x > 0", "np.array([[True], [False]])", "True"):
        yield of(f"mg.where({condition}, x, y)", x=(2,), y=(2,))
    yield of("mg.where(np.array([True, False]), x, y)", x=(2, 1), y=())
    yield of("mg.where(np.array([True, False]), x, 0.0)", x=(2,))
    yield of("mg.where(x > 1, x * x, 2 * x - 1)", x=(2,))


WAYS = ("", "axis=0", "axis=1", "axis=-1", "axis=(0, 1)", "axis=(-1, 0)", "axis=()", "keepdims=True",
        "axis=1, keepdims=True", "axis=(0, 1), keepdims=True")  # fmt: skip


def call(name: str, *keywords: str) -> str:
    return f"mg.{name}({', '.join(['x', *(k for k in keywords if k)])})"


def reductions(of: Maker) -> Iterator[Case]:
    for name in ("sum", "mean", "var", "max", "min"):
        for way in WAYS:
            yield of(call(name, way), x=(2, 2))
        yield of(call(name), x=())
        yield of(call(name), x=(1,))
        yield of(call(name), x=(3,))
        yield of(call(name, "axis=1"), x=(2, 1))
        yield of(call(name, "axis=(0, 2)"), x=(2, 1, 2))
        yield of(call(name, "axis=(2, 0), keepdims=True"), x=(2, 1, 2))
        yield of(call(name, "axis=(-1, 0)"), x=(2, 1, 2))
    for way in WAYS:
        yield of(call("prod", way), NOT_0, x=(2, 2))
        spread = f"x.var({way.replace(', keepdims=True', '').replace('keepdims=True', '')}) > 0"
        if way != "axis=()":
            yield of(call("std", way), spread, x=(2, 2))
    for shape in ((), (1,), (3,)):
        yield of("mg.prod(x)", NOT_0, x=shape)
    yield of("mg.prod(x)", x=(2,))
    yield of("mg.prod(mg.concatenate([x, np.array([0.0])]))", NOT_0, x=(2,))
    yield of("mg.prod(mg.concatenate([x * 0, y]))", NOT_0, x=(1,), y=(2,))
    for name in ("sum", "max", "prod"):
        yield of(f"mg.{name}(x, axis=0)", x=())
    yield of("mg.prod(x, axis=(2, 0))", NOT_0, x=(2, 1, 2))
    yield of("mg.prod(x, axis=1)", x=(2, 0))
    yield of("mg.sum(x, axis=1)", x=(2, 0))
    yield of("mg.std(x)", "x.var() > 0", x=(3,))
    yield of("mg.std(x)", x=(2,))
    for ddof in ("1", "0.5", "-1"):
        yield of(f"mg.var(x, ddof={ddof})", x=(3,))
        yield of(f"mg.std(x, ddof={ddof})", "x.var() > 0", x=(3,))
        yield of(f"mg.var(x, axis=0, ddof={ddof})", x=(2, 2))
        yield of(f"mg.var(x, axis=(0, 1), ddof={ddof}, keepdims=True)", x=(2, 2))
    for axis in ("None", "0", "1", "-1", "-2"):
        yield of(f"mg.cumsum(x, axis={axis})", x=(2, 3))
        yield of(f"mg.cumprod(x, axis={axis})", NOT_0, x=(2, 2))
    for name, domain in (("cumsum", ""), ("cumprod", NOT_0)):
        yield of(f"mg.{name}(x)", domain, x=())
        yield of(f"mg.{name}(x, axis=0)", domain, x=())
        yield of(f"mg.{name}(x)", domain, x=(3,))
        yield of(f"mg.{name}(x, axis=1)", domain, x=(2, 2, 2))
        yield of(f"mg.{name}(x)", x=(0,))
    yield of("mg.cumprod(x)", x=(2,))
    for name in ("amax", "amin"):
        yield of(f"mg.{name}(x, axis=-1)", x=(2, 2))
    yield of("np.sum(x, axis=-1)", x=(2, 2))
    yield of("x.mean(axis=0, keepdims=True)", x=(2, 2))


def moving(of: Maker) -> Iterator[Case]:
    three, two = (2, 1, 3), (2, 3)
    for code in ("mg.reshape(x, (3, 2))", "mg.reshape(x, -1)", "x.reshape(3, -1)", "mg.ravel(x)", "x.flatten()",
                 "mg.transpose(x)", "x.T", "mg.ravel(x.T)", "x.T.flatten()", "mg.reshape(x.T, (2, 3))",
                 "mg.expand_dims(x, 0)", "mg.expand_dims(x, -1)", "mg.expand_dims(x, 1)", "mg.roll(x, 1)",
                 "mg.roll(x, -2)", "mg.roll(x, 1, axis=1)", "mg.roll(x, -1, axis=-1)",
                 "mg.roll(x, (1, 2), axis=(0, 1))", "mg.roll(x, (1, 1), axis=(0, 0))", "mg.roll(x, 2, axis=(0, 1))",
                 "mg.broadcast_to(x, (2, 2, 3))", "mg.broadcast_to(x, (2, 3))", "mg.atleast_1d(x)",
                 "mg.atleast_2d(x)", "mg.atleast_3d(x)", "mg.expand_dims(x, (0, -1))"):  # fmt: skip
        yield of(code, x=two)
    for axes in ("(1, 0, 2)", "(1, 2, 0)", "(2, 0, 1)", "(-1, 0, 1)", "(-1, -2, -3)", "(1, -1, 0)"):
        yield of(f"mg.transpose(x, {axes})", x=three)
    for code in ("x.transpose(2, 0, 1)", "mg.swapaxes(x, 0, 2)", "mg.swapaxes(x, -1, 0)", "mg.swapaxes(x, -1, -3)",
                 "mg.moveaxis(x, 0, -1)", "mg.moveaxis(x, -1, 0)", "mg.moveaxis(x, (0, 1), (-1, 0))",
                 "mg.moveaxis(x, (0, 2), (1, 0))", "mg.squeeze(x)", "mg.squeeze(x, axis=1)", "mg.squeeze(x, axis=-2)",
                 "mg.squeeze(x, axis=(1,))"):  # fmt: skip
        yield of(code, x=three)
    yield of("mg.squeeze(x)", x=(1,))
    yield of("mg.reshape(x, ())", x=(1, 1))
    for k in (1, 2, 3):
        for shape in ((), (2,)):
            yield of(f"mg.atleast_{k}d(x)", x=shape)
    yield of("x.T", x=(2,))
    yield of("mg.transpose(x)", x=())
    yield of("mg.expand_dims(x, 0)", x=())
    yield of("mg.ravel(x)", x=())
    yield of("mg.broadcast_to(x, (3, 2))", x=(2,))
    yield of("mg.broadcast_to(x, (3, 2))", x=(1, 2))
    yield of("mg.broadcast_to(x, (3, 2))", x=(3, 1))
    yield of("mg.broadcast_to(x, (2, 1, 2))", x=())
    for axis in ("None", "0", "1", "-1", "-2"):
        for repeats in ("2", "0", "1", "[2]"):
            yield of(f"mg.repeat(x, {repeats}, axis={axis})", x=two)
    yield of("mg.repeat(x, [1, 2], axis=0)", x=two)
    yield of("mg.repeat(x, [0, 2, 1], axis=-1)", x=two)
    yield of("mg.repeat(x, [0, 2, 1])", x=(3,))
    yield of("mg.repeat(x, np.array([1, 2]))", x=(2,))
    yield of("mg.repeat(x, np.int64(2))", x=(2,), name="repeat, np.int64")
    yield of("mg.repeat(x, 2)", x=())
    yield of("mg.repeat(x, 2, axis=0)", x=())
    yield of("mg.repeat(x, 2)", x=(0,), name="repeat, empty")
    yield of("mg.repeat(x, 2, axis=1)", x=(2, 0), name="repeat, empty")
    for axis in ("0", "-1", "None"):
        yield of(f"mg.concatenate([x, y], axis={axis})", x=(2,), y=(1,))
        yield of(f"mg.concatenate([x, y, x], axis={axis})", x=(2, 2), y=(2, 2))
    yield of("mg.concatenate([x, y], axis=1)", x=(2, 1), y=(2, 2))
    yield of("mg.concatenate([x, y], axis=-2)", x=(1, 2), y=(2, 2))
    yield of("mg.concatenate([x, y], axis=None)", x=(), y=(2, 1))
    yield of("mg.concatenate([x, y], axis=0)", x=(0,), y=(2,))
    yield of("mg.concatenate([x, np.ones(2)])", x=(2,))
    for axis in (0, 1, -1, -2):
        yield of(f"mg.stack([x, y], axis={axis})", x=(2,), y=(2,))
    yield of("mg.stack([x, y, x], axis=1)", x=(2, 2), y=(2, 2))
    yield of("mg.stack([x, y])", x=(), y=())
    yield of("mg.stack([x, y], axis=-1)", x=(), y=())


def indexing(of: Maker) -> Iterator[Case]:
    for index in ("0", "-1", "1:", "::-1", "::2", "...", "None", "[0, 0]", "[2, 0, 2]", "[-1, 2]", "[[0], [1]]",
                  "np.array([True, False, True])", "()", "[]"):  # fmt: skip
        yield of(f"x[{index}]", x=(3,))
    for index in ("0, 1", ":, 0", ":, ::-1", "..., 0", "0, None", "[0, 0], [1, 1]", "[0, 1], :", "[[0], [1]], [0, 1]",
                  ":, [0, 0, 1]", "0, [1, 1]", "np.array([[True, False], [True, True]])", "[True, False]",
                  "np.array([0, 0], dtype=np.int32)", "np.ix_([0, 1], [1, 1])", "[0, 0], None, [1, 1]"):  # fmt: skip
        yield of(f"x[{index}]", x=(2, 2))
    yield of("mg.sum(x[x > 0])", x=(3,))
    yield of("x[...]", x=())
    yield of("x[()]", x=())
    yield of("x[None]", x=())
    yield of("x[i]", x=(2,), i=Whole(0, 2, (2,)))
    yield of("x[i, i]", x=(2, 2), i=Whole(-2, 2, (2,)))
    yield of("x[0] * x[1:] + x[-1]", x=(3,))
    setting = {
        "0": (), "1:": (2,), "::-1": (3,), "::2": (), "...": (1,), "[0, 0]": (2,), "[2, 0, 2]": (3,),
        "[0, -3]": (2,), "np.array([0, 0])": (1,), "np.array([0, 0], dtype=np.int32)": (2,),
        "np.array([0, 0], dtype=np.int8)": (2,), "np.array([0, 0], dtype=np.uint8)": (2,),
        "np.array([0, 2], dtype=np.int32)": (2,), "np.array([True, False, True])": (2,), "[True, False, True]": (),
        "[[0, 0]]": (1, 2), "None": (1, 3), "0:1": (), "x > 0": (), "np.array([1])": (1, 1),
    }
    for index, shape in setting.items():
        yield of(f"z = +x; z[{index}] = y; z", x=(3,), y=shape)
    both: dict[str, Shape] = {
        "0": (2,), ":, 0": (), "[0, 0]": (2, 2), "[0, 0], [1, 1]": (2,), "[0, 0], 1": (2,), ":, [1, 1]": (2, 2),
        "[0, 0], :": (2,), "0, 1": (), "[[0], [0]], [1, 0]": (2, 2), "[0, 1], [True, True]": (2,),
        "np.array([0, 0], dtype=np.int32), np.array([1, 1], dtype=np.int32)": (2,),
        ":, np.array([1, 1], dtype=np.int32)": (2, 2), "np.array([[True, False], [True, True]])": (3,),
        "np.ix_([0, 0], [0, 1])": (2, 2), "np.array([True, False]), [1, 1]": (2,),
    }
    for index, shape in both.items():
        yield of(f"z = +x; z[{index}] = y; z", x=(2, 2), y=shape)
    yield of("z = +x; z[i] = y; z", x=(2,), y=(2,), i=Whole(0, 2, (2,)))
    yield of("z = +x; z[i] = y; z", x=(2,), y=(1,), i=Whole(-2, 2, (2,)))
    yield of("z = +x; z[...] = y; z", x=(), y=())
    # in place, also through views
    for operator in ("+", "-", "*"):
        yield of(f"z = +x; z {operator}= y; z", x=(2,), y=(2,))
        yield of(f"z = +x; z {operator}= y; z", x=(2, 2), y=(1,))
    yield of("z = +x; z /= y; z", "[y > 0.01, y < 100]", x=(2,), y=(2,))
    yield of("z = +x; z **= 2; z", x=(2,))
    yield of("z = +x; z *= z; z", x=(2,))
    yield of("z = +x; z[:1] *= y; z", x=(2,), y=())
    yield of("z = +x; z[[0, 0]] += y; z", x=(2,), y=(2,))
    yield of("z = +x; z[::-1] += z; z", x=(2,))
    yield of("z = +x; v = z[:2]; v *= y; z", x=(3,), y=(2,))
    yield of("z = +x; v = z[:2]; v *= y; v", x=(3,), y=(2,))
    yield of("z = +x; v = z.T; v[0] = y; z", x=(2, 2), y=(2,))
    yield of("z = +x; v = z.reshape(4); v[1:3] = y; z * v[0]", x=(2, 2), y=(2,))
    yield of("z = +x; v = z[0]; w = z[:, 0]; v *= y; w", x=(2, 2), y=())
    yield of("z = +x; v = z[1:]; z *= y; v", x=(3,), y=())
    yield of("z = +x.T; v = z.T.reshape(4); v[0] = y; z", x=(2, 2), y=(), name="in place, through two views")
    yield of("z = +x; z.shape = (4,); z * y", x=(2, 2), y=(4,))
    yield of("z = +x; mg.exp(y, out=z); z", x=(2,), y=(2,))
    yield of("z = +x; mg.exp(y, out=z, where=np.array([True, False])); z", x=(2,), y=(2,))
    yield of("z = +x; mg.multiply(z, y, out=z, where=np.array([True, False])); z", x=(2,), y=(2,))
    yield of("z = +x; mg.exp(y, out=z[:1]); z", x=(2,), y=(1,))


def products(of: Maker) -> Iterator[Case]:
    shapes: list[tuple[Shape, Shape]] = [
        ((2, 2), (2, 2)), ((2, 3), (3,)), ((3,), (3, 2)), ((2,), (2,)), ((1, 2), (2, 1)), ((2, 1, 2), (2, 1)),
        ((2, 2, 1), (1,)), ((2,), (2, 2, 1)), ((2, 1, 2), (1, 2, 1)), ((1, 1, 2), (2, 2, 1)), ((2, 1), (2, 1, 1)),
        ((2, 1, 1, 2), (2, 2, 1)), ((1,), (1,)), ((0,), (0,)), ((2, 0), (0, 2)), ((2, 1, 0), (0, 2)),
    ]  # fmt: skip
    for a, b in shapes:
        yield of("mg.matmul(x, y)", x=a, y=b)
    yield of("x @ y", x=(2, 2), y=(2,))
    yield of("mg.matmul(x, x)", x=(2, 2))
    yield of("x @ x.T", x=(2, 1))
    yield of("mg.multi_matmul([x, y, z])", x=(2, 1), y=(1, 2), z=(2,))
    yield of("mg.multi_matmul([x, y, z])", x=(2,), y=(2, 1), z=(1,))
    yield of("mg.multi_matmul([x, y])", x=(1, 2), y=(2, 1))
    yield of("mg.multi_matmul([x, y, z, x])", x=(1, 2), y=(2, 1), z=(1, 1))
    one = {"i->": (3,), "i->i": (3,), "ij->": (2, 2), "ij->ji": (2, 3), "ij->i": (2, 2), "ij->j": (2, 3), "ij": (2, 2),
           "ji": (2, 3), "ijk->ki": (2, 1, 2), "ijk->j": (2, 1, 2), "...i->...": (2, 2), "ii->": (2, 2),
           "ii->i": (2, 2), "ijj->i": (2, 2, 2), "iji->j": (2, 1, 2), "iii->": (2, 2, 2)}  # fmt: skip
    for labels, shape in one.items():
        yield of(f"mg.einsum('{labels}', x)", x=shape)
    two: list[tuple[str, Shape, Shape]] = [
        ("i,i->", (2,), (2,)), ("i,j->ij", (2,), (3,)), ("i,j->", (2,), (2,)), ("i,j->j", (2,), (2,)),
        ("ij,jk->ik", (2, 2), (2, 2)), ("ij,jk->ki", (1, 2), (2, 3)), ("ij,j->i", (2, 2), (2,)),
        ("ij,ij->", (2, 2), (2, 2)),
        ("ij,ij->ij", (2, 2), (2, 2)), ("ij,k->k", (2, 2), (2,)), (",i->i", (), (2,)), ("ij,jk", (2, 2), (2, 2)),
        ("i,i->i", (2,), (1,)), ("ij,j->i", (2, 1), (2,)), ("ij,ij->ij", (2, 1), (1, 2)), ("ij,jk->ik", (2, 1), (2, 2)),
        ("ij,ji->", (2, 1), (2, 2)), ("i,i->", (1,), (3,)), ("...ij,...jk->...ik", (2, 1, 2), (2, 1)),
        ("bij,bj->bi", (2, 1, 2), (2, 2)), ("ijk,kl->ijl", (1, 2, 2), (2, 1)), ("ii,i->i", (2, 2), (2,)),
        ("ij,kj->ijk", (2, 2), (1, 2)),
    ]  # fmt: skip
    for labels, a, b in two:
        yield of(f"mg.einsum('{labels}', x, y)", x=a, y=b)
    for labels, shape in (("i,i->", (2,)), ("i,i->i", (2,)), ("i,j->ij", (2,)), ("ij,ij->", (2, 2)),
                          ("ij,ji->", (2, 2)), ("ij,jk->ik", (2, 2)), ("ij,kj->ik", (2, 2)), ("i,i,i->", (2,))):
        yield of(f"mg.einsum('{labels}', {', '.join('x' * (labels.count(',') + 1))})", x=shape)
    yield of("mg.einsum('i,i,i->i', x, x, y)", x=(1,), y=(2,))
    yield of("mg.einsum('ij,ij,i->', x, x, y)", x=(1, 2), y=(2,))
    yield of("mg.einsum('i,ij,j->', x, y, z)", x=(2,), y=(2, 2), z=(2,))
    yield of("mg.einsum('ij,jk,kl->il', x, y, z, optimize=True)", x=(1, 2), y=(2, 2), z=(2, 1))
    yield of("mg.einsum('ij,j->i', x, y, optimize='greedy')", x=(2, 2), y=(2,))
    yield of("mg.einsum(x, [0, 1], y, [1], [0])", x=(2, 2), y=(2,))
    yield of("mg.einsum('ij,j->i', x, y, out=np.zeros(2))", x=(2, 2), y=(2,))
    yield of("mg.einsum('i,j->', x, np.ones(2))", x=(2,))
    for order in ("None", "2", "1", "3", "1.5", "-1", "np.inf", "-np.inf"):
        domain = "(x * x).sum() > 0" if order in ("None", "2") else NOT_0
        yield of(f"mg.linalg.norm(x, ord={order})", domain, x=(2,))
    for order in ("3", "1.5", "1"):
        yield of(f"mg.linalg.norm(x, ord={order})", "(x * x).sum() > 0", x=(2,))
    for more in ("axis=0", "axis=-1", "axis=1, keepdims=True", "ord=3, axis=0", "ord=1, axis=-1",
                 "ord=1, axis=0, keepdims=True", "ord=np.inf, axis=-1", "axis=(1,)", "ord=2, axis=(0,), keepdims=True",
                 "axis=1, keepdims=0"):  # fmt: skip
        yield of(f"mg.linalg.norm(x, {more})", NOT_0, x=(2, 2))
    yield of("mg.linalg.norm(x)", "(x * x).sum() > 0", x=(2, 2))
    yield of("mg.linalg.norm(x, keepdims=True)", "(x * x).sum() > 0", x=(2, 2))
    yield of("mg.linalg.norm(x, keepdims=True)", NOT_0, x=())
    yield of("mg.linalg.norm(x)", NOT_0, x=(1, 2, 1))
    yield of("mg.linalg.norm(x)", x=(2,))
    yield of("mg.linalg.norm(x, nan_to_num=False)", "(x * x).sum() > 0", x=(2,))
    for order in ("2", "1"):
        yield of(f"mg.linalg.norm(x, ord={order}, nan_to_num=False)", NOT_0, x=(2,))
    yield of("mg.linalg.norm(x, ord=3, nan_to_num=False)", "(x * x).sum() > 0", x=(2,))


def networks(of: Maker) -> Iterator[Case]:
    labels = Whole(0, 2, (2,))
    for name in ("softmax", "logsoftmax"):
        for axis in ("-1", "0", "(0, 1)", "None"):
            yield of(f"mg.nnet.{name}(x, axis={axis})", x=(2, 2))
        yield of(f"mg.nnet.{name}(x)", x=(3,))
        yield of(f"mg.nnet.{name}(x)", x=(1,))
        yield of(f"mg.nnet.{name}(x)", x=(2, 1))
        yield of(f"mg.nnet.{name}(x)", x=())
    yield of("mg.nnet.softmax_crossentropy(x, i)", x=(2, 2), i=labels)
    yield of("mg.nnet.softmax_crossentropy(x, i)", x=(1, 3), i=Whole(-3, 3, (1,)))
    yield of("mg.nnet.negative_log_likelihood(x, i)", x=(2, 2), i=labels)
    yield of("mg.nnet.negative_log_likelihood(x, i, weights=np.array([0.5, 2.0]))", x=(2, 2), i=labels)
    yield of("mg.nnet.negative_log_likelihood(mg.nnet.logsoftmax(x), i)", x=(2, 2), i=labels)
    for hinge in ("", ", hinge=0.0", ", hinge=-1.0", ", hinge=2.0"):
        yield of(f"mg.nnet.multiclass_hinge(x, i{hinge})", x=(2, 2), i=labels)
    yield of("mg.nnet.multiclass_hinge(x, i)", x=(1, 3), i=Whole(-3, 3, (1,)))
    for more in ("", ", alpha=0.25", ", gamma=1", ", gamma=2", ", gamma=2.0, alpha=0.25", ", gamma=0.5", ", gamma=3"):
        yield of(f"mg.nnet.focal_loss(x, i{more})", "[x > 0, x < 1]", x=(2, 2), i=labels)
    for more in ("", ", gamma=1", ", gamma=2"):
        yield of(f"mg.nnet.softmax_focal_loss(x, i{more})", "[x > -9, x < 9]", x=(1, 2), i=Whole(0, 2, (1,)))
    for margin in ("0.5", "0.0"):
        for y, shape in (("1", (2,)), ("-1", (2,)), ("np.array([1, -1])", (2,)), ("np.array([1, -1])", (2, 2))):
            yield of(f"mg.nnet.margin_ranking_loss(x, y, {y}, {margin})", x=shape, y=shape)
    for x, w, more in (((1, 1, 3), (1, 1, 2), "stride=1"), ((1, 1, 4), (1, 1, 2), "stride=2"),
                       ((2, 1, 3), (1, 1, 2), "stride=1"), ((1, 2, 3), (2, 2, 2), "stride=1"),
                       ((1, 1, 2), (1, 1, 2), "stride=1, padding=1"), ((1, 1, 3), (1, 1, 3), "stride=2, padding=(1,)"),
                       ((1, 1, 4), (1, 1, 2), "stride=1, dilation=2"), ((1, 1, 6), (1, 1, 2), "stride=2, dilation=3"),
                       ((1, 1, 4), (1, 1, 2), "stride=(1,), padding=1, dilation=(2,)"),
                       ((1, 1, 2, 3), (1, 1, 2, 2), "stride=1"),
                       ((1, 1, 2, 2), (1, 1, 1, 2), "stride=(1, 1), padding=(0, 1)"),
                       ((1, 1, 3, 1), (1, 1, 2, 1), "stride=1"),
                       ((1, 1, 3, 3), (1, 1, 1, 2), "stride=(2, 1), padding=(1, 0)"),
                       ((1, 1, 2, 2, 2), (1, 1, 1, 2, 1), "stride=1")):  # fmt: skip
        yield of(f"mg.nnet.conv_nd(x, y, {more})", x=x, y=w)
    for shape, pool, stride in (((3,), (2,), "1"), ((4,), (2,), "2"), ((2, 3), (2,), "1"), ((2, 2), (2, 2), "1"),
                                ((1, 2, 3), (2, 2), "(1, 1)"), ((3,), (1,), "1")):  # fmt: skip
        yield of(f"mg.nnet.max_pool(x, {pool}, {stride})", x=shape)
    for shape in ((2, 1), (2, 2), (1, 2, 2), (2, 1, 2)):
        yield of("mg.nnet.batchnorm(x, eps=1e-5)", x=shape)
    yield of("mg.nnet.batchnorm(x, gamma=y, beta=z, eps=1e-5)", x=(2, 2), y=(2,), z=(2,))
    yield of("mg.nnet.batchnorm(x, gamma=y, eps=1e-5)", x=(2, 2), y=(2,))
    yield of("mg.nnet.batchnorm(x, beta=y, eps=1e-5)", x=(2, 2), y=(2,))
    yield of("mg.nnet.batchnorm(x, gamma=y, beta=z, eps=0.1)", x=(2, 1, 2), y=(1,), z=(1,))
    yield of("mg.nnet.batchnorm(x, gamma=y, beta=z, eps=0.0)", "x.var(axis=0) > 0", x=(2, 1), y=(1,), z=(1,))


def table(of: Maker) -> Iterator[Case]:
    for part in (elementwise, pairs, reductions, moving, indexing, products, networks):
        yield from part(of)
