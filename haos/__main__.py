"""`haos` and `python -m haos`."""

from haos.cli.main import main

if __name__ == "__main__":
    main()
