"""What both services answer with: the models that they, the client and both OpenAPI share."""
