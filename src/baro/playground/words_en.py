"""The English nouns of the world."""

from __future__ import annotations

from baro.playground.words import Lexicon, words

_WOMEN = words(
    "Mira Odette Clara Hazel Ivy Nora Wren Tilda Ada Bea Cora Dora Elsa Faye Greta Hilda Iris Juno Kaya Lotte Maud "
    "Nell Petra Rosa Selma Thea Una Vera Willa Xenia Yara Zelda Anouk Birdie Celia Daphne Esme Flora Ginny Heidi "
    "Ingrid Jade Kirsten Leona Marit Olive Sunniva Bettina"
)
_MEN = words(
    "Tobin Alban Bruno Casper Dario Edgar Felix Gustav Hugo Igor Jasper Klaus Leo Milo Ned Oscar Pablo Quentin Rufus "
    "Silas Theo Ugo Viktor Walter Xavier Yorick Zeno Anton Boris Cyril Dmitri Emil Fritz Gideon Harold Isidor Jonas "
    "Kuno Lorenz Marius Nils Otis Pascal Rolf Samson Tristan Ulrich Vasco"
)

LEXICON = Lexicon(
    names=tuple(pair for woman, man in zip(_WOMEN, _MEN, strict=True) for pair in ((woman, "she"), (man, "he"))),
    values={
        "home": words(
            "Alderby Brookmere Castlewick Dunmoor Eastvale Foxhollow Gullhaven Larkfield Millbrook Otterby"
        ),
        "job": words("baker carpenter nurse painter gardener fisher teacher clockmaker librarian tailor"),
        "pet": words("cat dog rabbit parrot tortoise goat hamster goldfish hedgehog pony"),
        "food": (
            "pancakes", "dumplings", "noodles", "waffles", "porridge", "lentil stew", "pumpkin pie", "tomato soup",
            "plum cake", "cheese toast",
        ),
        "colour": words("red blue green yellow purple orange white black pink brown"),
    },
    things={
        "the sky": "blue", "grass": "green", "snow": "white", "a lemon": "yellow", "coal": "black", "milk": "white",
        "a frog": "green", "a carrot": "orange", "a tomato": "red", "a chick": "yellow", "a crow": "black",
        "the sea": "blue", "an eggplant": "purple", "a flamingo": "pink", "chocolate": "brown",
        "a fire engine": "red", "a pumpkin": "orange", "a bear": "brown", "a piglet": "pink", "lavender": "purple",
    },
    groups={
        "fruit": words("apple plum pear cherry grape melon"),
        "animal": words("tiger fox otter deer whale lion"),
        "instrument": words("violin flute drum harp trumpet piano"),
        "tool": words("hammer saw shovel ladder chisel rake"),
        "garment": words("coat hat scarf glove sock boot"),
    },
    opposites=(
        ("big", "small"), ("hot", "cold"), ("fast", "slow"), ("high", "low"), ("light", "dark"), ("old", "young"),
        ("wet", "dry"), ("loud", "quiet"), ("early", "late"), ("full", "empty"), ("hard", "soft"), ("near", "far"),
        ("strong", "weak"), ("clean", "dirty"), ("rich", "poor"), ("sweet", "bitter"),
    ),
)  # fmt: skip
