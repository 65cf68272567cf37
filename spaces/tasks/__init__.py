"""What to learn: one file a data source. A task's config is a frozen dataclass whose `load()` gives Data."""

from spaces.tasks.arrays import Arrays
from spaces.tasks.data import TASKS, Data, Scores, Split, Task
from spaces.tasks.digits import Digits
from spaces.tasks.folder import Folder
from spaces.tasks.parquet import Parquet
from spaces.tasks.scores import Table
from spaces.tasks.series import Series

__all__ = ["TASKS", "Arrays", "Data", "Digits", "Folder", "Parquet", "Scores", "Series", "Split", "Table", "Task"]
