"""Library datasets: wheels for Kaggle's Python, tested before they are uploaded."""
