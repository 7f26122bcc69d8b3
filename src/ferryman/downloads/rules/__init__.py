"""Rules of downloads: what an address looks like decides where its file goes and what follows.

A *rule* has conditions (ending, host, expression, size), which must all hold, and effects (category, folder, priority,
limit, connections, checksum, unpacking, hooks). Rules stand in an order and the first that matches counts. What a
person asked for explicitly wins over it.
"""
