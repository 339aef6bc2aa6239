"""The OpenAI API as Jarvis speaks it: requests, errors, events, answers. Pure code except for `views`."""
