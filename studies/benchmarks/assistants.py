"""Does an assistant help a small student? python studies/benchmarks/assistants.py [--seeds 3]

Scikit-learn's digits. The teacher is a wide network of inverted residuals, trained for 20 epochs; the students are like
it with a few channels. Every student learns from the same start: from labels, from the teacher, and from the assistant
that `distill: {assistant: auto}` finds, for `--epochs` epochs in all; and from the teacher for as many epochs as the
student of the assistant had. Prints a Markdown table: test accuracy in percent (loss), of each seed and the mean. Cost:
5 minutes of a core a seed.
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
from spaces.network import build
from spaces.tasks import Data, Digits

TEACHER, STUDENTS = (48, 96), ((8, 16), (16, 24))
WAYS = ("labels", "teacher", "teacher, fewer epochs", "assistant")


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
            "teacher, fewer epochs": (Distill(epochs=left)(student, context), ""),
            "assistant": (helped, helped.assistant.describe()),
        }
    found = {}
    for way, (variant, by) in made.items():
        quality = evaluate(variant.network, data, data.read_test())
        found[way] = 100 * quality.accuracy, quality.loss, by
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=24)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    size = network_of(TEACHER, Digits().load(), 0).counts.params
    print(f"teacher: {size:,} parameters; {arguments.epochs} epochs\n")
    print(f"| student | seed | {' | '.join(WAYS)} |\n|---|---|{'---|' * len(WAYS)}", flush=True)
    for widths in STUDENTS:
        params, seeds = network_of(widths, Digits().load(), 0).counts.params, []
        for seed in range(arguments.seeds):
            seeds.append(results(widths, seed, arguments.epochs))
            cells = [f"{accuracy:.2f} ({loss:.3f}) {by}".strip() for accuracy, loss, by in seeds[-1].values()]
            print(f"| {params:,} | {seed} | {' | '.join(cells)} |", flush=True)
        means = [[statistics.mean(found[way][i] for found in seeds) for i in (0, 1)] for way in WAYS]
        cells = [f"{accuracy:.2f} ({loss:.3f})" for accuracy, loss in means]
        print(f"| {params:,} | mean | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
