"""Matrix products."""

from __future__ import annotations

from string import ascii_lowercase, ascii_uppercase
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..attributes import broadcast_shape
from ..dtypes import floats
from ..errors import DtypeError, ShapeError, describe
from ..op import Array, Op, Residual, Shape
from ..tape import Traced, apply
from .explicit import broadcasted, reshaped


def product(extents: Shape) -> int:
    total = 1
    for extent in extents:
        total *= extent
    return total


# linear: y[..., o] = Σ_i x[..., i] weight[o, i] + bias[o]

linear_op = Op("linear", inputs=("x", "weight", "bias"), optional=("bias",))


def flat(x: Array) -> Array:
    """(..., I) -> (rows, I), so that every product is one GEMM."""
    return x.reshape((product(x.shape[:-1]), x.shape[-1]))


@linear_op.shape_rule
def linear_shape(x: Shape, weight: Shape, bias: Shape | None = None) -> Shape:
    if len(x) < 1 or len(weight) != 2:
        raise ShapeError(describe("linear", "wrong rank", "pass x (...,I) and weight (O,I)", x=x, weight=weight))
    if x[-1] != weight[1]:
        raise ShapeError(
            describe("linear", "x and weight differ in I", "weight is (O,I), as in PyTorch", x=x, weight=weight)
        )
    if bias is not None:
        if len(bias) != 1:
            raise ShapeError(describe("linear", "wrong rank", "pass bias (O,)", bias=bias))
        if bias[0] != weight[0]:
            raise ShapeError(
                describe("linear", "bias and weight differ in O", "pass bias (O,)", bias=bias, weight=weight)
            )
    return (*x[:-1], weight[0])


@linear_op.forward
def linear_y(inputs: tuple[Array, ...]) -> tuple[Array, Residual]:
    x, weight, *bias = inputs
    y = flat(x) @ weight.T
    if bias:
        y += bias[0]
    return y.reshape(x.shape[:-1] + weight.shape[:1]), None


@linear_op.jvp_of("x")
def linear_dy_x(dx: Array, inputs: tuple[Array, ...], out: Array, residual: Residual) -> Array:
    weight = inputs[1]
    return (flat(dx) @ weight.T).reshape(out.shape)


@linear_op.jvp_of("weight")
def linear_dy_weight(dweight: Array, inputs: tuple[Array, ...], out: Array, residual: Residual) -> Array:
    x = inputs[0]
    return (flat(x) @ dweight.T).reshape(out.shape)


@linear_op.jvp_of("bias")
def linear_dy_bias(dbias: Array, inputs: tuple[Array, ...], out: Array, residual: Residual) -> Array:
    return np.broadcast_to(dbias, out.shape)


@linear_op.vjp_of("x")
def linear_gx(g: Array, inputs: tuple[Array, ...], out: Array, residual: Residual) -> Array:
    x, weight = inputs[:2]
    return (flat(g) @ weight).reshape(x.shape)


@linear_op.vjp_of("weight")
def linear_gweight(g: Array, inputs: tuple[Array, ...], out: Array, residual: Residual) -> Array:
    x = inputs[0]
    return flat(g).T @ flat(x)


@linear_op.vjp_of("bias")
def linear_gbias(g: Array, inputs: tuple[Array, ...], out: Array, residual: Residual) -> Array:
    result: Array = flat(g).sum(axis=0)
    return result


@linear_op.public
def linear(x: ArrayLike, weight: ArrayLike, bias: ArrayLike | None = None) -> Array:
    """y[..., o] = Σ_i x[..., i] weight[o, i] + bias[o].

    Shapes: x (...,I), weight (O,I), bias (O,) -> (...,O). Raises ShapeError, DtypeError.

    >>> linear(np.array([1.0, 2.0]), np.array([[1.0, 1.0], [0.0, 3.0]]), np.array([0.5, 0.0]))
    array([3.5, 6. ])
    """
    given = {"x": x, "weight": weight} | ({} if bias is None else {"bias": bias})
    return apply(linear_op, *floats("linear", **given))


# matmul: c[..., n, m] = Σ_k a[..., n, k] b[..., k, m]; at the entry the batch axes are equal

matmul_op = Op("matmul", inputs=("a", "b"))


def transposed(x: Array) -> Array:
    return np.swapaxes(x, -1, -2)


@matmul_op.shape_rule
def matmul_shape(a: Shape, b: Shape) -> Shape:
    if len(a) < 2 or len(a) != len(b):
        raise ShapeError(describe("matmul", "the ranks do not fit", "pass a (...,N,K) and b (...,K,M)", a=a, b=b))
    for first, second in zip(a[:-2], b[:-2], strict=True):
        if first != second:
            raise ShapeError(describe("matmul", "the batch axes differ", "broadcast first", a=a, b=b))
    if a[-1] != b[-2]:
        raise ShapeError(describe("matmul", "a and b differ in K", "pass a (...,N,K) and b (...,K,M)", a=a, b=b))
    return (*a[:-1], b[-1])


@matmul_op.forward
def matmul_c(inputs: tuple[Array, Array]) -> tuple[Array, Residual]:
    a, b = inputs
    return a @ b, None


@matmul_op.jvp_of("a")
def matmul_dc_a(da: Array, inputs: tuple[Array, Array], out: Array, residual: Residual) -> Any:
    _, b = inputs
    return da @ b


@matmul_op.jvp_of("b")
def matmul_dc_b(db: Array, inputs: tuple[Array, Array], out: Array, residual: Residual) -> Any:
    a, _ = inputs
    return a @ db


@matmul_op.vjp_of("a")
def matmul_ga(g: Array, inputs: tuple[Array, Array], out: Array, residual: Residual) -> Any:
    _, b = inputs
    return g @ transposed(b)


@matmul_op.vjp_of("b")
def matmul_gb(g: Array, inputs: tuple[Array, Array], out: Array, residual: Residual) -> Any:
    a, _ = inputs
    return transposed(a) @ g


@matmul_op.public
def matmul(a: ArrayLike, b: ArrayLike) -> Array:
    """c[..., n, m] = Σ_k a[..., n, k] b[..., k, m]; also written `a @ b`.

    Shapes: a (...,N,K), b (...,K,M) -> (...,N,M). Batch axes broadcast; a 1-D operand is a row on the left and a
    column on the right, and its axis is dropped from the result, as in NumPy. Raises ShapeError, DtypeError.

    >>> matmul(np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([1.0, -1.0]))
    array([-1., -1.])
    """
    a_, b_ = floats("matmul", a=a, b=b)
    if a_.ndim == 0 or b_.ndim == 0:
        raise ShapeError(
            describe("matmul", "an operand has no axes", "multiply by a number with *", a=a_.shape, b=b_.shape)
        )
    left, right = a_.shape, b_.shape
    row, column = left if len(left) > 1 else (1, *left), right if len(right) > 1 else (*right, 1)
    if row[-1] != column[-2]:
        raise ShapeError(describe("matmul", "a and b differ in K", "pass a (...,N,K) and b (...,K,M)", a=left, b=right))
    if len(column) == 2:  # one GEMM, however many batch axes
        batch, rows = row[:-2], (product(row[:-1]), row[-1])
        c = apply(matmul_op, reshaped(a_, rows), reshaped(b_, column))
    else:
        batch = broadcast_shape("matmul", a=row[:-2], b=column[:-2])
        a_ = broadcasted(reshaped(a_, row), batch + row[-2:])
        b_ = broadcasted(reshaped(b_, column), batch + column[-2:])
        c = apply(matmul_op, a_, b_)
    shape = batch + (row[-2:-1] if len(left) > 1 else ()) + (column[-1:] if len(right) > 1 else ())
    y = reshaped(c, shape)
    return y if isinstance(y, Traced) else c.reshape(shape)  # c is new: no copy is needed


def bmm(a: ArrayLike, b: ArrayLike) -> Array:
    """c[b, n, m] = Σ_k a[b, n, k] b[b, k, m]: matmul of two stacks of the same length.

    Shapes: a (B,N,K), b (B,K,M) -> (B,N,M). Raises ShapeError, DtypeError.

    >>> bmm(np.ones((2, 1, 3)), np.ones((2, 3, 1)))[:, 0, 0]
    array([3., 3.])
    """
    a_, b_ = floats("bmm", a=a, b=b)
    if a_.ndim != 3 or b_.ndim != 3:
        remedy = "pass a (B,N,K) and b (B,K,M), or use matmul"
        raise ShapeError(describe("bmm", "wrong rank", remedy, a=a_.shape, b=b_.shape))
    if a_.shape[0] != b_.shape[0]:
        remedy = "give both the same B, or use matmul, which broadcasts"
        raise ShapeError(describe("bmm", "a and b differ in B", remedy, a=a_.shape, b=b_.shape))
    return matmul(a_, b_)


# einsum: y[output letters] = Σ over the other letters of the product of the operands. At the entry the equation is
# explicit and without ellipsis, such as "ij,jk->ik", and a letter has one extent.

einsum_op = Op("einsum", inputs=("xs",), variadic=True)


def terms_of(equation: str) -> tuple[list[str], str]:
    inputs, output = equation.split("->")
    return inputs.split(","), output


def once(letters: str) -> str:
    """The letters in order of appearance, each once."""
    return "".join(dict.fromkeys(letters))


def paired(a_term: str, b_term: str, output: str, a: Array, b: Array) -> Array:
    """Two operands: a product of matrices, for each value of the letters that all three have, where it is one."""
    summed = [letter for letter in a_term if letter in b_term and letter not in output]
    batch = [letter for letter in a_term if letter in b_term and letter in output]
    rows = [letter for letter in a_term if letter not in b_term]
    columns = [letter for letter in b_term if letter not in a_term]
    letters = [*batch, *rows, *columns]
    if not summed or not (rows or columns) or sorted(letters) != sorted(output) or repeats(a_term) or repeats(b_term):
        result: Array = np.einsum(f"{a_term},{b_term}->{output}", a, b)
        return result
    extent = {**dict(zip(a_term, a.shape, strict=True)), **dict(zip(b_term, b.shape, strict=True))}

    def matrices(x: Array, term: str, left: list[str], right: list[str]) -> Array:
        groups = (batch, left, right)
        moved = x.transpose([term.index(letter) for group in groups for letter in group])
        return moved.reshape([product(tuple(extent[letter] for letter in group)) for group in groups])

    y = matrices(a, a_term, rows, summed) @ matrices(b, b_term, summed, columns)
    return y.reshape([extent[letter] for letter in letters]).transpose([letters.index(letter) for letter in output])


def repeats(term: str) -> bool:
    return len(set(term)) < len(term)


def contracted(equation: str, *xs: Array) -> Array:
    """np.einsum, pair by pair, so that each pair can be a matrix product."""
    inputs, output = terms_of(equation)
    operands: list[tuple[str, Any]] = list(zip(inputs, xs, strict=True))
    steps = [range(len(xs))] if len(xs) < 3 else np.einsum_path(equation, *xs, optimize="greedy")[0][1:]
    for places in steps:
        chosen = [operands.pop(place) for place in sorted(places, reverse=True)]
        terms, arrays = zip(*chosen, strict=True)
        needed = "".join([output, *(term for term, _ in operands)])
        target = "".join(letter for letter in once("".join(terms)) if letter in needed) if operands else output
        if len(chosen) == 2:
            together = paired(terms[0], terms[1], target, arrays[0], arrays[1])
        else:
            together = np.einsum(f"{','.join(terms)}->{target}", *arrays)
        operands.append((target, together))
    result: Array = operands[0][1]
    return result


@einsum_op.shape_rule
def einsum_shape(*xs: Shape, equation: str) -> Shape:
    inputs, output = terms_of(equation)
    extent: dict[str, Any] = {}
    for position, (term, x) in enumerate(zip(inputs, xs, strict=True)):
        if len(term) != len(x):
            remedy = "write one letter per axis, or an ellipsis"
            raise ShapeError(describe("einsum", f"operand {position} has another rank", remedy, term=term, shape=x))
        for letter, n in zip(term, x, strict=True):
            if extent.setdefault(letter, n) != n:
                what = f"the letter {letter} has two extents"
                raise ShapeError(describe("einsum", what, "check the equation", equation=equation, shapes=xs))
    return tuple(extent[letter] for letter in output)


@einsum_op.forward
def einsum_y(inputs: tuple[Array, ...], *, equation: str) -> tuple[Array, Residual]:
    y = contracted(equation, *inputs)
    return (y.copy() if len(inputs) == 1 else y), None  # of one operand it may be a view


@einsum_op.jvp_of("xs")
def einsum_dy(
    dxs: tuple[Array | None, ...], inputs: tuple[Array, ...], out: Array, residual: Residual, *, equation: str
) -> Any:
    """The sum over the operands of the einsum with that one replaced by its tangent."""
    total: Any = None
    for position, dx in enumerate(dxs):
        if dx is not None:
            term = contracted(equation, *inputs[:position], dx, *inputs[position + 1 :])
            total = term if total is None else total + term
    return total


@einsum_op.vjp_of("xs")
def einsum_gxs(
    g: Array, inputs: tuple[Array, ...], out: Array, residual: Residual, *, equation: str
) -> tuple[Array, ...]:
    """Of each operand: the einsum of g with the others, spread over the letters that only it has, and put on the
    diagonal where it repeats a letter."""
    terms, output = terms_of(equation)
    cotangents = []
    for position, (term, x) in enumerate(zip(terms, inputs, strict=True)):
        others = [output, *terms[:position], *terms[position + 1 :]]
        kept = [letter for letter in once(term) if letter in "".join(others)]
        arrays = (g, *inputs[:position], *inputs[position + 1 :])
        gx = contracted(f"{','.join(others)}->{''.join(kept)}", *arrays)
        extent = dict(zip(term, x.shape, strict=True))
        gx = gx.reshape([extent[letter] if letter in kept else 1 for letter in once(term)])
        if len(once(term)) == len(term):
            gx = np.broadcast_to(gx, x.shape)
        else:
            places = dict(zip(extent, np.ogrid[tuple(slice(n) for n in extent.values())], strict=True))
            diagonal, gx = gx, np.zeros_like(x)
            gx[tuple(places[letter] for letter in term)] = diagonal
        cotangents.append(gx)
    return tuple(cotangents)


def explicit(equation: str, shapes: list[Shape]) -> tuple[list[str], str]:
    """The operands' terms and the output in letters alone. The axes of an ellipsis are aligned on the right."""

    def refuse(what: str, remedy: str) -> Any:
        raise ShapeError(describe("einsum", what, remedy, equation=equation, shapes=shapes))

    inputs, arrow, output = "".join(equation.split()).partition("->")
    terms = inputs.split(",")
    if len(terms) != len(shapes):
        refuse(f"{len(terms)} terms for {len(shapes)} operands", "write one term per operand")
    named = [term.replace("...", "") for term in (*terms, output)]
    if any(letter not in LETTERS for term in named for letter in term) or any(
        term.count("...") > 1 for term in (*terms, output)
    ):
        refuse("it is no equation", "write 'ij,jk->ik': letters, at most one '...' per term, one '->'")
    free = [letter for letter in LETTERS if letter not in "".join(named)]
    longest = 0
    for position, (term, letters) in enumerate(zip(terms, named, strict=False)):
        dots = len(shapes[position]) - len(letters)
        if dots < 0 or (dots > 0 and "..." not in term):
            refuse(f"operand {position} has another rank", "write one letter per axis, or an ellipsis")
        if "..." in term:
            longest = max(longest, dots)
            if longest > len(free):
                refuse("too many axes", f"at most {len(LETTERS)} letters in all")
            terms[position] = term.replace("...", "".join(reversed(free[:dots])))
    ellipsis = "".join(reversed(free[:longest]))
    if not arrow:
        every = "".join(named)
        output = "..." + "".join(sorted(letter for letter in set(every) if every.count(letter) == 1))
    elif "..." not in output and ellipsis:
        refuse("the output has no ellipsis", "write '...' in the output too")
    output = output.replace("...", ellipsis)
    if len(set(output)) < len(output) or not set(output) <= set("".join(terms)):
        refuse("a letter of the output is repeated or in no operand", "name each letter of the output once")
    return terms, output


LETTERS = ascii_lowercase + ascii_uppercase


@einsum_op.recall
def einsum_recall(*xs: Any, equation: Any) -> Array:
    return einsum(equation, *xs)


@einsum_op.public
def einsum(equation: str, *xs: ArrayLike) -> Array:
    """y[output letters] = Σ over the other letters of the product of the operands' elements, as np.einsum.

    A letter repeated within a term reads the diagonal; without "->" the output has the letters that occur once, in
    alphabetical order, after the ellipsis. Axes under "..." are aligned on the right; extents 1 broadcast.

    Shapes: as the equation says. Raises ShapeError where equation and shapes do not fit, DtypeError.

    >>> einsum("ij,jk->ik", np.array([[1.0, 2.0]]), np.array([[3.0], [4.0]]))
    array([[11.]])
    >>> einsum("ii->i", np.array([[1.0, 2.0], [3.0, 4.0]]))
    array([1., 4.])
    """
    if not isinstance(equation, str):
        raise DtypeError(describe("einsum", "the equation must be a string", "write einsum('ij,jk->ik', a, b)"))
    arrays = list(floats("einsum", **{f"xs[{position}]": x for position, x in enumerate(xs)}))
    terms, output = explicit(equation, [x.shape for x in arrays])
    extent: dict[str, int] = {}
    for term, x in zip(terms, arrays, strict=True):
        for letter, n in zip(term, x.shape, strict=True):
            extent[letter] = n if extent.get(letter, 1) == 1 else extent[letter]
    for position, (term, x) in enumerate(zip(terms, arrays, strict=True)):  # an axis of extent 1 that broadcasts goes
        own = dict(zip(term, x.shape, strict=True))
        kept = [a for a, letter in enumerate(term) if x.shape[a] != 1 or extent[letter] == 1 or own[letter] != 1]
        arrays[position] = reshaped(x, tuple(x.shape[a] for a in kept))
        terms[position] = "".join(term[a] for a in kept)
    return apply(einsum_op, *arrays, equation=f"{','.join(terms)}->{output}")
