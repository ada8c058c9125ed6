"""Commands as a user gives them, in the test's own process."""

from atari_dqn.cli import main


def exit_code(*words):
    """Exit code of a command, wherever it is raised."""
    try:
        return main([str(word) for word in words])
    except SystemExit as error:
        return error.code


def refused(capsys, *words):
    """What a command that cannot work says: on stderr, with exit code 2, without a traceback."""
    assert exit_code(*words) == 2
    said = capsys.readouterr().err
    assert "Traceback" not in said
    return said
