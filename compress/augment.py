"""What training sees instead of the examples themselves: shifted, mirrored or noisy ones, as the data says."""

import torch
from torch import Tensor, nn

from spaces.tasks import Data


def augment(x: Tensor, data: Data, generator: torch.Generator) -> Tensor:
    """Raw examples (N, C, H, W) or (N, C, L) -> as many random variants; the same for the same generator.

    Images are mirrored with probability 1/2 and shifted by up to `crop_pixels`, edges repeated. Series are shifted in
    time, and get Gaussian noise of `noise` times their channel's standard deviation.
    """
    return _series(x, data, generator) if x.ndim == 3 else _images(x, data, generator)


def _images(x: Tensor, data: Data, generator: torch.Generator) -> Tensor:
    if data.flip:
        mirrored = torch.rand(len(x), generator=generator) < 0.5
        x = torch.where(mirrored[:, None, None, None], x.flip(3), x)
    p = data.crop_pixels
    if p:
        n, _, h, w = x.shape
        padded = nn.functional.pad(x, (p, p, p, p), mode="replicate")
        top, left = torch.randint(0, 2 * p + 1, (2, n), generator=generator)
        rows = (top[:, None] + torch.arange(h))[:, None, :, None]
        columns = (left[:, None] + torch.arange(w))[:, None, None, :]
        x = padded[torch.arange(n)[:, None, None, None], torch.arange(x.shape[1])[None, :, None, None], rows, columns]
    return x


def _series(x: Tensor, data: Data, generator: torch.Generator) -> Tensor:
    p = data.crop_pixels
    if p:
        n, channels, length = x.shape
        padded = nn.functional.pad(x, (p, p), mode="replicate")
        start = torch.randint(0, 2 * p + 1, (n,), generator=generator)
        steps = (start[:, None] + torch.arange(length))[:, None, :]
        x = padded[torch.arange(n)[:, None, None], torch.arange(channels)[None, :, None], steps]
    if data.noise:
        spread = data.noise * torch.tensor(data.std)[:, None]
        x = x + spread * torch.randn(x.shape, generator=generator)
    return x
