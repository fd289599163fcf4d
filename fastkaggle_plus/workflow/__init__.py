"""The user's verbs, one file each: run, push, rehearse, start a competition, check the machine."""
