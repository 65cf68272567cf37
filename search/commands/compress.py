"""The command that compresses a model of the user's: compress."""

from pathlib import Path
from typing import Annotated

import typer

from search.commands.develop import check_out, explained, run_study
from search.commands.options import DEFAULT_DB, Db, Json


def compress(
    recipe: Annotated[Path, typer.Option("--recipe", help="Recipe file: task, steps, limits, devices.")],
    model: Annotated[
        str, typer.Option("--model", help="my.onnx, module:attribute or file.py:attribute (default: the recipe's).")
    ] = "",
    choose: Annotated[
        list[str] | None, typer.Option("--choose", metavar="NAME=VALUE", help="Which network of a model space of NNI.")
    ] = None,
    variant: Annotated[
        str, typer.Option("--variant", help="STUDY or STUDY:ID: a trained network of a study, in place of a model.")
    ] = "",
    data: Annotated[
        Path | None, typer.Option("--data", help="YAML file with the task, in place of the recipe's.")
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", help="Write the result there as a bundle.")] = None,
    device: Annotated[str, typer.Option("--device", help="The recipe's device that judges, or a kind.")] = "",
    db: Db = DEFAULT_DB,
    as_json: Json = False,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="No progress.")] = False,
) -> None:
    """Compress a model of your own. Every step is exported, evaluated, measured and judged. The same call resumes."""
    with explained():
        from search.config.recipe import read_recipe
        from search.errors import UsageError

        config = read_recipe(recipe, model, data, device, choose or (), variant)
        if config.tune is not None:
            raise UsageError(f"{recipe} has a `tune` section. To search among its recipes:  search tune")
        check_out(out)
        run_study(config, db, quiet, as_json)
        if out is not None:
            from search.shipping.export import write_export
            from search.state.ledger import Ledger

            with Ledger.open(db, create=False) as ledger:
                written = write_export(ledger, config.study, out, bundle=True)
            if not as_json:
                print(f"\nbundle   {out}: {len(written)} files")


COMMANDS = (compress,)
