"""`haos` and `python -m haos`."""

import gc

gc.disable()  # what is imported is no garbage; to look for some takes a twentieth of the time of `haos --help`
from haos.cli.main import main  # noqa: E402

gc.enable()
gc.set_threshold(50_000)  # for the modules that are imported later, of which there are far more

if __name__ == "__main__":
    main()
