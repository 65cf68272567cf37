"""Static int8 in the form ONNX Runtime fuses: unsigned activations, signed weights per channel, QDQ."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from compress.export.quiet import quiet
from compress.onnx_file import PER_CHANNEL, opset_of
from compress.quantize import QuantizeError
from compress.quantize.between import ACTIVATIONS, ADDITION, between
from compress.scratch import scratch_folder

if TYPE_CHECKING:
    import onnx

# What computes in int8, with what lies `between`. All others stay float: quantizing them makes hundreds of small nodes.
OPERATORS = ("Conv", "Gemm", "MatMul")


@dataclass(frozen=True)
class Int8Static:
    """method: minmax (the whole range seen) or percentile (99.999 % of it).

    ONNX Runtime's entropy method is not offered: with the bins it uses by default it gives the same file as minmax.
    """

    method: str = "minmax"


def quantize_static(float_path: Path, calibration: np.ndarray, path: Path, config: Int8Static | None = None) -> Path:
    """Write an int8 version of an exported float file and return its path.

    Args:
        calibration: (n, C, H, W) float32 raw pixels of the training part; the ranges of activations come from them.
        config: Int8Static() if None.
    Returns: `path`; equal inputs give equal bytes.
    Raises: QuantizeError: if the file or the images do not fit, or `method` is unknown.
    Cost: 0.1-1.8 s, in proportion to the images; percentile up to 4 times as much.
    """
    with calibrated(float_path, calibration, (config or Int8Static()).method) as ready:
        return write_stripped(ready.quantized(), path)


@dataclass(frozen=True)
class Calibrated:
    """A float file made ready for quantization. nodes: names of those that can be int8. The rest is the library's."""

    nodes: tuple[str, ...]
    quantize: Any

    def quantized(self, floating: Sequence[str] = ()) -> onnx.ModelProto:
        """The file in int8 but for the nodes named. The ranges of activations are found once. Raises: QuantizeError."""
        return self.quantize(list(floating))


@contextlib.contextmanager
def calibrated(float_path: Path, calibration: np.ndarray, method: str) -> Iterator[Calibrated]:
    """A float file ready to be quantized several times, while the context lasts. Raises: QuantizeError."""
    import onnx

    _check(calibration, method)
    with scratch_folder() as folder:
        with explained(float_path, calibration.shape[1:]):
            prepared = prepare(float_path, folder / "prepared.onnx")
            graph = onnx.load(prepared).graph
        nodes = tuple(node.name for node in graph.node if node.op_type in OPERATORS)
        name = graph.input[0].name

        def quantize(floating: list[str]) -> onnx.ModelProto:
            with explained(float_path, calibration.shape[1:]):
                return _quantized(prepared, _Images(name, calibration), method, floating)

        yield Calibrated(nodes, quantize)


@contextlib.contextmanager
def explained(float_path: Path, shape: tuple[int, ...] | None = None) -> Iterator[None]:
    """What the library raises, as a QuantizeError with a remedy; and what it prints, dropped."""
    from compress.export import ExportError

    try:
        with quiet():
            yield
    except (QuantizeError, ExportError):
        raise
    except Exception as error:  # onnxruntime's exceptions have no common ancestor but Exception
        reason = (str(error).splitlines() or [""])[0][:300]
        raise QuantizeError(
            f"{float_path} cannot be quantized: {type(error).__name__}: {reason} Export it again"
            + (f", and check that the calibration images have the shape of its input (got {shape})." if shape else ".")
        ) from error


def prepare(float_path: Path, prepared: Path) -> Path:
    """Write the float file with its constants folded, its shapes inferred and a name for every node."""
    import onnx
    from onnxruntime.quantization.shape_inference import quant_pre_process

    # Without this step (it folds what exporters leave) convolutions stay float: 3 of 9 fused on a ResNet, after it 9.
    quant_pre_process(float_path, prepared, skip_symbolic_shape=True)
    model = onnx.load(prepared)
    for index, node in enumerate(model.graph.node):
        node.name = f"{node.op_type}{index}"
    onnx.save(model, prepared)
    return prepared


def _quantized(prepared: Path, images: _Images, method: str, floating: list[str]) -> onnx.ModelProto:
    import onnx
    from onnxruntime import quantization

    quantized = prepared.with_name("quantized.onnx")
    model = onnx.load(prepared)
    graph, opset = model.graph, opset_of(model)
    if opset < PER_CHANNEL:
        raise QuantizeError(
            f"int8 weights per channel need ONNX's operator set {PER_CHANNEL}, the model is of {opset} and cannot be "
            f"converted. Export it with opset_version={PER_CHANNEL} or later, or write kind: int8-dynamic."
        )
    operators = {node.name for node in graph.node if node.op_type in OPERATORS} - set(floating)
    chosen = operators | between(graph, operators)
    quantization.quantize_static(
        prepared,
        quantized,
        images,  # type: ignore[arg-type]  (the class it asks for is this one method)
        quant_format=quantization.QuantFormat.QDQ,
        op_types_to_quantize=[*OPERATORS, ADDITION, *ACTIVATIONS],
        nodes_to_quantize=sorted(chosen),
        per_channel=True,
        activation_type=quantization.QuantType.QUInt8,  # signed ones left 12 of 32 convolutions float
        weight_type=quantization.QuantType.QInt8,
        calibrate_method=_methods()[method],
        calibration_cache_path=prepared.with_name("ranges.json"),
    )
    return onnx.load(quantized)


def _check(calibration: np.ndarray, method: str) -> None:
    if calibration.ndim not in (3, 4) or not len(calibration):
        raise QuantizeError(
            f"calibration needs images (n, C, H, W) or series (n, C, L) with n >= 1, got {calibration.shape}."
        )
    if not np.isfinite(calibration).all():
        raise QuantizeError("a calibration example has a number that is not finite. Remove it from the training part.")
    if method not in _methods():
        raise QuantizeError(f"`method` must be one of {', '.join(_methods())}, got {method!r}.")


def _methods() -> dict[str, Any]:
    from onnxruntime.quantization import CalibrationMethod

    return {
        "minmax": CalibrationMethod.MinMax,
        "percentile": CalibrationMethod.Percentile,
    }


class _Images:
    """What onnxruntime calls a calibration data reader: one image at a time, None at the end."""

    def __init__(self, name: str, images: np.ndarray) -> None:
        self._feeds: Iterator[dict[str, np.ndarray]] = (
            {name: np.ascontiguousarray(images[i : i + 1], dtype=np.float32)} for i in range(len(images))
        )

    def get_next(self) -> dict[str, np.ndarray] | None:
        return next(self._feeds, None)


def write_stripped(model: onnx.ModelProto, path: Path) -> Path:
    """Write a quantized model without what was noted for people. Raises ExportError if the folder does not take it."""
    from compress.export.tidy import strip, write

    return write(strip(model), path)
