"""Run this model with onnxruntime and numpy alone (and pillow to read images).

python run.py                           repeat the test input; fails if the output is not the expected one
python run.py IMAGE ... [--model FILE]  say what is on the images
"""

import json
import sys
from pathlib import Path

import numpy as np
import onnxruntime as ort

HERE = Path(__file__).parent
CARD = json.loads((HERE / "card.json").read_text())
SHAPE, WHITE = CARD["preprocessing"]["shape"], CARD["preprocessing"]["white"]  # (channels, height, width)


def read_image(path: str) -> np.ndarray:
    """An image as (1, C, H, W) float32 raw pixels; the normalisation is inside the model."""
    from PIL import Image

    image = Image.open(path).convert("RGB" if SHAPE[0] == 3 else "L")
    pixels = np.asarray(image.resize((SHAPE[2], SHAPE[1]), Image.Resampling.BILINEAR), np.float32) * (WHITE / 255)
    return pixels.reshape(SHAPE[1], SHAPE[2], SHAPE[0]).transpose(2, 0, 1)[None]


def logits(session: ort.InferenceSession, images: np.ndarray) -> np.ndarray:
    name = session.get_inputs()[0].name
    return np.concatenate([np.asarray(session.run(None, {name: image[None]})[0]) for image in images])


def main(arguments: list[str]) -> None:
    at = arguments.index("--model") if "--model" in arguments else len(arguments)
    model, images = (arguments[at + 1 :] or [CARD["shipped"]])[0], arguments[:at]
    session = ort.InferenceSession(HERE / model, providers=["CPUExecutionProvider"])
    for image in images:
        scores = logits(session, read_image(image))[0].astype(float)
        share = np.exp(scores - scores.max()) / np.exp(scores - scores.max()).sum()
        print(f"{image}: {CARD['labels'][scores.argmax()]} {share.max():.1%}")
    if not images:
        test = CARD["test"]["files"][model]
        given = np.fromfile(HERE / CARD["test"]["input"], "<f4").reshape(-1, *SHAPE)
        expected = np.fromfile(HERE / test["expected"], "<f4").reshape(len(given), -1)
        off = float(np.abs(logits(session, given) - expected).max())
        print(f"{model}: {len(given)} images, largest difference {off:.2g}, tolerance {test['tolerance']:.2g}")
        sys.exit(off > test["tolerance"])


if __name__ == "__main__":
    main(sys.argv[1:])
