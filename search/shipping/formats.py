"""The shipped network in formats beside ONNX, each checked against torch before it leaves the house."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import safetensors.torch
from torch import nn

from compress.export import EXPORTERS, ExportError
from compress.export.agreement import agreement
from compress.foreign import Description, description_of, rebuilt
from compress.given import GivenError, load_given
from search.errors import LatheError
from search.state.facts import Facts
from search.state.ledger import Ledger
from search.state.records import VariantRecord
from spaces.architecture import Architecture
from spaces.windows import extract


def write_formats(
    ledger: Ledger, study: str, shipped: VariantRecord, facts: Facts | None, formats: Sequence[str], folder: Path
) -> dict[str, Any]:
    """Write the float32 network behind the shipped model in every format but `onnx`, which lies there already.

    Returns what card.json says of them by file name: format, size, and how far their answers are from torch's on the
    study's sample images. Raises: LatheError: if a format cannot be written, or its file answers differently.
    """
    others = [name for name in formats if name != "onnx"]
    if not others:
        return {}
    if facts is None:
        raise LatheError(
            f"study {study!r} was recorded before studies kept what a file is checked with. "
            f"Add it with:  search resume {study}"
        )
    network, arch = _network(ledger, study, shipped)
    normalisation = facts.mean, facts.std
    card = {}
    for name in others:
        exporter = EXPORTERS.get(name)
        path = folder / f"{study}.float32{exporter.suffix}"
        before = set(folder.iterdir())
        try:
            exporter(network, normalisation, arch.input_shape, path)
            same = agreement(exporter, path, network, normalisation, facts.images)
            took = {"latency_ms": exporter.latency_ms(path)} if exporter.latency_ms else {}
        except ExportError as error:
            raise LatheError(f"format {name}: {error}") from error
        card[path.name] = {
            "format": name,
            "size_bytes": sum(file.stat().st_size for file in set(folder.iterdir()) - before),
            "agreement": {"images": same.images, "largest difference": same.difference, "same answers": same.alike},
            "tolerance": exporter.tolerance,
            **took,
        }
    return card


def _network(ledger: Ledger, study: str, shipped: VariantRecord) -> tuple[nn.Module, Description]:
    """The float network with its weights: from its architecture, or of a user's from their code."""
    assert shipped.architecture is not None
    arch, config = description_of(shipped.architecture.json), ledger.study(study).config
    if shipped.weights is None:
        raise LatheError(
            f"study {study!r} is of an ONNX file, which is not made into other formats. Leave --format away."
        )
    tensors = safetensors.torch.load_file(ledger.store.path(shipped.weights))
    if isinstance(arch, Architecture):
        return extract(tensors, arch).eval(), arch
    if "model" not in config:
        raise LatheError(f"the code of {arch.source} is named by another study than {study!r}. Leave --format away.")
    try:
        return rebuilt(load_given(str(config["model"]), config.get("choose") or {}), tensors).eval(), arch
    except GivenError as error:
        raise LatheError(str(error)) from error
