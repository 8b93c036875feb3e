"""Runs jobs and trials on the machines of a Ray cluster."""

import os

os.environ["RAY_USAGE_STATS_ENABLED"] = "0"  # read when Ray is imported
