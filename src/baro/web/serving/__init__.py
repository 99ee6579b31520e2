"""The models that are served: the interface OpenAI's clients speak, and the page to talk to them."""
