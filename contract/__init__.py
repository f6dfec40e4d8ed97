"""What a model file promises: input geometry, labels, thresholds, and a session that tells the truth.

The ground floor of the house: imports none of the other rooms.
"""

import os

# From 1.29 on, onnxruntime's Linux wheels send what models are opened and how they run to their maker, and keep an id
# of the machine below ~/.cache/Microsoft. This stops all of it, if it is set before onnxruntime is imported.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
