"""What text models stand on: pretrained weights, inputs written out of columns, batches sorted by length, objectives, training."""
