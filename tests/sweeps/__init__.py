"""Tests of sweeps: trials, the vault, resume, budgets and boards."""
