"""Silero's model at 8 kHz as another graph: the same weights and sums, in less than half of the time.

The model's file holds convolutions over 4, 2 and 1 steps, which the runtime does at an eighth of what the machine can;
and both sampling rates, with branches for shapes that never occur. Here each convolution is one product of matrices
over all lines: what a kernel sees is laid side by side first. Results differ from those of the file in the order of
additions: probabilities by less than 1e-4.

A model's file is a message of Protocol Buffers (https://protobuf.dev/programming-guides/encoding); its fields are in
https://github.com/onnx/onnx/blob/main/onnx/onnx.proto.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Array = npt.NDArray[np.float32]

__all__ = ["STEP", "STEPS", "lean_model", "weights_of"]

STEPS: Final = 5
"""Steps of a window with its context, and what is mirrored behind it."""
STEP: Final = 64
"""Samples of a step."""
_BRANCH: Final = "If_0_else_branch__Inline_0__"
"""Where in the file the names of the model for 8000 Hz begin."""
_FLOAT, _INT64 = 1, 7  # types of a tensor
_INTS, _INT = 7, 2  # types of an attribute
_OPSET: Final = 16


# --- reading -----------------------------------------------------------------------------------------------------


def _number(data: bytes, place: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[place]
        place += 1
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return value, place


def _fields(data: bytes) -> Iterator[tuple[int, Any]]:
    """The fields of a message: their numbers, and an int or bytes."""
    place = 0
    while place < len(data):
        key, place = _number(data, place)
        kind = key & 7
        if kind == 0:
            value, place = _number(data, place)
            yield key >> 3, value
            continue
        size, place = _number(data, place) if kind == 2 else ({1: 8, 5: 4}[kind], place)
        yield key >> 3, data[place : place + size]
        place += size


def _within(data: bytes, *path: int) -> Iterator[bytes]:
    """Messages inside of a message, by the numbers of the fields that lead to them."""
    for field, value in _fields(data):
        if field == path[0]:
            if len(path) == 1:
                yield value
            else:
                yield from _within(value, *path[1:])


def weights_of(model: bytes, numpy: Any) -> dict[str, Array]:
    """The tensors of the model for 8000 Hz in Silero's file, by their names."""
    found: dict[str, Array] = {}
    for node in _within(model, 7, 1, 5, 6, 1):  # graph, node, attribute, graph of a branch, node
        name = next(_within(node, 2), b"").decode()
        for tensor in _within(node, 5, 5) if name.startswith(_BRANCH) else ():
            fields = list(_fields(tensor))
            if (2, _FLOAT) not in fields:
                continue
            shape = [value for field, value in fields if field == 1]
            raw = next(value for field, value in fields if field == 9)
            found[name.removeprefix(_BRANCH)] = numpy.frombuffer(raw, dtype="<f4").reshape(shape)
    return found


# --- writing -----------------------------------------------------------------------------------------------------


def _varint(value: int) -> bytes:
    value &= 2**64 - 1
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def _field(number: int, value: int | str | bytes) -> bytes:
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value)
    data = value.encode() if isinstance(value, str) else value
    return _varint(number << 3 | 2) + _varint(len(data)) + data


class _Graph:
    """Writes a model's file, node by node."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._made = 0

    def constant(self, values: Any) -> str:
        """A tensor of floats or of integers."""
        name = self._name()
        kind = _FLOAT if values.dtype == "float32" else _INT64
        shape = b"".join(_field(1, size) for size in values.shape)
        self._parts.append(_field(5, shape + _field(2, kind) + _field(8, name) + _field(9, values.tobytes())))
        return name

    def node(self, kind: str, *inputs: str, outputs: Sequence[str] = (), **attributes: int | Sequence[int]) -> str:
        """An operation; the name of its first output that is wanted."""
        outputs = outputs or (self._name(),)
        fields = [_field(1, name) for name in inputs] + [_field(2, name) for name in outputs] + [_field(4, kind)]
        for name, value in attributes.items():
            if isinstance(value, int):
                content = _field(3, value) + _field(20, _INT)
            else:
                content = b"".join(_field(8, each) for each in value) + _field(20, _INTS)
            fields.append(_field(5, _field(1, name) + content))
        self._parts.append(_field(1, b"".join(fields)))
        return next(name for name in outputs if name)

    def model(self, inputs: Mapping[str, Sequence[int | str]], outputs: Mapping[str, Sequence[int | str]]) -> bytes:
        """The file."""
        graph = b"".join(self._parts) + _field(2, "silero")
        graph += b"".join(_field(11, _value(*each)) for each in inputs.items())
        graph += b"".join(_field(12, _value(*each)) for each in outputs.items())
        return _field(1, 8) + _field(7, graph) + _field(8, _field(1, "") + _field(2, _OPSET))

    def _name(self) -> str:
        self._made += 1
        return f"t{self._made}"


def _value(name: str, shape: Sequence[int | str]) -> bytes:
    sizes = b"".join(_field(1, _field(1 if isinstance(size, int) else 2, size)) for size in shape)
    return _field(1, name) + _field(2, _field(1, _field(1, _FLOAT) + _field(2, sizes)))


# --- the model ---------------------------------------------------------------------------------------------------


def lean_model(model: bytes, numpy: Any) -> bytes:
    """The graph, from Silero's file: ``x [lines, 5, 64]`` and ``state [2, lines, 128]`` to ``probability [lines, 1]``
    and ``after [2, lines, 128]``.

    x is a window behind its context, and behind it the 32 samples before the last one, mirrored.
    """
    weights = weights_of(model, numpy)
    graph = _Graph()

    def whole(*values: int) -> str:
        return graph.constant(numpy.array(values, dtype="int64"))

    def part(source: str, start: int, end: int, axis: int) -> str:
        return graph.node("Slice", source, whole(start), whole(end), whole(axis))

    def rows(source: str, size: int) -> str:
        return graph.node("Reshape", source, whole(-1, size))

    def layer(source: str, number: int, taps: slice) -> str:
        """One layer of the encoder on rows in which what its kernel sees lies side by side, tap by tap."""
        kernel = weights[f"encoder.{number}.reparam_conv.weight"][:, :, taps]
        matrix = numpy.ascontiguousarray(kernel.transpose(2, 1, 0).reshape(-1, kernel.shape[0]))
        bias = graph.constant(weights[f"encoder.{number}.reparam_conv.bias"])
        return graph.node("Relu", graph.node("Gemm", source, graph.constant(matrix), bias))

    # Spectrum: 4 frames of two steps each.
    frames = graph.node("Concat", part("x", 0, 4, 1), part("x", 1, 5, 1), axis=2)
    basis = numpy.ascontiguousarray(weights["stft.forward_basis_buffer"][:, 0].T)
    both = graph.node("MatMul", rows(frames, 128), graph.constant(basis))
    power = graph.node("Mul", both, both)
    sound = graph.node("Sqrt", graph.node("Add", part(power, 0, 65, 1), part(power, 65, 130, 1)))
    # Four layers over 4, 4, 2 and 1 steps; the edges are padded with nothing.
    padded = graph.node("Pad", graph.node("Reshape", sound, whole(-1, 4, 65)), whole(0, 1, 0, 0, 1, 0))
    seen = graph.node("Concat", part(padded, 0, 4, 1), part(padded, 1, 5, 1), part(padded, 2, 6, 1), axis=2)
    first = graph.node("Reshape", layer(rows(seen, 195), 0, slice(3)), whole(-1, 4, 128))
    padded = graph.node("Pad", first, whole(0, 1, 0, 0, 0, 0))
    seen = graph.node("Concat", rows(part(padded, 0, 3, 1), 384), rows(part(padded, 2, 5, 1), 384), axis=1)
    second = layer(rows(seen, 384), 1, slice(3))
    third = layer(rows(second, 128), 2, slice(1, 3))
    fourth = layer(third, 3, slice(1, 2))
    # Memory and judgement.
    order = numpy.r_[0:128, 384:512, 128:384]  # gates: input, output, forget, cell
    inputs = [weights[f"decoder.rnn.{name}"][order] for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")]
    gates = [numpy.ascontiguousarray(each[None]) for each in (*inputs[:2], numpy.concatenate(inputs[2:]))]
    graph.node(
        "LSTM",
        graph.node("Unsqueeze", fourth, whole(0)),
        *(graph.constant(each) for each in gates),
        "",
        part("state", 0, 1, 0),
        part("state", 1, 2, 0),
        outputs=("", "h", "c"),
        hidden_size=128,
    )
    graph.node("Concat", "h", "c", outputs=("after",), axis=0)
    heard = rows(graph.node("Relu", "h"), 128)
    matrix = numpy.ascontiguousarray(weights["decoder.decoder.2.weight"][0])
    judged = graph.node("Gemm", heard, graph.constant(matrix), graph.constant(weights["decoder.decoder.2.bias"]))
    graph.node("Sigmoid", judged, outputs=("probability",))
    state = (2, "lines", 128)
    return graph.model({"x": ("lines", STEPS, STEP), "state": state}, {"probability": ("lines", 1), "after": state})
