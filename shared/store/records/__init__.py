"""What is known of each model besides its files: one record, changed as a whole."""
