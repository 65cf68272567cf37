"""Twenty latency budgets on one set of networks, none broken: python studies/benchmarks/latency_budgets.py --table FILE

Reads a table that latency_here.py wrote and goes on where it stopped, on the same machine. A predictor learns from
`--measured` of its networks. For each of 20 limits, spread over the latencies of the space, the network of most
multiply-adds (in the place of accuracy) is taken whose predicted upper end keeps the limit; it is shipped if its
measurement in the table keeps the limit too, with its interval, otherwise the next is asked. At last every shipped
network is exported and measured anew. Prints how many limits each stage broke: predictions alone, predictions' upper
ends alone, and what was shipped. About 3 s a shipped network.
"""

import argparse
import os
from pathlib import Path
from tempfile import TemporaryDirectory

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np  # noqa: E402  (reads the variable)
import pyarrow.parquet as parquet  # noqa: E402
from latency_here import export_both, measure, read_space  # noqa: E402

from search.hand_made import hand_made  # noqa: E402
from search.latency.predictors import fit_latency  # noqa: E402
from spaces.architecture import Architecture  # noqa: E402
from spaces.counts import count  # noqa: E402
from spaces.features import features  # noqa: E402

LIMITS = 20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--space", type=Path, default=Path("studies/cifar10/space.yaml"))
    parser.add_argument("--table", type=Path, required=True)
    parser.add_argument("--measured", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    table = [row for row in parquet.read_table(arguments.table).to_pylist() if row["precision"] == "float"]
    archs = [Architecture.from_json(row["architecture"]) for row in table]
    space = read_space(arguments.space, archs[0].input_shape[1], archs[0].classes)
    rows = np.stack([features(space, arch) for arch in archs])
    ratios, highs = (np.array([row[name] for row in table]) for name in ("ratio", "ratio_high"))
    draw = np.random.default_rng(arguments.seed).permutation(len(archs))
    known, unseen = draw[: arguments.measured], draw[arguments.measured :]
    model = fit_latency(list(rows[known]), ratios[known].tolist())
    assert model is not None
    told = np.array([model.predict_ms(row) for row in rows])
    by_size = sorted(unseen, key=lambda i: -count(archs[i]).macs)
    limits = np.quantile(ratios[unseen], np.linspace(0.1, 0.95, LIMITS))
    bare = [next(i for i in by_size if told[i, 0] <= limit) for limit in limits]
    careful = [next(i for i in by_size if told[i, 2] <= limit) for limit in limits]
    asked = [[i for i in by_size if told[i, 2] <= limit] for limit in limits]
    shipped = [next(i for i in order if highs[i] <= limit) for order, limit in zip(asked, limits, strict=True)]
    with TemporaryDirectory() as folder:
        reference = export_both(hand_made(space), Path(folder))[0]
        again = {i: measure(archs[i], reference)[0] for i in dict.fromkeys(shipped)}
    print(f"{LIMITS} limits, {len(again)} different networks shipped, {arguments.measured} measurements to learn from")
    for name, picks in (("prediction", bare), ("upper end of the prediction", careful), ("measured, shipped", shipped)):
        broken = sum(ratios[i] > limit for i, limit in zip(picks, limits, strict=True))
        print(f"limits broken by the pick of the {name}: {broken}")
    over = [float(again[i]["ratio"]) / limit - 1 for i, limit in zip(shipped, limits, strict=True)]
    clear = sum(float(again[i]["ratio_low"]) > limit for i, limit in zip(shipped, limits, strict=True))
    print(f"shipped and measured anew: {sum(o > 0 for o in over)} above the limit, {clear} of them clearly (interval)")
    print(f"nearest to its limit: {100 * max(over):+.2f} %")


if __name__ == "__main__":
    main()
