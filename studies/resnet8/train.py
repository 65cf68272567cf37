"""Train ResNet-8 on CIFAR-10 as anybody would, in bfloat16, and write runs/resnet8.pt.

LATHE_DATA=folder python studies/resnet8/train.py --epochs 15     # cifar10-train.parquet is in that folder
"""

import argparse
import os
import sys
import time
from pathlib import Path

import torch
from torch.nn.functional import cross_entropy

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[2])]

from model import WEIGHTS, ResNet8  # noqa: E402

from compress.evaluate import evaluate  # noqa: E402
from compress.train import batches  # noqa: E402
from spaces.tasks import Parquet  # noqa: E402


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=15)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--lr", type=float, default=0.1)
    parser.add_argument("--limit", type=int, default=0, help="read only so many images (0: all)")
    given = parser.parse_args()
    path = Path(os.environ.get("LATHE_DATA", ".")) / "cifar10-train.parquet"
    data = Parquet(str(path), label="label", limit=given.limit, crop_pixels=4, flip=True).load()
    torch.manual_seed(0)
    network = ResNet8(len(data.classes)).to(memory_format=torch.channels_last)
    steps = given.epochs * (len(data.train.y) // given.batch)
    optimizer = torch.optim.SGD(network.parameters(), given.lr, momentum=0.9, nesterov=True, weight_decay=5e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, given.lr, steps)
    began = time.monotonic()
    for epoch in range(given.epochs):
        network.train()
        for batch in batches(data, given.batch, 0, epoch):
            optimizer.zero_grad()
            with torch.autocast("cpu", torch.bfloat16):
                loss = cross_entropy(network(batch.x), batch.y)
            loss.backward()
            optimizer.step()
            schedule.step()
        accuracy = evaluate(network, data, data.validation).accuracy
        print(f"epoch {epoch + 1}: validation {accuracy:.2%}, {time.monotonic() - began:.0f} s", flush=True)
    WEIGHTS.parent.mkdir(exist_ok=True)
    torch.save(network.state_dict(), WEIGHTS)
    print(WEIGHTS)


if __name__ == "__main__":
    main()
