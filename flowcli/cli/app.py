"""The entry point of the command line: finds the commands, runs one, and reports failures with an exit code."""

from __future__ import annotations

import gc
import importlib
import re
import sys
import traceback
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Annotated

import typer
from typer.exceptions import TyperException
from typer.main import get_command

from flowcli.cli import commands
from flowcli.cli.completion import complete_values
from flowcli.cli.help import Command, Group
from flowcli.errors import FlowcliError, OutputError, UsageError
from flowcli.system.console import write_line
from flowcli.system.log import close_log, log_traceback
from flowcli.system.refusals import refused_by_system
from flowcli.system.signals import Interruption, Stop, StoppedError
from flowcli.system.streams import prepare_streams
from flowcli.version import __version__

EPILOG = """
Exit codes
0              done
1              a bug in flowcli: please report it
2              wrong usage, a missing path, or an output that exists already
3              an input that cannot be used
4              part of the work could not be done: clips failed, frames lost
5              weights missing or unfit
6              device missing, or not enough memory
7              an output that cannot be written
130, 143, 129  stopped by Ctrl-C, TERM, HUP
"""


class Program(Group):
    """The program itself, whose commands are listed in the order of use."""

    def list_commands(self, ctx: object) -> list[str]:
        """The names of the commands; Typer puts groups last."""
        return commands.names()


app = typer.Typer(
    help="Optical flow of videos with RAFT, and inspection of RAFT's intermediate results.",
    epilog=EPILOG,
    cls=Program,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
)


def show_version(requested: bool) -> None:
    """Prints the version and exits, if requested."""
    if requested:
        typer.echo(f"flowcli {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=show_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Declares the options before the command: only --version, handled by its callback."""


for name in commands.names():
    # The command's file is imported here, the modules it uses only when it runs.
    module = importlib.import_module(f"{commands.__name__}.{name}")
    group = getattr(module, "app", None)
    for run_command in [each.callback for each in group.registered_commands] if group else [module.run]:
        complete_values(run_command)
    if hasattr(module, "app"):
        app.add_typer(module.app, name=name)
    else:
        app.command(name, cls=Command, epilog=getattr(module, "EPILOG", None))(module.run)


@cache
def program() -> Callable[..., object]:
    """The command line as Typer builds it from the signatures of all commands."""
    return get_command(app)


def main() -> None:
    """Runs the command line and exits with its code."""
    # Nearly all that libraries create stays; `loading` ends this.
    gc.disable()
    prepare_streams()
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Runs one command and returns its exit code; failures are printed to stderr."""
    code = code_of(arguments)
    try:
        close_log()
    except OutputError as error:
        return code or fail(error)
    return code


def code_of(arguments: list[str]) -> int:
    """Runs one command and converts every exception to an exit code."""
    interruption = Interruption(at_once=True)
    try:
        with interruption:
            return answer(arguments)
    except Stop as stop:
        return fail(StoppedError(stop.number, hint="nothing unfinished was kept"))
    except FlowcliError as error:
        log_traceback()
        free_frames(error)
        return fail(error)
    except Exception as error:
        log_traceback()
        free_frames(error)
        if interruption.number is not None:
            # An interrupted import of native code may raise any exception.
            return fail(StoppedError(interruption.number, hint="nothing unfinished was kept"))
        if refused := refused_by_system(error):
            return fail(refused)
        traceback.print_exc()
        return fail(FlowcliError("this is a bug in flowcli", hint="please report the lines above and the command"))


def answer(arguments: list[str]) -> int:
    """Runs one command by Typer and returns its exit code; raises FlowcliError for its usage errors."""
    if "" in arguments:
        # Path("") is the current folder.
        raise UsageError("an argument is empty", hint="give a path or value; perhaps a shell variable is not set")
    try:
        Path.cwd()
    except OSError as error:
        # MKL would abort the process.
        raise UsageError("the current folder does not exist any more", hint="change to another folder first") from error
    try:
        result = program()(arguments, prog_name="flowcli", standalone_mode=False)
    except TyperException as error:
        if not error.format_message():
            # Without arguments, Typer prints the help and raises an empty error.
            return 0
        raise usage_error(error) from error
    except typer.Abort as error:
        # Typer converts every EOFError to Abort, as for a prompt; flowcli has no prompts.
        raise error.__cause__ or error from None
    except SystemExit as ended:
        # Typer exits when the reader of stdout closes it, as `| head` does; completion exits too.
        return 0 if isinstance(ended.__context__, BrokenPipeError) else int(ended.code or 0)
    return result if isinstance(result, int) else 0


PLAIN = {
    "Input should be greater than or equal to ": "it must be at least ",
    "Input should be less than or equal to ": "it must be at most ",
    "Input should be a valid integer.*": "it must be a whole number",
    "Input should be a valid number.*": "it must be a number",
}
"""Typer's phrases, as regular expressions, and ours for them."""


def usage_error(error: TyperException) -> UsageError:
    """A UsageError with Typer's message in plain words, and a hint."""
    text = error.format_message().rstrip(".")
    for phrase, plain in PLAIN.items():
        text = re.sub(phrase, plain, text)
    context = getattr(error, "ctx", None)
    command = context.command_path if context else "flowcli"
    # Without quotes, the shell expands a pattern to many arguments.
    quoting = "quote patterns; " if "unexpected extra argument" in text else ""
    return UsageError(text[:1].lower() + text[1:], hint=f"{quoting}see `{command} --help`")


def fail(error: FlowcliError) -> int:
    """Prints the error and the hint, and returns the exit code."""
    write_line(f"error: {error}")
    write_line(f"hint: {error.hint}")
    return error.exit_code


def free_frames(error: BaseException) -> None:
    """Frees what the functions of an error's tracebacks held: without memory, the message would fail as they did."""
    cause: BaseException | None = error
    while cause:
        traceback.clear_frames(cause.__traceback__)
        cause = cause.__cause__ or cause.__context__
