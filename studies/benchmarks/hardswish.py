"""What one operator for hard-swish is worth in each engine: python studies/benchmarks/hardswish.py

Blocks of studies/cifar10/space.yaml with hard-swish, float and int8, each as it is written now and with hard-swish
written out as x * HardSigmoid(x), as ONNX Runtime's rewrites leave it. All files of a block are in the same interleaved
rounds, the processor's clock. Markdown: how many times as long the written-out file takes, median over blocks, least
and most.
"""

import os
from pathlib import Path
from tempfile import TemporaryDirectory

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("LATHE_DATA", ".")  # a space file may name its data there; they are not read

import numpy as np  # noqa: E402  (reads the variable)
import onnx  # noqa: E402
from latency_here import read_space  # noqa: E402

from compress.devices.lock import exclusive  # noqa: E402
from compress.export.tidy import simplify  # noqa: E402
from compress.runner.feeding import ready_call  # noqa: E402
from compress.runner.sampling import sample  # noqa: E402
from search.latency.block_files import block_files  # noqa: E402
from search.latency.precision import PRECISIONS  # noqa: E402
from spaces.network import Placed  # noqa: E402
from spaces.placements import Placement, placements  # noqa: E402

ENGINES = {"onnxruntime": {}, "openvino": {}, "openvino bf16": {"precision": "bf16"}}
ROUNDS, VISITS = 20, 3


def has_hardswish(placed: Placement) -> bool:
    return isinstance(placed.piece, Placed) and getattr(placed.piece.block, "act", "") == "hardswish"


def ratios(placed: Placement, folder: Path) -> dict[tuple[str, str], float]:
    """{(precision, engine): latency of the written-out file / latency of the file}."""
    calls, names = [], []
    for precision, file in block_files(placed, PRECISIONS, folder / "block").items():
        written_out = folder / f"{precision}.written_out.onnx"
        onnx.save(simplify(onnx.load(file)), written_out)
        for engine, options in ENGINES.items():
            if precision == "float" or not options:
                names.append((precision, engine))
                calls += [ready_call(str(path), engine.split()[0], options)[0] for path in (written_out, file)]
    with exclusive("cpu"):
        times = [np.array(busy).min(1) for _, busy, _ in sample(calls, ROUNDS, VISITS, 0)]
    return {name: float(np.median(times[2 * i] / times[2 * i + 1])) for i, name in enumerate(names)}


def main() -> None:
    space = read_space(Path("studies/cifar10/space.yaml"), 32, 10)
    found: dict[tuple[str, str], list[float]] = {}
    for placed in filter(has_hardswish, placements(space)):
        with TemporaryDirectory() as folder:
            for name, ratio in ratios(placed, Path(folder)).items():
                found.setdefault(name, []).append(ratio)
    print("| file | engine | blocks | written out takes, times as long | least | most |\n|---|---|---|---|---|---|")
    for (precision, engine), values in found.items():
        least, middle, most = np.percentile(values, [0, 50, 100])
        print(f"| {precision} | {engine} | {len(values)} | {middle:.2f} | {least:.2f} | {most:.2f} |")
    print(f"\nload {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
