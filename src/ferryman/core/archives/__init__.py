"""The one place that unpacks archives: zip, tar (also compressed), 7z, and single gz, bz2, xz and zst files.

Everything inside an archive is hostile. What it says is judged before it is done (`guard`), written into a folder
that only we know (`tree`), and shown under its real name when all of it is there (`unpack`). An archive inside an
archive stays a file. It lives in `core` because every feature unpacks something, and needs nothing above.
"""
