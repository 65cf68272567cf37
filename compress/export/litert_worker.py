"""Runs in the environment of litert-torch, where there is no Lathe: a line of JSON on stdout says how it went.

convert PROGRAM.pt2 OUT.tflite | answer FILE.tflite GIVEN.npy FOUND.npy | time FILE.tflite
"""

import json
import sys
import time

import numpy as np

ROUNDS, CALLS, WARM_S = 30, 5, 0.2


def convert(program: str, out: str) -> dict[str, object]:
    """A torch.export program as a .tflite file."""
    import litert_torch  # pyright: ignore[reportMissingImports]
    import torch

    module = torch.export.load(program)
    (given,) = (spec for spec in module.graph_signature.user_inputs)
    shape = next(node.meta["val"].shape for node in module.graph.nodes if node.name == given)
    litert_torch.convert(module.module(), (torch.zeros(*shape),)).export(out)
    return {"done": out}


def interpreter_of(path: str):  # noqa: ANN201
    """A LiteRT interpreter on one thread, with XNNPACK."""
    from ai_edge_litert.interpreter import Interpreter  # pyright: ignore[reportMissingImports]

    made = Interpreter(model_path=path, num_threads=1)
    made.allocate_tensors()
    return made, made.get_input_details()[0]["index"], made.get_output_details()[0]["index"]


def answer(path: str, given: str, found: str) -> dict[str, object]:
    """The logits of every example, one by one."""
    interpreter, entry, out = interpreter_of(path)
    rows = []
    for example in np.load(given):
        interpreter.set_tensor(entry, example[None])
        interpreter.invoke()
        rows.append(interpreter.get_tensor(out).copy())
    np.save(found, np.concatenate(rows))
    return {"done": found}


def timed(path: str) -> dict[str, object]:
    """The quiet latency of one evaluation."""
    interpreter, entry, _ = interpreter_of(path)
    interpreter.set_tensor(entry, np.zeros(interpreter.get_input_details()[0]["shape"], np.float32))
    began = time.perf_counter()
    while time.perf_counter() - began < WARM_S:
        interpreter.invoke()
    fastest = []
    for _ in range(ROUNDS):
        calls = []
        for _ in range(CALLS):
            began = time.perf_counter()
            interpreter.invoke()
            calls.append(time.perf_counter() - began)
        fastest.append(min(calls))
    return {"latency_ms": 1e3 * float(np.percentile(fastest, 10))}


def main() -> None:
    """Do what the arguments say."""
    work = {"convert": convert, "answer": answer, "time": timed}[sys.argv[1]]
    try:
        said = work(*sys.argv[2:])
    except ModuleNotFoundError as error:
        said = {"missing": error.name}
    except Exception as error:  # it is told to whoever asked
        said = {"error": f"{type(error).__name__}: {(str(error).strip().splitlines() or ['no message'])[0]}"}
    print("\n" + json.dumps(said), flush=True)


if __name__ == "__main__":
    main()
