"""Records of runs for tests; what a test gives replaces the value here."""

from cifar_keras import records
from cifar_keras.recipe import load_recipe, recipe_path

STARTED = "2026-01-01T00:00:00+00:00"


def made_run(name="demo", recipe=None, **given):
    """The run.json of a full run; of the shipped recipe `name`, unless `recipe` is another."""
    recipe = recipe or load_recipe(recipe_path(name))
    plain = {
        "name": name,
        "recipe": recipe,
        "recipe_sha256": recipe.sha256(),
        "seed": 1,
        "budget": "1",
        "overrides": [],
        "command": ["cifar-keras", "train"],
        "started": STARTED,
        "provenance": {},
    }
    return records.Run(**(plain | given))


def made_epoch(epoch=1, **given):
    """A row of history.csv."""
    plain = {
        "step": 391 * epoch,
        "learning_rate": 0.1,
        "loss": 1.0,
        "accuracy": 0.5,
        "test_loss": 1.0,
        "test_accuracy": 0.5,
        "seconds": 100.0,
        "images_per_second": 500.0,
    }
    return records.Epoch(epoch=epoch, **(plain | given))


def made_result(**given):
    """The result.json of a finished run."""
    plain = {
        "test_accuracy": 0.5,
        "test_correct": 5000,
        "test_images": 10000,
        "test_loss": 1.0,
        "epochs": 1,
        "steps": 391,
        "best_on_test": records.BestOnTest(test_accuracy=0.5, epoch=1),
        "parameters": 1,
        "macs": 1,
        "seconds": 1.0,
        "images_per_second": 1.0,
        "peak_memory_mib": 1,
        "weights_sha256": "0" * 64,
        "finished": STARTED,
    }
    return records.Result(**(plain | given))
