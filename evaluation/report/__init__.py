"""The report: one HTML file with figures, bars, videos, prompts and configuration; opens anywhere, needs nothing."""

from opengato.evaluation.report.page import write_report

__all__ = ["write_report"]
