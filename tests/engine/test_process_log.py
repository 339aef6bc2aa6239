from inference.engine.process import log as output


def test_stages_follow_what_vllm_writes():
    lines = [
        "(APIServer pid=1) INFO 11-22 14:05:01 [api_utils.py:286] non-default args: {}",
        "(APIServer pid=1) INFO 11-22 14:05:01 [model.py:733] Resolved architecture: Qwen3ForCausalLM",
        "(EngineCore pid=2) INFO 11-22 14:05:13 [core.py:133] Initializing a V1 LLM engine (v0.32.0) with config",
        "(EngineCore pid=2) INFO 11-22 14:05:14 [cpu_model_runner.py:68] Starting to load model /tmp/tiny...",
        "Loading safetensors checkpoint shards:   0% Completed | 0/4 [00:00<?, ?it/s]\r"
        "Loading safetensors checkpoint shards:  75% Completed | 3/4 [00:00<00:00, 77.40it/s]",
        "(EngineCore pid=2) INFO 11-22 14:05:15 [default_loader.py:501] Loading weights took 0.02 seconds",
        "(EngineCore pid=2) INFO 11-22 14:05:16 [kv_cache_utils.py:2327] CPU KV cache size: 65,536 tokens",
        "(APIServer pid=1) INFO 11-22 14:05:17 [entry.py:140] Starting vLLM server on unix:/tmp/e.sock",
    ]
    steps = [output.latest_stage("\n".join(lines[:count])) for count in range(len(lines) + 1)]
    assert [step.progress for step in steps] == sorted({step.progress for step in steps})
    assert steps[5].sentence == "Loading the weights: 75 %."
    assert steps[-1].progress == 0.98


def test_no_word_of_a_gpu_where_nothing_is_compiled():
    said = "WARNING Enforce eager set, disabling torch.compile, CUDAGraphs, and JIT kernel warmup."
    assert "GPU" not in output.latest_stage(said).sentence
