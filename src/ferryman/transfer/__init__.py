"""Moving bytes from elsewhere into files, over HTTP, HTTPS and FTP.

Words of this room: a *request* names the mirrors of one file and where it goes; a *transfer* is a request at work;
a *span* is a half-open byte range `[start, end)`; a *lane* is one connection fetching one span; a *carrier* speaks a
protocol; the *pump* is the one loop thread that owns every transfer of an engine; the *journal* says which spans are
on disk.

This room does not know jobs, users or the web, and decides nothing about what should be fetched.
"""
