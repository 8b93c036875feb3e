"""The files of a version's report."""
