"""Executors whose work goes on in the request that handed it over."""
