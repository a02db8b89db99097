"""Meta's Conversions API: conversions told by the server, matched by hashed identifiers."""
