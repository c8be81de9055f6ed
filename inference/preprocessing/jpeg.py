"""JPEG structure: which files decode row by row, in little memory at any size."""

SINGLE_SCAN_FRAMES = (0xC0, 0xC1)  # baseline and extended sequential, Huffman-coded (ITU-T T.81)
OTHER_FRAMES = frozenset(range(0xC2, 0xD0)) - {0xC4, 0xC8, 0xCC}
START_OF_SCAN = 0xDA
STANDALONE = frozenset({0x01, *range(0xD0, 0xD9)})  # markers without a length


def has_single_scan(data: bytes) -> bool:
    """Return whether a JPEG file is sequential, with all of its components in the first scan.

    Any other keeps the coefficients of the whole picture in memory, 2 bytes for each component of
    a pixel, and costs time for each of its scans.
    """
    position, components = 2, 0
    while position + 5 <= len(data) and data[position] == 0xFF:  # noqa: PLR2004  # a marker's start
        marker = data[position + 1]
        if marker == 0xFF:  # noqa: PLR2004  # a fill byte
            position += 1
            continue
        if marker in STANDALONE:
            position += 2
            continue
        if marker in SINGLE_SCAN_FRAMES and position + 9 < len(data):
            components = data[position + 9]
        elif marker in OTHER_FRAMES:
            return False
        elif marker == START_OF_SCAN:
            return components > 0 and data[position + 4] == components
        position += 2 + int.from_bytes(data[position + 2 : position + 4])
    return False
