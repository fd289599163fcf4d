"""Image models: architectures, pretrained weights, augmentation, training and test-time views."""
