"""The network: layers, initial weights, device, and features."""
