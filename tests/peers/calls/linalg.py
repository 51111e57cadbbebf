"""linear, matmul, bmm, einsum."""
import hypothesis.strategies as st
import torch
import torch.nn.functional as F

import gradproof as gp

from .common import Call, array, case, extent, narrowed, shape


@case
def linear(draw, dtype):
    i, o = extent(draw), extent(draw)
    arrays = [array(draw, dtype, *shape(draw), i), array(draw, dtype, o, i), array(draw, dtype, o)]
    return Call(gp.linear, F.linear, arrays[: draw(st.integers(2, 3))])


@case
def matmul(draw, dtype):
    n, k, m = (extent(draw) for _ in range(3))
    full = shape(draw, most=2)
    left, right = ((*narrowed(draw, full), n, k), (*narrowed(draw, full), k, m))
    vectors = draw(st.sampled_from(("neither", "left", "right", "both")))
    left = (k,) if vectors in ("left", "both") else left
    right = (k,) if vectors in ("right", "both") else right
    return Call(gp.matmul, torch.matmul, [array(draw, dtype, *left), array(draw, dtype, *right)])


@case
def bmm(draw, dtype):
    b, n, k, m = (extent(draw) for _ in range(4))
    return Call(gp.bmm, torch.bmm, [array(draw, dtype, b, n, k), array(draw, dtype, b, k, m)])


@case
def einsum(draw, dtype):
    """Up to three terms: repeated letters, ellipses, implicit outputs, extents 1 that broadcast."""
    extents = {letter: extent(draw, 1, 3) for letter in "ijkB"}
    hidden = shape(draw, most=2)  # the axes under the ellipsis
    dotted = draw(st.booleans())
    terms, shapes = [], []
    for _ in range(draw(st.integers(1, 3))):
        letters = draw(st.lists(st.sampled_from("ijkB"), max_size=3))
        ones = {letter for letter in letters if draw(st.integers(0, 4)) == 4}
        sizes = [1 if letter in ones else extents[letter] for letter in letters]
        if dotted and draw(st.booleans()):
            position = draw(st.integers(0, len(letters)))
            sizes[position:position] = narrowed(draw, hidden)
            letters.insert(position, "...")
        terms.append("".join(letters))
        shapes.append(sizes)
    equation = ",".join(terms)
    if draw(st.booleans()):
        output = draw(st.lists(st.sampled_from(sorted({c for term in terms for c in term if c != "."}) or [""]),
                               unique=True, max_size=3))
        # NumPy wants the ellipsis in the output; PyTorch would sum over it.
        output.insert(draw(st.integers(0, len(output))), "..." if "..." in equation else "")
        equation += "->" + "".join(output)
    return Call(lambda *xs, equation: gp.einsum(equation, *xs), lambda *xs: torch.einsum(equation, *xs),
                [array(draw, dtype, *sizes) for sizes in shapes], {"equation": equation})
