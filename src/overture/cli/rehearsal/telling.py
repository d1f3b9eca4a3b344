"""A request to a model as people read it."""

from overture.domain.turn import ModelRequest


def tell_request(request: ModelRequest) -> str:
    """A request to a model as people read it."""
    lines = [f"    {line.role}: {line.text}" for line in request.lines]
    rounds = [
        f"    {call.name}({call.arguments}) gave {result}"
        for one in request.rounds
        for call, result in zip(one.calls, one.results, strict=False)
    ]
    instructions = [f"    {line}" for line in request.instructions.splitlines() if line.strip()]
    return "\n".join(["  instructions:", *instructions, "  lines:", *lines, *rounds])
