"""What the study database holds of a device: how many measurements, and when the newest was made."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from search.state.database import check_schema, connect, explained, sqlite_file
from search.state.tables import DeviceRow, MeasurementRow


@dataclass(frozen=True)
class Held:
    """measurements: rows of a device. newest: when the last of them was recorded, UTC; None where there is none."""

    measurements: int
    newest: datetime | None


def held_of(url: str, fingerprints: Collection[str]) -> Held | None:
    """Of the devices with these fingerprints together; None where there is no database yet. Raises: SchemaError."""
    file = sqlite_file(url)
    if file is not None and not file.exists():
        return None
    engine = connect(url, read_only=True)
    try:
        check_schema(engine)
        asked = (
            select(func.count(), func.max(MeasurementRow.created_at))
            .join(DeviceRow, MeasurementRow.device_id == DeviceRow.id)
            .where(DeviceRow.fingerprint.in_(list(fingerprints)))
        )
        with explained(engine.url), Session(engine) as session:
            count, newest = session.execute(asked).one()
    finally:
        engine.dispose()
    return Held(count, newest)
