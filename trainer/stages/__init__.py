"""The steps of a training run, in the order in which data flows; they do not know each other."""
