"""One HTML file that needs nothing else: what every page shares, and writing it."""

import os
from contextlib import suppress
from html import escape
from importlib import resources
from pathlib import Path
from string import Template

from search.errors import LatheError, UsageError


def filled(name: str, **parts: str) -> str:
    """A template of this folder with its parts, which are markup."""
    return Template(_text(name)).substitute(parts)


def page_html(title: str, subtitle: str, sections: str, footer: str) -> str:
    """A whole page. sections: markup; the others are plain text."""
    plain = {"title": escape(title), "subtitle": escape(subtitle), "footer": escape(footer)}
    return filled("shell.html", **plain, style=_text("page.css"), sections=sections)


def write_page(page: str, out: Path) -> Path:
    """Write HTML to `out`, complete or not at all, and return that path. Raises: UsageError: if it is a folder;
    LatheError: if it cannot be written."""
    if out.is_dir():
        raise UsageError(f"--out is a file, and {out} is a folder. Write {out / 'report.html'}.")
    partial = out.with_name(f"{out.name}.{os.getpid()}.partial")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        partial.write_text(page, encoding="utf-8")
        os.replace(partial, out)
    except OSError as error:
        raise LatheError(
            f"cannot write {out}: {error.strerror}. Name another file with `--out`, or check the free space."
        ) from error
    finally:
        with suppress(OSError):  # in no folder there is none
            partial.unlink(missing_ok=True)
    return out


def _text(name: str) -> str:
    return resources.files("search.report").joinpath(name).read_text(encoding="utf-8")
