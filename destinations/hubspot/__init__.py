"""HubSpot: contacts, companies and custom behavioural events, as a destination."""
