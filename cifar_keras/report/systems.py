"""The systems that were reproduced: what their pages say that is no figure."""

from dataclasses import dataclass


@dataclass(frozen=True)
class System:
    """What a page says that is no figure; `beside` are recipes of other systems in its table.

    `arguments` are those of the network that the table tells apart; `errors` adds the errors that
    the original speaks of instead of accuracies.
    """

    title: str
    words: str
    beside: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()
    errors: bool = False


SYSTEMS = {
    "A": System(
        "sub-Inception with randomised leaky ReLU on CIFAR-100",
        "MXNet's notebook sets itself beside a highway network and a deeply-supervised net.",
        beside=("highway19", "dsn"),
        arguments=("activation",),
    ),
    "B": System(
        "ResNeXt-101 on CIFAR-10, fine-tuned and from scratch",
        "Julien Simon's articles give round figures; their curves were read off the plots.",
    ),
    "C": System(
        "ResNets of four depths on CIFAR-10 in neon",
        "The original's memory is that of a graphics card, ours that of the whole process.",
        arguments=("depth",),
        errors=True,
    ),
    "D": System(
        "VGG on CIFAR-10 with and without batch norm and dropout",
        "The original's figures are best epochs, chosen on the test set; so are ours where they "
        "are compared. Its plain network shares weights, and so is no ablation like the others.",
        arguments=("batch_norm", "dropout", "shared"),
    ),
    "E": System(
        "the highway network and the deeply-supervised net",
        "What system A compares itself with, and the rest of the table that these stand in.",
    ),
    "F": System(
        "five activations on network in network",
        "The original's schedule is not known: differences between the rows count, not levels.",
        arguments=("activation", "activation_numbers"),
        errors=True,
    ),
    "G": System(
        "airbench, Keller Jordan's networks of 2024: 94, 95 and 96 % on CIFAR-10",
        "All published figures are augmented at test, and are compared with ours augmented. "
        "Its 94 % took 3.83 s on an A100; hiverge's cifar10-speedrun (2025) needs 2.02 s.",
    ),
    "H": System(
        "an entry of AIDDA's CIFAR-100 speed run, NAVIER-STOKED, 2026: 75.19 %",
        "One view of each image at test. The 3.50 s on an A100 are its authors' own measure. "
        "The ranked entry is another: 75.25 % in 3.96 s (October 2026).",
    ),
}
