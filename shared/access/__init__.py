"""API keys, who may ask what, and how often."""
