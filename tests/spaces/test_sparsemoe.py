"""Positions choose experts: the largest shares alone count, and in training the experts are drawn to equal parts."""

import torch
from torch import nn

from spaces.blocks.sparsemoe import BALANCE, SparseMoE, SparseMoELayers, pull_of


def test_a_position_is_computed_by_the_experts_with_its_largest_shares_alone() -> None:
    for top_k in (1, 2, 3):
        layers = SparseMoE(4, top_k).build(16).eval()
        assert isinstance(layers, SparseMoELayers)
        x = torch.randn(2, 16, 4, 4)
        for parameter in layers.experts.parameters():
            nn.init.normal_(parameter)
        y = layers.mix(x)
        values, chosen = layers.router(y).softmax(1).topk(top_k, 1)
        outputs = torch.stack([expert(y) for expert in layers.experts], 1)
        picked = outputs.gather(1, chosen.unsqueeze(2).expand(-1, -1, 16, -1, -1))
        torch.testing.assert_close(layers(x), x + (values.unsqueeze(2) * picked).sum(1), rtol=1e-4, atol=1e-4)


def test_the_pull_is_the_gradient_of_switchs_loss() -> None:
    shares = torch.randn(3, 4, 5, 6).softmax(1).requires_grad_()
    chosen = shares >= shares.topk(2, 1).values[:, -1:]
    part = chosen.float().mean((0, 2, 3)) / 2
    (BALANCE * 4 * (part * shares.mean((0, 2, 3))).sum()).backward()
    assert shares.grad is not None
    torch.testing.assert_close(pull_of(chosen, 2).expand_as(shares), shares.grad)


def test_training_draws_experts_to_equal_shares_and_evaluating_does_not() -> None:
    torch.manual_seed(0)
    layers, x = SparseMoE(4, 1).build(16), torch.randn(8, 16, 6, 6)
    assert isinstance(layers, SparseMoELayers)
    bias = layers.router.bias
    assert bias is not None
    with torch.no_grad():
        bias.copy_(torch.tensor([2.0, 0.0, 0.0, 0.0]))

    def of_the_favourite() -> float:
        return float((layers.router(layers.mix(x)).argmax(1) == 0).float().mean())

    before = of_the_favourite()
    layers.eval()(x).sum().backward()
    assert bias.grad is not None and not bias.grad.any()  # the experts still put out nothing
    optimizer = torch.optim.SGD(layers.router.parameters(), lr=50.0)
    for _ in range(50):
        optimizer.zero_grad()
        (0 * layers.train()(x)).sum().backward()
        optimizer.step()
    assert before > 0.7 and of_the_favourite() < 0.4
