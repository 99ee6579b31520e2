import pytest
import torch

from baro.models.layout import for_few_rows


def bits(model) -> list[bytes]:
    return [parameter.detach().contiguous().numpy().tobytes() for parameter in model.parameters()]


@pytest.mark.parametrize("name", ["llama", "gpt2", "gemma2"])
def test_weights_lie_the_other_way_inside_and_as_before_afterwards(make, name):
    model = make(name)
    before, places = bits(model), [parameter.stride() for parameter in model.parameters()]
    tokens = torch.arange(9, 29)[None]
    with torch.no_grad():
        expected = model(input_ids=tokens).logits
        with for_few_rows(model):
            turned = [p for layer in model.modules() if isinstance(layer, torch.nn.Linear) for p in [layer.weight]]
            found = model(input_ids=tokens).logits
            embedding = model.get_input_embeddings().weight
            for weight in turned:
                assert weight.t().is_contiguous() != (weight is embedding)
            assert embedding.is_contiguous()
            assert bits(model) == before, "the values are the same"
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-10)
    assert bits(model) == before
    assert [parameter.stride() for parameter in model.parameters()] == places


def test_an_error_inside_leaves_nothing_turned(make):
    model = make("llama")
    with pytest.raises(RuntimeError), for_few_rows(model):
        raise RuntimeError
    assert all(parameter.is_contiguous() for parameter in model.parameters())


def test_training_goes_on_after_sampling_as_if_nothing_had_been(make):
    def trained(between) -> list[bytes]:
        model = make("llama")
        optimiser = torch.optim.AdamW(model.parameters(), lr=1e-3)
        for _ in range(2):
            optimiser.zero_grad()
            model(input_ids=torch.arange(9, 29)[None], labels=torch.arange(9, 29)[None]).loss.backward()
            optimiser.step()
            between(model)
        return bits(model)

    def sampled(model):
        with for_few_rows(model), torch.no_grad():
            model(input_ids=torch.arange(9, 29)[None])

    assert trained(sampled) == trained(lambda model: None)
