"""The Body Transformer: a token for each limb, attention along the body's graph."""
