"""Recorded moments on the clock of the exchange."""

import time

from fathom.live.standin.clock import Clock


def test_a_recording_that_begins_again_goes_on_in_time() -> None:
    clock = Clock(1_000, speed=0, stamps="recorded")
    clock.start()
    clock.hold(5_000)
    clock.hold(4_000)  # time does not go back
    assert (clock.now(), clock.stamp(2_500)) == (5_000, 2_500)
    clock.rewind(1_000)
    assert (clock.stamp(1_000), clock.stamp(2_500)) == (5_000, 6_500)


def test_the_wall_clock_and_a_speed() -> None:
    clock = Clock(1_000, speed=4.0, stamps="wall")
    before = time.time_ns()
    clock.start()
    first = clock.stamp(1_000)
    assert before <= first <= time.time_ns()
    assert clock.stamp(1_000 + 4_000_000) == first + 1_000_000


def test_recorded_time_runs_with_its_speed() -> None:
    clock = Clock(1_000, speed=1000.0, stamps="recorded")
    assert clock.now() == 1_000
    before = time.monotonic_ns()
    clock.start()
    now = clock.now()
    assert 1_000 <= now <= 1_000 + 1000 * (time.monotonic_ns() - before)


def test_the_servers_time_has_the_skew_of_a_fault() -> None:
    clock = Clock(0, speed=1.0, stamps="wall")
    clock.skew_ms = -10_000
    assert -11_000 < clock.server_ms() - time.time_ns() // 1_000_000 <= -10_000
