"""Makers of image files, ordinary and odd."""

import numpy as np
from PIL import Image

ODD = ("grey", "transparent", "palette", "cmyk", "grey16", "turned", "animated", "grey_jpeg")
BROKEN = ("corrupt", "truncated", "empty", "text")


def smooth(height, width, *, phase=0.0):
    """A picture of slow waves whose colours and corners all differ, as uint8 (height, width, 3)."""
    y, x = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j]
    waves = [np.sin(5 * x + phase), np.cos(4 * y + 2 * x), np.sin(3 * y - phase)]
    return (
        np.stack([127 + 110 * wave * (0.6 + 0.4 * y) for wave in waves], -1)
        .round()
        .astype(np.uint8)
    )


def save(file, pixels, **options):
    """Write pixels to a file, its folder included, and return it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(file, **options)
    return file


def odd_file(folder, what, *, height=40, width=60):
    """Write an unusual image file of `smooth(height, width)`, or its grey, and return it."""
    folder.mkdir(parents=True, exist_ok=True)
    picture = Image.fromarray(smooth(height, width))
    if what == "grey":
        picture, name = picture.convert("L"), "grey.png"
    elif what == "grey_jpeg":
        picture, name = picture.convert("L"), "grey.jpg"
    elif what == "transparent":
        picture, name = picture.convert("RGBA"), "transparent.png"
        picture.putalpha(Image.linear_gradient("L").resize(picture.size))
    elif what == "palette":
        picture, name = picture.quantize(256), "palette.png"
        picture.info["transparency"] = b"\x00\x80"
    elif what == "cmyk":
        picture, name = picture.convert("CMYK"), "cmyk.jpg"
    elif what == "grey16":
        picture, name = (
            Image.fromarray(np.asarray(picture.convert("L")).astype(np.uint16) * 257),
            "grey16.png",
        )
    elif what == "animated":
        picture.save(
            folder / "animated.gif",
            save_all=True,
            append_images=[Image.new("RGB", picture.size, (0, 0, 0))],
        )
        return folder / "animated.gif"
    else:
        return turned(folder / "turned.jpg", 6, height=height, width=width)
    picture.save(folder / name, **({"quality": 95} if name.endswith(".jpg") else {}))
    return folder / name


def turned(file, orientation, *, height=40, width=60):
    """Write `smooth(height, width)` as a turned camera does: turned pixels and an EXIF tag."""
    back = {1: None, 2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}[
        orientation
    ]  # undoes what the tag asks for, by PIL's number
    picture = Image.fromarray(smooth(height, width))
    picture = picture if back is None else picture.transpose(Image.Transpose(back))
    exif = Image.Exif()
    exif[0x0112] = orientation
    file.parent.mkdir(parents=True, exist_ok=True)
    picture.save(file, exif=exif, **({"quality": 95} if file.suffix == ".jpg" else {}))
    return file


def broken_file(folder, what):
    """Write a file that does not decode, and return it."""
    whole = save(folder / f"{what}.jpg", smooth(40, 60)).read_bytes()
    content = {
        "empty": b"",
        "text": b"<html>404</html>",
        "truncated": whole[: len(whole) // 2],
        "corrupt": whole[:20] + bytes(200) + whole[220:],
    }[what]
    (folder / f"{what}.jpg").write_bytes(content)
    return folder / f"{what}.jpg"
