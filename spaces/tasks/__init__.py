"""What to learn: one file a data source. A task's config is a frozen dataclass whose `load()` gives Data."""

from spaces.tasks.data import TASKS, Data, Split, Task
from spaces.tasks.digits import Digits
from spaces.tasks.folder import Folder
from spaces.tasks.parquet import Parquet
from spaces.tasks.series import Series

__all__ = ["TASKS", "Data", "Digits", "Folder", "Parquet", "Series", "Split", "Task"]
