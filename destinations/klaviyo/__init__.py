"""Klaviyo: events, profiles, and consent to e-mail and SMS marketing."""
