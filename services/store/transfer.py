"""The old name of `python app.py transfer`, for one version more."""

import sys

from services.commands.transfer import main

if __name__ == "__main__":
    print("python -m services.store.transfer is now python app.py transfer", file=sys.stderr)
    sys.exit(main(sys.argv[1:]))
