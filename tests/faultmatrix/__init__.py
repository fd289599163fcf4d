"""The fault matrix: every operation under every fault."""
