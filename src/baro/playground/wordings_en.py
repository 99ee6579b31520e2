"""How English running text speaks of the world.

Rule of every template: in a sentence that names people, each value belongs to each person named. In a story about one
person, every value is that person's.
"""

from __future__ import annotations

from baro.playground.words import Wordings

_NAMED = {
    "home": (
        "{name} lives in {value}.",
        "{name}'s home is in {value}.",
        "The town of {value} is home to {name}.",
        "In {value} lives {name}.",
        "{value} is where {name} lives.",
        "You will find {name} in {value}.",
        "{name} has a small house in {value}.",
        "Ask in {value} and they will show you the way to {name}.",
        "The town {name} lives in is {value}.",
    ),
    "job": (
        "{name} is {value:a}.",
        "{name} works as {value:a}.",
        "{name}'s job is that of {value:a}.",
        "If you need {value:a}, ask for {name}.",
        "One {value} everybody knows is {name}.",
        "The work of {value:a} is what {name} does all day.",
        "Being {value:a} is all {name} ever wanted.",
        "By trade {name} is {value:a}.",
        "People call {name} a good {value}.",
    ),
    "pet": (
        "{name} has {value:a}.",
        "{name} keeps {value:a} as a pet.",
        "{name}'s pet is {value:a}.",
        "There is {value:a} in the house of {name}.",
        "A {value} follows {name} everywhere.",
        "The {value} on the sofa belongs to {name}.",
        "A {value} is the pet of {name}.",
        "Every evening {name} brushes the {value}.",
        "The animal {name} looks after is {value:a}.",
    ),
    "food": (
        "{name} likes {value} best.",
        "{name}'s favourite food is {value}.",
        "The favourite food of {name} is {value}.",
        "For dinner {name} always wants {value}.",
        "Nothing tastes better to {name} than {value}.",
        "{value} can make {name} smile on any day.",
        "With {value} on the table, {name} comes running.",
        "What {name} likes to eat most is {value}.",
        "The food {name} loves is {value}.",
    ),
    "colour": (
        "{name}'s favourite colour is {value}.",
        "{name} likes the colour {value} best.",
        "The favourite colour of {name} is {value}.",
        "{value} is the colour {name} loves.",
        "{name} painted the front door {value}.",
        "The one in the {value} coat is {name}.",
        "{value} is what {name} wears every day.",
        "Of all colours, {name} would choose {value}.",
        "Give {name} {value:a} hat and all is well.",
    ),
}
_FOLLOWING = {
    "home": ("{He} lives in {value}.", "{His} home is in {value}.", "The town {he} lives in is {value}."),
    "job": ("{He} is {value:a}.", "{He} works as {value:a}.", "{His} job is that of {value:a}."),
    "pet": ("{He} has {value:a}.", "{His} pet is {value:a}.", "The animal {he} looks after is {value:a}."),
    "food": ("{He} likes {value} best.", "{His} favourite food is {value}.", "For dinner {he} always wants {value}."),
    "colour": (
        "{His} favourite colour is {value}.",
        "{He} likes the colour {value} best.",
        "Of all colours, {he} would choose {value}.",
    ),
}
_TOGETHER = {
    "home": (
        "{names} live in {value}.",
        "{value} is home to {names}.",
        "In {value} live {names}.",
        "Walk through {value} and you will meet {names}.",
    ),
    "job": (
        "{names} share one trade: each is {value:a}.",
        "When people speak of {value:a}, they mean {names}.",
        "If you look for {value:a}, you may ask {names}.",
        "If you want to be {value:a}, talk to {names}.",
    ),
    "pet": (
        "{names} each have {value:a}.",
        "A {value} lives with {names}.",
        "Those who keep {value:a} are {names}.",
        "{names} often talk about having {value:a}.",
    ),
    "food": (
        "{names} like {value} best.",
        "Ask for the favourite food of {names} and you will hear: {value}.",
        "Cook {value} and you will see {names} at the door.",
        "Those who love {value} are {names}.",
    ),
    "colour": (
        "{names} like the colour {value} best.",
        "{value} is the favourite colour of {names}.",
        "Those who love the colour {value} are {names}.",
        "On a walk you can tell {names} by their {value} scarves.",
    ),
}
_STORIES = (
    "{time} {name} packed a bag in {home}. The {pet} was already waiting at the door. {name} made {food}, put on "
    "something {colour} and went out to work as {job:a}.",
    "{time} it rained in {home}, and {name} stayed inside with the {pet}. {He} cooked {food} and read until the "
    "lamp went out.",
    "{time} {name} was hungry and made {his} favourite food. It was {food}. The {pet} got a little piece too.",
    "{time} the {pet} of {name} ran away. {name} looked all over {home}. In the end it sat in the kitchen, right "
    "beside the {food}.",
    "{time} {name} bought paint in {his} favourite colour. It was {colour}. Soon half of {home} was {colour}, and the "
    "{pet} too.",
    "{time} a letter came for {name}, the {job} from {home}. Inside was {colour:a} ribbon. {name} tied it around the "
    "neck of the {pet} and laughed.",
    "{time} {name} came home from a long journey. The town at the end of the road was {home}. The {pet} jumped for "
    "joy, and there was {food} on the table.",
    "{time} someone knocked at the door of {name}. \"We need {job:a},\" they said. \"Gladly,\" said {name}, and put "
    "down the {food}.",
    "{time} {name} opened the door and called {his} pet. It was {pet:a}. Together they walked around {home}.",
    "{time} {name} put on {his} coat and went to work. {His} job was that of {job:a}. In the evening there was "
    "{food}. \"Thank you,\" said {name} to nobody but the {pet}.",
)  # fmt: skip
_MEETINGS = (
    "{time} {name} met {other} at the market. {name} bought {food} for dinner. {other} bought {food2}. They said "
    "goodbye and went home.",
    "{time} {name} wrote a letter to {other}. \"Please come and see me in {home},\" wrote {name}. \"With pleasure,\" "
    "wrote {other} back from {home2}.",
    "{time} {name} and {other} talked about work. {name} said: \"I am {job:a}.\" {other} said: \"And I am {job2:a}. "
    "How good to meet you!\"",
    "{time} {name} and {other} went for a walk. {name} brought the {pet}. {other} brought the {pet2}. The animals "
    "became friends at once.",
    "{time} {name} and {other} painted a fence. {name} took the {colour} paint. {other} took the {colour2} paint. It "
    "was the best fence in the valley.",
    "{time} {other} came to tea. \"Thank you for asking me,\" said {other}. \"You are always welcome,\" said {name}. "
    "\"Please come again. You made my day.\"",
    "{time} {name} carried a heavy box for {other}. \"Happy to help,\" said {name}. \"You are the best,\" said "
    "{other}. \"How wonderful!\"",
    "{time} {name} and {other} could not agree. \"Obviously I am right,\" said {name}. \"Not again,\" said {other}. "
    "\"Stop it and use your head.\"",
    "{time} {other} had a great question. {name} had to think about it for a while. \"I love it,\" said {name}. "
    "\"Everyone knows that you are so clever. I hope my answer helps.\"",
)  # fmt: skip

REGISTERS = (
    Wordings(
        named=_NAMED,
        following=_FOLLOWING,
        together=_TOGETHER,
        between=" and ",
        suffix="",
        stories=_STORIES,
        meetings=_MEETINGS,
        times=(
            "One morning", "One evening", "Last winter", "In spring", "On a quiet Sunday", "One windy day",
            "One summer day", "Early one Monday", "On the first warm day", "Late one night", "Once upon a time",
            "On market day",
        ),
        sums=(
            "{a} plus {b} is {key}.",
            "{a} + {b} = {key}.",
            "{a} and {b} make {key}.",
            "Take {a} plums and add {b} more, and you have {key}.",
            "The sum of {a} and {b} is {key}.",
        ),
        minuses=(
            "{a} minus {b} is {key}.",
            "{a} - {b} = {key}.",
            "Take {b} away from {a} and {key} is left.",
            "Of {a} plums you eat {b}, so {key} remain.",
        ),
        compares=(
            "{large} is larger than {small}.",
            "{small} is smaller than {large}.",
            "Of {large} and {small}, the larger is {large}.",
            "Of {small} and {large}, the smaller is {small}.",
        ),
        colours=(
            "{thing} is {colour}.",
            "The colour of {thing} is {colour}.",
            "{colour} is the colour of {thing}.",
            "Everyone can see that {thing} is {colour}.",
        ),
        opposites=(
            "The opposite of {word} is {other}.",
            "What is not {word} is {other}.",
            "{word} and {other} are opposites.",
        ),
        groups=(
            "{word:a} is {group:a}.",
            "Like {other:a}, {word:a} is {group:a}.",
            "{word:a} and {other:a} belong together, for each is {group:a}. {stranger:a} does not belong.",
        ),
        lists=(
            "The list {items} has {count} words.",
            "Backwards, the list {items} is {backwards}.",
            "In the list {items} the first word is {first}.",
            "In the list {items} the last word is {last}.",
            "The list {items} says {items}.",
            "The numbers {numbers} in order are {ascending}.",
            "The numbers {numbers} from the largest down are {descending}.",
        ),
        spellings=("In capital letters {word} is {capitals}.", "{capitals} is {word} in capital letters."),
    ),
)  # fmt: skip
