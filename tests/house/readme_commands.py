"""What tests/house/test_readme.py does with each command that the README shows, by the whole line."""

RUN = (
    "phototriage inspect",
    "phototriage train photos --output run",
    "phototriage convert run --output model.onnx",
    "phototriage sort --inbox inbox --output sorted --model model.onnx",
)
"""Run in a folder with `photos/CLASS/*.jpg` and an `inbox/` with a photo in it."""

WATCHED = ("phototriage watch --inbox inbox --output sorted",)
"""Started, seen to file that photo, and stopped with Ctrl-C."""

LISTED = {
    "make run": "installs from the network and runs until stopped; `phototriage watch`, which it ends in, is run",
    "make demo": "installs from the network; `phototriage demo`, which it ends in, has a test of its own",
    "make test": "is what runs this test",
}
"""Left out, with the reason."""
