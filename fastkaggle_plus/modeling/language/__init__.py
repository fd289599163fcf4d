"""What text models stand on: pretrained weights, inputs written out of columns, batches sorted by length, losses, training."""
