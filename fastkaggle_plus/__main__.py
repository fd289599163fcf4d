"""`python -m fastkaggle_plus` is `fkp`."""

from .cli import main

if __name__ == "__main__":
    main()
