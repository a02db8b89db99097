"""Where events wait: the log, and only what both wings import."""
