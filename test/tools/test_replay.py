"""`python -m ebm_mpc_ros replay`, run as a person runs it."""

import numpy as np
from replaying import HUSKY, final, mask, replay, rows

from ebm_mpc_ros.learning.bags import open_bag

TARGET = (-40.0454, -76.9988, -2.6974)

# The real robot


def test_the_husky_ends_where_robot_localization_has_it(tmp_path):
    end = final(replay(HUSKY, tmp_path))
    assert np.linalg.norm(end - TARGET) < 1.05
    table = rows(tmp_path)
    np.testing.assert_allclose(table[-1, 1:4], end, atol=1e-4)
    assert np.isfinite(table).all()
    assert (np.diff(table[:, 0]) > 0.0).all()
    np.testing.assert_allclose(np.linalg.norm(table[:, 4:8], axis=1), 1.0, atol=1e-6)


# What is written


def test_two_runs_give_the_same_bytes_and_the_second_replaces_the_first(short, tmp_path):
    out = tmp_path / "deep" / "out"
    ends, files = [], []
    for _ in range(2):
        ends.append(final(replay(short, out)))
        files.append((out / "estimate.csv").read_bytes())
    np.testing.assert_array_equal(*ends)
    assert files[0] == files[1]
    assert sorted(path.name for path in out.iterdir()) == [
        "estimate",
        "estimate.csv",
        "estimate.png",
        "innovations.csv",
    ]
    assert (out / "estimate.png").read_bytes().startswith(b"\x89PNG")


def test_the_bag_written_holds_what_the_table_holds(here, short, tmp_path):
    final(replay(short, tmp_path, run=here))
    table = rows(tmp_path)
    assert len(table) > 120
    assert list((tmp_path / "estimate").glob("*.mcap"))
    with open_bag(tmp_path / "estimate") as bag:
        assert list(bag.topics) == ["/odometry/filtered"]
        found = [message for _, _, message in bag.messages(["/odometry/filtered"])]
    assert len(found) == len(table)
    for row, message in zip(table, found, strict=True):
        stamp = message.header.stamp
        pose, twist = message.pose.pose, message.twist.twist
        numbers = [stamp.sec + stamp.nanosec * 1e-9]
        numbers += [getattr(pose.position, axis) for axis in "xyz"]
        numbers += [getattr(pose.orientation, axis) for axis in "xyzw"]
        numbers += [getattr(twist.linear, axis) for axis in "xyz"]
        numbers += [getattr(twist.angular, axis) for axis in "xyz"]
        np.testing.assert_allclose(numbers, row, atol=1e-8, rtol=1e-12)
    assert (message.header.frame_id, message.child_frame_id) == ("odom", "base_link")
    for covariance in (message.pose.covariance, message.twist.covariance):
        square = covariance.reshape(6, 6)
        np.testing.assert_allclose(square, square.T)
        assert np.linalg.eigvalsh(square).min() > 0.0


def test_nothing_but_the_result_goes_to_stdout(here, short, tmp_path):
    done = replay(short, tmp_path, run=here)
    final(done)
    assert "imu0: " in done.stderr
    assert "estimate.csv" in done.stderr


# Parameters and transforms


def test_a_static_transform_overrides_the_files(here, short, tmp_path):
    straight = final(replay(short, tmp_path / "a", run=here))
    same = "base_link imu_link 0 -0.3 0.52 1.5707963267948966 0 -1.5707963267948966"
    turned = "base_link imu_link 0 0 0 0 0 0"
    again = final(replay(short, tmp_path / "b", "--static-transform", same, run=here))
    np.testing.assert_array_equal(again, straight)
    first, second = (rows(tmp_path / name)[-1] for name in "ab")
    np.testing.assert_array_equal(first, second)
    final(replay(short, tmp_path / "c", "--static-transform", turned, run=here))
    assert not np.allclose(rows(tmp_path / "c")[-1, 4:8], first[4:8], atol=0.1)


def test_without_a_transform_the_imu_is_dropped_and_that_is_said(here, short, tmp_path, configured):
    done = replay(short, tmp_path / "out", params=configured(static_transforms=None), run=here)
    final(done)
    assert "of imu0 (/imu/data): no transform from 'imu_link' to 'base_link'" in done.stderr


def test_robot_localizations_own_file_of_another_node_is_read(here, short, tmp_path, configured):
    params = configured(
        node="ekf_localization_node",
        static_transforms=None,
        model=None,
        smooth_lagged_data=False,
        print_diagnostics=True,
        sonar0="/sonar",
        process_noise_covariance=[float(v) for v in np.diag(np.full(15, 0.05)).ravel()],
    )
    mounting = "base_link imu_link 0 -0.3 0.52 1.5707963267948966 0 -1.5707963267948966"
    done = replay(
        short,
        tmp_path / "out",
        *("--node", "ekf_localization_node", "--static-transform", mounting),
        params=params,
        run=here,
    )
    final(done)
    assert done.stderr.count("warning:") == 1
    assert "unknown parameter sonar0" in done.stderr
    assert "dropped" not in done.stderr


def test_two_inputs_may_share_a_topic(here, short, tmp_path, configured):
    twice = configured(odom1="/husky_velocity_controller/odom", odom1_config=mask("vyaw"))
    done = replay(short, tmp_path / "out", params=twice, run=here)
    final(done)
    assert "odom0: " in done.stderr
    assert "odom1: " in done.stderr


def test_brackets_in_names_are_shown_as_they_are(here, short, tmp_path, configured):
    params = configured(**{"[/red]:joy:": 1})
    done = replay(short, tmp_path / "out", params=params, run=here)
    final(done)
    assert "unknown parameter [/red]:joy:" in done.stderr
