"""What does a model do with pictures of no class, and with its own photos because of them?

    python -m benchmarks.foreign SHARED [--model FILE] [--before FILE]
    python -m benchmarks.foreign --model clothes.onnx --classes clothing/test --foreign scenes/test

SHARED holds scenes, outdoor, foreign and sharp, for a model of the scene classes: of foreign pictures only those are
measured that the shipped broad network has not learnt from. The second form takes any model. Strangers are measured as
they are and shrunk to 100 px, because small pictures tell less. Columns: which photos are filed, by --review-below off
and auto, at the model's own threshold of familiarity and at the one that sends 5 % of the photos of the classes to
review. --before takes an earlier model file: photos a second and CPU time of `phototriage sort`, both in turns, with
small photos and with 12 megapixels.
"""

from pathlib import Path

from benchmarks.common import add_model, finish, parser, workplace
from benchmarks.foreign.photos import chosen_sets
from benchmarks.foreign.speed import compared
from benchmarks.foreign.table import measured
from common.errors import PhototriageError


def main() -> None:
    options = parser("foreign", __doc__, "every tenth photo, one round: rough")
    options.add_argument("shared", nargs="?", type=Path, help="folder that holds scenes, outdoor, foreign and sharp")
    add_model(options)
    options.add_argument("--classes", type=Path, metavar="DIR", help="photos of the classes, one folder for each")
    options.add_argument("--foreign", type=Path, metavar="DIR", help="pictures of no class, one folder for each kind")
    options.add_argument("--before", type=Path, metavar="FILE", help="an earlier model, to compare the speed with")
    options.add_argument("--rounds", type=int, default=3, help="of the comparison; the median counts")
    arguments = options.parse_args()
    if arguments.shared is None and (arguments.classes is None or arguments.foreign is None):
        options.error("pass SHARED, or both --classes and --foreign")
    if arguments.short:
        arguments.rounds = 1
    try:
        with workplace(arguments.work, "foreign") as place:
            told = measured(arguments.model, chosen_sets(arguments), place)
            if arguments.before is not None:
                compared(told, arguments, place)
    except PhototriageError as error:
        raise SystemExit(str(error)) from error
    finish("foreign", arguments, told)


if __name__ == "__main__":
    main()
