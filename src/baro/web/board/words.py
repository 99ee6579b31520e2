"""Texts of the board, English and Korean."""

from __future__ import annotations

from baro.web.words import Table

WORDS: Table = {
    "title": ("Runs", "학습 현황"),
    "runs": ("Runs", "실행"),
    "none": (
        "There are no runs here yet. A run appears as soon as it starts.",
        "아직 실행이 없습니다. 시작하면 바로 나타납니다.",
    ),
    "show": ("Show {run} in the curves", "{run}을(를) 곡선에 표시"),
    "look": ("Details", "자세히"),
    "looked": ("Shown below", "아래에 표시됨"),
    "running": ("running", "진행 중"),
    "done": ("done", "끝남"),
    "stopped": ("stopped", "멈춤"),
    "failed": ("failed", "실패"),
    "gone": ("ended without a word", "기록 없이 끝남"),
    "unknown": ("state not recorded", "상태 기록 없음"),
    "waiting": ("waiting", "대기"),
    "skipped": ("done before", "이전에 끝남"),
    "left": ("{time} left", "{time} 남음"),
    "stop": ("Stop", "멈추기"),
    "stop_ask": (
        "Stop {run}? It finishes its update, saves, and can be resumed.",
        "{run}을(를) 멈출까요? 현재 업데이트를 마치고 저장하며, 이어서 실행할 수 있습니다.",
    ),
    "stopping": ("Stopping: it finishes its update and saves.", "멈추는 중: 현재 업데이트를 마치고 저장합니다."),
    "resume": ("Resume", "이어서 실행"),
    "resumed": (
        "Started again; the first news takes a few seconds.",
        "다시 시작했습니다. 첫 소식까지 몇 초 걸립니다.",
    ),
    "report": ("Report", "보고서"),
    "curves": ("Curves", "곡선"),
    "stages": ("Stages", "단계"),
    "smooth": ("Smoothing", "평활화"),
    "figures": ("Figures", "지표"),
    "reading": ("Reading …", "읽는 중 …"),
    "no_curves": ("These stages have no figures yet.", "아직 지표가 없는 단계입니다."),
    "updates": ("updates", "업데이트"),
    "graph": ("What each stage reads", "단계가 읽는 것"),
    "alarms": ("Alarms", "경보"),
    "no_alarms": ("No alarm has been raised.", "경보가 없습니다."),
    "samples": ("Samples", "표본"),
    "no_samples": ("This stage records no answers.", "이 단계는 답을 기록하지 않습니다."),
    "at": ("before update {step}", "업데이트 {step} 직전"),
    "part": ("part {step} of {count}", "{count}개 중 {step}번째"),
    "scrub": ("Earlier or later answers", "이전 답과 이후 답"),
    "settings": ("Settings", "설정"),
    "differing": ("Only what differs", "다른 것만"),
    "same": ("The shown runs have the same settings here.", "표시한 실행의 설정이 모두 같습니다."),
    "speed": ("Speed and memory", "속도와 메모리"),
    "per_second": ("{count} tokens or pairs a second", "초당 토큰 또는 쌍 {count}개"),
    "memory": ("{size} at most", "최대 {size}"),
    "checkpoints": ("Checkpoints", "체크포인트"),
    "no_checkpoints": ("none", "없음"),
    "of_run": ("Run {run}, stage {stage}", "실행 {run}, 단계 {stage}"),
    "setting": ("Setting", "설정 항목"),
}  # fmt: skip
SPOKEN = (*(key for key in WORDS if key not in ("title", "runs")), "offline", "refused", "error")
