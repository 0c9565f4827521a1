from pathlib import Path

import pytest

from fathom.settings.owner import FolderTakenError, owned
from fathom.settings.whole_files import whole_file, whole_folder, write_whole


def test_a_file_that_fails_leaves_the_old_one_and_nothing_else(tmp_path: Path) -> None:
    path = write_whole(tmp_path / "a.txt", "old")
    with pytest.raises(TypeError), whole_file(path) as file:
        file.writelines([b"half", None])  # type: ignore[list-item]
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_fails_leaves_the_old_one_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "a"
    for content in ("old", "new"):
        with whole_folder(path) as part:
            (part / content).write_text(content)
        assert [file.name for file in path.iterdir()] == [content]
    with pytest.raises(TypeError), whole_folder(path) as part:
        (part / "half").write_bytes(None)  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == [path]
    assert (path / "new").read_text() == "new"


def test_a_folder_has_one_owner_at_a_time(tmp_path: Path) -> None:
    with (
        owned(tmp_path / "a", "name another folder"),
        pytest.raises(FolderTakenError, match=r"Expected to be alone in .*/a, was one of two processes; name another"),
        owned(tmp_path / "a", "name another folder"),
    ):
        pass
    with owned(tmp_path / "a", "name another folder"):
        pass


def test_a_full_disk_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "runs" / "fills.parquet"
    with pytest.raises(OSError, match="No space left on device") as caught, whole_file(path):
        raise OSError(28, "No space left on device")  # as a write does
    assert caught.value.filename == str(path)
    assert list(path.parent.iterdir()) == []
