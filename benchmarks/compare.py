"""Run the same scenarios on several targets in turn and compare the medians.

Targets take turns within every round (A B C, A B C, ...), so a slow minute of
the machine falls on all of them. The first target should be the engine itself:
ratios and added latency are counted against it.

The targets file is JSON:
  {"engine": {"url": "http://127.0.0.1:9000", "pid": "mock.pid"},
   "targets": [
     {"name": "direct", "base_url": "http://127.0.0.1:9000"},
     {"name": "gateway", "base_url": "http://127.0.0.1:8000", "api_key": "...",
      "model": "mock", "path": "/v1/chat/completions", "headers": {"K": "V"},
      "pid": 4321}]}
A pid is a number or the name of a file that holds it (relative to the JSON).
"""

import argparse
import json
import pathlib
import statistics
import subprocess
import sys
import time
import urllib.request

LOAD = pathlib.Path(__file__).with_name("load.py")

# name: (what it asks, pace of the engine, arguments of load.py)
SCENARIOS = {
    "idle": ("one request at a time, instant engine", {}, "--concurrency 1 --requests 50 --warmup 5 --max-tokens 16"),
    "stream": (
        "64 streams of 200 tokens at 50 tokens/s, two waves",
        {"tokens_per_second": 50},
        "--concurrency 64 --requests 128 --warmup 8 --max-tokens 200",
    ),
    "saturate": (
        "32 streams of 500 tokens, engine as fast as possible",
        {},
        "--concurrency 32 --requests 64 --warmup 8 --max-tokens 500",
    ),
    "small": (
        "32 at a time, 16 tokens, not streamed",
        {},
        "--concurrency 32 --requests 640 --warmup 32 --max-tokens 16 --no-stream",
    ),
    "many": (
        "512 streams at 20 tokens/s for 10 s",
        {"tokens_per_second": 20},
        "--concurrency 512 --requests 512 --warmup 8 --max-tokens 200",
    ),
}

# heading, path into a report, decimals
COLUMNS = [
    ("req/s", ("requests_per_s",), 1),
    ("tok/s", ("tokens_per_s",), 0),
    ("ttft p50", ("ttft_ms", "p50"), 1),
    ("ttft p99", ("ttft_ms", "p99"), 1),
    ("gap p50", ("inter_token_ms", "p50"), 1),
    ("gap p99", ("inter_token_ms", "p99"), 1),
    ("lat p50", ("latency_ms", "p50"), 1),
    ("cpu us/tok", ("server", "cpu_us_per_token"), 0),
    ("cpu ms/req", ("server", "cpu_ms_per_request"), 2),
    ("cores", ("server", "cores"), 2),
    ("rss MB", ("server", "peak_rss_mb"), 0),
    ("engine cores", ("engine", "cores"), 2),
    ("load cores", ("load", "cores"), 2),
    ("stolen", ("machine", "stolen_cores"), 2),
]


def pick(report, path):
    for key in path:
        report = (report or {}).get(key)
    return report


def read_pid(value, folder):
    return value if isinstance(value, int) else int((folder / value).read_text())


def set_pace(engine, pace):
    body = json.dumps(pace).encode()
    urllib.request.urlopen(urllib.request.Request(engine["url"] + "/pace", data=body), timeout=10).read()


def run_load(target, engine, folder, arguments):
    command = [sys.executable, str(LOAD), "--json", "--base-url", target["base_url"], *arguments]
    for option in ("api_key", "model", "path", "extra_body"):
        if option in target:
            value = target[option]
            command += ["--" + option.replace("_", "-"), value if isinstance(value, str) else json.dumps(value)]
    for name, value in target.get("headers", {}).items():
        command += ["--header", f"{name}={value}"]
    if "pid" in target:
        command += ["--watch-pid", str(read_pid(target["pid"], folder))]
    if "pid" in engine:
        command += ["--engine-pid", str(read_pid(engine["pid"], folder))]
    result = subprocess.run(command, capture_output=True, text=True)
    if result.returncode:
        return {"ok": 0, "errors": {"load_failed": 1}, "error_samples": {"load_failed": result.stderr[-500:]}}
    return json.loads(result.stdout)


def median(reports, path):
    values = [value for report in reports if (value := pick(report, path)) is not None]
    return statistics.median(values) if values else None


def summarise(name, reports):
    row = {"target": name}
    for heading, path, _ in COLUMNS:
        row[heading] = median(reports, path)
    row["errors"] = sum(sum(report["errors"].values()) for report in reports)
    row["ok"] = sum(report["ok"] for report in reports)
    return row


def add_ratios(rows):
    base = rows[0]
    for row in rows:
        for heading in ("req/s", "tok/s"):
            if row[heading] and base[heading]:
                row["x " + heading] = row[heading] / base[heading]
        if row["ttft p50"] is not None and base["ttft p50"] is not None:
            row["+ttft p50"] = row["ttft p50"] - base["ttft p50"]


def print_rows(rows):
    headings = [
        ("target", 0),
        ("+ttft p50", 1),
        *((h, d) for h, _, d in COLUMNS),
        ("x req/s", 3),
        ("x tok/s", 3),
        ("ok", 0),
        ("errors", 0),
    ]
    table = [[heading for heading, _ in headings]]
    for row in rows:
        cells = []
        for heading, decimals in headings:
            value = row.get(heading)
            cells.append("-" if value is None else value if isinstance(value, str) else f"{value:.{decimals}f}")
        table.append(cells)
    widths = [max(map(len, column)) for column in zip(*table)]
    for cells in table:
        print("  ".join(cell.rjust(width) for cell, width in zip(cells, widths)))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("targets_file", type=pathlib.Path)
    parser.add_argument("--scenario", action="append", choices=SCENARIOS, help="may be given again; default: all")
    parser.add_argument("--only", default="", metavar="NAME[,NAME]", help="only these targets")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--pause", type=float, default=1, help="seconds of rest between runs")
    parser.add_argument("--out", type=pathlib.Path, help="write every report and the medians here as JSON")
    parser.epilog = "Options after -- go to load.py, over the scenario's own."
    split = sys.argv.index("--") if "--" in sys.argv else len(sys.argv)
    options = parser.parse_args(sys.argv[1:split])
    load_options = sys.argv[split + 1 :]

    setup = json.loads(options.targets_file.read_text())
    folder, engine, targets = options.targets_file.parent, setup.get("engine", {}), setup["targets"]
    if options.only:
        targets = [target for target in targets if target["name"] in options.only.split(",")]
    results = {}
    for scenario in options.scenario or SCENARIOS:
        about, pace, arguments = SCENARIOS[scenario]
        if "url" in engine:
            set_pace(engine, pace)
        reports = {target["name"]: [] for target in targets}
        for _ in range(options.rounds):
            for target in targets:
                report = run_load(target, engine, folder, arguments.split() + load_options)
                reports[target["name"]].append(report)
                for kind, sample in report["error_samples"].items():
                    print(f"{target['name']}: {report['errors'][kind]} x {kind}: {sample[:300]}", file=sys.stderr)
                time.sleep(options.pause)
        rows = [summarise(name, runs) for name, runs in reports.items()]
        add_ratios(rows)
        results[scenario] = {"medians": rows, "reports": reports}
        print(f"\n{scenario}: {about} (medians of {options.rounds}; times in ms)")
        print_rows(rows)
        sys.stdout.flush()
        if options.out:
            options.out.write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
