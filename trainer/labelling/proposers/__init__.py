"""Who proposes texts before there is anything to learn from: models, and engines that are there."""
