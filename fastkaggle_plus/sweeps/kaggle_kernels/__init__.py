"""Run trials in Kaggle's kernels: plan them, write and send their scripts, collect the results."""
