from inference.engine.metrics import Counters, parse_metrics

PAGE = """\
# HELP vllm:num_requests_running Number of requests in model execution batches.
# TYPE vllm:num_requests_running gauge
vllm:num_requests_running{engine="0",model_name="guide"} 2.0
vllm:num_requests_running{engine="1",model_name="guide"} 3.0
vllm:num_requests_waiting{engine="0",model_name="guide"} 1.0
vllm:num_requests_waiting_by_reason{engine="0",model_name="guide",reason="capacity"} 9.0
vllm:prompt_tokens_total{engine="0",model_name="guide"} 2857.0
vllm:generation_tokens_total{engine="0",model_name="guide"} 1.2e+07
"""


def test_counters_of_all_engines_of_a_server_are_added_up():
    assert parse_metrics(PAGE) == Counters(prompt_tokens=2857, generation_tokens=12_000_000, running=5, waiting=1)


def test_a_page_of_another_server_counts_nothing():
    assert parse_metrics("# nothing\nother_metric 3\n") == Counters()
