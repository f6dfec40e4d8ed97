"""Millions of photos in storage, judged by many processes and machines, part by part, as the daemon would judge them.

A plan is a folder of Parquet parts that name photos; results are as many parts with one row a photo. Nothing here runs
in the daemon's process, and pyarrow, fsspec and Ray are imported here alone.
"""
