"""Static int8 in the form ONNX Runtime fuses: unsigned activations, signed weights per channel, QDQ."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from compress.export.quiet import quiet

if TYPE_CHECKING:
    import onnx

# All others stay float: quantizing them too makes hundreds of small nodes, and Add alone cost 11-17 % of the speed.
OPERATORS = ("Conv", "Gemm", "MatMul")


class QuantizeError(RuntimeError):
    """A file that cannot be quantized; the message names the remedy."""


class Ranges(Protocol):
    """Settings of static quantization, from whatever config holds them."""

    @property
    def method(self) -> str:
        """How activation ranges are found: minmax or percentile."""
        ...


@dataclass(frozen=True)
class Int8Static:
    """method: minmax (the whole range seen) or percentile (99.999 % of it).

    ONNX Runtime's entropy method is not offered: with the bins it uses by default it gives the same file as minmax.
    """

    method: str = "minmax"


def quantize_static(float_path: Path, calibration: np.ndarray, path: Path, config: Ranges | None = None) -> Path:
    """Write an int8 version of an exported float file and return its path.

    Args:
        calibration: (n, C, H, W) float32 raw pixels of the training part; the ranges of activations come from them.
        config: Int8Static() if None.
    Returns: `path`; equal inputs give equal bytes.
    Raises: QuantizeError: if the file or the images do not fit, or `method` is unknown.
    Cost: 0.1-1.8 s, in proportion to the images; percentile up to 4 times as much.
    """
    method = (config or Int8Static()).method
    _check(calibration, method)
    try:
        with quiet(), tempfile.TemporaryDirectory(prefix="lathe-") as folder:
            prepared = Path(folder) / "prepared.onnx"
            quantized = Path(folder) / "quantized.onnx"
            return _write(_quantized(float_path, prepared, quantized, calibration, method), path)
    except QuantizeError:
        raise
    except Exception as error:  # onnxruntime's exceptions have no common ancestor but Exception
        reason = (str(error).splitlines() or [""])[0][:300]
        raise QuantizeError(
            f"{float_path} cannot be quantized: {type(error).__name__}: {reason} Export it again, and check that "
            f"the calibration images have the shape of its input (got {calibration.shape[1:]})."
        ) from error


def _quantized(
    float_path: Path, prepared: Path, quantized: Path, calibration: np.ndarray, method: str
) -> onnx.ModelProto:
    import onnx
    from onnxruntime import quantization
    from onnxruntime.quantization.shape_inference import quant_pre_process

    # Without this step (it folds what exporters leave) convolutions stay float: 3 of 9 fused on a ResNet, after it 9.
    quant_pre_process(float_path, prepared, skip_symbolic_shape=True)
    name = onnx.load(prepared).graph.input[0].name
    quantization.quantize_static(
        prepared,
        quantized,
        _Images(name, calibration),  # type: ignore[arg-type]  (the class it asks for is this one method)
        quant_format=quantization.QuantFormat.QDQ,
        op_types_to_quantize=list(OPERATORS),
        per_channel=True,
        activation_type=quantization.QuantType.QUInt8,  # signed ones left 12 of 32 convolutions float
        weight_type=quantization.QuantType.QInt8,
        calibrate_method=_methods()[method],
    )
    return onnx.load(quantized)


def _check(calibration: np.ndarray, method: str) -> None:
    if calibration.ndim != 4 or not len(calibration):
        raise QuantizeError(f"calibration needs images of shape (n, C, H, W) with n >= 1, got {calibration.shape}.")
    if not np.isfinite(calibration).all():
        raise QuantizeError("a calibration image has a pixel that is not finite. Remove it from the training part.")
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


def _write(model: onnx.ModelProto, path: Path) -> Path:
    from compress.export.tidy import strip, write

    return write(strip(model), path)
