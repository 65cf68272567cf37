"""Commands that run a study: launch, resume, validate."""

import json
import shlex
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from search.commands.look import StudyName, newest
from search.commands.options import DEFAULT_DB, Db
from search.errors import ConfigError, DeviceError, Interrupted, LatheError, UsageError

if TYPE_CHECKING:
    from search.config.recipe import RecipeConfig
    from search.config.study import StudyConfig
    from search.state.ledger import Ledger
    from search.stitching.config import StitchConfig
    from search.watch import Watch

    Config = StudyConfig | RecipeConfig | StitchConfig

Space = Annotated[Path, typer.Argument(help="Space file, e.g. studies/digits/space.yaml.")]
Overrides = Annotated[
    list[str] | None,
    typer.Option("-o", "--override", metavar="PATH=VALUE", help="Replace a value, e.g. search.trials=20 (repeatable)."),
]


def launch(
    space: Space,
    override: Overrides = None,
    db: Db = DEFAULT_DB,
    quick: Annotated[
        bool, typer.Option("--quick", help="A first look in minutes: less of everything, as the study NAME-quick.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the plan and the estimated time, run nothing.")
    ] = False,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="No progress.")] = False,
) -> None:
    """Run the study of a space file, up to the exported network. The same file resumes the same study."""
    with explained():
        from search.config.study import read_config

        config = _quick(space, override or []) if quick else read_config(space, override or [])
        if dry_run:
            from search.plan import print_plan

            print_plan(config)
            return
        run_study(config, db, quiet)


def _quick(space: Path, given: list[str]) -> "StudyConfig":
    """The config with what `--quick` stands for, which is said; what the user gave stays as given."""
    from search.config.overrides import path_of
    from search.config.quick import amount_of, calibration_below, quick_overrides
    from search.config.study import read_config

    first = calibration_below(space, given)
    config = read_config(space, [*first, *given])
    less = [*quick_overrides(config, amount_of(config), [path_of(each) for each in given]), *first]
    print(f"--quick is  {' '.join(f'-o {shlex.quote(each)}' for each in less)}", file=sys.stderr)
    return read_config(space, [*less, *given])


def resume(
    study: Annotated[str, typer.Argument(help="Name of the study.")],
    db: Db = DEFAULT_DB,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="No progress.")] = False,
) -> None:
    """Go on with a study after Ctrl-C, a crash or a kill. Finished trials are not repeated."""
    with explained():
        from search.config.recipe import is_recipe, recipe_of
        from search.config.study import config_of
        from search.state.ledger import Ledger
        from search.stitching.config import is_stitched, stitched_config_of

        with Ledger.open(db, create=False) as ledger:
            tree = dict(ledger.study(study).config)
        read = stitched_config_of if is_stitched(tree) else recipe_of if is_recipe(tree) else config_of
        run_study(read(tree, study), db, quiet)


def certify(
    study: StudyName = "",
    db: Db = DEFAULT_DB,
    networks: Annotated[int, typer.Option("--networks", min=5, help="How many to train alone.")] = 16,
    epochs: Annotated[int, typer.Option("--epochs", min=0, help="Epochs each; 0: as many as the supernet.")] = 0,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="No progress.")] = False,
) -> None:
    """Measure how well a study's supernet ranks. Random ones are trained alone, beside scores that need no training.

    What is trained is recorded: the same command goes on after an interruption, and more networks keep those there are.
    """
    with explained():
        from search.config.study import config_of
        from search.report.telling import certificate_text
        from search.state.database import connect
        from search.state.ledger import Ledger
        from search.state.recorded import read_recorded
        from search.supernet.certify import certify as run
        from search.watch import Watch

        with Ledger.open(db, create=False) as ledger:
            name = newest(db, study)
            config = config_of(dict(ledger.study(name).config), name)
            run(config, ledger, networks, epochs or config.supernet.epochs, Watch(quiet=quiet))
        print(certificate_text(read_recorded(connect(db, read_only=True), name)))


def validate(space: Space, override: Overrides = None) -> None:
    """Check a space file, its data and random networks of it. Says everything that is wrong at once."""
    with explained():
        from search.config.study import read_config
        from search.plan import check_space

        config = read_config(space, override or [])
        print(check_space(config))


def check_out(out: Path | None) -> None:
    """A folder that cannot be made is said before the work and not after it. Raises: UsageError."""
    there = next((p for p in (out, *out.parents) if p.exists()), None) if out else None
    if there is not None and not there.is_dir():
        raise UsageError(f"--out is a folder, and {there} is a file. Name another folder.")


def run_study(config: "Config", db: str, quiet: bool, as_json: bool = False) -> None:
    """Run or resume, then tell what came out. Under torchrun the first process does; the others help it to train."""
    from search.config.study import StudyConfig
    from search.supernet import ranks

    with ranks.together():
        if ranks.rank() == 0:
            _run(config, db, quiet, as_json)
        elif isinstance(config, StudyConfig):
            from search.supernet.helping import help_to_train

            help_to_train(config)


def _run(config: "Config", db: str, quiet: bool, as_json: bool) -> None:
    from compress.processor import described, processor
    from search.latency.files import too_many_threads
    from search.plan import headline, missing_test_part
    from search.state.ledger import Ledger
    from search.watch import Watch, duration

    began = time.monotonic()
    watch = Watch(quiet=quiet)
    watch.say(headline(config, db))
    if processor().type != "cpu":
        watch.say(f"trains on {described(processor())}; LATHE_PROCESSOR=cpu trains on the CPU")
    for name, device in getattr(config, "devices", {}).items():
        if warning := too_many_threads(device, name):
            watch.say(warning)
    if missing := missing_test_part(getattr(config, "task", None)):
        watch.say(f"test part: {missing}")
    suffix = "" if db == DEFAULT_DB else f" --db {shlex.quote(db)}"
    try:
        with Ledger.open(db) as ledger:
            if _is_done(ledger, config):
                watch.say("This study is done; nothing is repeated. To run it anew:  -o study=ANOTHER-NAME")
            else:
                _work(config, ledger, watch)
    except (Interrupted, KeyboardInterrupt) as stop:
        kind = type(stop) if isinstance(stop, Interrupted) else Interrupted
        if not _is_recorded(config.study, db):
            raise kind("stopped before the study began; the same command begins again.") from stop
        message = f"study {config.study!r} is paused; nothing finished is lost. Go on with:"
        raise kind(f"{message}  search resume {config.study}{suffix}") from stop
    if as_json or not quiet:
        from search.report.telling import study_text, study_tree
        from search.state.database import connect
        from search.state.recorded import read_recorded

        recorded = read_recorded(connect(db, read_only=True), config.study)
        print(json.dumps(study_tree(recorded)) if as_json else study_text(recorded))
        watch.say(
            f"\n{duration(time.monotonic() - began)}. Next:  search report {config.study}{suffix}   "
            f"search export {config.study} --out DIR{suffix}   search dashboard{suffix}"
        )


def _work(config: "Config", ledger: "Ledger", watch: "Watch") -> None:
    from search.config.recipe import RecipeConfig
    from search.stitching.config import StitchConfig

    if isinstance(config, RecipeConfig) and config.tune:
        from search.tuning.tune import tune

        tune(config, ledger, watch)
    elif isinstance(config, RecipeConfig):
        from search.compressing import compress_given

        compress_given(config, ledger, watch)
    elif isinstance(config, StitchConfig):
        from search.stitching.run import stitch

        stitch(config, ledger, watch)
    else:
        from search.main_loop import launch as run

        run(config, ledger, watch)


def _is_recorded(study: str, db: str) -> bool:
    from search.state.ledger import Ledger

    try:
        with Ledger.open(db, create=False) as ledger:
            return any(each.name == study for each in ledger.studies())
    except LatheError:
        return False


def _is_done(ledger: "Ledger", config: "Config") -> bool:
    """The same study was run to its end, and kept the facts that a bundle needs: known without loading its data."""
    from search.state.facts import recorded_facts
    from search.state.records import digest

    wanted = config.study, "done", digest(dict(config.tree))
    return any(
        (study.name, study.state, study.config_hash) == wanted and recorded_facts(ledger, study.id) is not None
        for study in ledger.studies()
    )


@contextmanager
def explained() -> Iterator[None]:
    """Errors of the other rooms, which know nothing of exit codes, as errors of the command line."""
    try:
        yield
    except LatheError:
        raise
    except Exception as error:
        from compress.devices import DeviceError as Unmeasurable
        from compress.evaluate import NotFinite
        from compress.processor import NoProcessor
        from compress.train import NonFiniteLoss
        from spaces.tasks.data import DataError

        if isinstance(error, MemoryError) or "can't allocate memory" in str(error):  # torch's is a RuntimeError
            raise LatheError(
                "this machine has too little memory for that. Lower the largest `width` or `batch`, or the task's "
                f"`size` or `limit`. ({str(error).partition('DefaultCPUAllocator: ')[2] or 'out of memory'})"
            ) from error
        if isinstance(error, DataError):
            raise ConfigError(f"error: {error}") from error
        if isinstance(error, NoProcessor):
            raise UsageError(str(error)) from error
        if isinstance(error, Unmeasurable):
            raise DeviceError(str(error)) from error
        if isinstance(error, NonFiniteLoss | NotFinite):
            raise LatheError(str(error)) from error
        raise


COMMANDS = (launch, resume, certify, validate)
