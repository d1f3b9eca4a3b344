"""The values of an agent's own templates: texts that may use its variables, filled in for one conversation."""

from collections.abc import Mapping

from overture.agents import variables
from overture.domain.agent import AgentSpec, Json, TemplateUse
from overture.domain.template_opening import OwnTemplate


def fill(spec: AgentSpec, use: TemplateUse, values: Mapping[str, Json]) -> OwnTemplate:
    """A template of an agent's specification for a conversation with these values."""
    known = {*variables.SYSTEM, *spec.variables, *values}
    texts = {place: variables.fill_message(text, values, known).strip() for place, text in use.variables.items()}
    missing = [
        name
        for place, text in use.variables.items()
        if not texts[place]
        for name in variables.names_in(text)
        if not variables.shown(values.get(name))
    ]
    filled = TemplateUse(content_sid=use.content_sid, variables=texts)
    return OwnTemplate(use=filled, missing=tuple(dict.fromkeys(missing)))
