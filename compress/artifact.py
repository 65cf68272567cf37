"""Files named by their sha256: a reader sees the whole right file or none, whenever the writer was killed."""

import hashlib
import os
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

_CHUNK_BYTES = 1 << 20
_PARTIAL = ".partial"


class DamagedArtifact(ValueError):
    """The bytes of a stored file no longer have the sha256 that names it."""


@dataclass(frozen=True)
class Artifact:
    """One stored file. It is read-only: to change it is to make another artifact."""

    sha256: str
    size_bytes: int
    path: Path


@dataclass(frozen=True)
class Store:
    """A folder of content-addressed files, `<root>/<first two hex digits>/<sha256>`."""

    root: Path

    def put(self, source: Path | bytes) -> Artifact:
        """Copy a file or bytes into the store and return the artifact.

        Putting the same bytes again is harmless. Written under a temporary name, fsynced, renamed, and the
        folders fsynced: after a crash the artifact is there in full or not at all. An existing file is
        replaced, which also mends a damaged one. Raises OSError (ENOSPC when the disk is full) after removing
        the temporary file.
        """
        self.root.mkdir(parents=True, exist_ok=True)
        partial = self.root / f"{os.getpid()}-{uuid.uuid4().hex}{_PARTIAL}"
        try:
            sha256, size_bytes = _write_synced(partial, source)
            final = self._name(sha256)
            if not final.parent.is_dir():
                final.parent.mkdir(exist_ok=True)
                _sync_folder(self.root)
            os.replace(partial, final)
            _sync_folder(final.parent)
        except BaseException:
            partial.unlink(missing_ok=True)
            raise
        return Artifact(sha256, size_bytes, final)

    def path(self, sha256: str) -> Path:
        """Where the artifact lies. Raises FileNotFoundError if the store does not have it."""
        path = self._name(sha256)
        if not path.is_file():
            raise FileNotFoundError(f"artifact {sha256[:12]} is not in {self.root}.")
        return path

    def open(self, sha256: str) -> BinaryIO:
        """The artifact open for reading, after its bytes were checked (the file is read twice).

        Raises FileNotFoundError if it is not there, DamagedArtifact if its bytes have another sha256.
        """
        stream = self.path(sha256).open("rb")
        found = hashlib.file_digest(stream, "sha256").hexdigest()
        if found != sha256:
            stream.close()
            raise DamagedArtifact(
                f"artifact {sha256[:12]} in {self.root} is damaged: its bytes have sha256 {found[:12]}. "
                "Restore it from a backup, or delete the file and run the step again."
            )
        stream.seek(0)
        return stream

    def remove(self, sha256: str) -> None:
        """Delete the file; nothing happens if it is not there. The caller knows that nothing refers to it."""
        self._name(sha256).unlink(missing_ok=True)

    def names(self) -> Iterator[str]:
        """The sha256 of every file in the store, sorted."""
        for folder in sorted(self.root.glob("[0-9a-f][0-9a-f]")):
            yield from sorted(path.name for path in folder.iterdir())

    def sweep(self, older_than_s: float = 3600.0) -> list[Path]:
        """Remove what killed writers left half written, if at least `older_than_s` old; returns the paths."""
        limit = time.time() - older_than_s
        removed = []
        for partial in sorted(self.root.glob(f"*{_PARTIAL}")):
            try:
                if partial.stat().st_mtime <= limit:
                    partial.unlink()
                    removed.append(partial)
            except FileNotFoundError:  # its writer finished, or another sweep was faster
                continue
        return removed

    def _name(self, sha256: str) -> Path:
        if len(sha256) != 64 or not set(sha256) <= set("0123456789abcdef"):
            raise ValueError(f"an artifact is named by 64 lower-case hex digits, got {sha256!r}.")
        return self.root / sha256[:2] / sha256


def sha256_of(path: Path) -> str:
    """The name a file would have in a store: sha256 of its bytes, 64 hex digits."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _write_synced(partial: Path, source: Path | bytes) -> tuple[str, int]:
    digest, size_bytes = hashlib.sha256(), 0
    with partial.open("xb") as target:
        for chunk in _chunks(source):
            digest.update(chunk)
            size_bytes += target.write(chunk)
        target.flush()
        os.fsync(target.fileno())
    return digest.hexdigest(), size_bytes


def _chunks(source: Path | bytes) -> Iterator[bytes]:
    if isinstance(source, bytes):
        yield source
        return
    with source.open("rb") as stream:
        while chunk := stream.read(_CHUNK_BYTES):
            yield chunk


def _sync_folder(folder: Path) -> None:
    """Make a rename or a new name in `folder` survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
