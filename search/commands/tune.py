"""The command that searches the recipe itself: tune."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from search.commands.develop import check_out, explained, run_study
from search.commands.options import DEFAULT_DB, Db, Json

if TYPE_CHECKING:
    from search.config.recipe import RecipeConfig

NOTHING = "none: no step was worth it, the network ships as it was"


def tune(
    recipe: Annotated[Path, typer.Option("--recipe", help="Recipe file with a `tune` section in place of steps.")],
    model: Annotated[
        str, typer.Option("--model", help="module:attribute or file.py:attribute (default: the recipe's).")
    ] = "",
    variant: Annotated[
        str, typer.Option("--variant", help="STUDY: the trained networks of a study, or STUDY:ID, in place of a model.")
    ] = "",
    data: Annotated[
        Path | None, typer.Option("--data", help="YAML file with the task, in place of the recipe's.")
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", help="Write a bundle there, and the recipe.yaml.")] = None,
    device: Annotated[str, typer.Option("--device", help="The recipe's device that judges, or a kind.")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be searched, run nothing.")] = False,
    db: Db = DEFAULT_DB,
    as_json: Json = False,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="No progress.")] = False,
) -> None:
    """Search for the recipe: steps, their order and settings. The same call resumes it."""
    with explained():
        from search.config.recipe import read_recipe
        from search.errors import UsageError

        config = read_recipe(recipe, model, data, device, variant=variant)
        if config.tune is None:
            raise UsageError(f"{recipe} has no `tune` section. To run its steps as they are:  search compress")
        if dry_run:
            from search.tuning.plan import plan

            if config.variant:
                _check_variant(config, db)
            found = plan(config)
            print(json.dumps(found) if as_json else found["text"])
            return
        check_out(out)
        run_study(config, db, quiet, as_json)
        if out is not None:
            from search.shipping.export import write_export
            from search.state.ledger import Ledger
            from search.tuning.written import write_recipe

            with Ledger.open(db, create=False) as ledger:
                written = write_export(ledger, config.study, out, bundle=True)
                made = write_recipe(ledger, config.study, out / "recipe.yaml")
            if not as_json:
                print(f"\nbundle   {out}: {len(written)} files" + f"\nrecipe   {made or NOTHING}")


def _check_variant(config: "RecipeConfig", db: str) -> None:
    """A plan for networks that there are not, or that are of other data, is none. Raises: NotFound, ConfigError."""
    from search.starting import recorded_starts
    from search.state.ledger import Ledger

    with Ledger.open(db, create=False) as ledger:
        recorded_starts(config, ledger, config.load_data())


COMMANDS = (tune,)
