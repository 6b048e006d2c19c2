"""GET-Zero: one transformer over joints for bodies of many shapes."""
