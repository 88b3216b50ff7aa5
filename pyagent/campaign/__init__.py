"""Running an experiment from end to end and keeping what it found."""
