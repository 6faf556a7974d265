"""Faster ways to read a cache, which give the numbers that `kvlib.attention` gives."""
