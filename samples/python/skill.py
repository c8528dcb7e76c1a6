"""A function for Alexa: it is called like its intent, GreetIntent, and answers with a sentence to be spoken.

The gateway posts the skill's request here as it came; of-watchdog starts this program for each (mode=streaming).
"""

import json
import sys


def slots_of(request):
    """What the user said in the places that the intent leaves open."""
    slots = request.get("request", {}).get("intent", {}).get("slots") or {}
    return {name: slot.get("value") for name, slot in slots.items()}


def main():
    name = slots_of(json.load(sys.stdin)).get("name") or "world"
    answer = {
        "version": "1.0",
        "response": {
            "outputSpeech": {"type": "PlainText", "text": f"Hello, {name}!"},
            "shouldEndSession": True,
        },
    }
    json.dump(answer, sys.stdout)
    print()


if __name__ == "__main__":
    main()
