"""What every registered exporter promises: the network's answers, the same bytes again, and an unchanged network."""

from pathlib import Path

import pytest
import torch

from compress.export import EXPORTERS
from compress.export.session import logits
from tests.compress.small_networks import INPUT_SHAPE, NORMALISATION, depthwise, images, torch_logits

TOLERANCE = 1e-4


@pytest.mark.parametrize("name", EXPORTERS.names())
def test_the_file_answers_as_the_network_and_is_the_same_twice(name: str, tmp_path: Path) -> None:
    network, x = depthwise().train(), images(16, seed=5)
    paths = [tmp_path / f"{i}.file" for i in range(2)]
    for path in paths:
        assert EXPORTERS.get(name)(network, NORMALISATION, INPUT_SHAPE, path) == path
    assert network.training
    found = torch.from_numpy(logits(paths[0], x.numpy()))
    torch.testing.assert_close(found, torch_logits(network.eval(), x), atol=TOLERANCE, rtol=TOLERANCE)
    assert paths[0].read_bytes() == paths[1].read_bytes()
