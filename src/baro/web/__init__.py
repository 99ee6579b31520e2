"""Pages in a browser: annotation, the live board, the chat and its API. Everything stays on this machine."""
