"""One user verb a file: run, push, rehearse, start a new competition, check the machine."""
