"""Published models: their manifest, where they are stored, which version is served."""
