"""Does an assistant help a small student? python studies/benchmarks/assistants.py [--seeds 3]

Scikit-learn's digits. The teacher is a wide network of inverted residuals, trained for 20 epochs; the students are like
it with a few channels. Every student learns from the same start: from labels, from the teacher, and from the assistant
that `distill: {assistant: auto}` finds, for `--epochs` epochs in all; and from the teacher for as many epochs as the
student of the assistant had. Prints a Markdown table: test accuracy and loss, mean over seeds, and of each seed. Cost:
3 minutes of a core a seed.
"""

import argparse
import statistics
import tempfile
from pathlib import Path

import torch

from compress.context import Context
from compress.distill.step import Distill
from compress.evaluate import evaluate
from compress.train import Training, fit, hard_labels
from compress.variant import Variant
from spaces.architecture import Architecture, Stage
from spaces.blocks import MBConv
from spaces.counts import count
from spaces.network import build
from spaces.tasks import Data, Digits

TEACHER, STUDENTS = (48, 96), ((8, 16), (16, 24))


def network_of(widths: tuple[int, int], data: Data, seed: int) -> Variant:
    """Two stages of two blocks (the students: of one), untrained."""
    blocks = (MBConv(expand=4),) * 2 if widths == TEACHER else (MBConv(expand=2),)
    first, second = widths
    stages = Stage(first, 1, blocks), Stage(second, 2, blocks)
    arch = Architecture(data.input_shape, len(data.classes), min(16, first), 1, stages)
    torch.manual_seed(seed)
    return Variant(arch, build(arch))


def results(widths: tuple[int, int], seed: int, epochs: int) -> dict[str, tuple[float, float, str]]:
    """(accuracy in percent, loss, who taught) on the test images, by way."""
    data = Digits(seed=seed).load()
    teacher, student = network_of(TEACHER, data, seed), network_of(widths, data, seed)
    fit(teacher.network, data, Training(20), hard_labels(), seed)
    fit(student.network, data, Training(2), hard_labels(), seed)
    with tempfile.TemporaryDirectory() as folder:
        context = Context(data, teacher.network, Path(folder), seed, teacher_arch=teacher.arch)
        alone = Context(data, None, Path(folder), seed)
        helped = Distill(epochs=epochs, assistant="auto")(student, context)
        assert helped.assistant is not None
        left = epochs - helped.assistant.epochs
        made = {
            "labels": (Distill(epochs=epochs)(student, alone), ""),
            "teacher": (Distill(epochs=epochs)(student, context), ""),
            "teacher, the student's epochs only": (Distill(epochs=left)(student, context), ""),
            "assistant": (helped, helped.assistant.describe()),
        }
    found = {}
    for way, (variant, by) in made.items():
        quality = evaluate(variant.network, data, data.test)
        found[way] = 100 * quality.accuracy, quality.loss, by
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=12)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    data = Digits().load()
    size = count(network_of(TEACHER, data, 0).arch).params  # type: ignore[arg-type]
    print(f"teacher: {size:,} parameters; {arguments.epochs} epochs\n")
    print("| student | way | test accuracy, each seed | loss, each seed |\n|---|---|---|---|", flush=True)
    for widths in STUDENTS:
        params = count(network_of(widths, data, 0).arch).params  # type: ignore[arg-type]
        seeds = [results(widths, seed, arguments.epochs) for seed in range(arguments.seeds)]
        for way in seeds[0]:
            accuracies, losses = ([found[way][i] for found in seeds] for i in (0, 1))
            print(
                f"| {params:,} | {way} | {statistics.mean(accuracies):.2f} "
                f"({', '.join(f'{a:.2f}' for a in accuracies)}) | {statistics.mean(losses):.3f} "
                f"({', '.join(f'{value:.3f}' for value in losses)}) |",
                flush=True,
            )
        for seed, found in enumerate(seeds):
            print(f"seed {seed}: {found['assistant'][2]}", flush=True)


if __name__ == "__main__":
    main()
