"""Library datasets: wheels for Kaggle's Python, tried out before they leave."""
