"""`python -m fathom` is the command `fathom`."""

from fathom.commands.main import main

if __name__ == "__main__":
    main()
