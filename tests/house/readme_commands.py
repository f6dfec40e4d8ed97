"""What tests/house/test_readme.py does with each command that the README shows, by the whole line."""

RUN = (
    "phototriage sort --inbox inbox --output sorted --dry-run",
    "phototriage inspect",
    "phototriage train photos --output run",
    "phototriage convert run --output model.onnx",
    "phototriage sort --inbox inbox --output sorted --model model.onnx",
    "phototriage doctor --inbox inbox --output sorted",
    "phototriage labels",
    "phototriage replay --model model.onnx",
    "phototriage model use model.onnx --inbox inbox",
)
"""Run in a folder with `photos/CLASS/*.jpg` and an `inbox/` with a photo in it."""

WATCHED = ("phototriage watch --inbox inbox --output sorted",)
"""Started, seen to file that photo, and stopped with Ctrl-C."""

LISTED = {
    "mv sorted/street/house.jpg sorted/buildings/": "the whole loop is run by tests/house/test_teach_it.py",
    "phototriage learn": "as above",
    "phototriage refile": "as above",
    "make run": "installs from the network and runs until stopped; `phototriage watch`, which it ends in, is run",
    "make demo": "installs from the network; `phototriage demo`, which it ends in, has a test of its own",
    "make test": "is what runs this test",
    'sudo "$(command -v phototriage)" service install photos --inbox inbox --output sorted': "changes the machine; "
    "tests/daemon/service installs on one of its own",
    "phototriage status": "ends with 1 where no daemon is at work, as here; tests/daemon/test_status.py asks",
}
"""Left out, with the reason."""
