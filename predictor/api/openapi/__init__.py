"""The predictor's OpenAPI description, and the page that shows it."""
