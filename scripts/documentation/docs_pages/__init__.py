"""Pages of the documentation's site that are made from the code when it is built."""
