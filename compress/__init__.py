"""One network -> smaller -> a file -> measured."""

import os

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch is imported; see spaces/__init__.py
