"""The command `fathom completion`."""

import click

from fathom.commands.console import Terminal, command


@command()
@click.argument("shell", type=click.Choice(("bash", "zsh", "fish")))
def completion(terminal: Terminal, shell: str) -> None:
    """Print the script by which SHELL completes commands and options of `fathom` on Tab.

    \b
    Example, to install it for good:
      fathom completion bash >> ~/.bashrc
      fathom completion zsh >> ~/.zshrc
      fathom completion fish > ~/.config/fish/completions/fathom.fish
    """
    from click.shell_completion import get_completion_class

    from fathom.commands.main import main

    kind = get_completion_class(shell)
    assert kind is not None
    script = kind(main, {}, "fathom", "_FATHOM_COMPLETE").source()
    terminal.answer({"shell": shell, "script": script})
    terminal.say(script)
