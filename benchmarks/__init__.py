"""One script per published figure; each prints JSON."""
