"""The command answers for itself."""

from typer.testing import CliRunner

from amaro.cli import app


def test_no_arguments_print_the_help() -> None:
    assert "Amaro Edge" in CliRunner().invoke(app, []).output
