"""Who may do what: users, roles, API tokens, console sessions and the audit log.

A *user* has a name, a role and a password. A *role* (viewer < member < operator < admin) stands for a set of
*scopes* such as `downloads:write`; an API *token* carries a subset of its user's scopes; a *session* is a browser
that signed in. Whoever acts is a *principal*: the user behind a session or token, with the scopes that hold now.
The *audit log* is a hash chain: a changed, removed or reordered row is found.

This room does not speak HTTP, knows no cookie and no job; it answers who a secret belongs to and what they may do.
"""
