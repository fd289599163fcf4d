"""Models that read texts: fine-tuned language models, and cheaper baselines."""
