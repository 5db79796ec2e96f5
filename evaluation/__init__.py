"""Rollouts, scores with intervals, videos, the report."""
