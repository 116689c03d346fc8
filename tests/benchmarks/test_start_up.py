from pathlib import Path

from benchmarks.start_up import RUN, copy_run
from cifar_keras.records import find_runs, read_result, read_run


def test_copies_of_a_run_have_other_seeds_and_weights(tmp_path):
    copy_run(RUN, tmp_path, copies=3)

    folders = find_runs([tmp_path])
    assert [read_run(folder).seed for folder in folders] == [1, 2, 3]
    assert len({read_result(folder).weights_sha256 for folder in folders}) == 3
    assert {Path(folder).parent.name for folder in folders} == {"resnet20"}
