"""The store of people's choices: pairs of answers, who was shown which on what side, and what they said."""
