"""The old name of `python app.py backup`, for one version more."""

import sys

from services.commands.backup import main

if __name__ == "__main__":
    print("python -m services.store.backup is now python app.py backup", file=sys.stderr)
    sys.exit(main(sys.argv[1:]))
