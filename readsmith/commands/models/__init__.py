"""Commands about the published models."""
