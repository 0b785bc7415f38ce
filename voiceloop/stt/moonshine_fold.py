"""The one-off preparation of Moonshine's graphs: constants folded, decoder split in two, weights in int8.

As published, the graphs keep each weight as uint8 and compute its float form again on every run, which is most of
the time a decoded token takes; and the two halves of the decoder (first token, later tokens) are branches of one
``If``. Here everything that does not depend on an input is evaluated once, each half becomes a graph of its own,
and the matrix products are quantised dynamically to int8. That needs the packages onnx and onnxruntime, several
seconds and a few hundred MB of memory, so it runs as a process of its own:
``python -m voiceloop.stt.moonshine_fold SOURCE TARGET``.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from voiceloop.cache import build_once, cache_dir
from voiceloop.errors import ModelError, require
from voiceloop.weights import MOONSHINE_BASE_EN

__all__ = ["ENCODER", "FIRST", "STEP", "folded"]

ENCODER, FIRST, STEP = "encoder.onnx", "first.onnx", "step.onnx"
"""The files made: audio to states; states to first token and caches; one token and caches to the next token."""

_RECIPE = 1
"""Raise it whenever the files come out differently, so that old ones are not taken for new ones."""


def folded(source: Path) -> Path:
    """The directory of prepared graphs in the cache, made from the files in `source` if it is not there.

    Blocks for several seconds the first time.

    Raises:
        MissingExtra: onnx or onnxruntime is not installed.
        ModelError: the preparation failed.
    """
    pin = MOONSHINE_BASE_EN.wheel_sha256[:12]
    target = cache_dir() / "models" / f"{MOONSHINE_BASE_EN.name}-int8-{_RECIPE}-{pin}"
    return build_once(target, lambda partial: _in_process(source, partial), _complete)


def _complete(directory: Path) -> bool:
    return all((directory / name).is_file() for name in (ENCODER, FIRST, STEP))


def _in_process(source: Path, target: Path) -> None:
    for module in ("onnx", "onnxruntime"):
        require(module, "local", "Preparing Moonshine")
    root = str(Path(__file__).parents[2])
    env = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))}
    command = [sys.executable, "-m", "voiceloop.stt.moonshine_fold", str(source), str(target)]
    done = subprocess.run(command, env=env, capture_output=True, text=True, errors="replace", check=False)
    if done.returncode or not _complete(target):
        last = "\n  ".join(done.stderr.strip().splitlines()[-4:])
        raise ModelError(f"preparing Moonshine from {source} failed, exit code {done.returncode}:\n  {last}")


def _load(path: Path) -> Any:
    """An .ort file as an ONNX model. onnxruntime converts between its two formats, without optimising."""
    onnx, ort = require("onnx", "local"), require("onnxruntime", "local")
    options = _plain_options()
    options.optimized_model_filepath = str(path.name) + ".onnx"
    options.add_session_config_entry("session.save_model_format", "ONNX")
    ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    model = onnx.load(options.optimized_model_filepath)
    os.remove(options.optimized_model_filepath)
    return model


def _plain_options() -> Any:
    ort = require("onnxruntime", "local")
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    return options


class _Folded:
    """A model whose constant part has been evaluated."""

    def __init__(self, model: Any) -> None:
        onnx = require("onnx", "local")
        self.model = model
        self.values = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
        constant: list[Any] = []
        self.rest: list[Any] = []
        known = set(self.values)
        for node in model.graph.node:  # in topological order, so one pass finds all
            if node.op_type != "If" and all(not name or name in known for name in node.input):
                constant.append(node)
                known.update(node.output)
            else:
                self.rest.append(node)
        self.values |= self._evaluate(constant)

    def _evaluate(self, nodes: Sequence[Any]) -> dict[str, Any]:
        onnx, ort = require("onnx", "local"), require("onnxruntime", "local")
        names = [name for node in nodes for name in node.output if name]
        outputs = [onnx.helper.make_empty_tensor_value_info(name) for name in names]
        graph = onnx.helper.make_graph(nodes, "constants", [], outputs, list(self.model.graph.initializer))
        session = ort.InferenceSession(
            self._wrap(graph).SerializeToString(), _plain_options(), providers=["CPUExecutionProvider"]
        )
        return dict(zip(names, session.run(names, {}), strict=True))

    def _wrap(self, graph: Any) -> Any:
        onnx = require("onnx", "local")
        model = onnx.helper.make_model(graph, opset_imports=self.model.opset_import)
        model.ir_version = self.model.ir_version
        return model

    def write(
        self, path: str, nodes: Sequence[Any], outputs: Iterable[tuple[str, str]], own: Iterable[Any] = ()
    ) -> None:
        """Write a graph of `nodes`. `outputs` are pairs of the name inside and the name it gets."""
        onnx = require("onnx", "local")
        own = list(own)
        pairs = [(inside, name) for inside, name in outputs]
        nodes = [
            *nodes,
            *(onnx.helper.make_node("Identity", [inside], [name]) for inside, name in pairs if inside != name),
        ]
        used = {name for node in nodes for name in node.input}
        held = {tensor.name for tensor in own}
        folded_in = [
            onnx.numpy_helper.from_array(self.values[name], name)
            for name in sorted(used)
            if name in self.values and name not in held
        ]
        graph = onnx.helper.make_graph(
            nodes,
            "moonshine",
            [value for value in self.model.graph.input if value.name in used],
            [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for _, name in pairs],
            own + folded_in,
        )
        onnx.save(self._wrap(graph), path)


def _quantise(source: str, target: Path) -> None:
    require("onnx", "local")
    quantization: Any = require("onnxruntime.quantization", "local")
    quantization.quantize_dynamic(
        source,
        str(target),
        weight_type=quantization.QuantType.QInt8,
        per_channel=True,
        op_types_to_quantize=["MatMul"],
        extra_options={"MatMulConstBOnly": True, "DefaultTensorType": 1},
    )
    os.remove(source)


def fold(source: Path, target: Path) -> None:
    """Prepare the graphs of `source` into `target`. Works in the current directory meanwhile."""
    source, target = source.resolve(), target.resolve()
    os.chdir(target)

    encoder = _Folded(_load(source / "encoder_model.ort"))
    outputs = [(value.name, value.name) for value in encoder.model.graph.output]
    encoder.write("float.onnx", encoder.rest, outputs)
    _quantise("float.onnx", target / ENCODER)

    decoder = _Folded(_load(source / "decoder_model_merged.ort"))
    names = [value.name for value in decoder.model.graph.output]
    choice = next(node for node in decoder.model.graph.node if node.op_type == "If")
    branches = {attribute.name: attribute.g for attribute in choice.attribute}
    for branch, file in (("else_branch", FIRST), ("then_branch", STEP)):
        graph = branches[branch]
        pairs = zip((value.name for value in graph.output), names, strict=True)
        # The caches over the encoder's states never change after the first token: only that half returns them.
        kept = [(inside, name) for inside, name in pairs if file == FIRST or ".encoder." not in name]
        decoder.write("float.onnx", list(graph.node), kept, graph.initializer)
        _quantise("float.onnx", target / file)


if __name__ == "__main__":
    fold(Path(sys.argv[1]), Path(sys.argv[2]))
