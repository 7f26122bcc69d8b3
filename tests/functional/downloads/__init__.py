"""Downloads of a running daemon: changed while they run, and reached as aria2 is."""
