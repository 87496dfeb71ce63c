"""Interleaved CPU-time measurement of one workload on several engines, and its tables."""
