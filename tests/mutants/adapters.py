"""Bugs of adapters: what leaks, what is lost, what is counted twice."""

from __future__ import annotations

from mutant import Mutant

MODELS, RECIPES = "models/test_adapters.py::test_", "recipes/test_adapters.py::test_"

MUTANTS = [
    Mutant(
        name="an adapter is put into the modules that the reference uses too",
        incident="T35 the reference moves with the policy, trl#1534",
        file="models/shared.py",
        old="model = copy.deepcopy(base, dict(weights))",
        new="model = base",
        test=f"{MODELS}no_adapter_leaks_into_another_model_of_the_base",
    ),
    Mutant(
        name="a model that is not trained is trained all the same",
        incident="T35 the reference moves with the policy, trl#1534",
        file="models/adapters.py",
        old="parameter.requires_grad_(parameter.requires_grad and lora.trained)",
        new="pass",
        test=f"{MODELS}an_adapter_is_continued_and_its_start_is_the_reference",
    ),
    Mutant(
        name="the reference of a continued adapter is the bare base",
        incident="T36 log-probabilities of another reference, trl#1961",
        file="models/adapters.py",
        old="start = Path(path).expanduser() if is_adapter(path) else None",
        new="start = Path(path).expanduser() if is_adapter(path) and lora.trained else None",
        test=f"{MODELS}an_adapter_is_continued_and_its_start_is_the_reference",
    ),
    Mutant(
        name="an adapter is merged twice",
        incident="T47 merging of adapters, torchtune#506",
        file="models/load.py",
        old="return adapters.merge(model, path) if adapters.is_adapter(path) else model",
        new="return adapters.merge(adapters.merge(model, path), path) if adapters.is_adapter(path) else model",
        test=f"{MODELS}merged_is_unmerged",
    ),
    Mutant(
        name="the head of a reward model is not saved with its adapter",
        incident="T47 parts missing from an export, torchtune#2162",
        file="models/adapters.py",
        old="config.modules_to_save = [HEAD] if head else None",
        new="config.modules_to_save = None",
        test=f"{MODELS}peft_reads_a_reward_model_and_its_scale_is_kept",
    ),
    Mutant(
        name="the scale of a reward's scores is lost with its adapter",
        incident="T47 parts missing from an export, torchtune#2162",
        file="models/adapters.py",
        old='CARRIED = ("reward_gain", "reward_bias", "pad_token_id")',
        new='CARRIED = ("pad_token_id",)',
        test=f"{MODELS}peft_reads_a_reward_model_and_its_scale_is_kept",
    ),
    Mutant(
        name="an adapter is loaded onto whatever is where its base was",
        incident="T47 merging of adapters, torchtune#506",
        file="models/adapters.py",
        old='if note.get("digest") in (None, digest(place)):',
        new="if place:",
        test=f"{MODELS}an_adapter_of_another_base_is_refused",
    ),
    Mutant(
        name="a recomputed layer drops other units than before",
        incident="gradients of another dropout mask in recomputed layers",
        file="models/recompute.py",
        old="use_reentrant=False, **options",
        new="use_reentrant=False, preserve_rng_state=False, **options",
        test=f"{MODELS}recomputed_layers_give_the_same_gradients",
    ),
    Mutant(
        name="dropout is drawn from whatever was drawn before",
        incident="T43 a resumed run that is another run",
        file="recipes/stage.py",
        old="torch.manual_seed(config.seed + dist.rank())",
        new="pass",
        test=f"{RECIPES}a_run_cut_short_resumes_to_the_same_bits",
    ),
    Mutant(
        name="the critic's pass is counted as tokens once more",
        incident="T2 the count of an update, transformers#34191",
        file="recipes/experience.py",
        old="replace(batch, count=0, extra=critic)",
        new="replace(batch, extra=critic)",
        test="recipes/test_incidents.py::test_in_the_first_pass_nothing_has_moved_yet",
    ),
]
