"""Texts of the annotation pages in English and Korean."""

from __future__ import annotations

from baro.web.words import Table

WORDS: Table = {
    # the menu
    "compare": ("Compare", "비교하기"),
    "results": ("Results", "결과"),
    "people": ("People", "참여자"),
    "guideline": ("Guideline", "지침"),
    "menu": ("Pages", "화면"),
    # comparing
    "title": ("Which answer is better?", "어느 답변이 더 낫습니까?"),
    "prompt": ("Prompt", "프롬프트"),
    "system": ("System", "시스템"),
    "user": ("User", "사용자"),
    "assistant": ("Assistant", "어시스턴트"),
    "left": ("Answer 1", "답변 1"),
    "right": ("Answer 2", "답변 2"),
    "left_better": ("Answer 1 is better", "답변 1이 낫다"),
    "right_better": ("Answer 2 is better", "답변 2가 낫다"),
    "tie": ("Equally good", "비슷하다"),
    "skip_pair": ("Skip", "건너뛰기"),
    "undo": ("Undo", "되돌리기"),
    "why": ("Why? (if you like)", "이유(선택)"),
    "tags": ("Reasons", "이유"),
    "note": ("Note", "메모"),
    "note_hint": ("Anything worth saying about this pair", "이 쌍에 대해 남길 말"),
    "empty_answer": ("(empty answer)", "(빈 답변)"),
    "done_count": ("{count} judged", "{count}개 판단함"),
    "you_are": ("You are {name}", "{name}(으)로 참여 중"),
    "kept": ("Kept.", "저장했습니다."),
    "undone": ("Taken back.", "되돌렸습니다."),
    "nothing_to_undo": ("There is nothing to take back.", "되돌릴 것이 없습니다."),
    "already": (
        "This pair was already judged in another window; that choice stands.",
        "이 쌍은 다른 창에서 이미 판단했으므로 그 선택을 그대로 둡니다.",
    ),
    "other_person": (
        "Another annotator’s link was opened in this browser. Open your own link again.",
        "이 브라우저에서 다른 참여자의 링크가 열렸습니다. 자신의 링크를 다시 여십시오.",
    ),
    "finished": ("That was the last pair. Thank you!", "마지막 쌍이었습니다. 감사합니다!"),
    "finished_more": (
        "Everything is kept. You may close this page.",
        "모두 저장했습니다. 이 화면을 닫아도 됩니다.",
    ),
    "waiting": ("The models are writing the next answers …", "모델이 다음 답변을 쓰고 있습니다 …"),
    "first_time": (
        "Read both answers, then press 1 or 2 for the better one. 0 means equally good, s skips, u takes the last"
        " choice back. Who wrote which is hidden.",
        "두 답변을 읽고 더 나은 쪽의 1 또는 2를 누르십시오. 0은 비슷함, s는 건너뛰기, u는 마지막 선택 되돌리기입니다."
        " 누가 쓴 답변인지는 숨겨져 있습니다.",
    ),
    # the guideline
    "guideline_title": ("How to judge", "판단 지침"),
    "guideline_none": (
        "No guideline was written. Prefer the answer that helps the asker more: true first, then to the point.",
        "작성된 지침이 없습니다. 묻는 사람에게 더 도움이 되는 답변, 곧 우선 사실에 맞고 다음으로 요점을 짚는 답변을"
        " 고르십시오.",
    ),
    "guideline_edit": ("Write it (Markdown)", "작성하기(마크다운)"),
    "save": ("Save", "저장"),
    "saved": ("Saved.", "저장했습니다."),
    # people
    "people_title": ("People and their links", "참여자와 링크"),
    "people_lead": (
        "Whoever has a link judges under its name. Links stay the same as long as the store lives.",
        "링크를 가진 사람은 그 이름으로 판단합니다. 저장소가 있는 한 링크는 바뀌지 않습니다.",
    ),
    "name": ("Name", "이름"),
    "link": ("Link", "링크"),
    "add": ("Add", "추가"),
    "new_name": ("Name of a new annotator", "새 참여자의 이름"),
    "owner": ("owner", "소유자"),
    # results
    "results_title": ("Results so far", "지금까지의 결과"),
    "results_none": ("No choice has been made yet.", "아직 선택이 없습니다."),
    "choices": ("choices", "선택"),
    "skipped": ("skipped", "건너뜀"),
    "ties": ("ties", "비슷함"),
    "seconds": ("seconds per choice", "선택당 시간(초)"),
    "agreement_title": ("Do people agree?", "사람들의 판단이 일치하는가?"),
    "agreement_lead": (
        "Over {count} pairs judged by two or more. Kappa and alpha take off what chance alone would give: 1 is full"
        " agreement, 0 is chance. Brackets are 95 % intervals.",
        "두 사람 이상이 판단한 {count}쌍 기준입니다. 카파와 알파는 우연히 일치할 몫을 뺀 값으로, 1은 완전한 일치, 0은"
        " 우연입니다. 대괄호는 95% 신뢰구간입니다.",
    ),
    "agreement_none": (
        "No pair was judged by two people yet. Add people, or raise --overlap.",
        "두 사람이 함께 판단한 쌍이 아직 없습니다. 참여자를 추가하거나 --overlap을 높이십시오.",
    ),
    "percent": ("Percent agreement", "일치율"),
    "fleiss": ("Fleiss’ kappa", "플라이스 카파"),
    "krippendorff": ("Krippendorff’s alpha", "크리펜도르프 알파"),
    "cohen": ("Cohen’s kappa", "코헨 카파"),
    "both_people": ("Two people", "두 사람"),
    "shared_pairs": ("pairs", "쌍"),
    "each_person": ("Each person", "사람별"),
    "each_lead": (
        "Consistency: the same choice when a pair came back with its sides swapped. Left: the share of choices for the"
        " left answer; 50 % when the side plays no part.",
        "일관성: 좌우를 바꾸어 다시 보였을 때 같은 선택을 한 비율. 왼쪽: 왼쪽 답변을 고른 비율로, 위치가 영향을 주지"
        " 않으면 50%입니다.",
    ),
    "consistency": ("consistency", "일관성"),
    "twice": ("({count} twice)", "(두 번 {count}개)"),
    "left_share": ("left", "왼쪽"),
    "together": ("agrees with others", "다른 사람과 일치"),
    "last": ("last choice", "마지막 선택"),
    "all_people": ("everybody", "전체"),
    "side_warning": (
        "{name} prefers one side whatever stands there: {share} for the left.",
        "{name}: 내용과 관계없이 한쪽을 고르는 경향이 있습니다(왼쪽 {share}).",
    ),
    "models_title": ("Which model is preferred?", "어느 모델이 선호되는가?"),
    "models_lead": (
        "Bradley–Terry: strength in log-odds, 0 being the mean of all; the chance is that of being preferred to a model"
        " of mean strength. Brackets are 95 % intervals: models whose brackets overlap cannot be told apart for sure.",
        "브래들리–테리 모형: 강도는 로그 오즈이며 0이 전체 평균입니다. 확률은 평균 강도의 모델보다 선호될 확률입니다."
        " 대괄호는 95% 신뢰구간이며, 구간이 겹치는 모델끼리는 우열을 확신할 수 없습니다.",
    ),
    "model": ("Model", "모델"),
    "strength": ("strength", "강도"),
    "chance": ("preferred", "선호 확률"),
    "games": ("comparisons", "비교"),
    "wins": ("won", "이긴 비율"),
    "tags_title": ("Reasons given", "밝힌 이유"),
    "next_title": ("What next", "다음 단계"),
    "train": (
        "Train a reward model on these choices:",
        "이 선택으로 보상 모델을 학습하려면:",
    ),
    "train_lead": (
        "Run it in a terminal. It writes the model and its card (README.md) to the folder named last; {count} choices"
        " count, ties are left out.",
        "터미널에서 실행하십시오. 마지막에 적은 폴더에 모델과 모델 카드(README.md)가 저장됩니다. 선택 {count}개가"
        " 쓰이고, 비슷함은 빠집니다.",
    ),
    "train_model": (
        "For {word}, put a folder of a pre-trained or fine-tuned model.",
        "{word} 자리에는 사전 학습 또는 미세 조정한 모델의 폴더를 넣으십시오.",
    ),
    "download": ("Download the choices", "선택 내려받기"),
    "download_choices": ("One row per choice (JSONL)", "선택마다 한 행(JSONL)"),
    "download_pairs": ("One row per pair, with margin", "쌍마다 한 행(차이 포함)"),
    "download_ties": ("With ties, in both orders", "비슷함 포함(양쪽 순서로)"),
    "copy": ("Copy", "복사"),
    "copied": ("Copied", "복사함"),
    "live_error": ("The models stopped: {reason}", "모델이 멈췄습니다: {reason}"),
    "forbidden": ("Only the owner’s link opens this page.", "이 화면은 소유자의 링크로만 열립니다."),
}

TAGS = ("correct", "complete", "clear", "polite", "safe", "style")
TAG_WORDS: Table = {
    "correct": ("more correct", "더 정확함"),
    "complete": ("more complete", "더 완전함"),
    "clear": ("clearer", "더 명확함"),
    "polite": ("better manners", "더 예의 바름"),
    "safe": ("safer", "더 안전함"),
    "style": ("better style", "더 나은 문체"),
}
