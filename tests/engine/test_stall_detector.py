from inference.engine.stall_detector import FORGET_SECONDS, StallDetector

PAGE = 'process_cpu_seconds_total 1.0\nvllm:kv_cache_usage_perc{engine="0"} 0.25\n'


def test_what_is_counted_twice_alike_is_as_old_as_the_first_look():
    doubt = StallDetector()
    assert [doubt.seconds_unchanged(PAGE, now) for now in (100, 101, 103)] == [0, 1, 3]


def test_only_what_the_engine_counts_matters():
    doubt = StallDetector()
    doubt.seconds_unchanged(PAGE, 100)
    assert doubt.seconds_unchanged(PAGE.replace("1.0", "2.0"), 101) == 1
    assert doubt.seconds_unchanged(PAGE.replace("0.25", "0.5"), 102) == 0


def test_a_doubt_of_long_ago_is_forgotten():
    doubt = StallDetector()
    doubt.seconds_unchanged(PAGE, 100)
    assert doubt.seconds_unchanged(PAGE, 101 + FORGET_SECONDS) == 0
