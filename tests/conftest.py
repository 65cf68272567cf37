"""All tests train on the CPU, whatever the machine has, and in one thread: many compare bit for bit."""

import os

os.environ.setdefault("LATHE_PROCESSOR", "cpu")
os.environ.setdefault("OMP_NUM_THREADS", "1")
