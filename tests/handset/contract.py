"""Twilio's published OpenAPI documents as a judge, where they are at hand."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema

FOLDER = Path(__file__).parents[2].parent / "shared" / "contracts"


def fits(schema: str, value: object, *, document: str = "twilio_messages") -> None:
    """Fail unless the value fits the schema of that name; without the document there is no judge."""
    path = FOLDER / f"{document}.openapi.json"
    if path.exists():
        root = _read(path)
        jsonschema.validate(value, {"$ref": f"#/components/schemas/{schema}", "components": root["components"]})


def fits_request(form: dict[str, str]) -> None:
    """Fail unless the form is one that CreateMessage takes."""
    path = FOLDER / "twilio_messages.openapi.json"
    if path.exists():
        root = _read(path)
        post = root["paths"]["/2010-04-01/Accounts/{AccountSid}/Messages.json"]["post"]
        schema = post["requestBody"]["content"]["application/x-www-form-urlencoded"]["schema"]
        jsonschema.validate(form, {**schema, "components": root["components"]})


def fits_list(value: object) -> None:
    """Fail unless the value is a page of messages."""
    path = FOLDER / "twilio_messages.openapi.json"
    if path.exists():
        root = _read(path)
        get = root["paths"]["/2010-04-01/Accounts/{AccountSid}/Messages.json"]["get"]
        schema = get["responses"]["200"]["content"]["application/json"]["schema"]
        jsonschema.validate(value, {**schema, "components": root["components"]})


@cache
def _read(path: Path) -> Any:
    return _nullable(json.loads(path.read_bytes()))


def _nullable(part: Any) -> Any:
    """OpenAPI 3.0's `nullable` in JSON Schema's words."""
    if isinstance(part, list):
        return [_nullable(entry) for entry in part]
    if not isinstance(part, dict):
        return part
    plain = {name: _nullable(value) for name, value in part.items() if name != "nullable"}
    if part.get("nullable") is True and isinstance(part.get("type"), str):
        plain["type"] = [part["type"], "null"]
    return plain
