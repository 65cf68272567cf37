"""Every module can be the first of ours that someone imports: no circle depends on who comes first."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
ROOMS = ["kernels", "spaces", "compress"]  # those whose registries import their entries
# One child a module, forked after the slow libraries are there, so that each imports ours for the first time.
SCRIPT = """
import os, sys, importlib, warnings
import torch.func, torch.utils.flop_counter
warnings.simplefilter("ignore")
for name in sys.argv[1:]:
    child = os.fork()
    if child == 0:
        try:
            importlib.import_module(name)
        except BaseException as error:
            if getattr(error, "name", "") != "triton":  # an extra: kernels are imported where it is
                print(f"{name}: {type(error).__name__}: {error}", flush=True)
        os._exit(0)
    os.waitpid(child, 0)
"""


def test_every_module_can_be_imported_first() -> None:
    files = [file for room in ROOMS for file in sorted((ROOT / room).rglob("*.py")) if "migrations" not in file.parts]
    names = [".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__") for file in files]
    assert len(names) > 30
    command = [sys.executable, "-c", SCRIPT, *names]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
