"""Latencies of a space's networks in every engine and setting of this machine, for studies of how they carry over.

    python studies/benchmarks/latency_settings.py --space studies/cifar10/space.yaml --table FILE.parquet --minutes 60

Each setting of SETTINGS stands for a device: other kernels, another number of threads, other rewrites of the graph or
another arithmetic. A random network is written in every format, opened in every setting, and all are timed in the same
interleaved rounds beside the hand-made network in the same setting. A row is a network: its description, and for each
setting `own_ms` and `reference_ms`, the least of each round, its own and the hand-made one's. With one thread the
processor's clock counts, with two the wall's. Called again it goes on. Settings whose engine is not installed are left
out. Two threads are noise on two cores that others use, ExecuTorch's program takes ten seconds of a processor to write
and torch.compile half a minute: `--settings` measures them, for fewer networks in a table of their own. Weights and
images are random.
"""

import argparse
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("LATHE_DATA", ".")  # a space file may name its data there; they are not read

import numpy as np  # noqa: E402  (reads the variable)
import pyarrow.parquet as parquet  # noqa: E402
import torch  # noqa: E402
from latency_here import NORMALISATION, networks, read_space, save  # noqa: E402

from compress.devices.lock import exclusive  # noqa: E402
from compress.runner.engines import engine, installed, onnxruntime  # noqa: E402
from compress.runner.feeding import ready_call  # noqa: E402
from compress.runner.sampling import sample  # noqa: E402
from search.hand_made import hand_made  # noqa: E402
from search.latency.block_files import network_files  # noqa: E402
from search.latency.precision import PRECISIONS  # noqa: E402
from spaces.architecture import Architecture  # noqa: E402

ROUNDS, VISITS = 16, 3
SAVE_EVERY = 5


@dataclass(frozen=True)
class Setting:
    """What stands for a device: an engine (`name`) with options, for the float or the int8 file. level: how much ONNX
    Runtime rewrites the graph, where that is not all."""

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)
    precision: str = "float"
    level: str = ""

    @property
    def threads(self) -> int:
        return int(self.options.get("threads", 1))


SETTINGS = {
    "onnxruntime": Setting("onnxruntime"),
    "onnxruntime 2 threads": Setting("onnxruntime", {"threads": 2}),
    "onnxruntime basic": Setting("onnxruntime", level="ORT_ENABLE_BASIC"),
    "onnxruntime as it stands": Setting("onnxruntime", level="ORT_DISABLE_ALL"),
    "onnxruntime int8": Setting("onnxruntime", precision="int8"),
    "openvino": Setting("openvino"),
    "openvino bf16": Setting("openvino", {"precision": "bf16"}),
    "openvino int8": Setting("openvino", precision="int8"),
    "executorch": Setting("executorch"),
    "torch eager": Setting("torch", {"mode": "eager"}),
    "torch compile": Setting("torch", {"mode": "compile"}),
}
UNASKED = ("onnxruntime 2 threads", "executorch", "torch compile")  # measured only when they are named


def files_of(arch: Architecture, folder: Path, formats: tuple[str, ...]) -> dict[str, Path]:
    """{precision: ONNX file} with the other formats beside the float one."""
    folder.mkdir()
    return network_files(arch, NORMALISATION, PRECISIONS, folder / "network", formats)


def opened(setting: Setting, files: Mapping[str, Path]) -> Callable[[], object]:
    """A function that runs the network once in the setting."""
    path = files[setting.precision].with_suffix(engine(setting.name).READS)
    if setting.level:
        return _rewritten_less(path, setting.level)
    return ready_call(str(path), setting.name, setting.options)[0]


def _rewritten_less(path: Path, level: str) -> Callable[[], object]:
    import onnxruntime as ort

    options = onnxruntime.session_options()
    options.graph_optimization_level = getattr(ort.GraphOptimizationLevel, level)
    session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    feed = {session.get_inputs()[0].name: np.random.default_rng(0).random((1, 3, 32, 32), dtype=np.float32)}
    return lambda: session.run(None, feed)


def measure(
    files: Mapping[str, Path], beside: Mapping[str, Callable[[], object]], settings: Mapping[str, Setting]
) -> dict[str, dict[str, list[float]]]:
    """{"own_ms" and "reference_ms": {setting: the least of each round in ms}}."""
    calls = {name: opened(setting, files) for name, setting in settings.items()}
    with exclusive("cpu"):
        found = sample([*beside.values(), *calls.values()], ROUNDS, VISITS, 0)

    def least_ms(at: int, setting: Setting) -> list[float]:
        clock = 1 if setting.threads == 1 else 0  # the processor's or the wall's
        return (1e3 * np.array(found[at][clock]).min(1)).tolist()

    named = list(enumerate(settings.items()))
    return {
        "own_ms": {name: least_ms(len(named) + i, setting) for i, (name, setting) in named},
        "reference_ms": {name: least_ms(i, setting) for i, (name, setting) in named},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--space", type=Path, default=Path("studies/cifar10/space.yaml"))
    parser.add_argument("--table", type=Path, required=True, help="Parquet file to write, or to go on with")
    parser.add_argument("--networks", type=int, default=220)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--settings", nargs="+", choices=SETTINGS, default=[s for s in SETTINGS if s not in UNASKED])
    arguments = parser.parse_args()
    ends = time.monotonic() + 60 * arguments.minutes
    torch.set_num_threads(1)
    here = {name: SETTINGS[name] for name in arguments.settings if SETTINGS[name].name in installed()}
    formats = tuple(dict.fromkeys(engine(setting.name).READS[1:] for setting in here.values()))
    space = read_space(arguments.space, 32, 10)
    rows = parquet.read_table(arguments.table).to_pylist() if arguments.table.exists() else []
    known = {row["architecture"] for row in rows}
    with TemporaryDirectory() as scratch:
        reference = files_of(hand_made(space), Path(scratch) / "reference", formats)
        beside = {name: opened(setting, reference) for name, setting in here.items()}
        for i, arch in enumerate(networks(space, arguments.networks, arguments.seed)):
            if time.monotonic() > ends:
                break
            if arch.to_json() in known:
                continue
            found = measure(files_of(arch, Path(scratch) / str(i), formats), beside, here)
            rows.append({"architecture": arch.to_json(), **found})
            if len(rows) % SAVE_EVERY == 0:
                save(rows, arguments.table)
                print(f"{len(rows)} networks, load {os.getloadavg()[0]:.1f}", flush=True)
    save(rows, arguments.table)
    print(f"{len(rows)} of {arguments.networks} networks measured, load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
