"""The contract of a model file: input geometry, labels, thresholds, golden sample, and the session that checks them.

It imports common ground, and no other room.
"""

import os

# Since 1.29 the Linux wheels of onnxruntime send telemetry about models and runs to Microsoft, and keep an id of the
# machine below ~/.cache/Microsoft. This variable stops both, if it is set before onnxruntime is imported.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
