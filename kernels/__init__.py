"""Fast operations: each folder holds one, with a plain torch reference, and Triton kernels where they pay."""
