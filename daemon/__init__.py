"""An inbox and a model.onnx in, class folders and a ledger out.

`pipeline.py` is the one file that knows the order of a photo's way; every stage has a module of its own.
"""
