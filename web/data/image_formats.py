"""Image formats of the inference API, which rejects all others.

The decoder has the same list: inference/preprocessing/decoding.py.
"""

# Pillow's name of a format, and its file suffixes.
SUFFIXES_OF = {
    "PNG": (".png",),
    "JPEG": (".jpg", ".jpeg"),
    "WEBP": (".webp",),
    "BMP": (".bmp",),
    "GIF": (".gif",),
}
FORMATS = tuple(SUFFIXES_OF)
SUFFIXES = tuple(suffix for suffixes in SUFFIXES_OF.values() for suffix in suffixes)
