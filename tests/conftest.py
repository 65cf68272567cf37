"""What all tests share: they train on the CPU, whatever the machine has, since many compare bit for bit."""

import os

os.environ.setdefault("LATHE_PROCESSOR", "cpu")
