"""Centres of many photos, by k-means over unit-length features."""

import warnings

import numpy as np
from numpy.typing import NDArray

from training.network.broad_network import unit_length


def centres_of(features: NDArray[np.float32], count: int, seed: int) -> NDArray[np.float32]:
    """Centres at unit length, float32 [K, F], K at most `count`; the photos themselves where there are no more.

    Args:
        features: pooled broad features, float32 [N, F].
    """
    from sklearn.cluster import KMeans
    from threadpoolctl import threadpool_limits

    rows = unit_length(features)
    if len(rows) <= count:
        return rows
    with threadpool_limits(1), warnings.catch_warnings():  # more threads round sums in another order each time
        warnings.simplefilter("ignore")  # equal photos give fewer different centres, which does no harm
        made = KMeans(count, n_init=1, max_iter=30, random_state=seed).fit(rows).cluster_centers_
    return unit_length(made.astype(np.float32))
