"""The predictor over HTTP."""
