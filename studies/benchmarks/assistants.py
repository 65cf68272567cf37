"""Who teaches a small student best, or by what loss? python studies/benchmarks/assistants.py [--seeds 3]

Scikit-learn's digits. The teacher is a wide network of inverted residuals, trained for 20 epochs; the students are like
it with a few channels. Every student learns from the same start: from labels, from the teacher, and from the assistant
that `distill: {assistant: auto}` finds, for `--epochs` epochs in all; and from the teacher for as many epochs as the
student of the assistant had. With `--losses logits cskd deit` teacher and student are smaller and the student attends,
a network of the digits space, and learns from labels and from the teacher by each of these losses. `--crop` shifts the
training images by so many pixels. Prints a Markdown table: test accuracy in percent (loss), of each seed and the mean.
Cost: 5 minutes of a core a seed, with losses 1.
"""

import argparse
import tempfile
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import mean

import torch

from compress.context import Context
from compress.distill.step import Distill
from compress.evaluate import evaluate
from compress.train import Training, batches, fit, hard_labels
from compress.variant import Variant
from spaces.architecture import Architecture, Stage
from spaces.blocks import Attention, Block, MBConv
from spaces.network import build
from spaces.tasks import Data, Digits

Stages = tuple[tuple[int, tuple[Block, ...]], ...]  # (width, blocks) of each
Ways = dict[str, tuple[Variant, str]]  # what was made of the student, and who taught
Result = tuple[float, float, str]  # test accuracy in percent, loss, who taught

WIDE, THIN = (MBConv(expand=4),) * 2, (MBConv(expand=2),)
TEACHER: Stages = (48, WIDE), (96, WIDE)
STUDENTS: tuple[Stages, ...] = ((8, THIN), (16, THIN)), ((16, THIN), (24, THIN))
SMALLER_TEACHER: Stages = (32, WIDE), (64, WIDE)
ATTENDING: Stages = (16, (MBConv(expand=1),)), (32, (Attention(heads=2, head_dim=16, ratio=1),) * 2)


def network_of(shape: Stages, data: Data, seed: int) -> Variant:
    """Untrained; the second stage halves the resolution."""
    (first, _), _ = shape
    stages = tuple(Stage(width, stride, blocks) for stride, (width, blocks) in enumerate(shape, 1))
    arch = Architecture(data.input_shape, len(data.classes), min(16, first), 1, stages)
    torch.manual_seed(seed)
    return Variant(arch, build(arch))


def by_teacher(student: Variant, context: Context, epochs: int) -> Ways:
    """From labels, the teacher and an assistant."""
    helped = Distill(epochs=epochs, assistant="auto")(student, context)
    assert helped.assistant is not None
    left = epochs - helped.assistant.epochs
    return {
        "labels": (Distill(epochs=epochs)(student, replace(context, teacher=None)), ""),
        "teacher": (Distill(epochs=epochs)(student, context), ""),
        "teacher, fewer epochs": (Distill(epochs=left)(student, context), ""),
        "assistant": (helped, helped.assistant.describe()),
    }


def by_loss(student: Variant, context: Context, epochs: int, losses: list[str], weight: float) -> Ways:
    """From labels, and from the teacher by each loss."""
    made: Ways = {"labels": (Distill(epochs=epochs)(student, replace(context, teacher=None)), "")}
    for loss in losses:
        made[loss] = Distill(loss=loss, epochs=epochs, weight=weight)(student, context), ""
    return made


def results(
    student: Variant, teacher: Variant, data: Data, seed: int, teach: Callable[[Variant, Context], Ways]
) -> dict[str, Result]:
    """What came of each way to teach, after 20 epochs of the teacher alone and 2 of the student."""
    fit(teacher.network, data, Training(20), hard_labels(), seed)
    fit(student.network, data, Training(2), hard_labels(), seed)
    with tempfile.TemporaryDirectory() as folder:
        made = teach(student, Context(data, teacher.network, Path(folder), seed, teacher_arch=teacher.arch))
    made["the teacher itself"] = teacher, f"says {labels_said(teacher, data, seed):.1%} of the labels in training"
    found = {}
    for way, (variant, by) in made.items():
        quality = evaluate(variant.network, data, data.read_test())
        found[way] = 100 * quality.accuracy, quality.loss, by
    return found


def labels_said(teacher: Variant, data: Data, seed: int) -> float:
    """The share of an epoch's images, shifted as in training, whose label is the teacher's answer."""
    with torch.no_grad():
        right = [teacher.network(batch.x).argmax(1) == batch.y for batch in batches(data, 64, seed, 0)]
    return torch.cat(right).float().mean().item()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=24)
    parser.add_argument("--losses", nargs="*", default=[])
    parser.add_argument("--weight", type=float, default=Distill().weight)
    parser.add_argument("--crop", type=int, default=0)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    large, students, teach = TEACHER, STUDENTS, partial(by_teacher, epochs=asked.epochs)
    if asked.losses:
        large, students = SMALLER_TEACHER, (ATTENDING,)
        teach = partial(by_loss, epochs=asked.epochs, losses=asked.losses, weight=asked.weight)
    print(f"teacher: {network_of(large, Digits().load(), 0).counts.params:,} parameters; {asked.epochs} epochs\n")
    for shape in students:
        seeds: list[dict[str, Result]] = []
        for seed in range(asked.seeds):
            data = replace(Digits(seed=seed).load(), crop_pixels=asked.crop)
            student, teacher = network_of(shape, data, seed), network_of(large, data, seed)
            seeds.append(results(student, teacher, data, seed, teach))
            if seed == 0:
                print(f"| student | seed | {' | '.join(seeds[0])} |\n|---|---|{'---|' * len(seeds[0])}")
            cells = [f"{accuracy:.2f} ({loss:.3f}) {by}".strip() for accuracy, loss, by in seeds[-1].values()]
            print(f"| {student.counts.params:,} | {seed} | {' | '.join(cells)} |", flush=True)
        means = [(mean(found[way][0] for found in seeds), mean(found[way][1] for found in seeds)) for way in seeds[0]]
        cells = [f"{accuracy:.2f} ({loss:.3f})" for accuracy, loss in means]
        print(f"| | mean | {' | '.join(cells)} |\n", flush=True)


if __name__ == "__main__":
    main()
