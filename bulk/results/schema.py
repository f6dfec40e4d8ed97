"""The columns of results: one row a photo, in the order of the plan.

Engines may differ in `host`, `provider`, `judged_at` and the times alone.
"""

import pyarrow as pa

from bulk.manifest.schema import SCHEMA

FILED, REVIEW, FAILED, LEFT = "filed", "review", "failed", "left"
VERDICTS = (FILED, REVIEW, FAILED, LEFT)
"""What the rules make of a photo: to its class, to `_review`, to `_failed`, or it stays where it is."""
MS = ("read", "decode", "infer")
"""Steps whose times are kept, as `read_ms`."""

RESULTS = pa.schema(
    [
        *SCHEMA,
        ("sha256", pa.string()),
        ("label", pa.string()),
        ("top", pa.list_(pa.struct([("label", pa.string()), ("probability", pa.float32())]))),
        ("probability", pa.float32()),
        ("familiarity", pa.float32()),
        ("nearest", pa.string()),
        ("embedding", pa.binary()),
        ("verdict", pa.string()),
        ("folder", pa.string()),
        ("reason", pa.string()),
        ("review_reason", pa.string()),
        ("error", pa.string()),
        ("model", pa.string()),
        ("provider", pa.string()),
        ("host", pa.string()),
        ("judged_at", pa.timestamp("us", tz="UTC")),
        *((f"{step}_ms", pa.float32()) for step in MS),
    ]
)
"""All columns. Null may be `familiarity`, `nearest` and `embedding` (a model that does not tell), `review_reason` and
`error`. A photo that was not judged has an empty label, no `top` and probability 0."""

OF_THE_RUN = ("host", "provider", "judged_at", *(f"{step}_ms" for step in MS))
"""Columns that tell of the run and not of the photo."""
