"""Make `python -m fastkaggle_plus` the same as `fkp`."""

from .cli import main

if __name__ == "__main__":
    main()
