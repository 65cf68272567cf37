"""A network's weights as a file of the store, and back."""

import safetensors.torch
from torch import nn

from compress.artifact import Store
from search.state.records import VariantRecord
from spaces.architecture import Architecture
from spaces.windows import extract


def weights_bytes(network: nn.Module) -> bytes:
    """All parameters and buffers in the safetensors format; one that has two names is written twice."""
    return safetensors.torch.save({name: tensor.clone().contiguous() for name, tensor in network.state_dict().items()})


def stored_network(store: Store, record: VariantRecord) -> nn.Module:
    """A recorded variant's network with its weights, in eval mode. The record holds both (it is not a failed step)."""
    assert record.architecture is not None and record.weights is not None
    tensors = safetensors.torch.load_file(store.path(record.weights))
    return extract(tensors, Architecture.from_json(record.architecture.json))
