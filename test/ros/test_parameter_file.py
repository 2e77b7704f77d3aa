"""ROS 2 parameter YAMLs, read as rcl reads them."""

import pytest

from ebm_mpc_ros.ros.parameter_file import ParameterFileError, load_parameters


@pytest.fixture
def load(tmp_path):
    def load(text, node="ekf_node"):
        path = tmp_path / "p.yaml"
        path.write_text(text)
        return load_parameters(path, node)

    return load


@pytest.mark.parametrize(
    ("key", "node"),
    [
        ("ekf_node", "ekf_node"),
        ("/ekf_node", "ekf_node"),
        ("/**", "ekf_node"),
        ("/**", "robot/front/ekf_node"),
        ("/**/ekf_node", "ekf_node"),
        ("/**/ekf_node", "/robot/front/ekf_node"),
        ("/*", "ekf_node"),
        ("/*/ekf_node", "robot/ekf_node"),
        ("robot/ekf_node", "robot/ekf_node"),
    ],
)
def test_a_key_matches_as_in_rcl(load, key, node):
    assert load(f"{key}:\n  ros__parameters:\n    a: 1\n", node) == {"a": 1}


@pytest.mark.parametrize(
    ("key", "node"),
    [
        ("ekf_node", "robot/ekf_node"),
        ("/*", "robot/ekf_node"),
        ("/*/ekf_node", "ekf_node"),
        ("ekf", "ekf_node"),
        ("/**/ekf_node", "my_ekf_node"),
        ("ekf.node", "ekf_node"),
    ],
)
def test_another_name_or_namespace_does_not_match(load, key, node):
    with pytest.raises(ParameterFileError, match="no parameters for node"):
        load(f"{key}:\n  ros__parameters:\n    a: 1\n", node)


def test_namespaces_may_be_nested(load):
    text = "robot:\n  front:\n    ekf_node:\n      ros__parameters:\n        a: 1\n"
    assert load(text, "robot/front/ekf_node") == {"a": 1}


def test_nested_parameters_have_dotted_names(load):
    text = "ekf_node:\n  ros__parameters:\n    a:\n      b: 1\n      c:\n        d: [2]\n"
    assert load(text) == {"a.b": 1, "a.c.d": [2]}


def test_later_keys_win(load):
    text = (
        "/**:\n  ros__parameters:\n    a: 1\n    b: 1\n"
        "ekf_node:\n  ros__parameters:\n    a: 2\n"
        "other:\n  ros__parameters:\n    a: 3\n"
    )
    assert load(text) == {"a": 2, "b": 1}


@pytest.mark.parametrize(
    ("text", "value"),
    [("1e-9", 1e-9), ("2E5", 2e5), ("-1.5e+3", -1500.0), ("1.0e-9", 1e-9), (".5e1", 5.0)],
)
def test_numbers_with_an_exponent_are_numbers(load, text, value):
    found = load(f"ekf_node:\n  ros__parameters:\n    a: {text}\n    b: [{text}]\n")
    assert found == {"a": value, "b": [value]}
    assert type(found["a"]) is float


@pytest.mark.parametrize("text", ["1e", "e5", "1e-9m", "1.2.3e4"])
def test_what_only_looks_like_a_number_stays_text(load, text):
    assert load(f"ekf_node:\n  ros__parameters:\n    a: {text}\n") == {"a": text}


def test_the_nodes_that_are_there_are_named(load):
    text = "a:\n  ros__parameters: {x: 1}\nspace:\n  b:\n    ros__parameters: {x: 1}\n"
    with pytest.raises(ParameterFileError, match=r"for node 'ekf_node'; it has /a, /space/b$"):
        load(text)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "must map node names"),
        ("- a\n- b\n", "must map node names"),
        ("just text", "must map node names"),
        ("{}", "no parameters for node 'ekf_node'; it has none"),
        ("ekf_node:\n", "'ekf_node' must hold ros__parameters"),
        ("ekf_node: 3\n", "'ekf_node' must hold ros__parameters"),
        ("ekf_node:\n  frequency: 30\n", "'frequency' must hold ros__parameters"),
        ("ekf_node:\n  ros__parameters:\n", "'ros__parameters' must hold parameters"),
        ("ekf_node:\n  ros__parameters: [1]\n", "'ros__parameters' must hold parameters"),
        ("a: [1\nb: }\n", "not YAML"),
        ("a: !!python/object:os.system x\n", "not YAML"),
        ("a: 2024-13-45\n", "not YAML"),
        ("\ta: 1\n", "not YAML"),
    ],
)
def test_another_file_is_refused_in_one_line_that_names_it(load, text, reason):
    with pytest.raises(ParameterFileError) as caught:
        load(text)
    said = str(caught.value)
    assert reason in said
    assert "p.yaml: " in said
    assert "\n" not in said


def test_a_missing_file_a_folder_and_bytes_are_named(tmp_path):
    binary = tmp_path / "binary.yaml"
    binary.write_bytes(b"\xff\xfe\x00\x80")
    for path, reason in (
        (tmp_path / "none.yaml", "No such file"),
        (tmp_path, "Is a directory"),
        (binary, "not YAML"),
    ):
        with pytest.raises(ParameterFileError) as caught:
            load_parameters(path, "ekf_node")
        assert str(caught.value).startswith(f"{path}: {reason}")
        assert "\n" not in str(caught.value)
