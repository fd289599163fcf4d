"""`python -m fastkaggle_plus` is `fkp`."""

from .cli.app import main

if __name__ == "__main__":
    main()
