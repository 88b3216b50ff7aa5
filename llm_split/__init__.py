"""llm_split: split inference of a real decoder. Knows nothing of networks or agents."""
