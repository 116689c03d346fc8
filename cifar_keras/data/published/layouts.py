"""The four layouts in which CIFAR is published: file names, keys, counts."""

from dataclasses import dataclass

TRAIN_IMAGES = 50_000
TEST_IMAGES = 10_000
IMAGE_BYTES = 3 * 32 * 32


@dataclass(frozen=True)
class Layout:
    """One layout of one data set.

    Attributes:
        name: The folder that holds its files.
        dataset: "cifar10" or "cifar100".
        archive: The published archive that holds the folder.
        binary: Whether it has fixed-length records instead of Python 2 pickles.
        train: Files of the training split, in order.
        test: Files of the test split.
        names: (file, key) pairs of the class names, then of the coarse names; a text file's key
            is "".
        class_counts: Number of classes, then of coarse classes if there are any.
        label_keys: Keys of the labels, then of the coarse labels, in a pickle.
    """

    name: str
    dataset: str
    archive: str
    binary: bool
    train: tuple[str, ...]
    test: tuple[str, ...]
    names: tuple[tuple[str, str], ...]
    class_counts: tuple[int, ...]
    label_keys: tuple[str, ...] = ()

    @property
    def files(self) -> tuple[str, ...]:
        """Every file of the layout once, training files first."""
        return (*self.train, *self.test, *dict.fromkeys(file for file, _ in self.names))

    def images_in(self, file: str) -> int:
        """Return the number of images in the file; the files of a split hold equally many."""
        if file in self.test:
            return TEST_IMAGES // len(self.test)
        return TRAIN_IMAGES // len(self.train)


CIFAR10_PYTHON = Layout(
    name="cifar-10-batches-py",
    dataset="cifar10",
    archive="cifar-10-python.tar.gz",
    binary=False,
    train=tuple(f"data_batch_{number}" for number in range(1, 6)),
    test=("test_batch",),
    names=(("batches.meta", "label_names"),),
    class_counts=(10,),
    label_keys=("labels",),
)
CIFAR10_BINARY = Layout(
    name="cifar-10-batches-bin",
    dataset="cifar10",
    archive="cifar-10-binary.tar.gz",
    binary=True,
    train=tuple(f"data_batch_{number}.bin" for number in range(1, 6)),
    test=("test_batch.bin",),
    names=(("batches.meta.txt", ""),),
    class_counts=(10,),
)
CIFAR100_PYTHON = Layout(
    name="cifar-100-python",
    dataset="cifar100",
    archive="cifar-100-python.tar.gz",
    binary=False,
    train=("train",),
    test=("test",),
    names=(("meta", "fine_label_names"), ("meta", "coarse_label_names")),
    class_counts=(100, 20),
    label_keys=("fine_labels", "coarse_labels"),
)
CIFAR100_BINARY = Layout(
    name="cifar-100-binary",
    dataset="cifar100",
    archive="cifar-100-binary.tar.gz",
    binary=True,
    train=("train.bin",),
    test=("test.bin",),
    names=(("fine_label_names.txt", ""), ("coarse_label_names.txt", "")),
    class_counts=(100, 20),
)

# In order of preference: only the Python layout has published sums for every file.
LAYOUTS: dict[str, tuple[Layout, ...]] = {
    "cifar10": (CIFAR10_PYTHON, CIFAR10_BINARY),
    "cifar100": (CIFAR100_PYTHON, CIFAR100_BINARY),
}
