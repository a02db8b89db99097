"""A signed webhook: any service of your own, as a destination."""
