"""The likeliest texts of an image among those that limits allow."""
