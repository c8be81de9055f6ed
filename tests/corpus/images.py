"""Corpus of images: good, odd and hostile files, built byte by byte.

The requests that send them are in the package http_requests.
"""

import io
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tests.conftest import digit_png

SIGNATURE = b"\x89PNG\r\n\x1a\n"
GRAY, RGB, PALETTE, GRAY_ALPHA, RGBA = 0, 2, 3, 4, 6
# Adam7: first column and row of each pass, and their steps.
ADAM7 = (
    (0, 0, 8, 8),
    (4, 0, 8, 8),
    (0, 4, 4, 8),
    (2, 0, 4, 4),
    (0, 2, 2, 4),
    (1, 0, 2, 2),
    (0, 1, 1, 2),
)
ROTATED = (
    b"MM\x00*\x00\x00\x00\x08\x00\x01\x01\x12\x00\x03"
    b"\x00\x00\x00\x01\x00\x06\x00\x00\x00\x00\x00\x00"
)
XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:tiff="t">'
    b'<rdf:Description tiff:Orientation="6"/></rdf:RDF></x:xmpmeta>'
)


@dataclass(frozen=True)
class OddImage:
    """An encoded image, and the status of POST /inference with it."""

    name: str
    data: bytes
    status: int = 200
    is_plain: bool = False  # an ordinary 8-bit gray PNG of 28x28


def pixels(label: str = "4", side: int = 28) -> NDArray[np.uint8]:
    """Return a drawn digit, uint8 of shape (side, side), ink high.

    Its corners differ, so that a rotation shows.
    """
    digit = np.array(Image.open(io.BytesIO(digit_png(label, side))))
    digit[side // 7, side // 7] = 200
    return digit


def chunk(kind: bytes, data: bytes, crc: int | None = None) -> bytes:
    """Return a PNG chunk with the right CRC, or with a given one."""
    crc = zlib.crc32(kind + data) if crc is None else crc
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", crc)


def header(
    width: int = 28,
    height: int = 28,
    depth: int = 8,
    color: int = GRAY,
    interlace: int = 0,
    rest: bytes = b"",
) -> bytes:
    """Return the chunk IHDR. `rest` replaces its last three bytes."""
    return chunk(
        b"IHDR",
        struct.pack(">IIBB", width, height, depth, color) + (rest or bytes([0, 0, interlace])),
    )


def rows(array: NDArray[np.uint8], filter_type: int = 0) -> bytes:
    """Return uint8 of shape (height, bytes per row) as unfiltered PNG rows."""
    return b"".join(bytes([filter_type]) + row.tobytes() for row in array)


END = chunk(b"IEND", b"")


def png(
    *before: bytes,
    body: bytes | None = None,
    ihdr: bytes | None = None,
    after: bytes = b"",
    end: bytes = END,
) -> bytes:
    """Return a PNG of the drawn digit, with extra chunks before and after its data."""
    data = chunk(b"IDAT", zlib.compress(rows(pixels()))) if body is None else body
    return SIGNATURE + (ihdr or header()) + b"".join(before) + data + after + end


def idat(raw: bytes) -> bytes:
    """Return raw rows as an IDAT chunk."""
    return chunk(b"IDAT", zlib.compress(raw))


def interlaced() -> bytes:
    """Return the drawn digit, interlaced by Adam7."""
    gray = pixels()
    passes = b"".join(rows(gray[y::dy, x::dx]) for x, y, dx, dy in ADAM7)
    return png(ihdr=header(interlace=1), body=idat(passes))


def encoded(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    """Return an image as Pillow encodes it."""
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def _packed(depth: int) -> bytes:
    """Return a PNG of the digit with 1, 2 or 4 bits per pixel."""
    bits = np.unpackbits(pixels()[:, :, np.newaxis] >> np.uint8(8 - depth), axis=2)[
        :, :, 8 - depth :
    ]
    return png(ihdr=header(depth=depth), body=idat(rows(np.packbits(bits.reshape(28, -1), axis=1))))


def _good() -> Iterator[OddImage]:
    for label in "0123456789":
        yield OddImage(f"digit {label}", digit_png(label), is_plain=True)
    gray = Image.fromarray(pixels())
    yield OddImage("black", png(body=idat(rows(np.zeros((28, 28), np.uint8)))), is_plain=True)
    yield OddImage("white", png(body=idat(rows(np.full((28, 28), 255, np.uint8)))), is_plain=True)
    yield OddImage("dark on light", encoded(Image.fromarray(255 - pixels())), is_plain=True)
    yield OddImage(
        "light border at the threshold",
        encoded(Image.fromarray(np.maximum(pixels(), 128))),
        is_plain=True,
    )
    noise = np.random.default_rng(0).integers(0, 256, (28, 28), np.uint8)
    yield OddImage("noise", encoded(Image.fromarray(noise)), is_plain=True)
    yield OddImage("not compressed", encoded(gray, compress_level=0), is_plain=True)
    yield OddImage("optimized", encoded(gray, optimize=True), is_plain=True)
    yield OddImage("with a resolution", encoded(gray, dpi=(72, 72)), is_plain=True)
    compressed = zlib.compress(rows(pixels()))
    pieces = b"".join(
        chunk(b"IDAT", compressed[start : start + 40]) for start in range(0, len(compressed), 40)
    )
    yield OddImage("several IDAT", png(body=pieces), is_plain=True)
    yield OddImage(
        "empty IDAT among others", png(body=chunk(b"IDAT", b"") + pieces + chunk(b"IDAT", b""))
    )


def _sizes() -> Iterator[OddImage]:
    for width, height in [(1, 1), (27, 28), (28, 27), (29, 29), (28, 280), (1, 4096), (4096, 1)]:
        yield OddImage(
            f"{width}x{height}", encoded(Image.fromarray(pixels(side=280)).resize((width, height)))
        )
    for side in (56, 280, 1024, 2000):
        yield OddImage(f"{side}x{side}", digit_png("3", side))
    yield OddImage(
        "28x28 of a light picture",
        encoded(Image.fromarray(255 - pixels(side=280)).resize((28, 28))),
        is_plain=True,
    )


def _modes() -> Iterator[OddImage]:
    gray = Image.fromarray(pixels())
    alpha = Image.fromarray(255 - pixels("8"))
    yield OddImage("RGB", encoded(Image.merge("RGB", (gray, alpha, gray))))
    yield OddImage("RGBA", encoded(Image.merge("RGBA", (gray, gray, gray, alpha))))
    yield OddImage("LA", encoded(Image.merge("LA", (gray, alpha))))
    yield OddImage("palette", encoded(gray.convert("P")))
    palette = gray.quantize(8)
    yield OddImage("palette of 8 colors", encoded(palette))
    yield OddImage("palette with alpha", encoded(palette, transparency=bytes([0, 60, 120, 255])))
    yield OddImage("palette with a transparent color", encoded(palette, transparency=0))
    yield OddImage("1 bit", encoded(gray.point(lambda value: 255 * (value > 99), "1")))
    for depth in (2, 4):
        yield OddImage(f"{depth} bits", _packed(depth))
    deep = np.random.default_rng(0).integers(0, 2**16, (28, 28)).astype(">u2")
    yield OddImage("16 bits", png(ihdr=header(depth=16), body=idat(rows(deep.view(np.uint8)))))
    colored = np.repeat(deep, 3, axis=1)
    yield OddImage(
        "16 bits RGB",
        png(ihdr=header(depth=16, color=RGB), body=idat(rows(colored.view(np.uint8)))),
    )
    with_alpha = np.repeat(deep, 2, axis=1)
    yield OddImage(
        "16 bits LA",
        png(ihdr=header(depth=16, color=GRAY_ALPHA), body=idat(rows(with_alpha.view(np.uint8)))),
    )
    yield OddImage("interlaced", interlaced())


def _chunks() -> Iterator[OddImage]:
    """Yield PNGs with extra chunks that change the image, or must not."""
    raw_exif = f"\nexif\n{len(ROTATED) + 6:8}\n{(b'Exif' + bytes(2) + ROTATED).hex()}\n".encode()
    before = {
        "tRNS of black": chunk(b"tRNS", struct.pack(">H", 0)),
        "tRNS of white": chunk(b"tRNS", struct.pack(">H", 255)),
        "tRNS of a shade that is not there": chunk(b"tRNS", struct.pack(">H", 3)),
        "gAMA": chunk(b"gAMA", struct.pack(">I", 100_000)),
        "gAMA of nothing": chunk(b"gAMA", struct.pack(">I", 0)),
        "sRGB": chunk(b"sRGB", b"\x00"),
        "cHRM": chunk(b"cHRM", struct.pack(">8I", *range(1, 9))),
        "iCCP that is broken": chunk(b"iCCP", b"profile\x00\x00broken"),
        "sBIT": chunk(b"sBIT", b"\x04"),
        "bKGD": chunk(b"bKGD", struct.pack(">H", 255)),
        "tIME": chunk(b"tIME", struct.pack(">HBBBBB", 2020, 1, 1, 0, 0, 0)),
        "tEXt": chunk(b"tEXt", b"Comment\x00a digit"),
        "eXIf that turns": chunk(b"eXIf", ROTATED),
        "eXIf that is broken": chunk(b"eXIf", b"MM\x00*\xff\xff\xff\xff"),
        "tEXt of an EXIF that turns": chunk(b"tEXt", b"Raw profile type exif\x00" + raw_exif),
        "zTXt of an EXIF that turns": chunk(
            b"zTXt", b"Raw profile type exif\x00\x00" + zlib.compress(raw_exif)
        ),
        "iTXt of an XMP that turns": chunk(b"iTXt", b"XML:com.adobe.xmp\x00\x00\x00\x00\x00" + XMP),
        "PLTE for gray": chunk(b"PLTE", bytes(range(48))),
        "unknown chunk": chunk(b"teSt", b"anything"),
    }
    for name, extra in before.items():
        yield OddImage(name, png(extra))
    yield OddImage("eXIf that turns, behind the data", png(after=chunk(b"eXIf", ROTATED)))
    yield OddImage("tRNS behind the data", png(after=chunk(b"tRNS", struct.pack(">H", 0))))
    yield OddImage("tEXt behind the data", png(after=chunk(b"tEXt", b"Comment\x00late")))


def _tails() -> Iterator[OddImage]:
    good = png()
    yield OddImage("without IEND", png(end=b""))
    yield OddImage("IEND without CRC", good[:-4])
    yield OddImage("trailing bytes", good + b"\x00" * 100)
    yield OddImage("another PNG behind", good + digit_png("1"))
    yield OddImage("a web page behind", good + b"<script>alert(1)</script>")
    yield OddImage("a zip behind", good + b"PK\x05\x06" + bytes(18))


def _broken() -> Iterator[OddImage]:
    good = png()
    for end in (1, 7, 8, 12, 20, 25, 33, 37, 41, 45, len(good) // 2, len(good) - 40):
        yield OddImage(f"cut after {end} bytes", good[:end], 415 if end < len(SIGNATURE) else 422)
    compressed = zlib.compress(rows(pixels()))
    yield OddImage("wrong CRC of IHDR", good[:29] + b"\x00\x00\x00\x00" + good[33:], 422)
    yield OddImage("wrong CRC of IDAT", png(body=chunk(b"IDAT", compressed, crc=1)))
    yield OddImage("wrong CRC of tEXt", png(chunk(b"tEXt", b"Comment\x00bad", crc=1)), 422)
    yield OddImage(
        "wrong Adler-32",
        png(body=chunk(b"IDAT", compressed[:-1] + bytes([compressed[-1] ^ 1]))),
        200,
    )
    yield OddImage("stream that is not zlib", png(body=chunk(b"IDAT", b"no zlib at all")), 422)
    yield OddImage("bytes behind the stream", png(body=chunk(b"IDAT", compressed + b"more")))
    yield OddImage("a row too few", png(body=idat(rows(pixels()[:-1]))))
    yield OddImage("a row too many", png(body=idat(rows(np.vstack([pixels(), pixels()[:1]])))))
    yield OddImage("unknown filter", png(body=idat(rows(pixels(), filter_type=5))), 422)
    yield OddImage("no IDAT", png(body=b""), 422)
    yield OddImage("only IEND", SIGNATURE + END, 422)
    yield OddImage("two IHDR", png(header()))
    yield OddImage("IHDR of another size behind", png(header(56, 56)), 422)
    yield OddImage("tEXt before IHDR", SIGNATURE + chunk(b"tEXt", b"a\x00b") + good[8:])
    yield OddImage("IHDR too long", png(ihdr=header(rest=bytes(4))))
    yield OddImage("IHDR too short", png(ihdr=chunk(b"IHDR", b"\x00\x00\x00\x1c")), 422)
    yield OddImage("unknown critical chunk", png(chunk(b"ABCD", b"x")))
    yield OddImage("chunk of a name with zeros", png(chunk(b"\x00\x00\x00\x00", b"x")), 422)
    yield OddImage("chunk longer than the file", png(struct.pack(">I", 2**31 - 1) + b"tEXt"), 422)
    yield OddImage("chunk of 2^32 - 1 bytes", png(struct.pack(">I", 2**32 - 1) + b"IDAT"), 422)
    apart = chunk(b"tEXt", b"a\x00b").join(
        [chunk(b"IDAT", compressed[:50]), chunk(b"IDAT", compressed[50:])]
    )
    yield OddImage("IDAT in two places", png(body=apart), 422)
    yield OddImage("3 bits", png(ihdr=header(depth=3)), 422)
    yield OddImage("color type 1", png(ihdr=header(color=1)), 422)
    yield OddImage("compression 1", png(ihdr=header(rest=b"\x01\x00\x00")))
    yield OddImage("filter method 1", png(ihdr=header(rest=b"\x00\x01\x00")), 422)
    yield OddImage("interlace 2", png(ihdr=header(interlace=2)), 422)
    yield OddImage("palette that is missing", png(ihdr=header(color=PALETTE)), 422)
    yield OddImage("an iPhone's PNG", SIGNATURE + chunk(b"CgBI", b"\x50\x00\x20\x02") + good[8:])
    yield OddImage(
        "a signature with bare line ends", SIGNATURE.replace(b"\r\n", b"\n") + good[8:], 415
    )


def _bombs() -> Iterator[OddImage]:
    for width, height in [
        (0, 28),
        (28, 0),
        (0, 0),
        (4097, 28),
        (28, 4097),
        (12_000, 12_000),
        (2**31 - 1, 2**31 - 1),
        (2**32 - 1, 1),
    ]:
        yield OddImage(f"header of {width}x{height}", png(ihdr=header(width, height)), 422)
    yield OddImage(
        "4096x4096 of nothing", png(ihdr=header(4096, 4096), body=idat(bytes(4097 * 16)))
    )
    yield OddImage(
        "zTXt of 20 MB", png(chunk(b"zTXt", b"a\x00\x00" + zlib.compress(bytes(20_000_000)))), 422
    )
    profile = chunk(b"iCCP", b"a\x00\x00" + zlib.compress(bytes(1_000_000)))
    yield OddImage("1,500 profiles of 1 MB", png(*[profile] * 1500), 422)
    yield OddImage("100,000 texts", png(*[chunk(b"tEXt", b"a\x00b")] * 100_000), 422)
    yield OddImage("9,000 texts", png(*[chunk(b"tEXt", b"a\x00b")] * 9000), 200)
    yield OddImage(
        "iCCP of 20 MB", png(chunk(b"iCCP", b"a\x00\x00" + zlib.compress(bytes(20_000_000)))), 422
    )
    yield OddImage("28x28 with 20 MB of pixels", png(body=idat(bytes(20_000_000))))
    animated = [
        chunk(b"acTL", struct.pack(">II", 3, 0)),
        chunk(b"fcTL", struct.pack(">IIIIIHHBB", 0, 28, 28, 0, 0, 1, 1, 0, 0)),
    ]
    yield OddImage("animated PNG", png(*animated), 422)
    yield OddImage(
        "acTL of one frame that is not the picture",
        png(chunk(b"acTL", struct.pack(">II", 1, 0))),
        422,
    )
    yield OddImage("acTL of no frame", png(chunk(b"acTL", struct.pack(">II", 0, 0))))
    yield OddImage("acTL of 2^32 - 1 frames", png(chunk(b"acTL", struct.pack(">II", 2**32 - 1, 0))))


def _other_types() -> Iterator[OddImage]:
    gray, large = Image.fromarray(pixels()), Image.fromarray(pixels(side=140))
    frames = [Image.fromarray(pixels(label)) for label in "56"]
    turned = Image.Exif()
    turned[0x0112] = 6
    yield OddImage("JPEG", encoded(gray, "JPEG"))
    yield OddImage("JPEG in color", encoded(large.convert("RGB"), "JPEG"))
    yield OddImage("JPEG in CMYK", encoded(large.convert("CMYK"), "JPEG"))
    yield OddImage("JPEG, progressive", encoded(large, "JPEG", progressive=True))
    yield OddImage("JPEG that is turned", encoded(large, "JPEG", exif=turned))
    yield OddImage("JPEG cut short", encoded(large, "JPEG")[:400], 422)
    yield OddImage("JPEG's first bytes", b"\xff\xd8\xff", 422)
    yield OddImage("WebP", encoded(large, "WEBP"))
    yield OddImage("WebP without loss", encoded(gray, "WEBP", lossless=True))
    yield OddImage(
        "WebP, animated", encoded(frames[0], "WEBP", save_all=True, append_images=frames[1:]), 422
    )
    yield OddImage("WebP cut short", encoded(large, "WEBP")[:60], 422)
    yield OddImage("BMP", encoded(gray, "BMP"))
    yield OddImage("BMP of 1 bit", encoded(gray.convert("1"), "BMP"))
    yield OddImage("BMP in color", encoded(large.convert("RGB"), "BMP"))
    yield OddImage("BMP cut short", encoded(gray, "BMP")[:60], 422)
    yield OddImage("GIF", encoded(gray, "GIF"))
    yield OddImage(
        "GIF, animated", encoded(frames[0], "GIF", save_all=True, append_images=frames[1:]), 422
    )
    yield OddImage("GIF cut short", encoded(large, "GIF")[:30], 422)


def _no_images() -> Iterator[OddImage]:
    yield OddImage("empty", b"", 422)
    named = {
        "one byte": b"\x89",
        "a line end": b"\r\n",
        "text": b"hello",
        "a web page": b"<!DOCTYPE html><script>alert(1)</script>",
        "SVG": b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>',
        "PDF": b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj",
        "TIFF": b"II*\x00\x08\x00\x00\x00",
        "PSD": b"8BPS\x00\x01",
        "HEIC": b"\x00\x00\x00\x18ftypheic",
        "icon": b"\x00\x00\x01\x00\x01\x00",
        "gzip": b"\x1f\x8b\x08\x00",
        "zip": b"PK\x03\x04",
        "ELF": b"\x7fELF\x02\x01\x01",
        "pickle": b"\x80\x04cos\nsystem\n(S'true'\ntR.",
        "sound": b"RIFF\x24\x00\x00\x00WAVEfmt ",
        "PostScript": b"%!PS-Adobe-3.0 EPSF-3.0",
        "JSON": b'{"image": 1}',
        "zeros": bytes(1000),
        "a PNG behind a byte": b"\x00" + png(),
        "a PNG in base64": b"iVBORw0KGgoAAAANSUhEUgAAABwAAAAcCAAAAABXZoBI",
    }
    for name, data in named.items():
        yield OddImage(name, data, 415)


def odd_images() -> list[OddImage]:
    """Return the whole corpus."""
    makers = (_good, _sizes, _modes, _chunks, _tails, _broken, _bombs, _other_types, _no_images)
    return [image for maker in makers for image in maker()]
