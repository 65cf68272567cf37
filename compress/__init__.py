"""One network -> smaller -> a file -> measured."""

import spaces as spaces  # before torch is imported: it says how threads wait
