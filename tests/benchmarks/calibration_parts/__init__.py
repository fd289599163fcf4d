"""Parts of the benchmark calibration.py: each file has `tables`, see calibration.py."""
