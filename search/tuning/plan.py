"""What `search tune` would search, before it does."""

from typing import Any

from search.config.recipe import RecipeConfig


def plan(config: RecipeConfig) -> dict[str, Any]:
    """How many recipes there are and by what they differ; `text` is the same for people. Nothing is loaded or run."""
    assert config.tune is not None
    space, settings = config.tune.space, config.tune.settings
    choices = {name: len(steps) for name, steps in space.choices.items()}
    bounds = [f"{settings.evaluations} variants"] if settings.evaluations else []
    bounds += [f"{settings.minutes:g} minutes"] if settings.minutes else []
    lines = [
        f"study    {config.study}",
        f"from     {config.source}",
        f"recipes  {len(space):,} in {len(space.orders)} orders"
        + (", for each network of the study" if config.variant and ":" not in config.variant else ""),
        *(f"         {name}: {count} settings" for name, count in choices.items()),
        f"budget   {' or '.join(bounds)}, at most {config.compress.max_drop:g} points lost",
        f"tuner    {settings.sampler}",
        f"looks    {settings.cheap_epochs:.0%} of the epochs on {settings.cheap_images:.0%} of the images come first"
        if settings.looks_first
        else "looks    none: every recipe is tried in whole",
    ]
    return {
        "v": 1,
        "study": config.study,
        "recipes": len(space),
        "orders": [list(order) for order in space.orders],
        "settings": choices,
        "text": "\n".join(lines),
    }
