"""Copying images from anywhere to anywhere: one plan over all references, each blob once, carried out by threads.

Words: a *place* is one repository at one end; an *image* is what one reference came to, with everything that belongs to
it; the *plan* says what is to move, to mount and to put; the *run* carries it out. This room knows no job and no command:
what copies stands above it.
"""
