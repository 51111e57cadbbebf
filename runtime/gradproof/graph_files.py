"""Graphs in files: the program as JSON, one node per line, and beside it the constants as an .npz.

Nothing in a file is executed: no pickle, no name that is looked up outside the op table. What does not fit the format
to the letter is refused with GraphError, and no more memory is taken than the shapes in the JSON declare.

The JSON holds the SHA-256 of its .npz. Replacing the JSON is the one moment at which a new graph takes the place of an
old one: until then its constants wait in a file of another name, from which `load` would read them, and a crash leaves
either the old graph or the new one, never one program with the constants of another.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable
from math import inf, isfinite, nan, prod
from pathlib import Path
from typing import IO, Any, NoReturn

import numpy as np

from .errors import GraphError, NodeError, describe
from .graph import CONST, DTYPES, MOST_DEPTH, Graph, GraphNode, check_shape
from .op import Array

FORMAT, VERSION = "gradproof graph", 1
REQUIRED = frozenset(("id", "op", "shape", "dtype"))
FIELDS = REQUIRED | {"parents", "attributes", "name"}
MOST_DIGITS = 400  # of an integer: more than a well-formed graph has
SPECIAL = {"inf": inf, "-inf": -inf, "nan": nan}
CHUNK = 1 << 20
UNREADABLE = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, OSError, RuntimeError, ValueError, OverflowError)
NPY = re.compile(
    rb"\{'descr': '([<>|=][a-zA-Z]\d{1,3})', 'fortran_order': (True|False), 'shape': \(([\d, ]*)\), \} *\n"
)


# Writing.


def save(graph: Graph, path: str | Path) -> None:
    """Writes the graph to `path`, and its constants, if it has any, to the file of that name with the suffix .npz,
    which np.load reads: one array per constant, named by its id. Files of these names are replaced; a crash leaves the
    old graph or the new one.

    Raises GraphError for a graph that is not well formed and for a path without a name or with the suffix .npz.

    >>> import tempfile
    >>> import gradproof as gp
    >>> graph = gp.trace(lambda x: gp.relu(x + np.ones(2)), (2,))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save(graph, Path(folder, "model.json"))
    ...     print(Path(folder, "model.json").read_text())  # doctest: +ELLIPSIS
    ...     load(Path(folder, "model.json")) == graph
    {
    "format": "gradproof graph",
    "version": 1,
    "payload": "...",
    "nodes": [
    {"id": 0, "op": "input", "shape": [2], "dtype": "float64", "name": "x0"},
    {"id": 1, "op": "const", "shape": [2], "dtype": "float64"},
    {"id": 2, "op": "add", "parents": [0, 1], "shape": [2], "dtype": "float64"},
    {"id": 3, "op": "relu", "parents": [2], "shape": [2], "dtype": "float64"}
    ],
    "outputs": [3]
    }
    <BLANKLINE>
    True
    """
    file = Path(path)
    beside = payload_path(file)
    if file.is_dir():
        refuse("this is a directory", "name a file in it", path=str(file))
    graph.check_well_formed()
    lines = ",\n".join(json.dumps(node_fields(number, node), ensure_ascii=False, allow_nan=False)
                       for number, node in enumerate(graph.nodes))  # fmt: skip
    if not graph.payload:
        replace(file, lambda out: out.write(json_of(graph, lines, None)))
        return
    archive = pending(beside, secrets.token_hex(16))
    try:
        write(archive, lambda out: write_npz(out, graph))
        digest = sha256(archive)
        waiting = pending(beside, digest)
        os.replace(archive, waiting)
        archive = waiting
        replace(file, lambda out: out.write(json_of(graph, lines, digest)))
    except BaseException:
        archive.unlink(missing_ok=True)
        raise
    os.replace(waiting, beside)


def json_of(graph: Graph, lines: str, digest: str | None) -> bytes:
    payload = [] if digest is None else [f'"payload": "{digest}"']
    fields = [f'"format": "{FORMAT}"', f'"version": {VERSION}', *payload, f'"nodes": [\n{lines}\n]',
              f'"outputs": {list(graph.outputs)}']  # fmt: skip
    return ("{\n" + ",\n".join(fields) + "\n}\n").encode()


def node_fields(number: int, node: GraphNode) -> dict[str, Any]:
    """A node as JSON has it; no parents, attributes or name are left out."""
    attributes = {name: encoded(number, value) for name, value in node.attributes.items()}
    fields = {"id": number, "op": node.op, "parents": node.parents, "attributes": attributes, "shape": node.shape,
              "dtype": node.dtype, "name": node.name}  # fmt: skip
    if node.name is not None:
        check_text(number, "name", node.name)
    absent = {name for name in FIELDS - REQUIRED if fields[name] is None or (name != "name" and not fields[name])}
    return {name: value for name, value in fields.items() if name not in absent}


def encoded(number: int, value: Any) -> Any:
    if isinstance(value, tuple):
        return [encoded(number, item) for item in value]
    if type(value) is float and not isfinite(value):
        return {"float": str(value)}
    if type(value) is str:
        check_text(number, "an attribute", value)
    return value


def write_npz(out: IO[bytes], graph: Graph) -> None:
    with zipfile.ZipFile(out, "w") as archive:
        for number, array in graph.payload.items():
            stored = np.asarray(array, dtype=little(array.dtype), order="C")
            with archive.open(zipfile.ZipInfo(f"{number}.npy"), "w", force_zip64=True) as member:
                np.lib.format.write_array(member, stored, version=(1, 0), allow_pickle=False)


def replace(path: Path, content: Callable[[IO[bytes]], object]) -> None:
    """The file as a whole, or the old one."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")
    try:
        write(temporary, content)
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write(path: Path, content: Callable[[IO[bytes]], object]) -> None:
    with open(path, "xb") as out:
        content(out)
        out.flush()
        os.fsync(out.fileno())


def payload_path(path: Path) -> Path:
    if path.name in ("", "..") or path.suffix == ".npz":
        remedy = "name a file such as model.json; the constants go to model.npz"
        raise GraphError(describe("graph file", "this cannot be the name of the JSON", remedy, path=str(path)))
    return path.with_suffix(".npz")


def pending(beside: Path, digest: str) -> Path:
    """Where constants wait until the JSON that belongs to them is in its place."""
    return beside.with_name(f".{beside.name}.{digest}")


def sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def little(dtype: Any) -> np.dtype[Any]:
    """Files are little-endian."""
    result: np.dtype[Any] = np.dtype(dtype).newbyteorder("<")
    return result


# Reading.


def load(path: str | Path) -> Graph:
    """The graph in the files that `save` wrote, checked by `check_well_formed`.

    Raises GraphError, NodeError where one node is to blame, for files that hold no such graph, and FileNotFoundError
    where `path` does not exist.
    """
    file = Path(path)
    beside = payload_path(file)
    document = read_json(file)
    nodes = tuple(node_of(number, fields) for number, fields in enumerate(document["nodes"]))
    outputs = tuple_of_ints(document["outputs"])
    if outputs is None:
        refuse("'outputs' must be a list of ids", "write integers", outputs=document["outputs"])
    constants = {number: node for number, node in enumerate(nodes) if node.op == CONST}
    digest = document.get("payload")
    if constants:
        payload = read_payload(beside, digest, constants)
    elif digest is None:
        payload = {}
    else:
        refuse("there is a payload and no constant", "remove the field 'payload'", payload=digest)
    graph = Graph(nodes, outputs, payload)
    graph.check_well_formed()
    return graph


def refuse(what: str, remedy: str, cause: BaseException | None = None, **values: Any) -> NoReturn:
    raise GraphError(describe("graph file", what, remedy, **values)) from cause


def refuse_node(number: int, what: str, remedy: str, cause: BaseException | None = None, **values: Any) -> NoReturn:
    raise NodeError(number, describe(f"graph file, node {number}", what, remedy, **values)) from cause


class Refused(ValueError):
    """Something in the JSON that JSON allows and a graph file does not."""


def read_json(path: Path) -> dict[str, Any]:
    """The document, its fields in place."""
    if path.exists() and not path.is_file():
        refuse("this is no file", "name the JSON file", path=str(path))
    remedy = "load a file that Graph.save wrote"
    try:
        document = json.loads(path.read_bytes().decode("utf-8"), object_pairs_hook=without_duplicates,
                              parse_int=read_int, parse_float=read_float, parse_constant=read_constant)  # fmt: skip
    except UnicodeDecodeError as error:
        refuse("it is not UTF-8", remedy, error, path=str(path), byte=error.start)
    except json.JSONDecodeError as error:
        refuse("it is not JSON", remedy, error, path=str(path), line=error.lineno, problem=error.msg)
    except Refused as error:
        refuse(str(error), remedy, error, path=str(path))
    except RecursionError as error:
        refuse("it nests too deeply", remedy, error, path=str(path))
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        refuse(f"the field 'format' does not say '{FORMAT}'", remedy, path=str(path))
    version = document.get("version")
    if type(version) is int and version > VERSION:
        refuse("a newer gradproof wrote it", "upgrade gradproof", version=version, known=VERSION)
    if type(version) is not int or version != VERSION:
        refuse("there is no such version", remedy, version=version, known=VERSION)
    fields = {"format", "version", "nodes", "outputs"}
    if document.keys() - {"payload"} != fields:
        refuse("the fields do not fit", remedy, missing=sorted(fields - document.keys()),
               unknown=sorted(document.keys() - fields - {"payload"}))  # fmt: skip
    if not isinstance(document["nodes"], list):
        refuse("'nodes' must be a list", remedy, type=type(document["nodes"]).__name__)
    return document


def without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for name, value in pairs:
        if name in result:
            raise Refused(f"a key stands twice in one object: {name[:40]!r}")
        result[name] = value
    return result


def read_int(text: str) -> int:
    if len(text) > MOST_DIGITS + 1:
        raise Refused(f"an integer has more than {MOST_DIGITS} digits")
    return int(text)


def read_float(text: str) -> float:
    value = float(text)
    if not isfinite(value):
        raise Refused(f'a number is beyond float64: {text[:40]}; infinity is {{"float": "inf"}}')
    return value


def read_constant(text: str) -> NoReturn:
    raise Refused(f'{text} is not JSON; it is written {{"float": "nan"}}, "inf" or "-inf"')


def tuple_of_ints(value: Any) -> tuple[int, ...] | None:
    return tuple(value) if isinstance(value, list) and all(type(item) is int for item in value) else None


def node_of(number: int, fields: Any) -> GraphNode:
    """The node that the JSON describes. Whether it is a node of this graph is left to check_well_formed."""
    if not isinstance(fields, dict):
        refuse_node(number, "a node must be an object", "write its fields", type=type(fields).__name__)
    if not REQUIRED <= fields.keys() <= FIELDS:
        refuse_node(number, "the fields do not fit", "write the fields of the format",
                    missing=sorted(REQUIRED - fields.keys()), unknown=sorted(fields.keys() - FIELDS))  # fmt: skip
    if type(fields["id"]) is not int or fields["id"] != number:
        refuse_node(number, "the ids must be 0, 1, 2, ... in this order", "number the nodes", id=fields["id"])
    for name in ("op", "dtype", "name"):
        if name in fields and not isinstance(fields[name], str):
            refuse_node(number, f"'{name}' must be text", "write a string", given=fields[name])
    if "name" in fields:
        check_text(number, "name", fields["name"])
    shape, parents = tuple_of_ints(fields["shape"]), tuple_of_ints(fields.get("parents", []))
    if shape is None:
        refuse_node(number, "'shape' must be a list of integers", "write its extents", shape=fields["shape"])
    if parents is None:
        refuse_node(number, "'parents' must be a list of ids", "write integers", parents=fields["parents"])
    attributes = fields.get("attributes", {})
    if not isinstance(attributes, dict):
        refuse_node(number, "'attributes' must be an object", "write names and values", type=type(attributes).__name__)
    values = {name: decoded(number, value) for name, value in attributes.items()}
    return GraphNode(fields["op"], parents, values, shape, fields["dtype"], fields.get("name"))


def decoded(number: int, value: Any, depth: int = 0) -> Any:
    """An attribute: lists become tuples, and {"float": "inf"} the number."""
    if isinstance(value, list):
        if depth == MOST_DEPTH:
            refuse_node(number, "an attribute nests too deeply", f"files hold {MOST_DEPTH} levels")
        return tuple(decoded(number, item, depth + 1) for item in value)
    if isinstance(value, dict):
        name = value.get("float")
        if len(value) != 1 or not isinstance(name, str) or name not in SPECIAL:
            remedy = 'the only object among attributes is {"float": "inf"}, "-inf" or "nan"'
            refuse_node(number, "an attribute is an object", remedy, keys=sorted(value))
        return SPECIAL[name]
    if isinstance(value, str):
        check_text(number, "an attribute", value)
    return value


def check_text(number: int, what: str, text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        refuse_node(number, f"{what} is no Unicode text", "remove the lone surrogate", error, text=text)


# The constants.


def read_payload(beside: Path, digest: Any, constants: dict[int, GraphNode]) -> dict[int, Array]:
    if not isinstance(digest, str) or not re.fullmatch("[0-9a-f]{64}", digest):
        refuse("'payload' must be the SHA-256 of the .npz", "write 64 hexadecimal digits", payload=digest)
    found = [path for path in (beside, pending(beside, digest)) if path.is_file()]
    if not found:
        refuse("the constants are missing", "put the .npz beside the JSON", path=str(beside))
    for number, node in constants.items():
        check_shape(number, node)
        if node.dtype not in DTYPES:
            refuse_node(number, "unknown dtype", f"use one of {sorted(DTYPES)}", dtype=node.dtype)
    for path in found:
        with open(path, "rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() == digest:
                return read_npz(file, os.fstat(file.fileno()).st_size, constants)
    remedy = "put back the .npz that was saved with this JSON, or save the graph again"
    refuse("the .npz is not the one that belongs to this JSON", remedy, path=str(beside))


def read_npz(file: IO[bytes], size: int, constants: dict[int, GraphNode]) -> dict[int, Array]:
    """The constants, from the file whose hash was just taken."""
    try:
        archive = zipfile.ZipFile(file)
    except UNREADABLE as error:
        refuse("the .npz is no zip file", "save the graph again", error, problem=str(error))
    with archive:
        members = archive.infolist()
        wanted = {f"{number}.npy": number for number in constants}
        names = [member.orig_filename for member in members]
        missing, unknown = sorted(wanted.keys() - set(names)), sorted(set(names) - wanted.keys())
        if missing or unknown or len(names) != len(wanted):
            twice = len(names) - len(set(names))
            refuse("the .npz must hold one member per constant", "save the graph again", missing=missing[:5],
                   unknown=unknown[:5], duplicates=twice)  # fmt: skip
        return {wanted[member.filename]: read_member(archive, size, member, wanted[member.orig_filename],
                                                     constants[wanted[member.orig_filename]])
                for member in members}  # fmt: skip


def read_member(archive: zipfile.ZipFile, size: int, member: zipfile.ZipInfo, number: int, node: GraphNode) -> Array:
    """One array. What the zip says of its size is compared with what the node declares before anything is read, and
    bytes are taken only as they come."""
    dtype = little(node.dtype)
    expected = prod(node.shape) * dtype.itemsize
    remedy = "save the graph again"
    if member.filename != member.orig_filename or stat.S_ISLNK(member.external_attr >> 16):
        refuse_node(number, "its member of the .npz is no plain file", remedy, name=member.orig_filename)
    if member.flag_bits & 1:
        refuse_node(number, "its member of the .npz is encrypted", remedy)
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        refuse_node(number, "its member of the .npz is compressed in an unknown way", remedy, type=member.compress_type)
    if not expected < member.file_size <= expected + 10 + 0xFFFF or member.compress_size > size:
        refuse_node(number, "its member of the .npz has another size", remedy, shape=node.shape, dtype=node.dtype,
                    size=member.file_size, compressed=member.compress_size)  # fmt: skip
    data = bytearray()
    try:
        with archive.open(member) as stream:
            order = check_header(number, node, stream)
            while chunk := stream.read(min(CHUNK, expected + 1 - len(data))):  # one more, so that the CRC is checked
                data += chunk
    except UNREADABLE as error:
        if isinstance(error, GraphError):
            raise
        refuse_node(number, "its member of the .npz cannot be read", remedy, error, problem=str(error))
    if len(data) != expected:
        refuse_node(number, "its member of the .npz has another size", remedy, expected=expected, given=len(data))
    raw = np.frombuffer(data, dtype=np.uint8 if node.dtype == "bool" else dtype)
    if node.dtype == "bool" and raw.size and int(raw.max()) > 1:
        refuse_node(number, "a truth value is neither 0 nor 1", remedy)
    array = np.empty(node.shape, node.dtype)
    array[...] = raw.reshape(node.shape, order=order)
    return array


def check_header(number: int, node: GraphNode, stream: IO[bytes]) -> Any:
    """The header of an .npy (NumPy Enhancement Proposal 1) must be the one that NumPy writes for this node. Returns the
    order of the elements. It is a Python literal, but is matched, not evaluated."""
    start = stream.read(10)
    if len(start) != 10 or start[:8] != b"\x93NUMPY\x01\x00":
        refuse_node(number, "its member of the .npz is no array of NumPy's format 1.0", "save it with np.savez")
    text = stream.read(int.from_bytes(start[8:], "little"))
    match = NPY.fullmatch(text)
    if match is None:
        what = "its array's header is not NumPy's for plain numbers"
        refuse_node(number, what, "save it with np.savez", header=text[:200])
    dtype, fortran, shape = (group.decode() for group in match.groups())
    if dtype != little(node.dtype).str:
        remedy = "declare the dtype of the array, little-endian"
        refuse_node(number, "its array has another dtype", remedy, declared=node.dtype, stored=dtype)
    if shape != str(node.shape)[1:-1]:
        remedy = "declare the shape of the array"
        refuse_node(number, "its array has another shape", remedy, declared=node.shape, stored=f"({shape})")
    return "F" if fortran == "True" else "C"
