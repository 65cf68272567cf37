"""A network in the format that an engine runs: what lies beside its ONNX file, and which of the two a number is of."""

import copy
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch

from compress.apply import Budget, apply, find
from compress.artifact import sha256_of
from compress.context import Context
from compress.devices import DeviceError, formats_of
from compress.devices.auto import Auto
from compress.devices.executorch import ExecuTorch
from compress.devices.onnxruntime import OnnxRuntime
from compress.devices.simulated import Simulated
from compress.devices.ssh import Ssh
from compress.devices.torch import Torch
from compress.export import EXPORTERS, ExportError
from compress.export.formats import beside, copy_all, digests, file_read_by
from compress.export.screening import export_for_screening
from compress.foreign import foreign_of
from compress.quantize.qat import Qat
from compress.quantize.step import Quantize
from compress.runner.engines import engine
from compress.variant import Variant
from tests.compress.small_networks import INPUT_SHAPE, NORMALISATION, plain
from tests.toy_task import CLASSES, toy_data

EAGER = Torch(mode="eager", rounds=4, calls=2)
NEEDS_EXECUTORCH = pytest.mark.skipif(find_spec("executorch") is None, reason="the extra `executorch`")


def toy_variant() -> Variant:
    data = toy_data()
    torch.manual_seed(0)
    network = torch.nn.Sequential(
        torch.nn.Conv2d(data.input_shape[0], 8, 3), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.LazyLinear(CLASSES)
    ).eval()
    network(torch.zeros(1, *data.input_shape))
    return Variant(foreign_of(network, "net", data.input_shape, CLASSES), network)


def test_an_engine_runs_the_file_it_reads_or_what_lies_beside_the_onnx_file(tmp_path: Path) -> None:
    for name in ("a.onnx", "a.pt2", "b.pte"):
        (tmp_path / name).write_bytes(name.encode())
    a, b, stored = tmp_path / "a.onnx", tmp_path / "b.pte", tmp_path / "0123abcd"
    assert file_read_by(a, ".onnx") == a and file_read_by(a, ".pt2") == tmp_path / "a.pt2"
    assert file_read_by(a, ".pte") is None
    assert file_read_by(b, ".pte") == b and file_read_by(b, ".onnx") is None
    assert file_read_by(stored, ".onnx") == stored  # a file of a store has no suffix
    copy_all(a, tmp_path / "c.onnx")
    assert (tmp_path / "c.pt2").read_bytes() == b"a.pt2" and not (tmp_path / "c.pte").exists()
    assert digests(a) == {sha256_of(a), sha256_of(tmp_path / "a.pt2")}


def test_a_device_says_which_formats_its_engines_read() -> None:
    assert formats_of(OnnxRuntime(), Simulated()) == ("onnx",)
    assert formats_of(EAGER, OnnxRuntime()) == ("pt2", "onnx")
    assert formats_of(Auto(engines="onnxruntime, torch")) == ("onnx", "pt2")
    assert formats_of(Ssh(host="pi", engine="executorch")) == ("pte",)  # nobody is asked
    assert {f".{name}" for name in ("onnx", "pte", "pt2")} == {
        engine(name).READS for name in ("onnxruntime", "openvino", "executorch", "torch")
    }


def test_a_measurement_is_of_the_network_and_says_what_was_run(tmp_path: Path) -> None:
    path = export_for_screening(plain(), NORMALISATION, INPUT_SHAPE, tmp_path / "a.onnx", formats_of(EAGER))
    (found,) = EAGER.measure([path], path, "here")
    assert found.artifact == sha256_of(path) and found.details["file"] == sha256_of(beside(path, "pt2"))
    assert found.details["engine"] == "torch" and "ran a.pt2" in str(found.details["notes"])
    (alone,) = EAGER.measure([beside(path, "pt2")], beside(path, "pt2"), "here")
    assert alone.artifact == found.details["file"] and "file" not in alone.details
    (best,) = Auto(engines="onnxruntime, torch", mode="eager", rounds=4, calls=2).measure(
        [beside(path, "pt2")], path, "here"
    )
    assert best.details["engine"] == "torch"  # a file that one engine reads is timed in that one


def test_an_engine_without_a_file_to_run_says_which_it_wants(tmp_path: Path) -> None:
    path = export_for_screening(plain(), NORMALISATION, INPUT_SHAPE, tmp_path / "a.onnx")
    with pytest.raises(DeviceError, match=r"torch runs .pt2 files; a.onnx is none.*--format pt2"):
        EAGER.measure([path], path, "here")
    with pytest.raises(DeviceError, match=r"torch runs .pt2 files"):
        EAGER.resources(path, "here")


def test_a_variant_is_judged_by_the_file_that_its_device_runs(tmp_path: Path) -> None:
    variant = toy_variant()
    context = Context(toy_data(), None, tmp_path, formats=formats_of(EAGER))
    found = find(variant, context, lambda path: EAGER.measure([path], path, "here")[0])
    assert found.ran is not None and found.ran.suffix == ".pt2" and found.path.suffix == ".onnx"
    assert found.size_bytes == found.ran.stat().st_size
    broken = copy.deepcopy(variant.network)  # whatever the ONNX file says, the other one counts
    with torch.no_grad():
        list(broken.parameters())[-1].add_(torch.linspace(100, 0, CLASSES))
    EXPORTERS.get("pt2")(broken, (context.data.mean, context.data.std), context.data.input_shape, found.ran)
    again = find(variant, context, lambda path: EAGER.measure([path], path, "here")[0])
    share = float((context.data.validation.y == 0).float().mean())
    assert again.quality.accuracy == pytest.approx(share)


def test_int8_on_a_device_that_has_no_file_for_it_is_a_rejected_step(tmp_path: Path) -> None:
    variant = toy_variant()
    context = Context(toy_data(), None, tmp_path, formats=("pt2",))

    def measure(path: Path):
        return EAGER.measure([path], path, "here")[0]

    start = find(variant, context, measure)
    (attempt,) = apply([("quantize", Quantize(images=16))], variant, [start], context, measure, Budget(5.0, {}))
    assert attempt.verdict == "rejected" and "pt2 has no int8 form" in attempt.reason
    both = Context(toy_data(), None, tmp_path, formats=("onnx", "pt2"))  # another engine can: nothing is said
    (attempt,) = apply(
        [("quantize", Quantize(images=16))], variant, [start], both,
        lambda path: OnnxRuntime(rounds=4, calls=2).measure([path], path, "here")[0], Budget(50.0, {}),
    )  # fmt: skip
    assert attempt.findings is not None and attempt.findings.ran == attempt.findings.path


def test_what_other_engines_do_likewise_is_static_or_dynamic() -> None:
    kinds = {kind: Quantize(kind).scheme for kind in ("int8-static", "int8-dynamic", "int8-mixed", "int4-weights")}
    assert kinds == {"int8-static": "static", "int8-dynamic": "dynamic", "int8-mixed": "", "int4-weights": ""}
    assert Qat().scheme == "static"


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_a_cuda_device_that_is_not_there_is_said_in_one_sentence(tmp_path: Path) -> None:
    path = export_for_screening(plain(), NORMALISATION, INPUT_SHAPE, tmp_path / "a.onnx", ("onnx", "pt2"))
    with pytest.raises(DeviceError, match="finds no CUDA device. Measure with `processor: cpu`"):
        Torch(processor="cuda").measure([path], path, "here")
    with pytest.raises(DeviceError, match="no CUDA provider: pip install onnxruntime-gpu"):
        OnnxRuntime(processor="cuda").measure([path], path, "here")


@pytest.mark.skipif(find_spec("executorch") is not None, reason="it is installed")
def test_without_executorch_its_extra_is_named(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=r"pip install 'lathe\[executorch\]'"):
        EXPORTERS.get("pte")(plain(), NORMALISATION, INPUT_SHAPE, tmp_path / "a.pte")
    with pytest.raises(DeviceError, match="lacks executorch: pip install executorch torch"):
        ExecuTorch().fingerprint()


@pytest.mark.slow
@NEEDS_EXECUTORCH
def test_int8_for_executorch_is_quantized_for_xnnpack_and_compared_with_torch(tmp_path: Path) -> None:
    variant = toy_variant()
    device = ExecuTorch(rounds=4, calls=2)
    context = Context(toy_data(), None, tmp_path, formats=formats_of(device))

    def measure(path: Path):
        return device.measure([path], path, "here")[0]

    start = find(variant, context, measure)
    assert start.ran is not None and start.ran.suffix == ".pte" and start.graph is not None
    assert start.graph["delegated_share"] == 1.0
    (attempt,) = apply([("quantize", Quantize(images=32))], variant, [start], context, measure, Budget(50.0, {}))
    found = attempt.findings
    assert found is not None and found.agreement is not None and found.ran is not None
    assert found.agreement.steps <= 4 and found.agreement.alike > 0.9
    assert "operators delegated to XNNPACK" in attempt.reason and "LSB" in attempt.reason
    assert found.ran.stat().st_size != start.ran.stat().st_size
    assert np.isclose(found.quality.accuracy, start.quality.accuracy, atol=0.1)


@pytest.mark.slow
def test_a_compiled_network_is_timed_in_torch(tmp_path: Path) -> None:
    path = export_for_screening(plain(), NORMALISATION, INPUT_SHAPE, tmp_path / "a.onnx", ("onnx", "pt2"))
    (found,) = Torch(mode="compile", rounds=4, calls=2).measure([path], path, "here")
    (eager,) = EAGER.measure([path], path, "here")
    assert 0 < found.value < 10 * eager.value and found.fingerprint != eager.fingerprint
