"""`python -m search` is the command `search`, for where the environment's commands are not on the path."""

from search.cli import main

if __name__ == "__main__":
    main()
