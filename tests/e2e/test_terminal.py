"""What people see and type: `sasq top` in a terminal, completions in shells, the manual page, `sasq doctor`."""

import subprocess

import pytest

from secure_service import SecureService
from service import Service, bin_path
from terminal import Terminal

SPARKS = set("▁▂▃▄▅▆▇█")


def top(service, *flags):
    return Terminal(service.cli_command("top", "--interval", "100ms", *flags), service.cli_environment())


def test_top_shows_training_live_and_ends_by_q(service, client, make_spec):
    name = client.submit(make_spec(steps=100000))
    waiting = client.submit(make_spec(display_name="the next one"))
    with top(service) as terminal:
        screen = terminal.await_screen(lambda text: SPARKS & set(text), "a sparkline")
        assert "1 worker: 1 busy; 1 running; 1 queued" in screen
        assert name[5:17] in screen and waiting[5:17] in screen and "the next one" in screen
        assert "training sasq" in screen
        terminal.press("q")
        after = terminal.await_text("ended with 0")
        assert "training" not in after, "what was on the screen before is back"
    client.cancel(name)


def test_top_outlives_the_coordinator(service):
    with top(service) as terminal:
        terminal.await_text("1 idle")
        service.coordinator.kill()
        terminal.await_text("as it was: cannot reach sasqd")
        service.start_coordinator()
        terminal.await_screen(lambda text: "as it was" not in text and "1 idle" in text, "the service again")
        terminal.press("C-c")
        terminal.await_text("ended with 130")


def test_top_without_a_terminal(service):
    run = service.cli("top")
    assert run.returncode == 0, run
    assert "1 worker: 1 idle; 0 running; 0 queued" in run.stdout
    assert "\x1b" not in run.stdout


def test_doctor(coordinator_only):
    alone = coordinator_only.cli("doctor")
    assert alone.returncode == 0, alone
    assert "warning  workers   none takes jobs; they wait > start one: sasq-worker --coordinator=" in alone.stdout
    coordinator_only.start_worker("w1").await_log("worker_registered")
    well = coordinator_only.cli("doctor")
    assert well.returncode == 0, well
    lines = [line.split(maxsplit=2) for line in well.stdout.splitlines()]
    assert [line[:2] for line in lines] == [["ok", name] for name in (
        "settings", "server", "version", "clock", "access", "workers", "w1")]
    coordinator_only.coordinator.kill()
    assert coordinator_only.cli("doctor").returncode == 5


def test_doctor_of_a_service_with_tls_and_tokens(tmp_path):
    service = SecureService(tmp_path)
    try:
        service.start_coordinator()
        run = service.cli("doctor")
        assert run.returncode == 0, run
        assert "with TLS, with a token" in run.stdout
        service.submitter = "sasq_wrong"
        denied = service.cli("doctor")
        assert denied.returncode == 4, denied
        assert "ok       version" in denied.stdout and "failed   access" in denied.stdout
        service.cli_environment = lambda: Service.cli_environment(service)  # no authority, no token
        plain = service.cli("doctor")
        assert plain.returncode == 5, plain
        assert "if it speaks TLS, add --tls" in plain.stdout
    finally:
        service.close()


@pytest.fixture(scope="module")
def script(tmp_path_factory):
    """Gives a shell's completion script as a file."""
    def write(shell):
        path = tmp_path_factory.mktemp(shell) / "sasq"
        path.write_bytes(subprocess.run([bin_path("sasq"), "completion", shell], check=True,
                                        capture_output=True).stdout)
        return path
    return write


def complete_in_bash(script, words, environment=None):
    """What bash offers for the last of the words, as it splits a line."""
    program = (f"source {script}; COMP_WORDS=(\"$@\"); COMP_CWORD=$(($# - 1)); compopt() {{ :; }}; _sasq;"
               ' printf "%s\\n" "${COMPREPLY[@]}"')
    run = subprocess.run(["bash", "--norc", "-c", program, "bash", bin_path("sasq"), *words], capture_output=True,
                         text=True, env=environment, check=True, timeout=60)
    assert not run.stderr, run.stderr
    return run.stdout.split()


@pytest.mark.parametrize("words, wanted", [
    (["su"], ["submit"]),
    (["completion", ""], ["bash", "zsh", "fish"]),
    (["--output", "j"], ["json"]),
    (["--output", "=", "j"], ["json"]),
    (["-e", "submit", "li"], ["list"]),
    (["list", "--st"], ["--state"]),
    (["artifacts", "v"], ["verify"]),
    (["artifacts", "verify", "--pub"], ["--public-key"]),
    (["export", "--target", ""], ["transformers", "vllm", "sglang"]),
    (["logs", "-f", "--foll"], ["--follow"]),
    (["version", ""], []),
])
def test_bash_completes_commands_flags_and_values(script, words, wanted):
    assert sorted(complete_in_bash(script("bash"), words)) == sorted(wanted)


def test_bash_completes_files_and_jobs(script, coordinator_only, client, make_spec, tmp_path):
    folder = tmp_path / "files"
    (folder / "models").mkdir(parents=True)
    (folder / "spec.yaml").touch()
    bash = script("bash")
    assert complete_in_bash(bash, ["submit", "-f", f"{folder}/s"]) == [f"{folder}/spec.yaml"]
    assert complete_in_bash(bash, ["download", "--dir", f"{folder}/"]) == [f"{folder}/models"]
    name = client.submit(make_spec())
    environment = coordinator_only.cli_environment()
    assert complete_in_bash(bash, ["cancel", ""], environment) == [name]
    assert complete_in_bash(bash, ["get", name[:9]], environment) == [name]
    coordinator_only.coordinator.kill()
    assert complete_in_bash(bash, ["cancel", ""], environment) == []


def test_zsh_completes(script):
    # A real line editor: a Tab after a unique prefix writes the rest.
    with Terminal(["zsh", "-f"], {"PATH": f"{bin_path('sasq').parent}:/usr/bin:/bin"}) as terminal:
        terminal.press("autoload -U compinit && compinit -D -u && PROMPT='> ' && "
                       f"source {script('zsh')} && clear", "Enter")
        for typed, completed in (("sasq gat", "sasq gate"), ("sasq --outp", "sasq --output"),
                                 ("sasq list --sta", "sasq list --state"),
                                 ("sasq completion f", "sasq completion fish"),
                                 ("sasq artifacts ver", "sasq artifacts verify")):
            terminal.await_screen(lambda text: text.rstrip().endswith(">"), "a prompt")
            terminal.press(typed, "Tab")
            terminal.await_text(f"> {completed}")
            terminal.press("C-u", "clear", "Enter")


@pytest.mark.parametrize("line, wanted", [
    ("sasq su", "submit"),
    ("sasq artifacts ver", "verify"),
    ("sasq completion f", "fish"),
    ("sasq export --target v", "vllm"),
    ("sasq list --sta", "--state"),
])
def test_fish_completes(script, line, wanted, tmp_path):
    run = subprocess.run(["fish", "--no-config", "-c", f"source {script('fish')}; complete -C '{line}'"],
                         capture_output=True, text=True, timeout=60, check=True,
                         env={"HOME": str(tmp_path), "PATH": f"{bin_path('sasq').parent}:/usr/bin:/bin"})
    assert not run.stderr, run.stderr
    assert [offer.split("\t")[0] for offer in run.stdout.splitlines()] == [wanted]


def test_the_manual_page_is_clean(coordinator_only):
    page = coordinator_only.cli("man").stdout
    shown = subprocess.run(["groff", "-man", "-ww", "-Tutf8", "-P-cbou"], input=page, capture_output=True,
                           text=True, timeout=60, check=True)
    assert not shown.stderr
    for words in ("trained static INT8 activation scales", "sasq gate JOB", "--max-age DURATION",
                  "artifacts verify", "124 wait timed out", "METHOD: fp"):
        assert words in shown.stdout, words
