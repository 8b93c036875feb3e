"""How a set's images become inputs: what is measured on them, and what is chosen."""
