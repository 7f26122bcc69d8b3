"""Downloads as aria2 shows them: its JSON-RPC interface at `/jsonrpc`, for browser extensions and front ends made for it.

A **call** names a method and its parameters; a **GID** is the name of a download in sixteen hexadecimal digits.
"""
