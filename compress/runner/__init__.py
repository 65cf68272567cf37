"""Times model files, here or on another machine: one JSON job on stdin, one JSON answer on stdout, and it is gone.

This folder is what runs on other machines, as it stands, packed into one archive (`compress/devices/jobs.py`). So it
imports the standard library, numpy and the engine that is asked for, and nothing else of Lathe. A job is
`{"do": "probe" | "measure" | "memory", ...}` with the arguments of the functions in `answering.py`; `"limit_s"` ends
it, `"alone"` makes it wait until nobody else measures there. Nothing is unpickled, nothing listens.
"""
