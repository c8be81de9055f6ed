"""Photos of digits on paper: finds the ink, and the digit in it.

`reader.read_photo` is the entry point. Sizes are shares of the working copy, whose longer side is
at most `reader.WORK_SIDE` pixels. Pillow and numpy do the work, in integers where it decides about
pixels, so that a file gives the same digit on every platform.
"""
