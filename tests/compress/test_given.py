"""A user's model by name."""

from pathlib import Path

import pytest
import torch
from torch import nn

from compress.given import GivenError, answers, load_given
from tests.toy_task import toy_data


def test_a_folder_is_answered_with_the_model_in_it(tmp_path: Path) -> None:
    (tmp_path / "net.float32.onnx").touch()
    with pytest.raises(GivenError, match=r"got '.*'\. Did you mean '.*net\.float32\.onnx'\?"):
        load_given(str(tmp_path))


def test_a_network_that_ends_in_a_softmax_is_refused_and_one_without_it_is_not() -> None:
    data = toy_data()
    x = data.normalise(data.validation.x[:1])
    head = nn.Linear(x.numel(), 3)
    plain = nn.Sequential(nn.Flatten(), head)
    assert answers(plain, "net", data) == 3
    with pytest.raises(GivenError, match=r"net must return logits, got .* probabilities\. Leave the softmax"):
        answers(nn.Sequential(plain, nn.Softmax(1)), "net", data)
    with torch.no_grad():
        head.weight.zero_()
        head.bias.fill_(0.5)  # as large as probabilities, but they add up to more
    assert answers(plain, "net", data) == 3
