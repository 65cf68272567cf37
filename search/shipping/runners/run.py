"""Run this model with onnxruntime and numpy alone (and pillow to read images).

python run.py                          repeat the test input; fails if the output is not the expected one
python run.py FILE ... [--model FILE]  say what the files show: images, also raw pixels as .npy of (channels, height,
                                       width); or series, as .npy of (channels, steps) or .csv of numbers, a line a
                                       step, a column a channel
python run.py FILE ... --budget MS     the same with the most accurate model that was as fast where card.json was made
"""

import argparse
import json
import sys
from pathlib import Path

import numpy as np
import onnxruntime as ort

HERE = Path(__file__).parent
CARD = json.loads((HERE / "card.json").read_text())
SHAPE = CARD["preprocessing"]["shape"]  # (channels, height, width), or (channels, steps) of a series


def read_image(path: str) -> np.ndarray:
    """An image as (1, C, H, W) float32 raw pixels; the normalisation is inside the model."""
    if path.endswith(".npy"):
        pixels = np.load(path).astype(np.float32)
        if list(pixels.shape) != SHAPE:
            sys.exit(f"error: {path} has the shape {list(pixels.shape)}, the model takes {SHAPE}")
        return pixels[None]
    if SHAPE[0] not in (1, 3):
        sys.exit(f"error: the model takes {SHAPE[0]} channels, give raw pixels as .npy of (channels, height, width)")
    from PIL import Image, ImageOps

    image, white = Image.open(path), CARD["preprocessing"]["white"]
    if image.mode.startswith("I"):  # 16 bits a pixel: pillow would make everything above 255 white
        image = Image.fromarray((np.asarray(image) // 256).clip(0, 255).astype(np.uint8))
    image = ImageOps.exif_transpose(image).convert("RGB" if SHAPE[0] == 3 else "L")
    pixels = np.asarray(image.resize((SHAPE[2], SHAPE[1]), Image.Resampling.BILINEAR), np.float32) * (white / 255)
    return pixels.reshape(SHAPE[1], SHAPE[2], SHAPE[0]).transpose(2, 0, 1)[None]


def read_series(path: str) -> np.ndarray:
    """A series as (1, C, L) float32 raw numbers; longer ones are cut and shorter ones filled with zeros at the end."""
    channels, steps = SHAPE
    if not path.endswith(".npy") and not Path(path).read_text().strip():
        raise ValueError("it is empty")  # numpy would only warn
    found = np.load(path) if path.endswith(".npy") else np.loadtxt(path, delimiter=",", ndmin=2).T
    found = found.reshape(-1, found.shape[-1])
    if len(found) != channels:
        sys.exit(f"error: {path} has {len(found)} channels, the model takes {channels}")
    if not found.size or not np.isfinite(found).all():
        sys.exit(f"error: {path} has {'numbers that are not finite' if found.size else 'no steps'}")
    made = np.zeros((1, channels, steps), np.float32)
    made[0, :, : found.shape[1]] = found[:, :steps]
    return made


def logits(session: ort.InferenceSession, examples: np.ndarray) -> np.ndarray:
    name = session.get_inputs()[0].name
    return np.concatenate([np.asarray(session.run(None, {name: example[None]})[0]) for example in examples])


def within(budget_ms: float) -> str:
    """The most accurate model whose latency keeps the budget with the upper end of its interval."""
    high_ms = {name: file["costs"]["latency_ms"]["high"] for name, file in CARD["files"].items()}
    fits = [name for name in high_ms if high_ms[name] <= budget_ms]
    if not fits:
        sys.exit(f"error: no model keeps {budget_ms:g} ms, the fastest takes up to {min(high_ms.values()):.3g} ms")
    return max(fits, key=lambda name: CARD["files"][name]["quality"]["validation accuracy"]["value"])


def example(path: str) -> np.ndarray:
    """What a file of the user's holds, as the model takes it; ends with one message where it cannot be read."""
    try:
        return read_series(path) if len(SHAPE) == 2 else read_image(path)
    except ModuleNotFoundError as error:
        sys.exit(f"error: images are read with pillow, which is not installed ({error}): pip install pillow")
    except (OSError, ValueError) as error:
        sys.exit(f"error: {path} cannot be read: {error}")


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*", metavar="FILE")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--model", choices=list(CARD["test"]["files"]), default=CARD["shipped"])
    which.add_argument("--budget", type=float, metavar="MS")
    given = parser.parse_intermixed_args(arguments)
    files, model = given.files, given.model if given.budget is None else within(given.budget)
    session = ort.InferenceSession(HERE / model, providers=["CPUExecutionProvider"])
    for file in files:
        scores = logits(session, example(file))[0].astype(float)
        share = np.exp(scores - scores.max()) / np.exp(scores - scores.max()).sum()
        print(f"{file}: {CARD['labels'][scores.argmax()]} {share.max():.1%}")
    if not files:
        test = CARD["test"]["files"][model]
        given = np.fromfile(HERE / CARD["test"]["input"], "<f4").reshape(-1, *SHAPE)
        expected = np.fromfile(HERE / test["expected"], "<f4").reshape(len(given), -1)
        off = float(np.abs(logits(session, given) - expected).max())
        print(f"{model}: {len(given)} examples, largest difference {off:.2g}, tolerance {test['tolerance']:.2g}")
        sys.exit(not off <= test["tolerance"])  # not a number is wrong too


if __name__ == "__main__":
    main(sys.argv[1:])
