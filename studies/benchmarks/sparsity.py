"""Do runtimes here gain from zeros in weights? python studies/benchmarks/sparsity.py

A 3 x 3 convolution of 128 channels at 16 x 16 and a linear layer of 1024 to 1024, dense, 2:4 (the two smallest of every
four weights along the inputs are zero) and with 90 % zeros scattered, as float and as int8 files, each measured beside
its dense file in ONNX Runtime and OpenVINO, one thread. Prints a Markdown table of dense / sparse: above 1 is a gain.
Cost: a minute of a core.
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np
import torch
from torch import nn

from compress.devices.onnxruntime import OnnxRuntime
from compress.devices.openvino import OpenVino
from compress.devices.sessions import measure_sessions
from compress.export.screening import export_part
from compress.quantize.int8 import quantize_static

LAYERS = {
    "conv 3x3, 128, 16x16": ((128, 16, 16), lambda: nn.Sequential(nn.Conv2d(128, 128, 3, padding=1), nn.ReLU())),
    "linear, 1024": ((1024, 1, 1), lambda: nn.Sequential(nn.Flatten(), nn.Linear(1024, 1024), nn.ReLU())),
}
ENGINES = {"onnxruntime": OnnxRuntime(), "openvino": OpenVino()}


def sparse(layer: nn.Module, pattern: str) -> nn.Module:
    """The layer with these of its weights set to zero."""
    for weight in (p for p in layer.parameters() if p.ndim > 1 and pattern != "dense"):
        flat = weight.data.movedim(1, -1).reshape(-1, 4).clone() if pattern == "2:4" else weight.data.reshape(1, -1)
        gone = flat.abs().argsort(1)[:, : flat.shape[1] // 2 if pattern == "2:4" else int(0.9 * flat.shape[1])]
        flat = flat.scatter(1, gone, 0)
        shape = weight.data.movedim(1, -1).shape if pattern == "2:4" else weight.shape
        weight.data = flat.reshape(shape).movedim(-1, 1) if pattern == "2:4" else flat.reshape(shape)
    return layer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sessions", type=int, default=3)
    arguments = parser.parse_args()
    print("| layer | numbers | engine | 2:4 [95 %] | 90 % zeros [95 %] |\n|---|---|---|---|---|")
    for name, (shape, make) in LAYERS.items():
        with tempfile.TemporaryDirectory() as folder:
            torch.manual_seed(0)
            start = make().state_dict()
            files: dict[str, list[Path]] = {"float32": [], "int8": []}
            images = np.random.default_rng(0).normal(size=(16, *shape)).astype(np.float32)
            for i, pattern in enumerate(("dense", "2:4", "90 %")):
                layer = make()
                layer.load_state_dict(start)
                path = export_part(sparse(layer, pattern), shape, Path(folder) / f"{i}.onnx")
                files["float32"].append(path)
                files["int8"].append(quantize_static(path, images, Path(folder) / f"{i}-int8.onnx"))
            for numbers, paths in files.items():
                for engine, device in ENGINES.items():
                    found = measure_sessions(device, paths, paths[0], engine, arguments.sessions)
                    cells = [
                        f"{1 / float(m.details['ratio']):.3f} "
                        f"[{1 / float(m.details['ratio_high']):.3f}, {1 / float(m.details['ratio_low']):.3f}]"
                        for m in found[1:]
                    ]
                    print(f"| {name} | {numbers} | {engine} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
