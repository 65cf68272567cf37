"""Parquet files as Hugging Face's `datasets` writes them."""

import io
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet
from PIL import Image

IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


def pictures(n: int, height: int = 6, width: int = 8, seed: int = 0) -> np.ndarray:
    """(n, height, width, 3) uint8."""
    return np.random.default_rng(seed).integers(0, 256, (n, height, width, 3), dtype=np.uint8)


def png(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def write(
    path: Path, images: Iterable[np.ndarray | bytes], labels: Sequence[Any], names: Sequence[str] = (), **columns: str
) -> Path:
    """`images` are pixels or bytes as they are; `columns` renames `image` and `label`."""
    encoded = [image if isinstance(image, bytes) else png(image) for image in images]
    rows = [{"bytes": one, "path": f"{i}.png"} for i, one in enumerate(encoded)]
    image, label = columns.get("image", "image"), columns.get("label", "label")
    table = pa.table({image: pa.array(rows, IMAGE), label: pa.array(labels)})
    if names:
        features = {image: {"_type": "Image"}, label: {"names": list(names), "_type": "ClassLabel"}}
        table = table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    pyarrow.parquet.write_table(table, path)
    return path
