"""The network: backbones with their weights, the device it runs on, and its features."""
