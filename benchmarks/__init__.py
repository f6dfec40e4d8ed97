"""What this project promises in numbers, measured side by side in one run. `python -m benchmarks` lists them."""
