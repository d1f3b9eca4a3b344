"""The samples that the hosted platform's documentation gives for this call, letter by letter, in three languages.

What a client changes to come here is the base URL and the token, and so do the tests.
"""

from pathlib import Path
from typing import Final

BASE_URL: Final = "https://api.example.com"
TOKEN: Final = "<token>"

CURL: Final = """\
curl -sS -X POST https://api.example.com/v2/chat/outbound \\
     -H "Authorization: Bearer <token>" \\
     -H "Content-Type: application/json" \\
     -d '{
  "agent_id": "2a886b7d-d52d-4f8b-8ea0-19d3edc79214",
  "channel": "whatsapp",
  "to_number": "+15559876543",
  "from_number": "+15551234567",
  "initial_message": "Hi! How can I help you today?"
}'
"""

PYTHON: Final = """\
import requests

url = "https://api.example.com/v2/chat/outbound"

payload = {
    "agent_id": "2a886b7d-d52d-4f8b-8ea0-19d3edc79214",
    "channel": "whatsapp",
    "to_number": "+15559876543",
    "from_number": "+15551234567",
    "initial_message": "Hi! How can I help you today?"
}
headers = {
    "Authorization": "Bearer <token>",
    "Content-Type": "application/json"
}

response = requests.post(url, json=payload, headers=headers)

print(response.json())
"""

GO: Final = (Path(__file__).parent / "sample.go").read_text()


def pointed_at(sample: str, *, base_url: str, token: str) -> str:
    """The sample with the two things changed that a client changes."""
    assert BASE_URL in sample
    assert TOKEN in sample
    return sample.replace(BASE_URL, base_url).replace(TOKEN, token)
