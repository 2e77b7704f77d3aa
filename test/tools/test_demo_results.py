"""The folder of a demo: which run's results it has."""

import pytest

from ebm_mpc_ros.errors import UserError
from ebm_mpc_ros.tools.demo_results import Results

FILES = ("drive.png", "report.html", "params.yaml")


@pytest.fixture
def out(tmp_path):
    """A folder with the results of a run."""
    write(tmp_path / "out", "former")
    return tmp_path / "out"


def write(folder, text):
    (folder / "bag").mkdir(parents=True, exist_ok=True)
    for name in ("bag/metadata.yaml", *FILES):
        (folder / name).write_text(text)


def found(folder):
    return {name: (folder / name).read_text() for name in FILES if (folder / name).exists()}


def test_a_run_that_is_kept_replaces_all_of_the_former(out):
    with Results(out) as results:
        assert found(out) == {}
        assert not results.bag.exists()
        (out / "drive.png").write_text("new")
        results.keep()
    assert found(out) == {"drive.png": "new"}
    assert sorted(file.name for file in out.iterdir()) == ["drive.png", "logs"]


@pytest.mark.parametrize("error", [None, KeyboardInterrupt])
def test_a_run_that_is_not_kept_leaves_the_former(out, error):
    def drive():
        with Results(out) as results:
            write(out, "new")
            assert results.logs.is_dir()
            if error:
                raise error

    if error:
        with pytest.raises(error):
            drive()
    else:
        drive()
    assert found(out) == dict.fromkeys(FILES, "former")
    assert (out / "bag" / "metadata.yaml").read_text() == "former"
    assert not (out / ".former").exists()


def test_a_first_run_that_is_not_kept_leaves_what_it_recorded(tmp_path):
    with Results(tmp_path):
        write(tmp_path, "new")
    assert found(tmp_path) == dict.fromkeys(FILES, "new")
    assert not (tmp_path / ".former").exists()


def test_what_a_killed_run_put_aside_comes_back(out):
    Results(out)
    write(out, "of the killed run")
    with Results(out):
        pass
    assert found(out) == dict.fromkeys(FILES, "former")


def test_a_bag_that_is_none_is_not_touched(tmp_path):
    (tmp_path / "bag").mkdir()
    (tmp_path / "bag" / "mine").touch()
    with pytest.raises(UserError, match="is no earlier result"):
        Results(tmp_path)
    assert (tmp_path / "bag" / "mine").exists()
