"""The frame: what every page and every call of the API shares.

Words: a *part* is what one feature adds (routes, pages, places in the navigation); a *caller* is the principal behind
a request; a *problem* is an error as RFC 9457 writes it; the *stream* is the flow of live events to a browser or client.
It decides nothing about jobs, downloads or accounts: features bring that, and `daemon` puts the parts together.
"""
