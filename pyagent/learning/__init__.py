"""Learning with as few language-model evaluations as possible, on a recorded dataset or live."""
