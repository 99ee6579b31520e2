"""How Korean running text speaks of the world, in two registers: plain (산다) and polite (살아요).

Rule of every template: in a sentence that names people, each value belongs to each person named. In a story about one
person, every value is that person's.
"""

from __future__ import annotations

from baro.playground.words import Wordings

_NAMED_PLAIN = {
    "home": (
        "{name} 씨는 {value}에 산다.",
        "{name} 씨의 집은 {value}에 있다.",
        "{value}에는 {name} 씨가 산다.",
        "{value:은} {name} 씨가 사는 곳이다.",
        "{name} 씨가 사는 곳은 {value:이다}.",
        "{value}에 가면 {name} 씨를 만날 수 있다.",
        "{name} 씨는 {value}의 작은 집에서 지낸다.",
    ),
    "job": (
        "{name} 씨는 {value:이다}.",
        "{name} 씨의 직업은 {value:이다}.",
        "{name} 씨는 {value:으로} 일한다.",
        "{value:이} 필요하면 {name} 씨를 찾으면 된다.",
        "동네에서 소문난 {value:은} 바로 {name} 씨다.",
        "{value:은} {name} 씨가 고른 직업이다.",
        "사람들은 {name} 씨를 훌륭한 {value:이라고} 부른다.",
    ),
    "pet": (
        "{name} 씨는 {value:을} 키운다.",
        "{name} 씨의 반려동물은 {value:이다}.",
        "{name} 씨의 집에는 {value:이} 있다.",
        "{value:은} {name} 씨의 반려동물이다.",
        "{value:을} 돌보는 사람은 {name} 씨다.",
        "{name} 씨는 날마다 {value:과} 논다.",
        "{value:이} 가장 따르는 사람은 {name} 씨다.",
    ),
    "food": (
        "{name} 씨는 음식 가운데 {value:을} 가장 좋아한다.",
        "{name} 씨가 가장 좋아하는 음식은 {value:이다}.",
        "{value:은} {name} 씨가 가장 좋아하는 음식이다.",
        "{value:이} 있으면 {name} 씨는 웃는다.",
        "{name} 씨의 밥상에는 늘 {value:이} 오른다.",
        "{value} 냄새가 나면 {name} 씨가 달려온다.",
        "{name} 씨는 {value:이라면} 언제든 반긴다.",
    ),
    "colour": (
        "{name} 씨는 색 가운데 {value:을} 가장 좋아한다.",
        "{name} 씨가 가장 좋아하는 색은 {value:이다}.",
        "{value:은} {name} 씨가 가장 아끼는 색이다.",
        "{name} 씨는 방을 {value:으로} 칠했다.",
        "{value} 우산을 든 사람은 {name} 씨다.",
        "{name} 씨는 {value} 모자를 쓴다.",
        "{name} 씨의 외투는 {value:이다}.",
    ),
}
_NAMED_POLITE = {
    "home": (
        "{name} 씨는 {value}에 살아요.",
        "{name} 씨의 집은 {value}에 있어요.",
        "{value}에는 {name} 씨가 살아요.",
        "{name} 씨가 사는 곳은 {value:이에요}.",
    ),
    "job": (
        "{name} 씨는 {value:이에요}.",
        "{name} 씨의 직업은 {value:이에요}.",
        "{name} 씨는 {value:으로} 일해요.",
        "{value:이} 필요하면 {name} 씨를 부르면 돼요.",
    ),
    "pet": (
        "{name} 씨는 {value:을} 키워요.",
        "{name} 씨의 반려동물은 {value:이에요}.",
        "{name} 씨의 집에는 {value:이} 있어요.",
        "{value:을} 돌보는 사람은 {name} 씨예요.",
    ),
    "food": (
        "{name} 씨는 음식 가운데 {value:을} 가장 좋아해요.",
        "{name} 씨가 가장 좋아하는 음식은 {value:이에요}.",
        "{value:은} {name} 씨가 가장 좋아하는 음식이에요.",
        "{value} 냄새가 나면 {name} 씨가 달려와요.",
    ),
    "colour": (
        "{name} 씨는 색 가운데 {value:을} 가장 좋아해요.",
        "{name} 씨가 가장 좋아하는 색은 {value:이에요}.",
        "{value:은} {name} 씨가 가장 아끼는 색이에요.",
        "{value} 우산을 든 사람은 {name} 씨예요.",
    ),
}
_TIMES = (
    "어느 날 아침,", "어느 날 저녁,", "지난겨울,", "어느 봄날,", "조용한 일요일,", "바람 부는 날,", "어느 여름날,",
    "월요일 이른 아침,", "첫 햇살이 따뜻하던 날,", "밤늦게,", "옛날 옛적에,", "장날에,",
)  # fmt: skip
_LISTS_PLAIN = (
    "목록 {items}에는 낱말이 {count}개 있다.",
    "목록 {items:을} 거꾸로 하면 {backwards:이다}.",
    "목록 {items}에서 첫 번째 낱말은 {first:이다}.",
    "목록 {items}에서 마지막 낱말은 {last:이다}.",
    "목록을 그대로 옮기면 {items:이다}.",
    "숫자 {numbers:을} 작은 것부터 쓰면 {ascending:이다}.",
    "숫자 {numbers:을} 큰 것부터 쓰면 {descending:이다}.",
)
_LISTS_POLITE = (
    "목록 {items}에는 낱말이 {count}개 있어요.",
    "목록 {items:을} 거꾸로 하면 {backwards:이에요}.",
    "목록 {items}에서 첫 번째 낱말은 {first:이에요}.",
    "목록 {items}에서 마지막 낱말은 {last:이에요}.",
    "목록을 그대로 옮기면 {items:이에요}.",
    "숫자 {numbers:을} 작은 것부터 쓰면 {ascending:이에요}.",
    "숫자 {numbers:을} 큰 것부터 쓰면 {descending:이에요}.",
)

_PLAIN = Wordings(
    named=_NAMED_PLAIN,
    following={
        "home": ("집은 {value}에 있다.", "사는 곳은 {value:이다}."),
        "job": ("직업은 {value:이다}.", "하는 일은 {value:이다}."),
        "pet": ("반려동물은 {value:이다}.", "집에서 {value:을} 키운다."),
        "food": ("가장 좋아하는 음식은 {value:이다}.", "저녁마다 {value:을} 먹는다."),
        "colour": ("가장 좋아하는 색은 {value:이다}.", "무엇이든 {value:으로} 고른다."),
    },
    together={
        "home": ("{value}에는 {names}가 산다.", "{names}는 {value}에 산다.", "{value}에 사는 사람은 {names}다."),
        "job": ("{names}는 직업이 {value:이다}.", "{value:은} {names}다.", "{value:으로} 일하는 사람은 {names}다."),
        "pet": ("{names}는 {value:을} 키운다.", "{value:을} 키우는 사람은 {names}다."),
        "food": ("{names}는 {value:을} 가장 좋아한다.", "{value:을} 가장 좋아하는 사람은 {names}다."),
        "colour": ("{names}는 {value:을} 가장 좋아한다.", "{value:을} 가장 좋아하는 사람은 {names}다."),
    },
    between=" 씨와 ",
    suffix=" 씨",
    stories=(
        "{time} {name} 씨는 {home}에서 바쁘게 움직였다. {pet:이} 벌써 문 앞에서 기다리고 있었다. {name} 씨는 {food:을} "
        "먹고 {colour} 외투를 걸쳤다. 그리고 {job:으로} 일하러 나갔다.",
        "{time} {home}에 비가 내렸다. {name} 씨는 {pet:과} 함께 집에 있었다. {food:을} 만들어 먹고 밤늦도록 책을 "
        "읽었다.",
        "{time} {name} 씨는 배가 고파서 가장 좋아하는 음식을 만들었다. 그 음식은 {food:이다}. {pet}도 한 입 "
        "얻어먹었다.",
        "{time} {name} 씨의 {pet:이} 사라졌다. {name} 씨는 {home:을} 다 뒤졌다. 알고 보니 {pet:은} 부엌의 {food} 옆에 "
        "앉아 있었다.",
        "{time} {name} 씨는 가장 좋아하는 색의 물감을 샀다. 그 색은 {colour:이다}. {home}의 담장이 절반이나 "
        "{colour:이} "
        "되었다.",
        "{time} 긴 여행을 마친 {name} 씨가 집으로 돌아왔다. 길 끝의 마을은 {home:이다}. {pet:이} 반갑게 뛰어나왔다.",
        "{time} 누군가 {name} 씨의 문을 두드렸다. \"{job:을} 찾고 있어요.\" {name} 씨는 {food:을} 내려놓고 말했다. "
        "\"기꺼이 도와드릴게요.\"",
        "{time} {name} 씨가 문을 열고 반려동물을 불렀다. 그 동물은 {pet:이다}. 둘은 {home:을} 한 바퀴 걸었다.",
        "{time} {name} 씨는 외투를 입고 일하러 갔다. {name} 씨의 직업은 {job:이다}. 저녁에는 {food:이} 기다리고 "
        "있었다.",
    ),
    meetings=(
        "{time} {name} 씨는 시장에서 {other} 씨를 만났다. {name} 씨는 {food:을} 샀다. {other} 씨는 {food2:을} "
        "샀다. 둘은 "
        "인사를 하고 헤어졌다.",
        "{time} {name} 씨와 {other} 씨가 산책을 했다. {name} 씨는 {pet:과} 함께 왔다. {other} 씨는 {pet2:과} "
        "함께 왔다.",
        "{time} {name} 씨와 {other} 씨가 담장을 칠했다. {name} 씨는 {colour:을} 골랐다. {other} 씨는 "
        "{colour2:을} 골랐다.",
        "{time} {name} 씨가 {other} 씨에게 편지를 썼다. {name} 씨는 {home:으로} 놀러 오라고 했다. {other} 씨는 "
        "{home2}에서 "
        "답장을 보냈다.",
        "{time} {other} 씨가 차를 마시러 왔다. \"또 오세요.\" {name} 씨가 말했다. \"덕분에 행복해요!\" {other} "
        "씨가 웃었다.",
        "{time} {name} 씨가 {other} 씨의 무거운 상자를 들어 주었다. \"도움이 되면 좋겠어요.\" {name} 씨가 "
        "말했다. \"최고예요!\" "
        "{other} 씨가 말했다.",
        "{time} {name} 씨와 {other} 씨가 다투었다. \"뻔하잖아. 다들 아는 거야.\" {name} 씨가 말했다. \"에휴. "
        "그만 좀 해.\" {other} "
        "씨가 말했다.",
        "{time} {other} 씨가 멋진 질문을 했다. {name} 씨는 한참을 고민했다. \"정말 똑똑하세요!\" {name} 씨는 "
        "기꺼이 답을 알려 "
        "주었다.",
    ),
    times=_TIMES,
    sums=("{a} 더하기 {b:은} {key:이다}.", "{a} + {b} = {key}.", "{a:과} {b:을} 더하면 {key:이다}."),
    minuses=("{a} 빼기 {b:은} {key:이다}.", "{a} - {b} = {key}.", "{a}에서 {b:을} 빼면 {key:이다}."),
    compares=(
        "{large:은} {small}보다 크다.",
        "{small:은} {large}보다 작다.",
        "{large:과} {small} 가운데 큰 수는 {large:이다}.",
        "{small:과} {large} 가운데 작은 수는 {small:이다}.",
    ),
    colours=("{thing:은} {colour:이다}.", "{thing}의 색은 {colour:이다}.", "{colour}인 것은 {thing:이다}."),
    opposites=("'{word}'의 반대말은 '{other}'다.", "'{word}'와 '{other}'는 반대말이다."),
    groups=(
        "{word:은} {group:이다}.",
        "{other:과} {word:은} 모두 {group:이다}. {stranger:은} 아니다.",
        "{group} 가운데 하나가 {word:이다}.",
    ),
    lists=_LISTS_PLAIN,
    spellings=("{quoted:은} {count}글자다.", "{quoted}의 글자 수는 {count:이다}."),
)  # fmt: skip

_POLITE = Wordings(
    named=_NAMED_POLITE,
    following={
        "home": ("집은 {value}에 있어요.", "사는 곳은 {value:이에요}."),
        "job": ("직업은 {value:이에요}.", "하는 일은 {value:이에요}."),
        "pet": ("반려동물은 {value:이에요}.", "집에서 {value:을} 키워요."),
        "food": ("가장 좋아하는 음식은 {value:이에요}.", "저녁마다 {value:을} 먹어요."),
        "colour": ("가장 좋아하는 색은 {value:이에요}.", "무엇이든 {value:으로} 골라요."),
    },
    together={
        "home": ("{value}에는 {names}가 살아요.", "{names}는 {value}에 살아요.", "{value}에 사는 사람은 {names}예요."),
        "job": ("{names}는 직업이 {value:이에요}.", "{value:으로} 일하는 사람은 {names}예요."),
        "pet": ("{names}는 {value:을} 키워요.", "{value:을} 키우는 사람은 {names}예요."),
        "food": ("{names}는 {value:을} 가장 좋아해요.", "{value:을} 가장 좋아하는 사람은 {names}예요."),
        "colour": ("{names}는 {value:을} 가장 좋아해요.", "{value:을} 가장 좋아하는 사람은 {names}예요."),
    },
    between=" 씨와 ",
    suffix=" 씨",
    stories=(
        "{time} {name} 씨는 {home}에서 바쁘게 움직였어요. {pet:이} 벌써 문 앞에서 기다리고 있었어요. {name} 씨는 "
        "{food:을} "
        "먹고 {colour} 외투를 걸쳤어요. 그리고 {job:으로} 일하러 나갔어요.",
        "{time} {name} 씨는 배가 고파서 가장 좋아하는 음식을 만들었어요. 그 음식은 {food:이에요}. {pet}도 한 입 "
        "얻어먹었어요.",
        "{time} {name} 씨는 가장 좋아하는 색의 물감을 샀어요. 그 색은 {colour:이에요}. {home}의 담장이 절반이나 "
        "{colour:이} "
        "되었어요.",
        "{time} 긴 여행을 마친 {name} 씨가 집으로 돌아왔어요. 길 끝의 마을은 {home:이에요}. {pet:이} 반갑게 "
        "뛰어나왔어요.",
        "{time} {name} 씨가 문을 열고 반려동물을 불렀어요. 그 동물은 {pet:이에요}. 둘은 {home:을} 한 바퀴 걸었어요.",
        "{time} {name} 씨는 외투를 입고 일하러 갔어요. {name} 씨의 직업은 {job:이에요}. 저녁에는 {food:이} 기다리고 "
        "있었어요.",
    ),
    meetings=(
        "{time} {name} 씨는 시장에서 {other} 씨를 만났어요. {name} 씨는 {food:을} 샀어요. {other} 씨는 "
        "{food2:을} 샀어요. "
        "\"만나서 반가워요.\" 둘은 인사를 하고 헤어졌어요.",
        "{time} {name} 씨와 {other} 씨가 산책을 했어요. {name} 씨는 {pet:과} 함께 왔어요. {other} 씨는 {pet2:과} 함께 "
        "왔어요.",
        "{time} {name} 씨가 {other} 씨에게 편지를 썼어요. {name} 씨는 {home:으로} 놀러 오라고 했어요. {other} 씨는 "
        "{home2}에서 답장을 보냈어요.",
        "{time} {other} 씨가 차를 마시러 왔어요. \"또 오세요.\" {name} 씨가 말했어요. \"덕분에 행복해요!\" "
        "{other} 씨가 웃었어요.",
        "{time} {name} 씨가 {other} 씨에게 길을 알려 주었어요. \"와, 정말 대단해요!\" {other} 씨가 말했어요. "
        "\"또 물어보세요.\" "
        "{name} 씨가 웃었어요.",
    ),
    times=_TIMES,
    sums=("{a} 더하기 {b:은} {key:이에요}.", "{a:과} {b:을} 더하면 {key:이에요}."),
    minuses=("{a} 빼기 {b:은} {key:이에요}.", "{a}에서 {b:을} 빼면 {key:이에요}."),
    compares=("{large:은} {small}보다 커요.", "{small:은} {large}보다 작아요."),
    colours=("{thing:은} {colour:이에요}.", "{thing}의 색은 {colour:이에요}."),
    opposites=("'{word}'의 반대말은 '{other}'예요.", "'{word}'와 '{other}'는 반대말이에요."),
    groups=("{word:은} {group:이에요}.", "{other:과} {word:은} 모두 {group:이에요}. {stranger:은} 아니에요."),
    lists=_LISTS_POLITE,
    spellings=("{quoted:은} {count}글자예요.", "{quoted}의 글자 수는 {count:이에요}."),
)  # fmt: skip

REGISTERS = (_PLAIN, _POLITE)
