"""Tasks of hands."""
