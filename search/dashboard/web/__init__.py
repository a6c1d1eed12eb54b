"""The web side of the dashboard: who may ask, forms, addresses, style sheets and scripts."""
