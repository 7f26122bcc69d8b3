"""What people do with images: copies between registries, files, engines and the depot, as jobs; bundles; upkeep of the depot.

Words: an *order* is what the API takes, a *spec* what the ledger keeps of it, with everything secret sealed; a *wish* is one
reference and where it goes. The work itself is `depot.copying`.
"""
