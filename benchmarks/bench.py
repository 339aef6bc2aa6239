"""`make bench`: Jarvis beside the bare mock engine, the same scenarios in turn; writes docs/benchmarks.md.

Every stack is the real thing, started by `manage.py run` in a folder of its own: Postgres, Redis, web, worker, Celery,
with authentication, ledger rows and the durable log. The CPU counted is that of all its processes together.

    python benchmarks/bench.py [--rounds 3] [--servers uvicorn,daphne,granian] [--scenario stream] [--no-write]
"""

import argparse
import contextlib
import datetime
import json
import os
import pathlib
import platform
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

import compare

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent
REPORT = ROOT / "docs" / "benchmarks.md"
BEGIN, END = "<!-- figures: begin -->", "<!-- figures: end -->"
START_SECONDS = 120
# Limits that refuse nothing here, and are counted for every call all the same.
LIMITS = {
    "JARVIS_WEB_RATE_LIMIT_REQUESTS": "1000000",
    "JARVIS_WEB_RATE_LIMIT_ADDRESS": "1000000",
    "JARVIS_QUEUE_LIMIT_PER_USER": "1000",
}

# scenario: (what is promised, the figure of a row, whether more is better, the limit)
GOALS = {
    "idle": [("first token later than direct, ms", "+ttft p50", False, 10)],
    "stream": [
        ("share of direct throughput", "x tok/s", True, 0.98),
        ("CPU µs per token, all processes", "cpu us/tok", False, 100),
        ("first token p99, ms", "ttft p99", False, 400),
    ],
    "saturate": [("tokens/s", "tok/s", True, 20_000)],
    "many": [("share of direct throughput", "x tok/s", True, 0.9), ("first token p99, ms", "ttft p99", False, 3000)],
    "small": [("requests/s", "req/s", True, 150)],
}
SHOWN = (
    "+ttft p50",
    "ttft p50",
    "ttft p99",
    "gap p99",
    "req/s",
    "tok/s",
    "x tok/s",
    "cpu us/tok",
    "cpu ms/req",
    "rss MB",
)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(url: str, process: subprocess.Popen, what: str) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise SystemExit(f"{what} ended with status {process.returncode}")
        try:
            if urllib.request.urlopen(url, timeout=5).status == 200:
                return
        except OSError:
            time.sleep(0.2)
    raise SystemExit(f"{what} was not ready after {START_SECONDS} s")


@contextlib.contextmanager
def running(command, what, log, **options):
    """A process for the time of a block; SIGTERM ends it, and it is waited for."""
    with open(log, "ab") as file:
        process = subprocess.Popen(command, stdout=file, stderr=file, stdin=subprocess.DEVNULL, **options)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            raise SystemExit(f"{what} did not stop; see {log}") from None


@contextlib.contextmanager
def stack(server: str, engine: str, folder: pathlib.Path):
    """A whole Jarvis on the given web server, as a target of compare.py."""
    port = free_port()
    environment = {
        **LIMITS,
        **os.environ,
        "JARVIS_VAR": str(folder),
        "JARVIS_ENV_FILE": os.devnull,
        "JARVIS_ENGINE_URL": engine,
        "JARVIS_ENGINE_SLOTS": "1024",
        "JARVIS_WEB_PORT": str(port),
        "JARVIS_WEB_SERVER": server,
        "DATABASE_URL": "",
        "REDIS_URL": "",
    }
    folder.mkdir()

    def manage(*arguments: str, given: str = "") -> str:
        command = [sys.executable, str(ROOT / "manage.py"), *arguments]
        done = subprocess.run(command, env=environment, cwd=ROOT, input=given, capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(f"{' '.join(arguments)}: {done.stderr[-500:]}")
        return done.stdout.strip()

    command = [sys.executable, str(ROOT / "manage.py"), "run"]
    with running(command, f"Jarvis on {server}", folder / "run.log", env=environment, cwd=ROOT) as process:
        base = f"http://127.0.0.1:{port}"
        wait_for(f"{base}/health/ready", process, f"Jarvis on {server}, see {folder}/run.log")
        manage("createuser", "bench", "--password-stdin", given="a password for the bench\n")
        key = manage("apikey", "create", "--user", "bench", "--name", "bench")
        yield {"name": f"jarvis, {server}", "base_url": base, "api_key": key, "pid": process.pid}


def measure(options) -> dict:
    with contextlib.ExitStack() as stacks:
        folder = pathlib.Path(stacks.enter_context(tempfile.TemporaryDirectory(prefix="jarvis-bench-")))
        port = free_port()
        command = [sys.executable, str(HERE / "mock_engine.py"), "--port", str(port)]
        engine = stacks.enter_context(running(command, "the mock engine", folder / "mock.log"))
        url = f"http://127.0.0.1:{port}"
        wait_for(f"{url}/health", engine, "the mock engine")
        targets = [{"name": "direct", "base_url": url}]
        targets += [stacks.enter_context(stack(name, url, folder / name)) for name in options.servers.split(",")]
        setup = {"engine": {"url": url, "pid": engine.pid}, "targets": targets}
        (folder / "targets.json").write_text(json.dumps(setup))
        out = folder / "results.json"
        arguments = [str(folder / "targets.json"), "--rounds", str(options.rounds), "--out", str(out)]
        for scenario in options.scenario or compare.SCENARIOS:
            arguments += ["--scenario", scenario]
        subprocess.run([sys.executable, str(HERE / "compare.py"), *arguments], check=True)
        return json.loads(out.read_text())


def cell(row: dict, name: str) -> str:
    value = row.get(name)
    if value is None:
        return "–"
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 2 else f"{value:.3f}"


def verdicts(results: dict, target: str) -> list[str]:
    """The goals as table rows: scenario, goal, limit, measured, met."""
    lines = []
    for scenario, goals in GOALS.items():
        rows = [row for row in results.get(scenario, {}).get("medians", ()) if row["target"] == target]
        for about, name, more, limit in goals if rows else ():
            value = rows[0].get(name)
            met = value is not None and (value >= limit if more else value <= limit) and not rows[0]["errors"]
            word = "at least" if more else "at most"
            lines.append(
                f"| {scenario} | {about} | {word} {limit:,} | {cell(rows[0], name)} | {'yes' if met else 'NO'} |"
            )
    return lines


def processor() -> str:
    with contextlib.suppress(OSError):
        for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.machine()


def render(results: dict, options) -> str:
    first = f"jarvis, {options.servers.split(',')[0]}"
    lines = [
        f"Measured {datetime.date.today()} with `make bench` on {os.cpu_count()} cores ({processor()}), Python "
        f"{platform.python_version()}; medians of {options.rounds} interleaved rounds.",
        "",
        f"Goals, against `{first}`:",
        "",
        "| scenario | what | goal | measured | met |",
        "| --- | --- | --- | --- | --- |",
        *verdicts(results, first),
    ]
    for scenario, result in results.items():
        lines += ["", f"### {scenario}: {compare.SCENARIOS[scenario][0]}", ""]
        lines += ["| target | " + " | ".join(SHOWN) + " | ok | errors |", "| --- |" + " --- |" * (len(SHOWN) + 2)]
        for row in result["medians"]:
            cells = [cell(row, name) for name in SHOWN]
            lines.append(f"| {row['target']} | " + " | ".join(cells) + f" | {row['ok']} | {row['errors']} |")
    return "\n".join(lines)


def write(text: str) -> None:
    """Put the figures between their marks; the prose around them is a person's."""
    before, _, rest = REPORT.read_text().partition(BEGIN)
    after = rest.partition(END)[2]
    REPORT.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--servers", default="uvicorn,daphne,granian", help="the first one is held to the goals")
    parser.add_argument("--scenario", action="append", choices=compare.SCENARIOS)
    parser.add_argument("--write", action=argparse.BooleanOptionalAction, default=True)
    options = parser.parse_args()
    results = measure(options)
    text = render(results, options)
    print("\n" + text)
    if options.write and not options.scenario:
        write(text)
    if any(line.endswith("NO |") for line in verdicts(results, f"jarvis, {options.servers.split(',')[0]}")):
        sys.exit("A goal was missed; on a busy machine, run it again.")


if __name__ == "__main__":
    main()
