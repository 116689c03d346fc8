"""The figures of a run that its history alone decides."""

import math
from collections.abc import Sequence
from typing import Any

from cifar_keras import records


def summary(rows: Sequence[records.Epoch], test_images: int) -> dict[str, Any]:
    """The figures of result.json that the history alone decides."""
    last, best = rows[-1], max(rows, key=lambda row: row.test_accuracy)
    return {
        "test_accuracy": last.test_accuracy,
        "test_correct": round(last.test_accuracy * test_images),
        "test_images": test_images,
        "test_loss": last.test_loss if math.isfinite(last.test_loss) else None,
        "epochs": last.epoch,
        "steps": sum(max(r.step for r in rows if r.stage == s) for s in {r.stage for r in rows}),
        "best_on_test": records.BestOnTest(test_accuracy=best.test_accuracy, epoch=best.epoch),
        "seconds": sum(row.seconds for row in rows),
        "images_per_second": sum(row.images_per_second for row in rows) / len(rows),
    }
