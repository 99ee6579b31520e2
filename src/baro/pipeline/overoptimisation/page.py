"""The page."""


def page(found):
    return "later"
